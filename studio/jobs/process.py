"""Which process a job belongs to: identity that survives reused ids, the lock of a folder, and a clean environment."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from studio.errors import JobError
from studio.jobs.state import LOCK_FILE

_PROC = Path("/proc")


def process_start(pid: int) -> str | None:
    """A word that no other process with the same id shares, or None when there is no such living process.

    A zombie counts as gone. On Linux it is the boot's id and the start in clock ticks since that boot, which setting
    the clock does not change; elsewhere the creation time that psutil reports.
    """
    try:
        if _PROC.joinpath("self", "stat").exists():
            return _linux_start(pid)
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except (psutil.Error, OSError):
        return None


def is_alive(pid: int | None, start: str) -> bool:
    """Whether the process that was recorded as (id, start) still runs."""
    return pid is not None and bool(start) and process_start(pid) == start


def acquire_lock(directory: Path, patience: float = 0.0) -> int:
    """Take the lock of a job's folder and return its file descriptor; closing it, or dying, gives the lock back.

    Args:
        patience: seconds to try for.

    Raises:
        JobError: another process works in this folder.
    """
    deadline = time.monotonic() + patience
    while (handle := try_lock(directory / LOCK_FILE)) is None:
        if time.monotonic() >= deadline:
            raise JobError(
                "This job is already running.",
                why="Another process works in its folder.",
                next_step="Wait until it has ended, or stop it first.",
                where=directory.name,
            )
        time.sleep(0.05)
    return handle


@contextmanager
def folder_lock(directory: Path, patience: float = 0.0) -> Iterator[None]:
    """`acquire_lock` for the time of a block: no worker can begin in the folder meanwhile."""
    handle = acquire_lock(directory, patience)
    try:
        yield
    finally:
        os.close(handle)


def try_lock(path: Path) -> int | None:
    """An exclusive lock on a file as its descriptor, or None while somebody else has it. It dies with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def worker_environment(parent: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a worker: the parent's without Streamlit's settings, with threads that fit the processor."""
    threads = str(usable_cores())
    clean = {key: value for key, value in parent.items() if not key.startswith("STREAMLIT")}
    defaults = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    return {**defaults, **clean, **(extra or {})}


def usable_cores() -> int:
    """Cores that this process may really use: its affinity, and the quota of its control group (Linux)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _quota_cores() or affinity))


def _linux_start(pid: int) -> str | None:
    # proc(5): the command, in parentheses, may hold anything; the state comes right after it, starttime 19 fields on.
    fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _quota_cores() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else -(-int(quota) // int(period))
    except (OSError, ValueError):
        return None
