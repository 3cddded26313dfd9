"""What can be played: a GGUF file, or an adapter laid over its base model, such as a checkpoint of a running training.

An adapter is made ready in a fraction of a second: a LoRA GGUF in `.studio/adapters/`, named by the hash of what it was
made from. It plays over the base's own `base.gguf`, quantized as that came; the file that `convert` makes is quantized
after merging, so the two do not say the same to the letter.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from studio.bases import BaseModel, get_base
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.merging.adapter import CONFIG_FILE, WEIGHTS_FILE, LoraAdapter
from studio.conversion.merging.lora_gguf import lora_to_gguf
from studio.conversion.metadata import BASE_NAME
from studio.conversion.places import LORA_ENDING, overlay_folder
from studio.conversion.service import find_model
from studio.conversion.sources import ADAPTER_FOLDER, ModelSource, find_source
from studio.errors import ConversionError, WorkspaceError
from studio.workspace import Workspace, sha256_file

KEPT_OVERLAYS = 16
"""Adapters that are kept ready; those not used for longest are deleted and made again when they are asked for."""


_OF_A_RUN = re.compile(rf"{ADAPTER_FOLDER}|best|checkpoint-\d+")
"""What a run calls the folders of its adapters; the one that it began with is another run's."""


@dataclass(frozen=True)
class PlayableModel:
    """A model file, and the LoRA GGUF to lay over it, if any."""

    name: str
    path: Path
    adapter: Path | None = None


def resolve_playable(workspace: Workspace, name: str | Path) -> PlayableModel:
    """What a name stands for.

    Args:
        name: as for `find_model`; or an adapter: its folder, `RUN/adapter`, `RUN/checkpoint-N`, or its .lora.gguf file.

    Raises:
        ConversionError: there is nothing of that name, or the adapter cannot be laid over its base.
        BaseModelError: the adapter's base is not imported.
    """
    path = locate_playable(workspace, name)
    if path.is_dir():
        return make_overlay(workspace, path)
    if path.name.endswith(LORA_ENDING):
        return PlayableModel(path.name.removesuffix(LORA_ENDING), _base_file(_named_base(workspace, path)), path)
    return PlayableModel(path.stem, path)


def locate_playable(workspace: Workspace, name: str | Path) -> Path:
    """The model file or the adapter's folder that a name stands for, as for `resolve_playable`; nothing is made.

    Raises:
        ConversionError: there is nothing of that name.
    """
    if folder := _adapter_folder(workspace, str(name)):
        return folder
    try:
        return find_model(workspace, str(name))
    except ConversionError as error:
        raise _with_hint(workspace, str(name), error) from error


def adapter_folders(workspace: Workspace) -> list[Path]:
    """The folders of all runs that hold an adapter, checkpoints included, newest first."""
    found = {path.parent for path in workspace.checkpoints_dir.glob(f"*/*/{WEIGHTS_FILE}")}
    shown = [one for one in found if _OF_A_RUN.fullmatch(one.name) and (one / CONFIG_FILE).is_file()]
    return sorted(shown, key=_when_written, reverse=True)


def adapter_name(workspace: Workspace, folder: Path) -> str:
    """How an adapter is named: `tavern/checkpoint-40`; by its folder alone where it lies in no run."""
    runs = workspace.checkpoints_dir.resolve()
    folder = folder.resolve()
    return folder.relative_to(runs).as_posix() if folder.is_relative_to(runs) else folder.name


def make_overlay(workspace: Workspace, folder: Path) -> PlayableModel:
    """Make the adapter in `folder` ready to be played over its base; at once where that was done before.

    Raises:
        ConversionError: it cannot be read or laid over its base, or the base came without a GGUF file.
        BaseModelError: the base is not imported.
    """
    source = find_source(workspace, folder)
    if source.adapter is None:
        raise ConversionError("There is no adapter in this folder.", where=str(folder))
    name, base_file = adapter_name(workspace, source.adapter.folder), _base_file(source.base)
    path = overlay_folder(workspace) / f"{_digest(source, source.adapter, name)}{LORA_ENDING}"
    if path.is_file():
        os.utime(path)
    else:
        lora_to_gguf(source.base, source.adapter, path, name=name)
        _forget_oldest(path.parent)
    return PlayableModel(name, base_file, path)


def _adapter_folder(workspace: Workspace, name: str) -> Path | None:
    """The folder that is meant, if it holds an adapter: a path as typed, below the workspace, or below the runs."""
    candidates = [Path(name), workspace.root / name]
    with suppress(WorkspaceError):
        candidates.append(workspace.inside(workspace.checkpoints_dir, name))
    return next((one for one in candidates if (one / WEIGHTS_FILE).is_file()), None)


def _with_hint(workspace: Workspace, name: str, error: ConversionError) -> ConversionError:
    """A run without a model file can be tried all the same."""
    names = [adapter_name(workspace, one) for one in adapter_folders(workspace)]
    of_run = next((one for one in names if one.startswith(f"{name}/")), None)
    if of_run is None:
        return error
    return ConversionError(
        f"The run {name!r} has no model file yet.",
        next_step=f"Make one with `convert {name}`, or try its adapter over the base model as {of_run}.",
    )


def _named_base(workspace: Workspace, path: Path) -> BaseModel:
    name = read_header(path).text(BASE_NAME)
    if not name:
        raise ConversionError(
            "This adapter file does not say which base model it was made for.",
            next_step="Make it again with `convert RUN --lora`.",
            where=path.name,
        )
    return get_base(workspace, name)


def _base_file(base: BaseModel) -> Path:
    if base.gguf is None:
        raise ConversionError(
            f"{base.name} came without a GGUF file, so there is nothing to lay an adapter over.",
            next_step="Make a model file of the run instead (convert).",
        )
    return base.gguf


def _digest(source: ModelSource, adapter: LoraAdapter, name: str) -> str:
    """Of the adapter, its settings, the base it is for and its name: whatever the file would hold."""
    parts = [sha256_file(adapter.weights), sha256_file(adapter.folder / CONFIG_FILE), source.base.fingerprint, name]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob(f"*{LORA_ENDING}"), key=_when_written, reverse=True)
    for path in kept[KEPT_OVERLAYS:]:
        path.unlink(missing_ok=True)


def _when_written(path: Path) -> float:
    try:
        return (path / WEIGHTS_FILE if path.is_dir() else path).stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0
