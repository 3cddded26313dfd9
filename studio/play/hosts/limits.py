"""Limits that a model host puts on itself before it loads a file, and the memory that it really took.

Memory is limited by RLIMIT_DATA (setrlimit(2), Linux 4.7 and later): the private writable memory of the process, that
is the heap, the KV cache, the buffers and the stacks of its threads. A file that is mapped into memory is not part of
it, so a limited host reads the weights into memory of its own (`load_mode` none) instead of mapping the file: then
every byte of the weights counts, and none of them can be dropped and read again, which would make a file that is far
too large look as if it fitted. What Python and its libraries hold before the file is loaded is left out, because no
phone has them. What is set aside counts, also where it is never touched: llama.cpp's buffers for its largest batch.

RLIMIT_AS would also count shared libraries and addresses that are only reserved. A control group would need rights
over memory.max that few computers give to a user, and it kills the process where RLIMIT_DATA refuses the memory, so
that llama.cpp can say so.

Not limited: the speed of a core, the memory bandwidth, the caches, the disk.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from studio.errors import PlayError

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class HostLimits:
    """What a host may use.

    Attributes:
        memory_bytes: weights, KV cache and buffers together; 0 means no limit.
        cores: processor cores that it may run on; 0 means all. More than there are means all.
    """

    memory_bytes: int = 0
    cores: int = 0

    def arguments(self) -> list[str]:
        """The arguments of `python -m studio.play.hosts.host` that stand for these limits."""
        return ["--memory-limit", str(self.memory_bytes), "--cores", str(self.cores)]

    def begin(self) -> None:
        """Keep this process on its cores; before libraries are imported, which start threads for every core.

        Raises:
            PlayError: this operating system has no such limits.
        """
        if self.cores or self.memory_bytes:
            _need_linux()
        if self.cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: self.cores])
        if self.memory_bytes:  # numpy and OpenMP set memory aside for every thread that they may ever start
            os.environ.update({"OPENBLAS_NUM_THREADS": "1", "OMP_STACKSIZE": "1M"})

    def hold_memory(self) -> None:
        """From now on this process may take `memory_bytes` more; after libraries were imported, before the file."""
        if self.memory_bytes:
            most = _status("VmData") + self.memory_bytes
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `HostLimits.arguments` writes."""
    parser.add_argument("--memory-limit", type=int, default=0, help="bytes of memory that the host may take; 0: all")
    parser.add_argument("--cores", type=int, default=0, help="processor cores that the host may run on; 0: all")


def limits_of(options: argparse.Namespace) -> HostLimits:
    """The limits of a parsed command line."""
    return HostLimits(options.memory_limit, options.cores)


def can_limit() -> bool:
    """Whether this operating system enforces both limits."""
    return sys.platform.startswith("linux")


def peak_memory_bytes() -> int:
    """The most that was resident at once since this program began (VmHWM of proc(5)).

    Not `ru_maxrss`, where Linux tells: that one is inherited from the process that started this one.
    """
    if _STATUS.exists():
        return _status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_memory_bytes(process: int) -> int:
    """Memory that another process holds now, pages of mapped files included; 0 when it is gone."""
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


def _status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _need_linux() -> None:
    if not can_limit():
        raise PlayError(
            "This computer cannot play at being a smaller one.",
            why="Limits on memory and cores need Linux.",
            next_step="Measure without devices.",
        )
