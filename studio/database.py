"""SQLite files of the studio: opened, checked, brought up to date by numbered migrations; errors in plain words.

A migration that was released is never edited: a change of a schema is a new one at its end. `PRAGMA user_version` says
how many a file has had. A connection lives for one operation, so a `Database` may be used from any thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.errors import StudioError

BUSY_SECONDS = 30.0
"""How long an operation waits for another one's transaction."""
Migrations = Sequence[Sequence[str]]
"""Statements in the order in which they were released; each inner sequence happens whole or not at all."""
Trouble = Literal["damaged", "newer", "unusable"]
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True)
class Database:
    """One SQLite file with its schema.

    Args:
        path: the file; the folder is made when the database is prepared.
        migrations: its schema.
        error: makes the error for a trouble and what SQLite or the system says about it.
    """

    path: Path
    migrations: Migrations
    error: Callable[[Trouble, str], StudioError]

    def prepare(self) -> None:
        """Create the file if there is none, check it, and bring its schema up to date.

        Raises:
            StudioError: what `error` makes of it; a damaged or newer file is left as it is.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.error("unusable", str(error)) from error
        with self.connect() as connection:
            finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if finding != "ok":
                raise self.error("damaged", finding)
            if (found := schema_version(connection)) > len(self.migrations):
                raise self.error("newer", f"schema {found}, this one knows {len(self.migrations)}")
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, self.migrations)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation, in autocommit mode.

        Raises:
            StudioError: the file is damaged, cannot be opened or written, or stays locked.
        """
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.IntegrityError:
            raise  # a mistake of ours
        except sqlite3.DatabaseError as error:
            damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
            raise self.error("damaged" if damaged else "unusable", str(error)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one writing transaction: committed at the end, undone when the block raises."""
        with self.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations a database has had."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: Migrations) -> None:
    """Bring a database up to date, each migration whole or not at all. Two processes at once are safe."""
    latest = len(migrations)
    while schema_version(connection) < latest:
        connection.execute("BEGIN IMMEDIATE")
        try:
            number = schema_version(connection)
            for statement in migrations[number] if number < latest else ():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {min(number + 1, latest)}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
