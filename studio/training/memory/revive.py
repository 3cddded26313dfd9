"""Begin a run again that the kernel ended for want of memory: `studio.training.memory.revive WORKSPACE RUN`.

Started by the run's watchdog. The run itself then halves its batch; one that cannot is told to have failed.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from studio.errors import JobError, StudioError
from studio.jobs import EventLog, JobQueue, MessageEvent, StatusEvent
from studio.jobs.process import folder_lock
from studio.jobs.state import EVENTS_FILE, STOP_FILE, save_state
from studio.training.memory.advice import no_room
from studio.training.memory.in_use import halved, settings_in_use
from studio.training.memory.kills import forget, was_killed_for_memory
from studio.training.runs import Run, find_run, resume_run
from studio.workspace import Workspace

_PATIENCE_SECONDS = 10.0


def revive(workspace: Workspace, name: str) -> bool:
    """Let a run go on, next in the queue; says whether it will.

    Raises:
        StudioError: it cannot be started again.
    """
    run = find_run(workspace, name)
    asked = run.config()
    if run.state().status != "interrupted" or (run.directory / STOP_FILE).exists():
        return False
    if not asked.retry_out_of_memory or not was_killed_for_memory(run.directory):
        return False
    used = settings_in_use(run.directory, asked)
    if halved(used) is None:
        fail(run, no_room(workspace, used, "The system ended the run because memory ran out."))
        return False
    resume_run(workspace, name)
    queue = JobQueue(workspace)
    if (entry := queue.entry_of(run.directory)) and entry.is_waiting:
        with suppress(JobError):  # its turn has come just now
            queue.move(entry.id, 1)
    return True


def fail(run: Run, error: StudioError) -> None:
    """Write down why a run whose process is gone has ended; nothing if somebody has begun it again meanwhile."""
    with folder_lock(run.directory, _PATIENCE_SECONDS):
        state = run.state()
        if state.status != "interrupted":
            return
        now = time.time()
        told = {"status": "failed", "error": error.as_dict(), "finished": now, "speed": None, "seconds_left": None}
        with EventLog(run.directory / EVENTS_FILE) as log:
            log.append(MessageEvent(level="error", text=str(error)))
            log.append(StatusEvent(status="failed"))
        save_state(run.directory, state.model_copy(update=told))
        forget(run.directory)


def main() -> int:
    """Exit status 0; 1 when the run cannot be started again, which log.txt of the run then says."""
    try:
        revive(Workspace(Path(sys.argv[1])), sys.argv[2])
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
