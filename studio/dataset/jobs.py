"""Making the dataset of a workspace: at once, or as a job in its own process that a page watches and can stop.

A request carries a stamp of everything that the dataset depends on (sizes and times of files, not their content), so
that a page can tell in milliseconds whether what was made last is still what would be made now.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from studio.bases import get_base
from studio.config import DatasetConfig
from studio.dataset.augmentation import AugmentationStore
from studio.dataset.models import MANIFEST_FILE, ProcessedDataset
from studio.dataset.processor import ProgressCallback, TrainingDataProcessor
from studio.errors import JobError
from studio.jobs import Job, JobState, Worker, launch
from studio.workspace import Workspace

PREPROCESS_KIND = "preprocess"
_CONFIG_FILES = ("tools.yaml", "diagnostics.yaml")


class DatasetRequest(BaseModel):
    """Which dataset is wanted. `files`: scenario files to read. `stamp`: changes when the dataset might."""

    model_config = ConfigDict(frozen=True)

    workspace: Path
    base: str
    max_seq_length: int
    config: DatasetConfig
    files: int
    stamp: str


class _StopError(Exception):
    """Somebody asked the job to stop; what is prepared by then is kept."""


def dataset_request(workspace: Workspace, base: str, max_seq_length: int, config: DatasetConfig) -> DatasetRequest:
    """The request for the dataset of this moment.

    Raises:
        BaseModelError: there is no such base model.
    """
    digest = hashlib.sha256(get_base(workspace, base).fingerprint.encode())
    digest.update(f"{max_seq_length} {config.model_dump_json(exclude={'balance'})}".encode())
    files = 0
    for path, stat in _looked_at(workspace, variations=config.variations):
        files += path.suffix == ".md"
        digest.update(f"{path} {stat.st_mtime_ns} {stat.st_size}".encode(errors="surrogateescape"))
    return DatasetRequest(
        workspace=workspace.root, base=base, max_seq_length=max_seq_length, config=config, files=files,
        stamp=digest.hexdigest(),
    )  # fmt: skip


def make_dataset(request: DatasetRequest, progress: ProgressCallback | None = None) -> ProcessedDataset:
    """The dataset, made in this process unless it is there. Raises as `TrainingDataProcessor.process_scenarios`."""
    workspace = Workspace(request.workspace)
    base = get_base(workspace, request.base)
    processor = TrainingDataProcessor.configured(workspace, base, request.max_seq_length, request.config)
    return processor.process_scenarios(workspace.scenarios_dir, progress)


def start_preprocess(request: DatasetRequest) -> Job:
    """Make the dataset in a process of its own; the job that does so already is returned instead.

    What an earlier job of this base and row length finished before it was stopped or killed is taken over.

    Raises:
        JobError: it cannot be started.
    """
    running = preprocess_job(request)
    if running and not running.state().is_finished:
        return running
    title = f"Prepare {request.files:,} scenarios"
    return launch(_folder(request), "studio.dataset.jobs:preprocess", request, PREPROCESS_KIND, title=title)


def preprocess_job(request: DatasetRequest) -> Job | None:
    """The last job for this base and row length, whichever scenarios it read; None when there never was one."""
    job = Job(_folder(request))
    try:
        job.state()
    except JobError:
        return None
    return job


def made_by(state: JobState, request: DatasetRequest) -> Path | None:
    """The folder of the dataset that the job made, if that is the one of the request and it still lies there."""
    name = state.result.get("fingerprint")
    if state.status != "done" or state.result.get("stamp") != request.stamp or not isinstance(name, str):
        return None
    folder = Workspace(request.workspace).processed_dir / name
    return folder if (folder / MANIFEST_FILE).exists() else None


def preprocess(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The worker of `start_preprocess`."""
    request = DatasetRequest.model_validate(arguments)

    def progress(done: int, total: int) -> None:
        worker.progress(done, total, "scenarios")
        if worker.stop_requested():
            raise _StopError

    try:
        made = make_dataset(request, progress)
    except _StopError:
        return
    worker.result({"fingerprint": made.fingerprint, "stamp": request.stamp})


def _folder(request: DatasetRequest) -> Path:
    which = hashlib.sha256(f"{request.base} {request.max_seq_length}".encode()).hexdigest()[:12]
    return Workspace(request.workspace).jobs_dir / f"{PREPROCESS_KIND}-{which}"


def _looked_at(workspace: Workspace, *, variations: bool) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file that decides about the dataset, in order."""
    for name in _CONFIG_FILES:
        path = workspace.config_file(name)
        yield path, path.stat()
    yield from _below(workspace.scenarios_dir)
    yield from _below(workspace.validation_dir)
    if variations:
        yield from _below(AugmentationStore(workspace).folder_of("accepted"))


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The scenario files below a folder, hidden ones aside; a file that goes away meanwhile is passed over."""
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))
        elif entry.name.endswith(".md"):
            try:
                yield Path(entry.path), entry.stat()
            except OSError:
                continue
