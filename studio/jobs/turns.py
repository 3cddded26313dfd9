"""Whose turn it is: settles what ended, puts back what was dropped, and launches the next entry of the queue.

`recover` and `advance` are for the holder of the queue's lock alone; everything else is for anybody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studio.database import Database
from studio.errors import JobError, StudioError
from studio.jobs import queue_rows as rows
from studio.jobs.job import EXIT_SECONDS, Job, launch, list_jobs
from studio.jobs.process import folder_lock, is_alive
from studio.jobs.queue_rows import EntryStatus, QueueEntry
from studio.jobs.state import STOP_FILE, JobState
from studio.jobs.waiting import give_up
from studio.workspace import Workspace

PATIENCE_SECONDS = 2.0
"""How often the runner looks whether anything still waits while a job is at work."""
POLL_SECONDS = 0.5
_OUTCOMES: dict[str, EntryStatus] = {
    "done": "done", "failed": "failed", "stopped": "stopped", "interrupted": "interrupted",
}  # fmt: skip


@dataclass(frozen=True)
class Turns:
    """The entries of one queue and the jobs behind them.

    Args:
        packages: where targets may come from.
        clock: Unix time in seconds.
    """

    database: Database
    workspace: Workspace
    packages: tuple[str, ...]
    clock: Callable[[], float]

    def entries(self) -> list[QueueEntry]:
        """What is at work, then what waits, in order; what has ended meanwhile is written down first."""
        self.settle()
        with self.database.connect() as connection:
            return rows.open_entries(connection)

    def job(self, entry: QueueEntry) -> Job:
        """The job of an entry. Raises `JobError` when its folder would lie outside the workspace."""
        path = PurePosixPath(entry.directory)
        if path.is_absolute() or ".." in path.parts:
            raise JobError("An entry of the queue leads out of the workspace.", where=entry.directory)
        return Job(self.workspace.root / path)

    def place_of(self, directory: Path) -> str:
        """How a folder stands in the file. The folders of jobs may be links to another disk."""
        here, whole = self.workspace, directory.resolve()
        for folder in (here.checkpoints_dir, here.jobs_dir, here.root):
            if whole.is_relative_to(folder.resolve()):
                return (folder / whole.relative_to(folder.resolve())).relative_to(here.root).as_posix()
        raise JobError("Only folders of the workspace can be queued.", where=directory.name)

    def check_target(self, target: str) -> None:
        """Raise `JobError` unless the function is one of the packages'."""
        if target.partition(":")[0].partition(".")[0] not in self.packages:
            raise JobError(
                "This entry of the queue is not work of the studio.",
                why=f"It names the function {target}.",
                next_step="Take it out of the queue. Was the workspace made by somebody else?",
            )

    def has_work(self) -> bool:
        """Whether anything waits, or was chosen by a process that died before it could launch it."""
        return any(one.is_waiting or self._was_dropped(one) for one in self.entries())

    def settle(self) -> None:
        """Write down how the entry at work ended, if it has; anybody may, for its folder says so."""
        with self.database.connect() as connection:
            running = [one for one in rows.open_entries(connection) if not one.is_waiting]
        for entry in running:
            if outcome := self._outcome(entry):
                with self.database.transaction() as connection:
                    rows.end(connection, entry.id, "running", outcome, self.clock())

    def recover(self) -> None:
        """Put back what a process that died had chosen and never launched. For the holder of the lock."""
        for entry in filter(self._was_dropped, self.entries()):
            with self.database.transaction() as connection:
                rows.put_back(connection, entry.id)

    def advance(self) -> None:
        """Launch the next entry if nothing is at work. For the holder of the lock."""
        while (entry := self._next()) and not self._launch(entry):
            pass

    def pause(self) -> None:
        """Wait until the job at work has ended, or for a while."""
        at_work = [one for one in self.entries() if not one.is_waiting]
        if not at_work:
            time.sleep(POLL_SECONDS)
        for entry in at_work:
            with suppress(JobError):
                self.job(entry).wait(PATIENCE_SECONDS)

    def give_up(self, entry: QueueEntry, error: StudioError | None = None) -> None:
        """Let the folder say that its job will not begin, unless a worker is in it or it is gone."""
        with suppress(JobError):
            directory = self.job(entry).directory
            if directory.is_dir():
                with folder_lock(directory):
                    give_up(directory, error)

    def _next(self) -> QueueEntry | None:
        entries = self.entries()
        if not entries or not entries[0].is_waiting or self._others_at_work(entries[0]):
            return None
        self._wait_for_exits(entries[0])
        with self.database.transaction() as connection:
            ids = rows.waiting_ids(connection)  # somebody may have moved or cancelled it meanwhile
            if not ids:
                return None
            rows.begin(connection, ids[0], self.clock())
            return rows.find(connection, ids[0])

    def _launch(self, entry: QueueEntry) -> bool:
        """Launch an entry whose turn has come; says whether a worker was started."""
        try:
            job = self.job(entry)
            if not job.directory.is_dir() or not job.state().is_waiting or (job.directory / STOP_FILE).exists():
                return self._drop(entry, "cancelled")  # deleted, started by hand, or told to stop while it waited
            self.check_target(entry.target)
            launch(job.directory, entry.target, entry.arguments, entry.kind, entry.title, _environment())
        except JobError as error:
            return self._drop(entry, "failed", error)
        except OSError as error:
            told = JobError("It could not be started.", why=str(error), next_step="Start it again.", where=entry.title)
            return self._drop(entry, "failed", told)
        return True

    def _drop(self, entry: QueueEntry, status: EntryStatus, error: StudioError | None = None) -> bool:
        with self.database.transaction() as connection:
            rows.end(connection, entry.id, "running", status, self.clock())
        self.give_up(entry, error)
        return False

    def _others_at_work(self, entry: QueueEntry) -> bool:
        """Whether a job beside it was started without the queue."""
        return any(one.pid is not None and not one.is_finished for one in self._neighbours(entry))

    def _wait_for_exits(self, entry: QueueEntry) -> None:
        """Workers that have said their last word may hold gigabytes until their process is gone."""
        leaving = [one for one in self._neighbours(entry) if is_alive(one.pid, one.process_start)]
        deadline = time.monotonic() + EXIT_SECONDS
        while any(is_alive(one.pid, one.process_start) for one in leaving) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS / 10)

    def _neighbours(self, entry: QueueEntry) -> list[JobState]:
        found = []
        with suppress(JobError):
            for job in list_jobs(self.job(entry).directory.parent):
                with suppress(JobError):
                    found.append(job.state())
        return found

    def _outcome(self, entry: QueueEntry) -> EntryStatus | None:
        try:
            state = self.job(entry).state()
        except JobError:  # the folder is gone, or cannot be read
            return "interrupted"
        return _OUTCOMES.get(state.status)

    def _was_dropped(self, entry: QueueEntry) -> bool:
        try:
            return not entry.is_waiting and self.job(entry).state().is_waiting
        except JobError:
            return False


def _environment() -> dict[str, str]:
    """Threads sleep while they wait: spinning is a bit faster on an idle machine, many times slower on a busy one."""
    return {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
