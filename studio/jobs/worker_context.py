"""The worker's side of a job: what the target function is given to report progress, ask for stops and leave a result.

It never lets reporting end the work: when the disk is full, events are dropped (with a note in log.txt), state is kept.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from studio.jobs.events import Event, EventLog, MessageEvent, ProgressEvent, Status, StatusEvent
from studio.jobs.process import process_start
from studio.jobs.state import EVENTS_FILE, FINISHED, STOP_FILE, JobState, Progress, load_state, save_state

STATE_SECONDS = 0.5
SPEED_WINDOW_SECONDS = 30.0


class StartAgain(BaseException):
    """Raised by a target: the same job begins anew in a fresh process, which holds none of this one's memory.

    It is no error, so no `except Exception` on its way stops it. The target must have written down what to do
    differently, or it will come to the same place again.
    """


class Worker:
    """What a target function works with. One per process; it must hold the folder's lock (see `studio.jobs.worker`).

    Args:
        directory: the job's folder; its `state.json` must exist.
        clock: Unix time in seconds.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self._clock = clock
        self._state: JobState = load_state(directory)
        self._events = EventLog(directory / EVENTS_FILE, clock)
        self._marks: deque[tuple[float, float]] = deque()
        self._saved_at = 0.0
        self._asked = False
        self._told = False

    def begin(self) -> None:
        """Say that the work starts in this process."""
        pid = os.getpid()
        self._state = self._state.model_copy(
            update={"pid": pid, "process_start": process_start(pid) or "", "started": self._clock()}
        )
        self._become("running")

    def emit(self, event: Event) -> None:
        """Append an event to the log of the job."""
        try:
            self._events.append(event)
        except OSError as error:
            _note(f"An event could not be written ({error}): {event.model_dump_json()}")

    def message(self, text: str, level: str = "info") -> None:
        """Tell the person who watches something, in the events and in the log."""
        _note(text)
        self.emit(MessageEvent.model_validate({"level": level, "text": text}))

    def progress(self, done: float, total: float, unit: str, *, seconds_left: float | None = None) -> None:
        """Say how far the job is. Speed follows from the last half minute, and time left too unless it is given."""
        now = self._clock()
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > SPEED_WINDOW_SECONDS:
            self._marks.popleft()
        then, before = self._marks[0]
        elapsed = now - then
        speed = (done - before) / elapsed if elapsed > 0 and done > before else None
        left = (total - done) / speed if speed and seconds_left is None else seconds_left
        self._state = self._state.model_copy(
            update={"progress": Progress(done=done, total=total, unit=unit), "speed": speed, "seconds_left": left}
        )
        if now - self._saved_at >= STATE_SECONDS or done >= total:
            self.emit(ProgressEvent(done=done, total=total, unit=unit))
            self._save()

    def stop_requested(self) -> bool:
        """Whether someone asked the job to stop; a target looks at safe points, saves what it has and returns."""
        self._told = self._asked or (self.directory / STOP_FILE).exists()
        return self._told

    @property
    def told_to_stop(self) -> bool:
        """Whether the target learnt of a stop, and so did not do all its work."""
        return self._told

    def ask_to_stop(self) -> None:
        """Make `stop_requested` true, as the process is being told to end."""
        self._asked = True

    def result(self, values: Mapping[str, JsonValue]) -> None:
        """Leave results for whoever reads the state; later values replace earlier ones of the same name."""
        self._state = self._state.model_copy(update={"result": {**self._state.result, **values}})
        self._save()

    def finish(self, status: Status, error: Mapping[str, str] | None = None) -> None:
        """Say how the job ended. Called once, by `studio.jobs.worker`."""
        self._state = self._state.model_copy(update={"error": dict(error) if error else None, "seconds_left": None})
        self._become(status)
        self._events.close()

    def _become(self, status: Status) -> None:
        ended = {"finished": self._clock()} if status in FINISHED else {}
        self._state = self._state.model_copy(update={"status": status, **ended})
        self.emit(StatusEvent(status=status))
        self._save()

    def _save(self) -> None:
        self._saved_at = self._clock()
        try:
            save_state(self.directory, self._state)
        except OSError as error:
            _note(f"The state could not be written: {error}")


def _note(text: str) -> None:
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        pass  # the disk that is full also holds log.txt
