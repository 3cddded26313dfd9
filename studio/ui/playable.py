"""The GGUF files as the pages name them: those made here, and the untouched base models for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.conversion.service import ModelFile, list_models
from studio.errors import PlayError
from studio.play import ModelStamp
from studio.workspace import Workspace, sha256_file


@dataclass(frozen=True)
class Playable:
    """One file: its id is its path below models/, for addresses."""

    id: str
    title: str
    path: Path
    bytes: int
    is_base: bool


def list_playable(workspace: Workspace) -> list[Playable]:
    """Files made here, newest first; the quantized one of a run before its large one; then base models."""
    found = sorted(list_models(workspace), key=lambda one: (one.is_base, one.path.stem.endswith(".f16")))
    return [_playable(workspace, one) for one in found]


def find_playable(workspace: Workspace, model_id: str) -> Playable:
    """The file of that id. Raises `PlayError` when it is not there (any more)."""
    for one in list_playable(workspace):
        if one.id == model_id:
            return one
    raise PlayError("This model file is not there.", next_step="Choose another model.", where=model_id)


def played_with(files: Sequence[Playable], stamp: ModelStamp | None) -> Playable | None:
    """The file that a session was played with, None when it is gone. Files of one name are told apart by their hash."""
    named = [one for one in files if stamp and one.path.name == stamp.path]
    if stamp and len(named) > 1:
        return next((one for one in named if _hash(one.path) == stamp.sha256), None)
    return next(iter(named), None)


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError:  # deleted since the list was made
        return ""


def _playable(workspace: Workspace, one: ModelFile) -> Playable:
    title = f"{one.name} (base, untrained)" if one.is_base else one.name
    return Playable(one.path.relative_to(workspace.root / "models").as_posix(), title, one.path, one.size, one.is_base)
