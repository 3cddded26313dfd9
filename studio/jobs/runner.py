"""The process that works the queue off: `studio.jobs.runner WORKSPACE LOCK PACKAGE...`, started by `JobQueue` alone.

It inherits the queue's lock, so there is never a second one, launches what waits one after another, and ends itself
when nothing waits any more. Killing it costs nothing: the job at work goes on, and the next page or command that looks
at the queue starts another one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from studio.jobs.queue import JobQueue
from studio.workspace import Workspace


def main() -> int:
    """Serve the queue of a workspace until nothing waits."""
    root, lock, *packages = sys.argv[1:]
    os.set_inheritable(int(lock), False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal of the app is not meant for what waits
    JobQueue(Workspace(Path(root)), packages).serve(int(lock))
    return 0


if __name__ == "__main__":
    sys.exit(main())
