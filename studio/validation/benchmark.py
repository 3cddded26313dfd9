"""How fast and how large a GGUF file is here: load, prefill, first token, decode, memory; models in alternation.

Every file is loaded in a process of its own and measured in turns (model, baseline, baseline, model ...), so that a
machine that slows down slows both. The figures are of this machine at this hour: they say which of two files is
faster and by how much, and nothing of a phone, whose memory bandwidth and processor are others.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.config import load_profiles
from studio.errors import EvaluationError
from studio.jobs import usable_cores
from studio.play import Done, HostOptions, ModelHost, Sampling
from studio.validation.request import ModelFile
from studio.validation.rows import append_lines, read_lines
from studio.workspace import Workspace

BENCHMARK_FILE = "benchmark.json"
GIB = 2**30
_STORY = (
    "The road climbs out of the valley between walls of dripping stone, and the mule complains at every bend. At noon "
    "the party rests beside a shrine with a broken roof, shares bread and cold water, and listens to the wind. Far "
    "below a bell rings in the village, twice, then once more, and nobody remembers what three strokes mean. "
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class BenchmarkSettings(_Frozen):
    """What is measured."""

    context_lengths: tuple[int, ...] = Field((128, 512, 1024), description="Prompt lengths in tokens, about.")
    threads: tuple[int, ...] = Field((), description="Thread counts; empty means one, and one per core.")
    new_tokens: int = Field(32, ge=2, description="Tokens decoded after each prompt, fewer if the model ends earlier.")
    rounds: int = Field(3, ge=1, description="Times that everything is measured.")

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """The counts that are used."""
        return self.threads or tuple(sorted({1, usable_cores()}))


class BenchmarkRequest(_Frozen):
    """Which files; the first is the baseline."""

    workspace: Path
    models: tuple[ModelFile, ...]
    settings: BenchmarkSettings = BenchmarkSettings()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the request."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class Measurement(_Frozen):
    """One prompt to one freshly loaded file. Speeds in tokens per second, times in seconds, memory in bytes."""

    model: str
    round: int
    threads: int
    n_prompt: int
    n_generated: int
    wanted_prompt: int
    load_seconds: float
    ttft_seconds: float
    prefill_per_second: float
    decode_per_second: float | None = Field(description="None when fewer than two tokens came.")
    peak_memory_bytes: int


class Round(_Frozen):
    """Everything measured once, of all files; kept whole or not at all, so that ratios compare like with like."""

    number: int
    measurements: tuple[Measurement, ...]


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


class SpeedRow(_Frozen):
    """Medians over the rounds of one file at one prompt length and number of threads.

    `*_ratio` is this file over the baseline, from the median of the round-by-round ratios; None for the baseline.
    """

    model: str
    threads: int
    prompt_tokens: int
    rounds: int
    load_seconds: float
    ttft_seconds: float
    prefill_per_second: float
    decode_per_second: float | None
    peak_memory_bytes: int
    prefill_ratio: float | None = None
    decode_ratio: float | None = None


class DeviceFit(_Frozen):
    """Whether the peak memory measured here stays below what a device class may spend. Memory only, not speed."""

    model: str
    profile: str
    peak_memory_bytes: int
    limit_bytes: int

    @property
    def fits(self) -> bool:
        """Below the limit at the longest prompt that was measured."""
        return self.peak_memory_bytes <= self.limit_bytes


class BenchmarkReport(_Frozen):
    """Everything measured."""

    created: float
    settings: BenchmarkSettings
    file_bytes: dict[str, int]
    measurements: tuple[Measurement, ...]
    rows: tuple[SpeedRow, ...]
    devices: tuple[DeviceFit, ...] = ()
    statement: str = (
        "Measured on this computer. The ratio between two files carries over to other machines roughly; the speeds "
        "do not. Memory is the resident peak of the process; a phone's operating system adds its own share. Speed, "
        "battery and heat on a phone: not measured."
    )


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
    settings = request.settings
    kept = {one.number: one for one in store.rounds()}
    per_round = len(settings.thread_counts) * len(request.models) * len(settings.context_lengths)
    for number in (number for number in range(settings.rounds) if number not in kept):
        before = len(kept) * per_round
        found: list[Measurement] = []
        for one in _measure_round(request, number):
            found.append(one)
            on_step(before + len(found), settings.rounds * per_round)
            if should_stop():
                return None
        kept[number] = Round(number=number, measurements=tuple(found))
        store.add(kept[number])
    return _report(request, created, [one for number in sorted(kept) for one in kept[number].measurements])


def _measure_round(request: BenchmarkRequest, number: int) -> Iterator[Measurement]:
    for threads in request.settings.thread_counts:
        for model in _alternating(request.models, number):
            yield from measure(model, request.settings, number, threads)


def _report(request: BenchmarkRequest, created: float, found: Sequence[Measurement]) -> BenchmarkReport:
    rows = speed_rows(found, request.models[0].label)
    return BenchmarkReport(
        created=created,
        settings=request.settings,
        file_bytes={one.label: one.path.stat().st_size for one in request.models},
        measurements=tuple(found),
        rows=tuple(rows),
        devices=tuple(device_fits(rows, Workspace.find(request.workspace))),
    )


def measure(model: ModelFile, settings: BenchmarkSettings, number: int, threads: int) -> Iterator[Measurement]:
    """Load the file in a new process and measure each prompt length. Raises `PlayError`."""
    window = max(settings.context_lengths) + settings.new_tokens + 64
    with ModelHost(model.path, HostOptions(context_tokens=max(256, window), threads=threads, parked=0)) as host:
        info = host.info()
        for wanted in settings.context_lengths:
            if wanted + settings.new_tokens >= info.context_tokens:
                continue
            done = _generate(host, _prompt(host, wanted), settings.new_tokens)
            yield Measurement(
                model=model.label,
                round=number,
                threads=threads,
                n_prompt=done.n_prompt,
                n_generated=done.n_generated,
                wanted_prompt=wanted,
                load_seconds=info.load_seconds,
                ttft_seconds=done.ttft_seconds,
                prefill_per_second=done.n_prompt / done.prefill_seconds if done.prefill_seconds else 0.0,
                decode_per_second=done.tokens_per_second or None,
                peak_memory_bytes=done.peak_memory_bytes,
            )


def speed_rows(measurements: Sequence[Measurement], baseline: str) -> list[SpeedRow]:
    """Medians per file, threads and prompt length, with the ratio to the baseline of the same round."""
    cells: dict[tuple[int, int, str], list[Measurement]] = {}
    for one in measurements:
        cells.setdefault((one.threads, one.wanted_prompt, one.model), []).append(one)
    return [
        _row(found, cells.get((threads, prompt, baseline), []) if model != baseline else [])
        for (threads, prompt, model), found in sorted(cells.items())
    ]


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


def _row(found: Sequence[Measurement], baseline: Sequence[Measurement]) -> SpeedRow:
    decode = [one.decode_per_second for one in found if one.decode_per_second]
    return SpeedRow(
        model=found[0].model,
        threads=found[0].threads,
        prompt_tokens=found[0].n_prompt,
        rounds=len(found),
        load_seconds=statistics.median(one.load_seconds for one in found),
        ttft_seconds=statistics.median(one.ttft_seconds for one in found),
        prefill_per_second=statistics.median(one.prefill_per_second for one in found),
        decode_per_second=statistics.median(decode) if decode else None,
        peak_memory_bytes=max(one.peak_memory_bytes for one in found),
        prefill_ratio=_ratio(found, baseline, lambda one: one.prefill_per_second),
        decode_ratio=_ratio(found, baseline, lambda one: one.decode_per_second or 0.0),
    )


def _ratio(
    found: Sequence[Measurement], baseline: Sequence[Measurement], speed: Callable[[Measurement], float]
) -> float | None:
    before = {one.round: speed(one) for one in baseline}
    ratios = [speed(one) / before[one.round] for one in found if before.get(one.round) and speed(one)]
    return statistics.median(ratios) if ratios else None


def _prompt(host: ModelHost, tokens: int) -> str:
    """A story of about so many tokens, cut in the middle of a sentence so that the model goes on."""
    text = _STORY * (tokens // 16 + 1)
    count = len(host.tokenize(text))
    return text[: max(1, len(text) * tokens // count)].rstrip(" .")


def _generate(host: ModelHost, prompt: str, new_tokens: int) -> Done:
    sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=new_tokens)
    for event in host.generate(prompt, sampling, fresh=True):
        if isinstance(event, Done):
            return event
    raise EvaluationError("The model host ended without a measurement.", next_step="Start the benchmark again.")
