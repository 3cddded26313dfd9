"""Frees the disk of prepared scenarios and datasets that nothing refers to any more. Everything can be made again.

What stays: the datasets that a run's dataset.json names and those the caller names; the recipe of the caller; and what
somebody else may be writing: anything younger than an hour. While a run is going on, nothing at all is removed.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from studio.dataset.models import MANIFEST_FILE, PREPARED_FOLDER, ProcessedDataset
from studio.errors import DatasetError
from studio.jobs import list_jobs
from studio.workspace import Workspace

_YOUNG = 3600
"""Seconds in which another process may still be at work on what it has begun."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_RECIPE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: datasets, recipes and shards of the recipe that stays, and their size in bytes."""

    datasets: int
    recipes: int
    shards: int
    freed: int


def prune(
    workspace: Workspace, recipe: str, keep: Collection[str], texts: Collection[str], now: float | None = None
) -> Pruned:
    """Remove what nothing refers to.

    Args:
        recipe: the folder below prepared/ that stays; its shards are rid of texts that are not among `texts`.
        keep: fingerprints of datasets that stay though no run names them.
        texts: SHA-256 of the scenarios that there are.
        now: seconds since the epoch.

    Raises:
        DatasetError: a training run is going on.
    """
    from studio.dataset.shards import ShardStore

    _refuse_while_running(workspace)
    before = _size(workspace.processed_dir)
    oldest = (time.time() if now is None else now) - _YOUNG
    kept = {*keep, *_named_by_runs(workspace)}
    prepared = workspace.processed_dir / PREPARED_FOLDER
    datasets = _remove(workspace.processed_dir, _FINGERPRINT, kept, oldest)
    recipes = _remove(prepared, _RECIPE, {recipe}, oldest)
    shards = ShardStore(prepared / recipe).compact(texts, oldest) if (prepared / recipe).is_dir() else 0
    return Pruned(datasets, recipes, shards, before - _size(workspace.processed_dir))


def _refuse_while_running(workspace: Workspace) -> None:
    running = [job for job in list_jobs(workspace.checkpoints_dir) if not job.state().is_finished]
    if running:
        raise DatasetError(
            "Nothing is removed while a training run is going on.",
            why=f"{running[0].directory.name} may need it.",
            next_step="Wait until it is finished, or stop it.",
        )


def _named_by_runs(workspace: Workspace) -> set[str]:
    """The datasets that runs began with. A run whose dataset.json cannot be read cannot be resumed with one."""
    named = set()
    for path in workspace.checkpoints_dir.glob(f"*/{MANIFEST_FILE}"):
        try:
            named.add(ProcessedDataset.load(path.parent).fingerprint)
        except DatasetError:
            continue
    return named


def _remove(folder: Path, names: re.Pattern[str], kept: Collection[str], oldest: float) -> int:
    """Remove the folders in `folder` that are called so, are not kept and have not changed since `oldest`."""
    if not folder.is_dir():
        return 0
    gone = [
        path
        for path in folder.iterdir()
        if names.fullmatch(path.name) and path.name not in kept and not path.is_symlink() and _changed(path) < oldest
    ]
    for path in gone:
        (path / MANIFEST_FILE).unlink(missing_ok=True)  # first: what is half removed is no dataset
        shutil.rmtree(path)
    return len(gone)


def _changed(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
