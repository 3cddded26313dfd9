"""What is done with a run besides training it: a note on it, and its deletion with what depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.errors import JobError, TrainingError
from studio.jobs import JobQueue
from studio.training.provenance import Provenance
from studio.training.runs import Run, find_run, list_runs, stop_run
from studio.workspace import Workspace, atomic_write

NOTE_FILE = "note.txt"
MOST_CHARACTERS = 4000


@dataclass(frozen=True)
class Dependants:
    """What was made from a run. All of it is kept when the run is deleted.

    Args:
        models: GGUF files in the folder of its name.
        runs: runs that began with its adapter; they have a copy of it.
    """

    models: list[Path]
    runs: list[str]


def read_note(run: Run) -> str:
    """The note on a run; empty when there is none."""
    try:
        return (run.directory / NOTE_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def write_note(run: Run, text: str) -> None:
    """Replace the note on a run; an empty text removes it.

    Raises:
        TrainingError: it is longer than 4,000 characters.
    """
    text = text.strip()
    if len(text) > MOST_CHARACTERS:
        raise TrainingError(
            f"A note has at most {MOST_CHARACTERS:,} characters.", next_step="Shorten it.", where=run.name
        )
    if text:
        atomic_write(run.directory / NOTE_FILE, text + "\n")
    else:
        (run.directory / NOTE_FILE).unlink(missing_ok=True)


def dependants(workspace: Workspace, run: Run) -> Dependants:
    """What was made from a run."""
    models = sorted((workspace.gguf_dir / run.name).glob("*.gguf"))
    heirs = [one.name for one in list_runs(workspace) if one.parent and _origin(one.parent) == run.name]
    return Dependants(models, sorted(heirs))


def delete_run(workspace: Workspace, name: str) -> Dependants:
    """Delete a run's folder: settings, checkpoints, adapter, curves and note. One that waits leaves the queue first.

    Returns:
        what was made from it, which is kept.

    Raises:
        JobError: there is no such run, or a worker is still in its folder.
        TrainingError: it is at work.
    """
    run, queue = find_run(workspace, name), JobQueue(workspace)
    entry = queue.entry_of(run.directory)
    if entry and entry.is_waiting:
        stop_run(workspace, name)
    if _is_at_work(run):
        raise TrainingError(
            f"The run {name!r} is at work and cannot be deleted.", next_step="Stop it first; it saves what it learned."
        )
    kept = dependants(workspace, run)
    run.job.delete()
    queue.forget(run.directory)
    return kept


def _is_at_work(run: Run) -> bool:
    try:
        state = run.state()
    except JobError:  # damaged: nothing is lost by deleting it
        return False
    return not (state.is_finished or state.is_waiting)


def _origin(parent: Path) -> str:
    try:
        return Provenance.read(parent).run
    except TrainingError:
        return ""
