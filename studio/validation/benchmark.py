"""How fast and how large a GGUF file is here: load, prefill, first token, decode, memory; models in alternation.

Every measurement loads a file in a process of its own, in turns (model, baseline, baseline, model ...), so that a
machine that slows down slows both. The figures are of this machine at this hour: they say which of two files is
faster and by how much, and nothing of a phone, whose memory bandwidth and processor are others. On request every file
is also run under the memory limit of a device class (`studio.validation.devices`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from studio.config import load_profiles
from studio.errors import EvaluationError
from studio.jobs import usable_cores
from studio.validation.devices import (
    GIB,
    SAYS,
    SAYS_NOT,
    DeviceRow,
    DeviceRun,
    SimulatedDevice,
    device_rows,
    run_on_device,
    simulated_devices,
)
from studio.validation.request import ModelFile, model_files
from studio.validation.rows import append_lines, read_lines
from studio.validation.speed import Frozen, Measurement, SpeedRow, measure, speed_rows
from studio.workspace import Workspace

BENCHMARK_FILE = "benchmark.json"


class BenchmarkSettings(Frozen):
    """What is measured."""

    context_lengths: tuple[int, ...] = Field((128, 512, 1024), description="Prompt lengths in tokens.")
    threads: tuple[int, ...] = Field((), description="Thread counts; empty means one, and one per core.")
    new_tokens: int = Field(32, ge=2, description="Tokens decoded after each prompt, fewer if the model ends earlier.")
    rounds: int = Field(3, ge=1, description="Times that everything is measured.")
    devices: tuple[str, ...] = Field(
        (), description="Optimization profiles under whose limits every file is also run; `all` for every one."
    )

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """The counts that are used."""
        return self.threads or tuple(sorted({1, usable_cores()}))

    def steps(self, models: int, devices: int) -> int:
        """How many measurements that is, over all rounds."""
        return self.rounds * models * (len(self.thread_counts) * len(self.context_lengths) + devices)


class BenchmarkRequest(Frozen):
    """Which files; the first is the baseline."""

    workspace: Path
    models: tuple[ModelFile, ...]
    settings: BenchmarkSettings = BenchmarkSettings()
    devices: tuple[SimulatedDevice, ...] = ()

    @classmethod
    def of(
        cls, workspace: Workspace, models: Sequence[str | Path], settings: BenchmarkSettings | None = None
    ) -> BenchmarkRequest:
        """The request with its files and the limits of its devices, as they are now.

        Raises:
            EvaluationError: a model is not there, or devices cannot be imitated on this computer.
            ConfigError: there is no device of a name.
        """
        settings = settings or BenchmarkSettings()
        devices = simulated_devices(load_profiles(workspace), settings.devices) if settings.devices else ()
        files = model_files(workspace, models)
        return cls(workspace=workspace.root, models=files, settings=settings, devices=devices)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the request."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def steps_per_round(self) -> int:
        """Measurements of one round."""
        return self.settings.steps(len(self.models), len(self.devices)) // self.settings.rounds


class Round(Frozen):
    """Everything measured once, of all files; kept whole or not at all, so that ratios compare like with like."""

    number: int
    measurements: tuple[Measurement, ...]
    devices: tuple[DeviceRun, ...] = ()


class MeasurementStore:
    """The rounds of a benchmark that is not finished, one JSON line each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rounds(self) -> list[Round]:
        """The rounds that were measured; a line torn by a kill is passed over."""
        return read_lines(self._path, Round)

    def add(self, measured: Round) -> None:
        """Keep one more round."""
        append_lines(self._path, [measured])

    def clear(self) -> None:
        """Forget everything: the next benchmark is measured anew."""
        self._path.unlink(missing_ok=True)


class DeviceFit(Frozen):
    """Whether the peak memory measured here stays below what a device class may spend. Memory only, not speed."""

    model: str
    profile: str
    peak_memory_bytes: int
    limit_bytes: int

    @property
    def fits(self) -> bool:
        """Below the limit at the longest prompt that was measured."""
        return self.peak_memory_bytes <= self.limit_bytes


class BenchmarkReport(Frozen):
    """Everything measured."""

    created: float
    settings: BenchmarkSettings
    file_bytes: dict[str, int]
    measurements: tuple[Measurement, ...]
    rows: tuple[SpeedRow, ...]
    devices: tuple[DeviceFit, ...] = ()
    simulated: tuple[DeviceRow, ...] = ()
    device_runs: tuple[DeviceRun, ...] = ()
    cores: int = Field(0, description="Processor cores of this computer; 0 in reports that do not tell.")
    statement: str = (
        "Measured on this computer. The ratio between two files carries over to other machines roughly; the speeds "
        "do not. Memory is the resident peak of the process; a phone's operating system adds its own share. Speed, "
        "battery and heat on a phone: not measured."
    )
    device_statement: str = f"{SAYS} {SAYS_NOT}"


def run_benchmark(
    request: BenchmarkRequest,
    created: float,
    store: MeasurementStore,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> BenchmarkReport | None:
    """Measure everything, in alternation; None when `should_stop` said so (whole rounds are then in the store).

    Raises:
        PlayError: a file cannot be loaded.
    """
    kept = {one.number: one for one in store.rounds()}
    per_round, rounds = request.steps_per_round, request.settings.rounds
    for number in (number for number in range(rounds) if number not in kept):
        before = len(kept) * per_round
        found: list[Measurement | DeviceRun | None] = []
        for one in _measure_round(request, number):
            found.append(one)
            on_step(before + len(found), rounds * per_round)
            if should_stop():
                return None
        kept[number] = _round(number, found)
        store.add(kept[number])
    return _report(request, created, [kept[number] for number in sorted(kept)])


def _measure_round(request: BenchmarkRequest, number: int) -> Iterator[Measurement | DeviceRun | None]:
    """Every measurement of a round; None for a prompt that is longer than what a model was made for."""
    settings, models = request.settings, _alternating(request.models, number)
    for threads in settings.thread_counts:
        for wanted in settings.context_lengths:
            for model in models:
                yield measure(model, number, threads, wanted, settings.new_tokens)
    for device in request.devices:
        for model in models:
            yield run_on_device(model, device, number, settings.context_lengths, settings.new_tokens)


def _round(number: int, found: Sequence[Measurement | DeviceRun | None]) -> Round:
    return Round(
        number=number,
        measurements=tuple(one for one in found if isinstance(one, Measurement)),
        devices=tuple(one for one in found if isinstance(one, DeviceRun)),
    )


def _report(request: BenchmarkRequest, created: float, rounds: Sequence[Round]) -> BenchmarkReport:
    found = [one for each in rounds for one in each.measurements]
    runs = [one for each in rounds for one in each.devices]
    rows = speed_rows(found, request.models[0].label)
    return BenchmarkReport(
        created=created,
        settings=request.settings,
        file_bytes={one.label: one.size_bytes for one in request.models},
        measurements=tuple(found),
        rows=tuple(rows),
        devices=tuple(device_fits(rows, Workspace.find(request.workspace))),
        simulated=tuple(device_rows(runs, request.devices, [one.label for one in request.models])),
        device_runs=tuple(runs),
        cores=usable_cores(),
    )


def device_fits(rows: Sequence[SpeedRow], workspace: Workspace) -> list[DeviceFit]:
    """Every file against the memory limit of every optimization profile."""
    peaks = {row.model: max(one.peak_memory_bytes for one in rows if one.model == row.model) for row in rows}
    return [
        DeviceFit(model=model, profile=name, peak_memory_bytes=peak, limit_bytes=round(profile.memory_limit_gb * GIB))
        for model, peak in peaks.items()
        for name, profile in load_profiles(workspace).items()
    ]


def load_benchmark(path: Path) -> BenchmarkReport:
    """The result of a benchmark, by its job folder or JSON file.

    Raises:
        EvaluationError: there is none, or it cannot be read.
    """
    file = path / BENCHMARK_FILE if path.is_dir() else path
    try:
        return BenchmarkReport.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvaluationError(
            "There is no benchmark that can be read.", why=str(error).splitlines()[0], next_step="Run it (again)."
        ) from error


def _alternating(models: Sequence[ModelFile], number: int) -> list[ModelFile]:
    """Every other round in the opposite order, so that no file always goes first."""
    return list(models) if number % 2 == 0 else list(reversed(models))
