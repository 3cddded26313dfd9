"""From a training run to files ready to play: merged f16 GGUF, quantized GGUF, and the list of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, JsonValue

from studio.bases import list_bases
from studio.config import OptimizationProfile, load_profiles
from studio.conversion.formats.gguf_stream import ConversionStopped, ProgressCallback
from studio.conversion.imatrix.service import ensure_imatrix
from studio.conversion.merged import current_merged
from studio.conversion.merging.lora_gguf import LoraReport, lora_to_gguf
from studio.conversion.places import NO_MODELS, lora_path, merged_path, quantized_path
from studio.conversion.quantization.quantize import QuantizeReport, quantize_file
from studio.conversion.quantization.sizes import estimate_size
from studio.conversion.quantization.types import quantization_type
from studio.conversion.search.fitting import GIGABYTE, largest_fitting
from studio.conversion.search.search import TRIAL_ENDING
from studio.conversion.sources import find_source, run_adapter
from studio.errors import ConfigError, ConversionError
from studio.jobs import Job, Worker, launch
from studio.workspace import Workspace, safe_name, sha256_file

_TARGET = "studio.conversion.service:main"
_MERGED_TYPE = "F16"
_STEPS = 100.0
_LEFTOVERS = (".*.part", f".*{TRIAL_ENDING}")
_MERGED, _READ = 50.0, 90.0
"""Percent that is done when the run is merged, and when an importance matrix was made besides."""


class ConversionOrder(BaseModel):
    """What a conversion job is asked to do."""

    workspace: Path
    run: str
    profile: str
    type: str
    type_is_fixed: bool = False
    size_limit_gb: float = 0


class ConversionResult(BaseModel):
    """What a conversion job made. Paths are relative to the workspace, sizes are bytes.

    Attributes:
        size_limit: what the profile allows; 0 for no limit.
        fits: whether the quantized file is within it.
    """

    f16: str
    quantized: str
    type: str
    size: int
    sha256: str
    size_limit: int
    fits: bool


@dataclass(frozen=True)
class ModelFile:
    """A GGUF that can be played: one of the user's, or a base model as it came."""

    name: str
    path: Path
    size: int
    is_base: bool


def start_conversion(workspace: Workspace, run: str, profile: str = "phone_2gb", *, type_name: str = "") -> Job:
    """Merge and quantize the adapter of a run as a job; its result holds paths, hash and sizes (`ConversionResult`).

    Args:
        type_name: a quantization type instead of the profile's. One that was asked for is kept even if the file becomes
            larger than the profile allows; the profile's own gives way to the largest one that fits.

    Raises:
        ConversionError: the run has no adapter yet, there is no such type, or the run is being converted already.
        ConfigError: there is no such profile.
    """
    chosen = profile_named(workspace, profile)
    run_adapter(workspace, run)
    order = ConversionOrder(
        workspace=workspace.root,
        run=safe_name(run),
        profile=chosen.name,
        type=quantization_type(type_name or chosen.quantization_settings.type).name,
        type_is_fixed=bool(type_name),
        size_limit_gb=chosen.quantization_settings.size_limit_gb,
    )
    with only_conversion(workspace, order.run):
        pass
    directory = workspace.jobs_dir / f"convert-{order.run}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    return launch(directory, _TARGET, order, kind="convert", title=f"Convert {run}")


def write_lora(workspace: Workspace, run: str) -> LoraReport:
    """Write the adapter of a run as `models/gguf/RUN/RUN.lora.gguf`, to be laid over its base; takes under a second.

    Raises:
        ConversionError: the run has no adapter yet, it cannot be laid over its base, or the run is being converted.
    """
    folder = run_adapter(workspace, run)
    with only_conversion(workspace, safe_name(run), patience=2):
        source = find_source(workspace, folder.parent)
        if source.adapter is None:
            raise ConversionError(f"The run {run!r} has no adapter.", next_step="Let it finish first.")
        return lora_to_gguf(source.base, source.adapter, lora_path(workspace, run))


def profile_named(workspace: Workspace, name: str) -> OptimizationProfile:
    """The device profile of that name. Raises `ConfigError`."""
    profiles = load_profiles(workspace)
    if name not in profiles:
        raise ConfigError(f"There is no profile {name!r}.", next_step=f"Use one of {', '.join(profiles)}.")
    return profiles[name]


def list_models(workspace: Workspace) -> list[ModelFile]:
    """The user's GGUF files, newest first, then the base models' own. A file that vanishes meanwhile is left out.

    Adapters in GGUF form are no models; `adapter_folders` lists what can be laid over a base.
    """
    own: list[tuple[float, ModelFile]] = []
    for path in workspace.gguf_dir.glob("*/*.gguf"):
        with suppress(FileNotFoundError):
            found = path.stat()
            own.append((found.st_mtime, ModelFile(path.stem, path, found.st_size, False)))
    own.sort(key=lambda one: one[0], reverse=True)
    bases = [entry.base for entry in list_bases(workspace) if entry.base and entry.base.gguf]
    shown = [one for _, one in own if not one.path.name.startswith(".") and not one.path.name.endswith(NO_MODELS)]
    return shown + [ModelFile(base.name, base.gguf, base.gguf.stat().st_size, True) for base in bases if base.gguf]


def find_model(workspace: Workspace, name: str) -> Path:
    """A GGUF by file path, model name, run name (its quantized file) or base name. Raises `ConversionError`."""
    if name.endswith(".gguf") and Path(name).is_file():
        return Path(name)
    models = list_models(workspace)
    exact = [one.path for one in models if one.name == name]
    of_run = [one.path for one in models if one.path.parent.name == name and not one.is_base]
    of_run.sort(key=lambda path: path.stem.endswith(".f16"))
    if chosen := next(iter(exact + of_run), None):
        return chosen
    known = ", ".join(one.name for one in models[:6]) or "none yet"
    raise ConversionError(f"There is no model called {name!r}.", next_step=f"Models here: {known}.")


def main(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The conversion job. It ends as stopped, without the file it was making, when it is asked to stop."""
    order = ConversionOrder.model_validate(arguments)
    workspace = Workspace(order.workspace)
    try:
        with only_conversion(workspace, order.run, patience=2):
            result = _Conversion(worker, workspace, order).run()
    except ConversionStopped:
        return
    worker.result(result.model_dump(mode="json"))


class _Conversion:
    """One conversion job at work."""

    def __init__(self, worker: Worker, workspace: Workspace, order: ConversionOrder) -> None:
        self._worker, self._workspace, self._order = worker, workspace, order
        self._limit = int(order.size_limit_gb * GIGABYTE)

    def run(self) -> ConversionResult:
        sweep_leftovers(merged_path(self._workspace, self._order.run).parent)
        self._worker.message(f"Merging {self._order.run} into its base model, unless that was done before ...")
        merged = current_merged(
            self._workspace, self._order.run,
            progress=self._reporter(0, _MERGED), stop=self._worker.stop_requested,
        )  # fmt: skip
        type_name = self._type_for(merged)
        if type_name == _MERGED_TYPE:  # that is what was just written
            size = merged.stat().st_size
            return self._result(merged, QuantizeReport(path=merged, type=type_name, size=size, predicted_size=size))
        imatrix = self._imatrix(merged, type_name)
        self._worker.message(f"Quantizing to {type_name} ...")
        made = quantize_file(
            merged,
            quantized_path(self._workspace, merged, type_name),
            type_name,
            imatrix=imatrix,
            progress=self._reporter(_READ if imatrix else _MERGED, _STEPS),
            stop=self._worker.stop_requested,
        )
        return self._result(merged, made)

    def _imatrix(self, merged: Path, type_name: str) -> Path | None:
        """The model's importance matrix if this type needs one; it is made from the run's texts where it is missing."""
        if not estimate_size(merged, type_name).needs_imatrix:
            return None
        self._worker.message(f"{type_name} needs an importance matrix: reading the run's texts with the model ...")
        report = self._reporter(_MERGED, _READ)
        return ensure_imatrix(self._workspace, merged, progress=report, stop=self._worker.stop_requested).path

    def _type_for(self, merged: Path) -> str:
        """The type that was ordered, or the largest that fits where the profile's own is too large."""
        wanted = estimate_size(merged, self._order.type)
        if not self._limit or wanted.size <= self._limit:
            return wanted.type
        excess = (
            f"{wanted.type} makes {_megabytes(wanted.size)}; {self._order.profile} allows {_megabytes(self._limit)}."
        )
        if self._order.type_is_fixed:
            self._worker.message(f"{excess} It is made all the same, because this type was asked for.", "warning")
            return wanted.type
        chosen = largest_fitting(merged, self._order.size_limit_gb).type
        self._worker.message(f"{excess} {chosen} is the largest type that fits.", "warning")
        return chosen

    def _result(self, merged: Path, made: QuantizeReport) -> ConversionResult:
        return ConversionResult(
            f16=self._workspace.relative(merged),
            quantized=self._workspace.relative(made.path),
            type=made.type,
            size=made.size,
            sha256=sha256_file(made.path),
            size_limit=self._limit,
            fits=not self._limit or made.size <= self._limit,
        )

    def _reporter(self, start: float, end: float) -> ProgressCallback:
        """Reports one part of the work, which takes the bar from `start` to `end` percent."""
        return lambda done, total: self._worker.progress(start + (end - start) * done / max(total, 1), _STEPS, "%")


@contextmanager
def only_conversion(workspace: Workspace, run: str, patience: float = 0) -> Iterator[None]:
    """Keep two conversions of one run from writing the same files; the lock ends with its process, however that ends.

    Args:
        patience: seconds to try for; `start_conversion` holds the lock for a moment to see whether it is free.
    """
    path = workspace.inside(workspace.state_dir / "locks", f"convert-{run}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=patience):
            yield
    except Timeout as error:
        raise ConversionError(
            f"The run {run!r} is being converted already.",
            next_step="Wait until that conversion has ended, or stop it first.",
        ) from error


def sweep_leftovers(folder: Path) -> None:
    """Remove what a killed conversion or search left; the lock says that nobody is writing it any more."""
    for leftover in (path for ending in _LEFTOVERS for path in folder.glob(ending)):
        leftover.unlink(missing_ok=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
