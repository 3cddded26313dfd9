"""What can be converted, found by its folder: a training run, an adapter, or an imported base model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from studio.bases import BaseModel, get_base
from studio.config import TrainingConfig, load_settings, settings_digest
from studio.conversion.merging.adapter import CONFIG_FILE, WEIGHTS_FILE, LoraAdapter, read_adapter
from studio.errors import ConversionError
from studio.workspace import Workspace, safe_name

ADAPTER_FOLDER = "adapter"
_BASE_FILE = "base.json"
_RUN_SETTINGS, _RUN_DATASET = "config.yaml", "dataset.json"


@dataclass(frozen=True)
class ModelSource:
    """A base model and the adapter to merge into it, if any."""

    base: BaseModel
    adapter: LoraAdapter | None
    name: str


def find_source(workspace: Workspace, folder: Path) -> ModelSource:
    """What lies in `folder`: a run (with `adapter/` in it), an adapter, or an imported base model.

    An adapter's base is the one that its provenance.json names; that of a checkpoint, the one that its run trains.

    Raises:
        ConversionError: it is none of them, or an adapter that does not say what it was trained on.
        BaseModelError: the base is not imported.
    """
    if (folder / _BASE_FILE).is_file():
        base = BaseModel.load(folder)
        return ModelSource(base, None, base.name)
    for place in (folder / ADAPTER_FOLDER, folder):
        if (place / WEIGHTS_FILE).is_file():
            return _adapter_source(workspace, place, folder.name)
    raise ConversionError(
        "There is nothing to convert in this folder.",
        why=f"It holds neither an adapter ({CONFIG_FILE}, {WEIGHTS_FILE}) nor an imported base model ({_BASE_FILE}).",
        next_step="Choose a finished training run, an adapter, or a folder under models/base/.",
        where=str(folder),
    )


def run_adapter(workspace: Workspace, run: str) -> Path:
    """The folder of a run's finished adapter. Raises `ConversionError`; `WorkspaceError` if `run` is no name."""
    folder = workspace.inside(workspace.checkpoints_dir, safe_name(run)) / ADAPTER_FOLDER
    if not folder.parent.is_dir():
        raise ConversionError(f"There is no training run called {run!r}.", next_step="List them with `runs`.")
    if not (folder / WEIGHTS_FILE).exists():
        raise ConversionError(
            f"The run {run!r} has no finished adapter.", next_step="Let it finish, or stop it so that it saves one."
        )
    return folder


def _adapter_source(workspace: Workspace, folder: Path, name: str) -> ModelSource:
    adapter = _with_base_of_run(read_adapter(folder))
    if not adapter.provenance.base:
        raise ConversionError(
            "The adapter does not say which base model it was trained on.",
            why="There is no provenance.json beside it, or it names no base.",
            next_step='Put a provenance.json with {"base": "NAME OF THE IMPORTED BASE"} beside it.',
            where=str(folder),
        )
    return ModelSource(get_base(workspace, adapter.provenance.base), adapter, adapter.provenance.run or name)


def _with_base_of_run(adapter: LoraAdapter) -> LoraAdapter:
    """A checkpoint has no provenance of its own until its run ends, but the run's settings lie one folder above it."""
    settings = adapter.folder.parent / _RUN_SETTINGS
    if adapter.provenance.base or not settings.is_file():
        return adapter
    asked = load_settings(TrainingConfig, settings)
    known = {"base": asked.base_model, "run": adapter.folder.parent.name, "config_sha256": settings_digest(asked)}
    known |= _dataset_of_run(adapter.folder.parent)
    return replace(adapter, provenance=adapter.provenance.model_copy(update=known))


def _dataset_of_run(run: Path) -> dict[str, str]:
    """What the run's dataset.json says of its rows and its base; nothing where there is none that can be read."""
    try:
        content = json.loads((run / _RUN_DATASET).read_bytes())
        said = {"dataset_fingerprint": content["fingerprint"], "base_sha256": content["base_fingerprint"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {key: value for key, value in said.items() if isinstance(value, str)}
