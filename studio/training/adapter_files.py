"""Adapters on the disk: written whole or not at all, with the hashes of what they were made from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from studio.training.provenance import WEIGHTS_FILE, Provenance
from studio.workspace import sha256_file, sync


def save_adapter(model: Any, folder: Path) -> None:
    """Save the adapter of `model` (safetensors) into `folder`; the base's embeddings are never copied into it."""
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form


def leave_adapter(model: Any, folder: Path, provenance: Provenance) -> str:
    """Put the adapter of `model` into `folder`, in place of an earlier one, when every byte of it is on the disk.

    Returns:
        SHA-256 of its weights, which its provenance names too.
    """
    partial = _fresh_partial(folder)
    save_adapter(model, partial)
    return _finish(partial, folder, provenance)


def copy_adapter(source: Path, folder: Path) -> str:
    """Put a copy of the adapter in `source` into `folder`, as `leave_adapter` does; the hash of its weights."""
    partial = _fresh_partial(folder)
    shutil.copytree(source, partial)
    return _finish(partial, folder, Provenance.read(source))


def _fresh_partial(folder: Path) -> Path:
    """Where an adapter is put together before it takes its place; what a kill left there is gone."""
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    return partial


def _finish(partial: Path, folder: Path, provenance: Provenance) -> str:
    for path in partial.iterdir():
        sync(path)
    digest = sha256_file(partial / WEIGHTS_FILE)
    provenance.model_copy(update={"adapter_sha256": digest}).write(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return digest
