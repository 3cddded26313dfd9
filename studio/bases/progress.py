"""What a long import tells its caller while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["download", "unpack", "convert", "finish"]


@dataclass(frozen=True)
class ImportProgress:
    """One step of an import. `done` and `total` are bytes; 0 means not known."""

    stage: Stage
    detail: str
    done: int = 0
    total: int = 0


ProgressCallback = Callable[[ImportProgress], None]
"""Called often, from the importing thread. It may raise to stop the import: what was fetched is kept."""


def ignore_progress(_: ImportProgress) -> None:
    """The callback of a caller who does not look."""
