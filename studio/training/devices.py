"""Where to train and in which number format, decided by trying rather than by asking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from studio.machine import NATIVE_BFLOAT16
from studio.training.memory.faults import first_line
from studio.training.memory.limits import status_bytes
from studio.training.processes.group import processes


def choose_device(use_gpu: bool, tell: Callable[[str], None]) -> str:
    """'cuda' if it is wanted and a kernel really runs there, else 'cpu' (and the reason is told)."""
    if not use_gpu:
        return "cpu"
    try:
        if torch.cuda.is_available():
            square = torch.ones(16, 16, device="cuda", dtype=choose_dtype("cuda"))
            (square @ square).sum().item()  # a driver that answers may still have no kernel for this GPU or type
            return "cuda"
        reason = "no working GPU was found"
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = f"the GPU does not work ({first_line(error)})"
    tell(f"Training on the processor: {reason}.")
    return "cpu"


def choose_dtype(device: str) -> torch.dtype:
    """Format of the frozen base weights: bfloat16 where the hardware multiplies it natively, else float32."""
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    facts = Path("/proc/cpuinfo")
    flags = set(facts.read_text(errors="replace").split()) if facts.exists() else set()
    return torch.bfloat16 if flags & NATIVE_BFLOAT16 else torch.float32


def memory_in_use(device: str) -> int:
    """Bytes: what torch holds of the GPU's memory if training runs there, else the resident memory of this process.

    Where several processes train, the one that started the others counts theirs, too.
    """
    if device == "cuda":
        return int(torch.cuda.memory_reserved())
    own = psutil.Process()
    return sum(_resident(one) for one in [own, *(own.children() if processes() > 1 else [])])


def peak_memory(device: str) -> int:
    """Bytes: the most that torch held of the GPU's memory, or that was resident of this process, up to now.

    What is freed after a backward pass is in it. Where the system does not tell, or several processes train, it is no
    more than what is in use now.
    """
    if device == "cuda":
        return int(torch.cuda.max_memory_reserved())
    return max(memory_in_use(device), status_bytes("VmHWM") or 0)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0
