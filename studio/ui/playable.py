"""What can be played as the pages name it: the files made here, adapters of runs, and the untouched base models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.conversion.merging.adapter import WEIGHTS_FILE
from studio.conversion.playable import adapter_folders
from studio.conversion.service import ModelFile, list_models
from studio.conversion.sources import ADAPTER_FOLDER
from studio.errors import PlayError
from studio.play import ModelStamp
from studio.workspace import Workspace, sha256_file

_FINAL = ADAPTER_FOLDER
"""The adapter that a run ends with: once it was made a file, that file is what one chooses."""


@dataclass(frozen=True)
class Playable:
    """One file, or an adapter to lay over its base: its id is its path below models/, for addresses.

    Attributes:
        path: the GGUF file; the folder of an adapter.
        bytes: of the file, or of the adapter's weights.
    """

    id: str
    title: str
    path: Path
    bytes: int
    is_base: bool
    is_adapter: bool = False


def list_playable(workspace: Workspace) -> list[Playable]:
    """Files made here, newest first; the quantized one of a run before its large one; then base models."""
    found = sorted(list_models(workspace), key=lambda one: (one.is_base, one.path.stem.endswith(".f16")))
    return [_playable(workspace, one) for one in found]


def list_choices(workspace: Workspace) -> list[Playable]:
    """What a model can be chosen from: files made here, then adapters of which there is no file yet, then bases."""
    files = list_playable(workspace)
    own = [one for one in files if not one.is_base]
    converted = {one.path.parent.name for one in own}
    adapters = [one for one in adapter_folders(workspace) if one.name != _FINAL or one.parent.name not in converted]
    return own + [_adapter(workspace, one) for one in adapters] + files[len(own) :]


def find_playable(workspace: Workspace, model_id: str) -> Playable:
    """The file or adapter of that id. Raises `PlayError` when it is not there (any more)."""
    for one in list_choices(workspace):
        if one.id == model_id:
            return one
    raise PlayError("This model file is not there.", next_step="Choose another model.", where=model_id)


def find_among(files: Sequence[Playable], model_id: str) -> Playable | None:
    """The file or adapter of that id, None when it is gone."""
    return next((one for one in files if one.id == model_id), None)


def first_pair(models: Sequence[Playable]) -> list[str]:
    """The ids of the two that one would compare first: the newest of one's own and a base, else the first two."""
    bases = [one.id for one in models if one.is_base]
    own = [one.id for one in models if not one.is_base]
    return [own[0], bases[0]] if own and bases else [one.id for one in models[:2]]


def model_id(workspace: Workspace, path: Path) -> str:
    """What addresses call a file or the folder of an adapter: its path below models/."""
    return path.relative_to(workspace.root / "models").as_posix()


def played_with(files: Sequence[Playable], stamp: ModelStamp | None) -> Playable | None:
    """The file or adapter that a session was played with, None when it is gone.

    Files of one name are told apart by their hash.
    """
    if stamp and stamp.adapter:
        return next((one for one in files if one.is_adapter and one.id.endswith(f"/{stamp.adapter}")), None)
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
    return Playable(model_id(workspace, one.path), title, one.path, one.size, one.is_base)


def _adapter(workspace: Workspace, folder: Path) -> Playable:
    """Named by its run and what it is of it; its size is that of its weights, 0 when they vanished meanwhile."""
    part = {_FINAL: "its adapter", "best": "its best adapter"}.get(folder.name, folder.name.replace("-", " "))
    weights = folder / WEIGHTS_FILE
    return Playable(
        model_id(workspace, folder),
        f"{folder.parent.name}, {part} (not yet a file)",
        folder,
        weights.stat().st_size if weights.is_file() else 0,
        is_base=False,
        is_adapter=True,
    )
