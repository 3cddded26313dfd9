"""The registry's SQLite file: opening, checking, transactions, and its errors in plain words.

A connection lives for one operation, so a `Registry` may be used from any thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from studio.registry.errors import RegistryDamagedError, RegistryError
from studio.registry.migrations import LATEST, migrate, schema_version

BUSY_SECONDS = 30.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def prepare(path: Path) -> None:
    """Create the database if there is none, check it, and bring its schema up to date.

    Raises:
        RegistryDamagedError: it is damaged, or newer than this studio.
        RegistryError: it cannot be opened or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, str(error)) from error
    with connect(path) as connection:
        finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if finding != "ok":
            raise _damaged(path, finding)
        if (found := schema_version(connection)) > LATEST:
            raise RegistryDamagedError(
                f"The registry was written by a newer studio (schema {found}, this one knows {LATEST}).",
                next_step="Update the studio, or use another workspace.",
                where=path.name,
            )
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one operation, in autocommit mode.

    Raises:
        RegistryDamagedError: the file is damaged.
        RegistryError: the file cannot be opened, written, or stays locked.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
    except sqlite3.IntegrityError:
        raise  # a mistake of ours
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise _damaged(path, str(error)) from error
        raise _unusable(path, f"SQLite says: {error}.") from error


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside one writing transaction: committed at the end, undone when the block raises."""
    with connect(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _unusable(path: Path, why: str) -> RegistryError:
    return RegistryError(
        "The registry cannot be used now.",
        why=why,
        next_step="Check that the disk is not full and .studio/ can be written, then try again.",
        where=path.name,
    )


def _damaged(path: Path, why: str) -> RegistryDamagedError:
    return RegistryDamagedError(
        "The registry's database is damaged. It was left as it is.",
        why=f"SQLite says: {why}.",
        next_step=(
            f"Put back a copy of {path.name} from a backup; or move it and the files {path.name}-wal and "
            f"{path.name}-shm out of .studio/, then approve and deploy again. What is deployed stays in place."
        ),
        where=path.name,
    )
