"""Holding a run to `memory_limit_gb` by the system's means: what goes beyond is refused, not merely noticed."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from studio.machine import GIB
from studio.training.memory.faults import MemoryShortageError
from studio.training.processes.group import processes

_STATUS = Path("/proc/self/status")


@contextmanager
def limited_memory(limit_gb: float, device: str) -> Iterator[None]:
    """Let the block allocate no more than what is left of `limit_gb` GiB; 0 is no limit.

    On the processor Linux refuses private memory beyond the limit (RLIMIT_DATA, getrlimit(2)), which counts what is
    reserved and not only what is used, so the run keeps below it. On a GPU torch refuses. Elsewhere, and for several
    processes, whose sum counts, only `Reporter` looks, after every forward and backward pass.

    Raises:
        MemoryShortageError: the model alone takes as much already.
    """
    limit = int(limit_gb * GIB)
    if limit and device == "cuda":
        whole = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / whole))
    held = status_bytes("VmData") if limit and device == "cpu" and processes() == 1 else None
    if held is None:
        yield
        return
    left = limit - int(psutil.Process().memory_info().rss)
    if left <= 0:
        raise MemoryShortageError.of_the_model_alone(
            f"The base model needs more memory than the {limit_gb:g} GiB it is allowed (memory_limit_gb).",
            f"With it loaded, {(limit - left) / GIB:.1f} GiB are used before the first step.",
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lower = held + left if soft == resource.RLIM_INFINITY else min(soft, held + left)
    resource.setrlimit(resource.RLIMIT_DATA, (lower, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def status_bytes(field: str) -> int | None:
    """A size of this process in bytes by its name in proc_pid_status(5); None where the system does not tell."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
