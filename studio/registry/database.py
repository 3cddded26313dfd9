"""The registry's SQLite file, and its errors in plain words."""

from __future__ import annotations

from pathlib import Path

from studio.database import Database, Trouble
from studio.registry.errors import RegistryDamagedError, RegistryError
from studio.registry.migrations import MIGRATIONS


def registry_database(path: Path) -> Database:
    """The database in `path`.

    Its operations raise `RegistryDamagedError` when it is damaged or newer than this studio (it is left as it is), and
    `RegistryError` when it cannot be opened, written, or stays locked.
    """

    def error(trouble: Trouble, why: str) -> RegistryError:
        return {"damaged": _damaged, "newer": _newer, "unusable": _unusable}[trouble](path, why)

    return Database(path, MIGRATIONS, error)


def _unusable(path: Path, why: str) -> RegistryError:
    return RegistryError(
        "The registry cannot be used now.",
        why=f"The system says: {why}.",
        next_step="Check that the disk is not full and .studio/ can be written, then try again.",
        where=path.name,
    )


def _newer(path: Path, why: str) -> RegistryError:
    return RegistryDamagedError(
        f"The registry was written by a newer studio ({why}).",
        next_step="Update the studio, or use another workspace.",
        where=path.name,
    )


def _damaged(path: Path, why: str) -> RegistryError:
    return RegistryDamagedError(
        "The registry's database is damaged. It was left as it is.",
        why=f"SQLite says: {why}.",
        next_step=(
            f"Put back a copy of {path.name} from a backup; or move it and the files {path.name}-wal and "
            f"{path.name}-shm out of .studio/, then approve and deploy again. What is deployed stays in place."
        ),
        where=path.name,
    )
