"""Where to train and in which number format, decided by trying rather than by asking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from studio.machine import NATIVE_BFLOAT16


def choose_device(use_gpu: bool, tell: Callable[[str], None]) -> str:
    """'cuda' if it is wanted and a kernel really runs there, else 'cpu' (and the reason is told)."""
    if not use_gpu:
        return "cpu"
    try:
        if torch.cuda.is_available():
            torch.zeros(8, device="cuda").sum().item()
            return "cuda"
        reason = "no working GPU was found"
    except RuntimeError as error:
        reason = f"the GPU does not work ({str(error).splitlines()[0]})"
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
    """Bytes: what torch holds of the GPU's memory if training runs there, else the resident memory of this process."""
    return int(torch.cuda.memory_reserved()) if device == "cuda" else int(psutil.Process().memory_info().rss)
