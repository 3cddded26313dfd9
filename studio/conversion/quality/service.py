"""Measure the files of a run, and find the best file for a device, as jobs: progress, a stop, and every step told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped, ProgressCallback
from studio.conversion.merged import current_merged
from studio.conversion.metadata import ADAPTER
from studio.conversion.places import NO_MODELS, gguf_folder
from studio.conversion.quality.held_out import held_out_rows
from studio.conversion.quality.meter import QualityMeter
from studio.conversion.quality.records import FileQuality
from studio.conversion.search.matrix import helpful_imatrix
from studio.conversion.search.optimization import Limits, optimize_file
from studio.conversion.search.search import quality_words
from studio.conversion.service import only_conversion, profile_named, sweep_leftovers
from studio.conversion.sources import run_adapter
from studio.errors import ConversionError
from studio.jobs import Job, Worker, launch
from studio.workspace import Workspace, safe_name, sha256_file

OPTIMIZATION_KIND, QUALITY_KIND = "optimize", "quality"
_STEPS = 100.0
_MERGING, _READ = 0.05, 0.25
"""Share of the progress that is done when the run is merged, and when an importance matrix was made besides."""


class OptimizationOrder(BaseModel):
    """What a search job is asked to do."""

    workspace: Path
    run: str
    profile: str


class QualityOrder(BaseModel):
    """What a measuring job is asked to do. Without files, all of the run are measured."""

    workspace: Path
    run: str
    files: list[Path] = Field(default_factory=list)


def start_optimization(workspace: Workspace, run: str, profile: str = "phone_2gb") -> Job:
    """Find the best file of a run for a device as a job.

    Its result: `quantized` (path in the workspace), `type`, `overrides`, `size` and `size_limit` in bytes, `sha256`,
    `quality` (`FileQuality`) and `tried` (a list of `Tried`).

    Raises:
        ConversionError: the run has no adapter yet, or is being converted.
        ConfigError: there is no such profile.
    """
    device = profile_named(workspace, profile)
    run_adapter(workspace, run)
    order = OptimizationOrder(workspace=workspace.root, run=safe_name(run), profile=device.name)
    title = f"Find the best file of {run} for {device.title or device.name}"
    return _launch(workspace, order.run, OPTIMIZATION_KIND, "optimize", order, title)


def start_quality(workspace: Workspace, run: str, files: Sequence[Path] = ()) -> Job:
    """Measure files of a run against its unquantized file as a job; its result: `qualities`, a list of `FileQuality`.

    Args:
        files: all that are there by default. What was measured before on the same texts is not measured again.

    Raises:
        ConversionError: the run has no adapter, or is being converted.
    """
    run_adapter(workspace, run)
    order = QualityOrder(workspace=workspace.root, run=safe_name(run), files=[path.resolve() for path in files])
    return _launch(workspace, order.run, QUALITY_KIND, "measure", order, f"Measure the files of {run}")


def optimize(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The worker of `start_optimization`. Stopped, it leaves none of the files that it tried."""
    order = OptimizationOrder.model_validate(arguments)
    workspace = Workspace(order.workspace)
    limits = Limits.of(profile_named(workspace, order.profile))
    try:
        with only_conversion(workspace, order.run, patience=2):
            merged = _merged(worker, workspace, order.run)
            matrix = helpful_imatrix(
                workspace, merged, limits,
                tell=worker.message, progress=_reporter(worker, _MERGING, _READ), stop=worker.stop_requested,
            )  # fmt: skip
            report = optimize_file(
                workspace, merged, limits, imatrix=matrix, tell=worker.message,
                progress=_reporter(worker, _READ if matrix else _MERGING), stop=worker.stop_requested,
            )  # fmt: skip
    except ConversionStopped:
        return
    told = report.model_dump(mode="json", exclude={"path", "predicted_size"})
    worker.result({**told, "quantized": workspace.relative(report.path), "sha256": sha256_file(report.path)})


def measure(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The worker of `start_quality`. Stopped, it has kept what it measured."""
    order = QualityOrder.model_validate(arguments)
    workspace = Workspace(order.workspace)
    try:
        with only_conversion(workspace, order.run, patience=2):
            merged = _merged(worker, workspace, order.run)
            found = _measured(worker, workspace, merged, order.files or _files(merged))
    except ConversionStopped:
        return
    worker.result({"qualities": [one.model_dump(mode="json") for one in found]})


def _measured(worker: Worker, workspace: Workspace, merged: Path, files: Sequence[Path]) -> list[FileQuality]:
    """The quality of every file; one that cannot be measured is told and passed over, unless it is the only one."""
    meter = QualityMeter(workspace, merged, held_out_rows(workspace, read_header(merged)))
    found, report = [], _reporter(worker)
    for number, path in enumerate(files):
        worker.message(f"Measuring {path.name} ...")
        told = partial(_part_of, report, number, len(files))
        try:
            found.append(meter.measure(path, progress=told, stop=worker.stop_requested))
        except ConversionStopped:
            raise
        except ConversionError as error:
            if len(files) == 1:
                raise
            worker.message(f"{path.name} was passed over: {error}", "warning")
            continue
        worker.message(f"{path.name}: {quality_words(found[-1])}.")
    return found


def _part_of(report: ProgressCallback, part: int, parts: int, done: int, total: int) -> None:
    report(part * total + done, parts * total)


def _files(merged: Path) -> list[Path]:
    """The models beside an unquantized file that were made from it, that one first: what it says is kept for all."""
    adapter = read_header(merged).text(ADAPTER)
    every = [path for path in merged.parent.glob("*.gguf") if not path.name.startswith(".")]
    models = [path for path in every if not path.name.endswith(NO_MODELS) and _adapter_in(path) == adapter]
    return sorted(models, key=lambda path: (path != merged, path.name))


def _adapter_in(path: Path) -> str | None:
    try:
        return read_header(path).text(ADAPTER)
    except ConversionError:
        return None


def _merged(worker: Worker, workspace: Workspace, run: str) -> Path:
    folder = gguf_folder(workspace, run)
    folder.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(folder)
    worker.message(f"Looking for the unquantized file of {run} ...")
    return current_merged(
        workspace, run, stop=worker.stop_requested,
        progress=lambda done, total: worker.progress(_STEPS * _MERGING * done / max(total, 1), _STEPS, "%"),
    )  # fmt: skip


def _reporter(worker: Worker, start: float = _MERGING, end: float = 1.0) -> ProgressCallback:
    """Reports one part of the work, which takes the bar from `start` to `end`, as shares of it."""
    return lambda done, total: worker.progress(_STEPS * (start + (end - start) * done / max(total, 1)), _STEPS, "%")


def _launch(workspace: Workspace, run: str, kind: str, function: str, order: BaseModel, title: str) -> Job:
    with only_conversion(workspace, run):
        pass
    directory = workspace.jobs_dir / f"{kind}-{run}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    return launch(directory, f"studio.conversion.quality.service:{function}", order, kind=kind, title=title)
