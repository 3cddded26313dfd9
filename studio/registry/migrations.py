"""The schema of the registry as numbered migrations; `PRAGMA user_version` says how many a file has had.

A migration that was released is never edited: a change of the schema is a new one at the end. docs/registry.md explains
every column; a test compares the two.
"""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE versions (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
            path TEXT NOT NULL,
            size INTEGER NOT NULL CHECK (size >= 0),
            name TEXT NOT NULL,
            parents TEXT NOT NULL,
            created TEXT NOT NULL,
            registered TEXT NOT NULL
        )""",
        """CREATE TABLE approvals (
            id INTEGER PRIMARY KEY,
            version_id INTEGER NOT NULL REFERENCES versions (id),
            note TEXT NOT NULL,
            approved TEXT NOT NULL
        )""",
        "CREATE INDEX approvals_of_version ON approvals (version_id, id)",
    ),
    (
        """CREATE TABLE deployments (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            channel TEXT NOT NULL,
            action TEXT NOT NULL CHECK (action IN ('deploy', 'rollback')),
            version_id INTEGER NOT NULL REFERENCES versions (id),
            previous_id INTEGER REFERENCES deployments (id),
            release TEXT NOT NULL UNIQUE,
            deployed TEXT NOT NULL
        )""",
        "CREATE INDEX deployments_of_channel ON deployments (channel, id)",
    ),
)
LATEST = len(MIGRATIONS)


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations a database has had."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to `LATEST`, each migration whole or not at all. Two processes at once are safe."""
    while schema_version(connection) < LATEST:
        connection.execute("BEGIN IMMEDIATE")
        try:
            number = schema_version(connection)
            for statement in MIGRATIONS[number] if number < LATEST else ():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {min(number + 1, LATEST)}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
