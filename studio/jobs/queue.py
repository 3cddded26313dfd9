"""`JobQueue`: jobs that run one after another. It decides the order and whose turn it is; the rest is in their folders.

Whoever holds `.studio/queue.lock` may launch. That is the process that adds a job while nothing is at work, or else the
runner (`studio.jobs.runner`), which is started when something must wait and ends when nothing does. A page or a command
that calls `wake` starts it again after a crash or a restart of the computer.

Only functions of the given packages are launched: the file may have come with a campaign of somebody else's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, JsonValue

from studio.errors import JobError
from studio.jobs import queue_rows as rows
from studio.jobs.job import Job, as_arguments, patience_with
from studio.jobs.process import folder_lock, try_lock, worker_environment
from studio.jobs.queue_rows import QueueEntry
from studio.jobs.queue_schema import queue_database
from studio.jobs.turns import Turns
from studio.jobs.waiting import parked
from studio.workspace import PROJECT_ROOT, Workspace


class JobQueue:
    """The queue of one workspace. Holds no connection and no job: make one whenever you need it, in any process.

    Args:
        workspace: whose `.studio/queue.sqlite` it is; the file is made by the first `add`.
        packages: where targets may come from.
        clock: Unix time in seconds.

    Raises:
        JobError: the file is damaged, of a newer studio, or cannot be opened. Every method may raise it, too.
    """

    def __init__(
        self,
        workspace: Workspace,
        packages: Sequence[str] = ("studio",),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = queue_database(workspace.state_dir / "queue.sqlite")
        self._turns = Turns(self._database, workspace, tuple(packages), clock)
        if self._exists:
            self._database.prepare()

    def add(
        self,
        directory: Path,
        target: str,
        arguments: BaseModel | Mapping[str, JsonValue],
        kind: str,
        title: str = "",
    ) -> QueueEntry:
        """Put a job at the end of the queue. It starts at once, from this process, when nothing else is at work.

        Args:
            directory: the job's folder inside the workspace; until its turn its state is "queued", without a process.
            target: as for `studio.jobs.launch`, and so are the others.

        Raises:
            JobError: it is in the queue already, a worker runs in its folder, or the folder lies elsewhere.
        """
        self._turns.check_target(target)
        place, values, now = self._turns.place_of(directory), as_arguments(arguments), self._turns.clock()
        self._database.prepare()
        with folder_lock(directory, patience_with(directory)):
            self._turns.settle()  # its former entry, whose end the folder will not tell any more
            with parked(directory, target, values, kind, title), self._database.transaction() as connection:
                if any(one.directory == place for one in rows.open_entries(connection)):
                    raise JobError(
                        "This waits in the queue already.", next_step="Its turn comes by itself.", where=title
                    )
                entry_id = rows.add(connection, place, target, values, kind, title or directory.name, now)
        self.wake()
        return self.entry(entry_id)

    def entries(self) -> list[QueueEntry]:
        """What is at work, then what waits, in order."""
        return self._turns.entries() if self._exists else []

    def ended(self) -> list[QueueEntry]:
        """The entries that are over, the latest first."""
        if not self._exists:
            return []
        self._turns.settle()
        with self._database.connect() as connection:
            return rows.ended_entries(connection)

    def entry(self, entry_id: int) -> QueueEntry:
        """An entry by its id. Raises `JobError` when there is none."""
        if self._exists:
            self._turns.settle()
            with self._database.connect() as connection:
                if found := rows.find(connection, entry_id):
                    return found
        raise JobError("There is no such entry in the queue.", next_step="Look at the queue again.")

    def entry_of(self, directory: Path) -> QueueEntry | None:
        """The entry of a folder that waits or is at work."""
        place = self._turns.place_of(directory)
        return next((one for one in self.entries() if one.directory == place), None)

    def job(self, entry: QueueEntry) -> Job:
        """The job of an entry. Raises `JobError` when its folder would lie outside the workspace."""
        return self._turns.job(entry)

    def move(self, entry_id: int, position: int) -> None:
        """Give a waiting entry another place: 1 is the next, and a number that is too large the last.

        Raises:
            JobError: its turn has come already, or it is not in the queue.
        """
        self.entry(entry_id)
        with self._database.transaction() as connection:
            ids = rows.waiting_ids(connection)
            if entry_id not in ids:
                raise _not_waiting()
            ids.remove(entry_id)
            ids.insert(max(0, position - 1), entry_id)
            rows.order(connection, ids)

    def cancel(self, entry_id: int) -> None:
        """Take a waiting entry out. Its folder stays and counts as stopped.

        Raises:
            JobError: its turn has come already, or it is not in the queue.
        """
        entry = self.entry(entry_id)
        with self._database.transaction() as connection:
            if not rows.end(connection, entry_id, "waiting", "cancelled", self._turns.clock()):
                raise _not_waiting()
        self._turns.give_up(entry)

    def forget(self, directory: Path) -> int:
        """Remove the entries of a folder that are over; says how many."""
        if not self._exists:
            return 0
        self._turns.settle()
        with self._database.transaction() as connection:
            return rows.remove_ended(connection, self._turns.place_of(directory))

    def wake(self) -> None:
        """Start what may start, and see to it that somebody starts the rest. Cheap when there is nothing to do.

        Raises:
            JobError: the runner cannot be started.
        """
        while self._exists and self._turns.has_work():
            lock = try_lock(self._lock)
            if lock is None:
                return  # whoever has it looks once more after letting go
            try:
                self._turns.recover()
                self._turns.advance()
                if self._turns.has_work():
                    self._hand_over(lock)
                    return
            finally:
                os.close(lock)

    def serve(self, lock: int) -> None:
        """The runner's work: launch one after another until nothing waits, then close `lock`."""
        try:
            self._turns.recover()
            self._turns.advance()
            while self._turns.has_work():
                self._turns.pause()
                self._turns.advance()
        finally:
            os.close(lock)
        self.wake()  # for those who added something just now and saw the lock taken

    @property
    def _exists(self) -> bool:
        return self._database.path.exists()

    @property
    def _lock(self) -> Path:
        return self._database.path.with_name("queue.lock")

    def _hand_over(self, lock: int) -> None:
        """Start the runner; it inherits the lock, so there is exactly one from its first instant on."""
        arguments = [str(self._turns.workspace.root), str(lock), *self._turns.packages]
        with self._database.path.with_name("queue.log").open("ab") as log:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "studio.jobs.runner", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=PROJECT_ROOT,
                    env=worker_environment(os.environ),
                    pass_fds=(lock,),
                    start_new_session=True,
                )
            except OSError as error:
                raise JobError(
                    "The queue cannot go on by itself.", why=str(error), next_step="Close some programs and look again."
                ) from error
        threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()


def _not_waiting() -> JobError:
    return JobError(
        "This does not wait any more.",
        why="Its turn has come, or it was taken out of the queue.",
        next_step="Look at the queue again; what is running can be stopped.",
    )
