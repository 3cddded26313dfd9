"""A small process that waits for the death of another one and, when the kernel was short of memory, runs a command.

A process that the kernel kills for its memory cannot say so, and may have been the only one that was at work. Run by
its path with `python -I -S`, it imports nothing of the studio, so it holds a few megabytes. It knows of a kill only
where the kernel counts them (Linux); what kills it together with its worker leaves nothing to begin again.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
KILLS = "oom_kills"
"""Key of the mark file: how many kills had been counted when the work began."""


def oom_kills(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """How many processes the kernel has ended for want of memory since the machine was started; None: it does not say.

    Counted in the control group of this process where there is one (memory.events of version 2, memory.oom_control of
    version 1, see the kernel's admin-guide/cgroup-v2), else on the whole machine (proc/vmstat).
    """
    for path in [*_group_files(proc, cgroups), proc / "vmstat"]:
        if (count := _counted(path)) is not None:
            return count
    return None


def main() -> int:
    """`watchdog.py PID MARK COMMAND...`: what to wait for, the file with the earlier count, what to run then."""
    pid, mark, *command = sys.argv[1:]
    _wait_for(int(pid))
    if rose_since(Path(mark)):
        os.execv(command[0], command)  # noqa: S606 - the command line that the run itself wrote
    return 0


def rose_since(mark: Path) -> bool:
    """Whether the kernel has ended a process for its memory since `mark` was written; no, when it cannot be known."""
    try:
        before = json.loads(mark.read_text(encoding="utf-8"))[KILLS]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    now = oom_kills()
    return isinstance(before, int) and now is not None and now > before


def _wait_for(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it is gone already
    select.select([handle], [], [])
    os.close(handle)


def _group_files(proc: Path, cgroups: Path) -> list[Path]:
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:  # hierarchy:controllers:path, see cgroups(7)
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found.append(cgroups / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            found.append(cgroups / "memory" / path.lstrip("/") / "memory.oom_control")
    return found


def _counted(path: Path) -> int | None:
    try:
        fields = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return None
    return next((int(field[1]) for field in fields if len(field) == 2 and field[0] == "oom_kill"), None)


if __name__ == "__main__":
    sys.exit(main())
