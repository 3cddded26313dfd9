"""Which checkpoint of a run can be resumed from: the newest one whose every byte is as it was when it was sealed.

A checkpoint is sealed when all of it is on the disk: its manifest.json, written last, has the size and SHA-256 of every
file. One without a manifest was not written to its end; one that differs from it was damaged since.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel, ValidationError

from studio.workspace import atomic_write, sha256_file, sync

MANIFEST_FILE = "manifest.json"
STATE_FILE = "trainer_state.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_NEEDED = {STATE_FILE, WEIGHTS_FILE}


class SealedFile(BaseModel):
    """What a file of a checkpoint must be: size in bytes, and SHA-256 of its content."""

    size: int
    sha256: str


class CheckpointManifest(BaseModel):
    """manifest.json of a checkpoint: its files by their path in it, '/' between folders."""

    files: dict[str, SealedFile]


def checkpoints(run: Path) -> list[Path]:
    """The checkpoint folders of a run, newest first, whole or not."""
    folders = [path for path in run.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(folders, key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    """The optimizer step after which a checkpoint was saved, by the name of its folder."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def last_whole_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint that a kill, a full disk, a power loss or a failing disk left as it was saved."""
    return next((path for path in checkpoints(run) if is_whole(path)), None)


def seal(checkpoint: Path) -> None:
    """Make a checkpoint outlive a power loss, then say in its manifest what it is made of.

    Raises:
        OSError: a file cannot be read, or the manifest not be written; the checkpoint is then not whole.
    """
    files = _files(checkpoint)
    for path in files.values():
        sync(path)
    sealed = {name: SealedFile(size=path.stat().st_size, sha256=sha256_file(path)) for name, path in files.items()}
    atomic_write(checkpoint / MANIFEST_FILE, CheckpointManifest(files=sealed).model_dump_json(indent=1))
    sync(checkpoint.parent)  # the folder's own name must be on the disk, too


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint was sealed and every file of it still has its size and its SHA-256."""
    try:
        manifest = CheckpointManifest.model_validate_json((checkpoint / MANIFEST_FILE).read_bytes())
        files = _files(checkpoint)
        return manifest.files.keys() >= _NEEDED and all(
            name in files and _is_as_sealed(files[name], sealed) for name, sealed in manifest.files.items()
        )
    except (OSError, ValidationError):
        return False


def keep_newest(run: Path, count: int) -> None:
    """Delete all checkpoints but the newest `count` that are sealed; one that is not sealed by now never will be."""
    sealed = [path for path in checkpoints(run) if (path / MANIFEST_FILE).is_file()]
    for path in checkpoints(run):
        if path not in sealed[:count]:
            delete_checkpoint(path)


def delete_checkpoint(checkpoint: Path) -> None:
    """Delete a checkpoint, its manifest first: what is left of it after a kill is no checkpoint."""
    (checkpoint / MANIFEST_FILE).unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)


def _files(checkpoint: Path) -> dict[str, Path]:
    paths = (path for path in checkpoint.rglob("*") if path.is_file() and path.name != MANIFEST_FILE)
    return {path.relative_to(checkpoint).as_posix(): path for path in paths}


def _is_as_sealed(path: Path, sealed: SealedFile) -> bool:
    return path.stat().st_size == sealed.size and sha256_file(path) == sealed.sha256
