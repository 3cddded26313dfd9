"""Which base models there are: the catalogue's entries and what has been imported."""

from __future__ import annotations

from dataclasses import dataclass

from studio.bases.manifest import MANIFEST_FILE, BaseModel
from studio.config import ModelConfig, load_model_configs
from studio.errors import BaseModelError
from studio.workspace import Workspace, safe_name


@dataclass(frozen=True)
class BaseEntry:
    """One row of the base-model list. At least one of `config` and `base` is there."""

    name: str
    config: ModelConfig | None
    base: BaseModel | None

    @property
    def title(self) -> str:
        """What a person calls it."""
        chosen = self.base.manifest.title if self.base else ""
        return chosen or (self.config.title if self.config else "") or self.name

    @property
    def imported(self) -> bool:
        """Whether it is ready for training."""
        return self.base is not None

    @property
    def downloadable(self) -> bool:
        """Whether `import_base` can fetch it; else the user brings a folder."""
        return self.config is not None and self.config.source.kind == "wheels"


def list_bases(workspace: Workspace) -> list[BaseEntry]:
    """The catalogue in its order, then imported models of the user's own. Raises `ConfigError` for a bad catalogue."""
    configs = load_model_configs(workspace)
    folders = sorted(path.parent for path in workspace.base_dir.glob(f"[!.]*/{MANIFEST_FILE}"))
    bases = {folder.name: BaseModel.load(folder) for folder in folders}
    names = [*configs, *(name for name in bases if name not in configs)]
    return [BaseEntry(name, configs.get(name), bases.get(name)) for name in names]


def find_base(workspace: Workspace, name: str) -> BaseModel | None:
    """The imported base model, or None.

    Raises:
        BaseModelError: it is there but its manifest is damaged.
        WorkspaceError: `name` is not a usable folder name.
    """
    folder = workspace.inside(workspace.base_dir, safe_name(name))
    return BaseModel.load(folder) if (folder / MANIFEST_FILE).exists() else None


def get_base(workspace: Workspace, name: str) -> BaseModel:
    """The imported base model. Raises `BaseModelError` if it is not there."""
    if base := find_base(workspace, name):
        return base
    raise BaseModelError(
        f"The base model {name!r} has not been imported.",
        next_step="Import it on the setup page, or run `python -m studio setup`.",
        where=workspace.relative(workspace.base_dir),
    )
