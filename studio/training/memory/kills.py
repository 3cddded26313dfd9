"""A run that the kernel ended for want of memory: how that is known, and how the run goes on by itself.

While a run trains, a mark lies in its folder and a watchdog waits beside its process. A run that ends in any other way
takes both away. What was killed otherwise (by hand, with the whole session, by a power cut) stays interrupted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.jobs import watchdog
from studio.jobs.process import process_start
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

MARK_FILE = "training.mark"


@contextmanager
def watched(workspace: Workspace, run: Path) -> Iterator[None]:
    """Train under the eyes of a watchdog, which begins the run again if the kernel kills this process for its memory.

    Does nothing but run the block where the kernel does not count such kills.
    """
    kills = watchdog.oom_kills()
    if kills is None or not hasattr(os, "pidfd_open"):
        yield
        return
    mark = {"pid": os.getpid(), "process_start": process_start(os.getpid()), watchdog.KILLS: kills}
    atomic_write(run / MARK_FILE, json.dumps(mark) + "\n")
    guard = _start(workspace, run)
    try:
        yield
    finally:
        guard.kill()
        guard.wait()
        (run / MARK_FILE).unlink(missing_ok=True)


def was_killed_for_memory(run: Path) -> bool:
    """Whether the run's last process died while it trained, and the kernel has ended one for its memory since then."""
    try:
        began_in = str(json.loads((run / MARK_FILE).read_text(encoding="utf-8"))["process_start"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    this_boot = (process_start(os.getpid()) or "").partition(":")[0]  # the count begins anew with the machine
    return began_in.startswith(f"{this_boot}:") and watchdog.rose_since(run / MARK_FILE)


def forget(run: Path) -> None:
    """Take the mark of an earlier process away."""
    (run / MARK_FILE).unlink(missing_ok=True)


def _start(workspace: Workspace, run: Path) -> subprocess.Popen[bytes]:
    """The watchdog: of this process's group, so whoever ends the job with its helpers ends it, too."""
    then = [sys.executable, "-m", "studio.training.memory.revive", str(workspace.root), run.name]
    command = [sys.executable, "-I", "-S", str(watchdog.__file__), str(os.getpid()), str(run / MARK_FILE), *then]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=PROJECT_ROOT)
