"""What is known of a job: `state.json`, replaced as a whole so that a reader always finds the old or the new state."""

from __future__ import annotations

import errno
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from studio.errors import JobError
from studio.jobs.events import Status
from studio.workspace import atomic_write

STATE_FILE = "state.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
STOP_FILE = "request.stop"
LOCK_FILE = "worker.lock"
RESERVE_FILE = "state.reserve"
RESERVE_BYTES = 64 * 1024
FINISHED: frozenset[Status] = frozenset({"done", "failed", "stopped", "interrupted"})


class Progress(BaseModel):
    """How far a job is, in its own unit."""

    model_config = ConfigDict(frozen=True)

    done: float = 0.0
    total: float = 0.0
    unit: str = ""

    @property
    def fraction(self) -> float:
        """Between 0 and 1; 0 while the total is unknown."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


class JobState(BaseModel):
    """Everything a page shows about a job without reading its events. Times are Unix seconds."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    kind: str
    title: str = ""
    status: Status = "queued"
    target: str = Field(
        "", description="The function the worker calls, for display only; it is never imported from here."
    )
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    pid: int | None = None
    process_start: str = Field("", description="Identity of the process beside its id, see studio.jobs.process.")
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    progress: Progress = Field(default_factory=Progress)
    speed: float | None = Field(None, description="Units of progress per second, lately.")
    seconds_left: float | None = None
    error: dict[str, str] | None = Field(None, description="StudioError.as_dict() of what went wrong.")
    result: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen to this job unless someone starts it again."""
        return self.status in FINISHED

    @property
    def is_waiting(self) -> bool:
        """No process was given to this job yet: it waits in the queue, or was put aside on its way there."""
        return self.status == "queued" and self.pid is None


class Order(BaseModel):
    """What a launcher asks of the worker it started; sent through a pipe, never read from a file."""

    target: str
    arguments: dict[str, JsonValue]
    lock: int = Field(description="Inherited file descriptor that holds the folder's lock.")


def load_state(directory: Path) -> JobState:
    """The state as it was last written; see `Job.state` for what is true now.

    Raises:
        JobError: there is none, or it cannot be read.
    """
    path = directory / STATE_FILE
    try:
        return JobState.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise JobError(
            "There is no job in this folder.", next_step="Choose another one.", where=directory.name
        ) from error
    except (OSError, ValidationError) as error:
        raise JobError(
            "The state of this job cannot be read.",
            why=str(error),
            next_step=f"Its log ({LOG_FILE}) and events are untouched; start it again or delete the folder.",
            where=directory.name,
        ) from error


def save_state(directory: Path, state: JobState) -> None:
    """Replace the state. On a full disk the reserve is given up, so that the end of a job can still be told.

    Raises:
        OSError: it could not be written; the old state is then still there.
    """
    content = state.model_dump_json(indent=1)
    try:
        atomic_write(directory / STATE_FILE, content)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        (directory / RESERVE_FILE).unlink(missing_ok=True)
        atomic_write(directory / STATE_FILE, content)


def reserve_space(directory: Path) -> None:
    """Put a few blocks aside for `save_state`. Not being able to is not a reason to refuse a job."""
    path = directory / RESERVE_FILE
    try:
        path.write_bytes(bytes(RESERVE_BYTES))
    except OSError:
        path.unlink(missing_ok=True)
