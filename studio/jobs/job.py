"""Start a job in its own process, and look at, stop or wait for any job by its folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, JsonValue, TypeAdapter

from studio.errors import JobError
from studio.jobs.events import EventBatch, read_events
from studio.jobs.process import acquire_lock, folder_lock, is_alive, process_start, worker_environment
from studio.jobs.state import (
    EVENTS_FILE,
    LOG_FILE,
    STATE_FILE,
    STOP_FILE,
    JobState,
    Order,
    Progress,
    load_state,
    reserve_space,
    save_state,
)
from studio.workspace import PROJECT_ROOT, atomic_write

EXIT_SECONDS = 30.0
"""A worker holds its folder until its process is gone, and torch takes seconds to go on a busy machine."""
SHORT_SECONDS = 1.0
POLL_SECONDS = 0.1
KILL_SECONDS = 5.0
LOG_TAIL_BYTES = 256 * 1024
_DELETED = ".deleted-"
_ARGUMENTS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class Job:
    """A job, known by its folder. Holds nothing else: make one whenever you need it."""

    directory: Path

    def state(self) -> JobState:
        """What is true now: the recorded state, corrected when its process is gone or a stop was asked for.

        Raises:
            JobError: there is no readable job in the folder.
        """
        state = load_state(self.directory)
        if state.is_finished or state.pid is None:
            return state
        if is_alive(state.pid, state.process_start):
            stopping = (self.directory / STOP_FILE).exists()
            return state.model_copy(update={"status": "stopping"}) if stopping else state
        state = load_state(self.directory)  # it may have ended properly between the two looks
        return state if state.is_finished else _interrupted(state)

    def events(self, after: int = 0) -> EventBatch:
        """The events from byte `after` on, and where to continue."""
        return read_events(self.directory / EVENTS_FILE, after)

    def tail_log(self, lines: int = 50) -> str:
        """The last lines of log.txt (at most 256 KiB); empty when there is none yet."""
        try:
            with (self.directory / LOG_FILE).open("rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_TAIL_BYTES))
                text = stream.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, grace_seconds: float | None = None) -> JobState:
        """Ask the job to stop at its next safe point.

        Args:
            grace_seconds: wait so long, then end the process (SIGTERM, five seconds later SIGKILL). Without it the
                call returns at once and the job takes the time it needs.
        """
        if not self.state().is_finished:
            atomic_write(self.directory / STOP_FILE, f"{time.time():.3f}\n")
        if grace_seconds is not None and not self.wait(grace_seconds).is_finished:
            self._end(signal.SIGTERM)
            if not self.wait(KILL_SECONDS).is_finished:
                self._end(signal.SIGKILL)
                return self.wait(KILL_SECONDS)
        return self.state()

    def wait(self, timeout: float | None = None) -> JobState:
        """The state once the job has ended, or as it is after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            state = self.state()
            if state.is_finished or (deadline is not None and time.monotonic() >= deadline):
                return state
            time.sleep(POLL_SECONDS)

    def delete(self) -> None:
        """Delete the folder and everything in it. Killed half-way, it leaves a hidden folder that the next one removes.

        Raises:
            JobError: a worker runs in it.
        """
        folder = self.directory
        with folder_lock(folder, patience_with(folder)):
            folder.rename(folder.with_name(f"{_DELETED}{folder.name}-{secrets.token_hex(4)}"))
        for gone in folder.parent.glob(f"{_DELETED}*"):
            shutil.rmtree(gone, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        state = load_state(self.directory)
        if state.pid is not None and is_alive(state.pid, state.process_start):
            os.killpg(state.pid, how)  # the worker leads its own session, so this reaches its helpers and no one else


def launch(
    directory: Path,
    target: str,
    arguments: BaseModel | Mapping[str, JsonValue],
    kind: str,
    title: str = "",
    environment: Mapping[str, str] | None = None,
) -> Job:
    """Start `target` in a process of its own that outlives the page, the tab and the app.

    Args:
        directory: the job's folder, made if missing. A folder whose job has ended can be launched again: its events and
            log go on where they ended.
        target: `package.module:function`, called as `function(worker: Worker, arguments: dict)`.
        arguments: JSON-able values or a pydantic model.
        kind: what sort of work it is, such as "train".
        environment: variables to set on top of the cleaned environment.

    Raises:
        JobError: a worker already runs in this folder, or the process cannot be started.
    """
    lock = acquire_lock(directory, patience_with(directory))
    try:
        state = _first_state(directory, target, as_arguments(arguments), kind, title)
        known = _known_state(directory)
        if not (known and known.is_waiting):  # what was asked of a waiting job is meant for the worker that begins now
            (directory / STOP_FILE).unlink(missing_ok=True)
        reserve_space(directory)
        process = _spawn(directory, lock, environment)
        state = state.model_copy(update={"pid": process.pid, "process_start": process_start(process.pid) or ""})
        save_state(directory, state)
        _give_order(process, state, lock)
    finally:
        os.close(lock)
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()
    return Job(directory)


def as_arguments(values: BaseModel | Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A target's arguments as plain JSON values. Raises `pydantic.ValidationError` when they are none."""
    plain = values.model_dump(mode="json") if isinstance(values, BaseModel) else dict(values)
    return _ARGUMENTS.validate_python(plain)


def patience_with(directory: Path) -> float:
    """Seconds to wait for a folder's lock: long when a former worker has said its last word and will soon let go."""
    state = _known_state(directory)
    return EXIT_SECONDS if state and (state.is_finished or state.is_waiting) else SHORT_SECONDS


def _known_state(directory: Path) -> JobState | None:
    try:
        return load_state(directory)
    except JobError:  # a new folder, or a damaged one that is begun anew
        return None


def list_jobs(folder: Path) -> list[Job]:
    """The jobs whose folders lie in `folder`, newest first. Hidden folders and those without a readable job are not."""
    found: list[tuple[float, Job]] = []
    for path in folder.glob(f"[!.]*/{STATE_FILE}"):
        try:
            found.append((load_state(path.parent).created, Job(path.parent)))
        except JobError:
            continue
    return [job for _, job in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _first_state(directory: Path, target: str, arguments: dict[str, JsonValue], kind: str, title: str) -> JobState:
    earlier = _known_state(directory) or JobState(kind=kind, created=time.time())
    return JobState(
        kind=kind,
        title=title or earlier.title,
        target=target,
        arguments=arguments,
        created=earlier.created,
        progress=Progress(),
    )


def _spawn(directory: Path, lock: int, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    with (directory / LOG_FILE).open("ab") as log:
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "studio.jobs.worker", str(directory.resolve())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=PROJECT_ROOT,
                env=worker_environment(os.environ, environment),
                pass_fds=(lock,),
                start_new_session=True,
            )
        except OSError as error:
            raise JobError(
                "The job's process could not be started.", why=str(error), next_step="Try again.", where=directory.name
            ) from error


def _give_order(process: subprocess.Popen[bytes], state: JobState, lock: int) -> None:
    order = Order(target=state.target, arguments=state.arguments, lock=lock)
    stream = process.stdin
    if stream is None:
        return
    try:
        stream.write(order.model_dump_json().encode() + b"\n")
        stream.close()
    except BrokenPipeError:
        pass  # the process is gone already; the job's state will say so


def _interrupted(state: JobState) -> JobState:
    error = JobError(
        "The work ended without a word.",
        why="Its process was killed or ran out of memory, or the computer was restarted.",
        next_step="What was saved is kept. Start it again; a training run resumes from its last checkpoint.",
    )
    return state.model_copy(
        update={"status": "interrupted", "error": error.as_dict(), "speed": None, "seconds_left": None}
    )
