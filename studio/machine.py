"""What this computer has and what that means for training and playing, read without loading torch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
from pydantic import BaseModel, Field

from studio.workspace import Workspace

GIB = 2**30
NATIVE_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


class Machine(BaseModel):
    """Facts about the computer; sizes in bytes."""

    cores: int = Field(description="Processor cores that this process may use.")
    memory_total: int
    memory_available: int
    disk_free: int = Field(description="Free bytes where the workspace lies.")
    processor: str = ""
    native_bfloat16: bool = Field(False, description="The processor multiplies bfloat16 matrices natively.")
    gpu_devices: int = Field(0, description="NVIDIA device files present; whether they work, only a worker can tell.")

    def concerns(self) -> list[str]:
        """What may go wrong here, each with what to do; empty when all is well for a small model."""
        found = []
        if self.memory_available < 3 * GIB:
            found.append(
                f"Only {self.memory_available / GIB:.1f} GiB of memory are free; training SmolLM2 needs about 3. "
                "Close other programs first."
            )
        if self.disk_free < 2 * GIB:
            found.append(
                f"Only {self.disk_free / GIB:.1f} GiB of disk are free; a run and its GGUF files need about 2. "
                "Free some space."
            )
        if self.cores < 2:
            found.append("Only one processor core may be used; training will take twice as long as the presets say.")
        return found


def look(workspace: Workspace) -> Machine:
    """The machine as it is now."""
    memory = psutil.virtual_memory()
    name, flags = _processor()
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_total=memory.total,
        memory_available=memory.available,
        disk_free=shutil.disk_usage(_existing(workspace.root)).free,
        processor=name,
        native_bfloat16=bool(NATIVE_BFLOAT16 & flags),
        gpu_devices=len(list(Path("/dev").glob("nvidia[0-9]*"))),
    )


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _processor() -> tuple[str, set[str]]:
    """Model name and feature flags (Linux); empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", set()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return fields.get("model name", ""), set(fields.get("flags", "").split())
