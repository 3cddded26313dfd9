"""Disk room before a long step begins, and taking a file over without using room twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from studio.errors import BaseModelError

_RESERVE = 64 << 20
"""Bytes left free on top of what a step needs, so that logs and state files can still be written."""


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise `BaseModelError` unless `needed` bytes (and a small reserve) are free where `folder` lies."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + _RESERVE:
        raise BaseModelError(
            f"There is too little disk space to {purpose}.",
            why=f"It needs {_mib(needed + _RESERVE)} and {_mib(free)} is free.",
            next_step="Free some space, then start again: finished steps are kept.",
            where=str(existing),
        )


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Make `target` the same file as `source` (links followed); a copy where the file system cannot link.

    May be the `copy_function` of `shutil.copytree`.
    """
    try:
        os.link(Path(source).resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
