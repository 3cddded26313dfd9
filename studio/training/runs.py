"""Training runs as folders: start one, find it again, stop and resume it. A run is a job under models/checkpoints/.

Runs are started through the queue: one is at work at a time, the others wait.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from studio.bases import get_base
from studio.config import TrainingConfig, load_dataset_config, load_settings, save_settings
from studio.errors import JobError, StudioError, TrainingError
from studio.jobs import Job, JobQueue, JobState, list_jobs
from studio.training.parent.adapter import read_parent
from studio.training.provenance import WEIGHTS_FILE
from studio.training.trackers import check_trackers
from studio.workspace import Workspace, safe_name

CONFIG_FILE = "config.yaml"
DATASET_FILE = "dataset.json"
ADAPTER_DIR = "adapter"
PARENT_DIR = "parent"
TARGET = "studio.training.worker:main"
_LONGEST_STEM = 50


@dataclass(frozen=True)
class Run:
    """A training run, known by its folder."""

    directory: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.directory.name

    @property
    def job(self) -> Job:
        """The run as a job: state, events, log, stop."""
        return Job(self.directory)

    @property
    def adapter(self) -> Path | None:
        """The folder of its adapter, None while there is none. A run that was stopped has what it had learned."""
        path = self.directory / ADAPTER_DIR
        return path if (path / WEIGHTS_FILE).exists() else None

    @property
    def parent(self) -> Path | None:
        """The folder with the copy of the adapter that it begins with, None if it begins with none."""
        path = self.directory / PARENT_DIR
        return path if (path / WEIGHTS_FILE).exists() else None

    @property
    def scenarios(self) -> Path | None:
        """The folder of scenarios that it learns from; None when its state does not say."""
        named = self.state().arguments.get("scenarios")
        return Path(named) if isinstance(named, str) else None

    def state(self) -> JobState:
        """What is true now."""
        return self.job.state()

    def config(self) -> TrainingConfig:
        """The settings it runs with. Raises `ConfigError`."""
        return load_settings(TrainingConfig, self.directory / CONFIG_FILE)


def start_run(
    workspace: Workspace,
    config: TrainingConfig,
    *,
    name: str = "",
    scenarios: Path | None = None,
    parent: str | Path | None = None,
) -> Run:
    """Start a training run in its own process; while another one is at work it waits for its turn.

    Args:
        name: folder name; a date and time if empty.
        scenarios: folder of scenarios, data/scenarios/ if None.
        parent: a run's name or an adapter's folder whose weights to begin with; rank, alpha and target modules are then
            that adapter's, whatever `config` says.

    Raises:
        BaseModelError: the base model is not imported.
        ConfigError: config/dataset.yaml cannot be used.
        TrainingError: a run of that name exists, the parent cannot be used, or a tracker is not installed.
        WorkspaceError: the name cannot be a folder.
    """
    base = get_base(workspace, config.base_model)
    check_trackers(config.trackers)
    if config.dataset is None:  # kept as it is now: a resumed run makes the same rows, whatever the file says then
        config = config.model_copy(update={"dataset": load_dataset_config(workspace)})
    earlier = None if parent is None else read_parent(find_adapter(workspace, parent))
    if earlier:
        earlier.check_base(base)
        config = earlier.settings(config)
    with _new_directory(workspace, name) as directory:
        save_settings(config, directory / CONFIG_FILE)
        if earlier:
            earlier.copy_into(directory / PARENT_DIR)
        return _launch(workspace, directory, str((scenarios or workspace.scenarios_dir).resolve()))


def resume_run(workspace: Workspace, name: str) -> Run:
    """Go on with a run that was stopped or interrupted, from its last whole checkpoint, when its turn comes.

    Raises:
        BaseModelError: its base model is no longer here.
        JobError: there is no such run, it waits in the queue, or it is still running.
        TrainingError: it is already complete.
    """
    run = find_run(workspace, name)
    state = run.state()
    if state.status == "done":
        raise TrainingError(
            f"The run {name!r} is complete.", next_step=f"To train it further, start a new run from it (--from {name})."
        )
    get_base(workspace, run.config().base_model)
    scenarios = str(state.arguments.get("scenarios", workspace.scenarios_dir))
    return _launch(workspace, run.directory, scenarios)


def free_name(workspace: Workspace, run: Run) -> str:
    """A name for a run like this one: `tavern-2` for the first one like `tavern`, `tavern-3` for the next."""
    stem = re.sub(r"-\d+$", "", run.name)[:_LONGEST_STEM]
    return next(name for n in count(2) if not (workspace.checkpoints_dir / (name := f"{stem}-{n}")).exists())


def stop_run(workspace: Workspace, name: str) -> JobState:
    """Ask a run to stop: it saves first. One that waits is taken out of the queue.

    Raises:
        JobError: there is no such run.
    """
    run, queue = find_run(workspace, name), JobQueue(workspace)
    entry = queue.entry_of(run.directory)
    if entry and entry.is_waiting:
        with suppress(JobError):  # its turn came just now
            queue.cancel(entry.id)
            return run.state()
    return run.job.stop()


def find_run(workspace: Workspace, name: str) -> Run:
    """The run of that name. Raises `JobError` if there is none."""
    directory = workspace.inside(workspace.checkpoints_dir, safe_name(name))
    if not (directory / CONFIG_FILE).exists():
        known = ", ".join(run.name for run in list_runs(workspace)[:5]) or "none yet"
        raise JobError(f"There is no training run called {name!r}.", next_step=f"Runs here: {known}.")
    return Run(directory)


def list_runs(workspace: Workspace) -> list[Run]:
    """All runs, newest first."""
    jobs = list_jobs(workspace.checkpoints_dir)
    return [Run(job.directory) for job in jobs if (job.directory / CONFIG_FILE).exists()]


def find_adapter(workspace: Workspace, chosen: str | Path) -> Path:
    """The folder of an adapter, by the name of its run, or by a path: its folder or its run's.

    Raises:
        TrainingError: there is none.
    """
    runs = {run.name: run for run in list_runs(workspace)}
    if run := runs.get(str(chosen)):
        if run.adapter:
            return run.adapter
        raise TrainingError(
            f"The run {run.name!r} has no adapter yet.", next_step="Let it finish, or stop it: it saves first."
        )
    for folder in (Path(chosen), Path(chosen) / ADAPTER_DIR):
        if (folder / WEIGHTS_FILE).is_file():
            return folder
    raise TrainingError(
        f"There is no adapter at {str(chosen)!r}.",
        next_step=f"Name a run ({', '.join(runs) or 'there is none yet'}), or a folder with {WEIGHTS_FILE}.",
    )


@contextmanager
def _new_directory(workspace: Workspace, name: str) -> Iterator[Path]:
    """A folder for a new run, gone again if the run cannot be started."""
    chosen = safe_name(name) if name else f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    directory = workspace.inside(workspace.checkpoints_dir, chosen)
    try:
        directory.mkdir(parents=True)
    except FileExistsError as error:
        raise TrainingError(
            f"There is already a run called {chosen!r}.", next_step="Choose another name, or resume that one."
        ) from error
    try:
        yield directory
    except (StudioError, OSError):
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _launch(workspace: Workspace, directory: Path, scenarios: str) -> Run:
    arguments = {"workspace": str(workspace.root), "scenarios": scenarios}
    JobQueue(workspace).add(directory, TARGET, arguments, kind="train", title=directory.name)
    return Run(directory)
