"""A job that has no process yet: its folder says that it waits, so that lists and pages show it like any other.

Only the holder of the folder's lock (`folder_lock`) may call these.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue

from studio.errors import JobError, StudioError
from studio.jobs.state import STATE_FILE, STOP_FILE, JobState, load_state, save_state
from studio.workspace import atomic_write


def park(directory: Path, target: str, arguments: Mapping[str, JsonValue], kind: str, title: str) -> None:
    """Record that a job waits. One that ran before keeps its history, its progress and the time it was made.

    Raises:
        OSError: the state could not be written.
    """
    try:
        earlier = load_state(directory)
    except JobError:
        earlier = JobState(kind=kind, created=time.time())
    fresh = {"status": "queued", "pid": None, "process_start": "", "finished": None, "error": None}
    order = {"kind": kind, "title": title or earlier.title, "target": target, "arguments": dict(arguments)}
    (directory / STOP_FILE).unlink(missing_ok=True)
    save_state(directory, earlier.model_copy(update={**fresh, **order, "speed": None, "seconds_left": None}))


@contextmanager
def parked(directory: Path, target: str, arguments: Mapping[str, JsonValue], kind: str, title: str) -> Iterator[None]:
    """`park`, undone when the block raises."""
    path = directory / STATE_FILE
    before = path.read_bytes() if path.exists() else None
    park(directory, target, arguments, kind, title)
    try:
        yield
    except BaseException:
        path.unlink() if before is None else atomic_write(path, before)
        raise


def give_up(directory: Path, error: StudioError | None = None) -> None:
    """End a job that waits: it is then stopped, or failed with `error`. Does nothing to one that does not wait."""
    state = load_state(directory)
    if state.is_waiting:
        ended = {"status": "failed" if error else "stopped", "error": error.as_dict() if error else None}
        save_state(directory, state.model_copy(update={**ended, "finished": time.time()}))
    (directory / STOP_FILE).unlink(missing_ok=True)
