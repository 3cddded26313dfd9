"""Which checkpoint of a run can be resumed from: the newest one that is whole, judged without loading it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open

_WEIGHTS = "adapter_model.safetensors"
_STATE = "trainer_state.json"
_TORCH_FILES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


def checkpoints(run: Path) -> list[Path]:
    """The checkpoint folders of a run, newest first, whole or not."""
    folders = [path for path in run.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(folders, key=lambda path: int(path.name.removeprefix("checkpoint-")), reverse=True)


def last_whole_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint that a kill, a full disk or a power loss did not leave half-written."""
    return next((path for path in checkpoints(run) if is_whole(path)), None)


def is_whole(checkpoint: Path) -> bool:
    """Whether every file is there from its first to its last byte. Bits that flipped in between are not noticed."""
    try:
        json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
        with safe_open(checkpoint / _WEIGHTS, framework="np"):
            pass  # opening compares the file's size with what its header promises
    except (OSError, ValueError, SafetensorError):
        return False
    return all(zipfile.is_zipfile(checkpoint / name) for name in _TORCH_FILES)  # their index is at their end
