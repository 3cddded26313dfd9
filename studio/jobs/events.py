"""What a job says while it works: typed events, one JSON line each, appended by one writer and read by anyone.

The log is append-only. A worker that was killed and resumed repeats the steps after its last checkpoint; a reader that
draws curves takes `without_undone` and `latest_by_step`. Nothing here locks: only the worker that holds the job's lock
may append.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Status = Literal["queued", "running", "stopping", "done", "failed", "stopped", "interrupted"]


class _Event(BaseModel):
    # Not-a-number is a fact worth recording (a diverged loss), and JSON has no number for it: it becomes a string.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    time: float = Field(0.0, description="Unix time in seconds; the log fills it in when it is 0.")


class StepEvent(_Event):
    """One optimizer step of a training run."""

    type: Literal["step"] = "step"
    step: int
    total_steps: int
    epoch: float
    loss: float = Field(description="Mean cross-entropy of the trained tokens of this step, in nats.")
    learning_rate: float
    grad_norm: float = Field(description="L2 norm of the gradient before clipping.")
    tokens_per_second: float = Field(description="Tokens processed per second in this step, padding not counted.")
    tokens_seen: int = Field(description="Tokens processed since the run began, padding not counted.")
    memory_bytes: int = Field(description="Resident memory of the worker (of the GPU if it trains there).")


class EvaluationEvent(_Event):
    """The model measured on the validation split."""

    type: Literal["evaluation"] = "evaluation"
    step: int
    epoch: float
    loss: float
    perplexity: float
    trained_tokens: int = Field(description="Tokens that the loss is the mean of.")
    calls_right: float | None = Field(None, description="Share of a few held-out turns with the author's requests.")
    calls_turns: int = Field(0, description="How many turns that share is of.")


class CheckpointEvent(_Event):
    """A checkpoint that a run can resume from was saved."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str = Field(description="Folder relative to the job's folder.")


class SampleEvent(_Event):
    """Text that the model in training wrote for a fixed prompt."""

    type: Literal["sample"] = "sample"
    step: int
    prompt: str
    text: str


class MessageEvent(_Event):
    """A sentence for the person who watches."""

    type: Literal["message"] = "message"
    level: Literal["info", "warning", "error"] = "info"
    text: str


class ProgressEvent(_Event):
    """How far the job is."""

    type: Literal["progress"] = "progress"
    done: float
    total: float
    unit: str


class StatusEvent(_Event):
    """The job changed its status."""

    type: Literal["status"] = "status"
    status: Status


Event = Annotated[
    StepEvent | EvaluationEvent | CheckpointEvent | SampleEvent | MessageEvent | ProgressEvent | StatusEvent,
    Field(discriminator="type"),
]
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_WITH_STEP = (StepEvent, EvaluationEvent, CheckpointEvent, SampleEvent)
_Stepped = TypeVar("_Stepped", StepEvent, EvaluationEvent)


@dataclass(frozen=True)
class EventBatch:
    """What `read_events` found.

    Args:
        events: whole, understood events in the order they were written.
        offset: byte position to continue from.
        damaged: lines that could not be understood (torn by a kill, or of a newer studio).
    """

    events: list[Event]
    offset: int
    damaged: int = 0


class EventLog:
    """The writing end of `events.jsonl`. Every append reaches the operating system before it returns."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._close_torn_line()

    def append(self, event: Event) -> Event:
        """Write `event` as one line and return it with its time.

        Raises:
            OSError: the line could not be written whole (the disk is full); the log is then as it was before.
        """
        stamped = event if event.time else event.model_copy(update={"time": self._clock()})
        self._write_whole(stamped.model_dump_json().encode() + b"\n")
        return stamped

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_torn_line(self) -> None:
        """A worker that was killed in mid-line must not spoil the first line of the next one."""
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            self._write_whole(b"\n")

    def _write_whole(self, line: bytes) -> None:
        before = os.fstat(self._handle).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(self._handle, line[written:])
        except OSError:
            os.ftruncate(self._handle, before)
            raise


def read_events(path: Path, offset: int = 0) -> EventBatch:
    """The events of a log from a byte offset on, up to its last whole line.

    A line that is still being written is left for the next call; a damaged line is counted and skipped. A log that is
    shorter than `offset` was replaced and is read from its start. A missing log is an empty one.
    """
    try:
        with path.open("rb") as stream:
            start = offset if offset <= os.fstat(stream.fileno()).st_size else 0
            stream.seek(start)
            data = stream.read()
    except FileNotFoundError:
        return EventBatch([], 0)
    whole = data[: data.rfind(b"\n") + 1]
    lines = [line for line in whole.split(b"\n") if line.strip()]
    events = [event for line in lines if (event := _parse(line)) is not None]
    return EventBatch(events, start + len(whole), len(lines) - len(events))


def latest_by_step(events: Iterable[_Stepped]) -> list[_Stepped]:
    """One event per step, the one written last, in order of steps: the curve of a run that was resumed."""
    return [event for _, event in sorted({event.step: event for event in events}.items())]


def without_undone(events: Iterable[Event]) -> list[Event]:
    """The events without steps, evaluations, samples and checkpoints of which a resumed run has gone back behind.

    It takes them anew, and until it has, the old ones are no part of the run as it is.
    """
    kept: list[Event] = []
    reached = 0
    for event in events:
        if isinstance(event, StepEvent):
            if event.step <= reached:
                kept = [one for one in kept if not isinstance(one, _WITH_STEP) or one.step < event.step]
            reached = event.step
        kept.append(event)
    return kept


def of_type(events: Sequence[Event], kind: type[_Stepped]) -> list[_Stepped]:
    """The events of one class, in order."""
    return [event for event in events if isinstance(event, kind)]


def _parse(line: bytes) -> Event | None:
    try:
        return _EVENT.validate_json(line)
    except ValidationError:
        return None
