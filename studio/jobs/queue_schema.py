"""The schema of the queue as numbered migrations, see `studio.database`, and its errors in plain words.

docs/jobs.md explains every column; a test compares the two. The second index is what keeps two entries from being at
work at once, whatever the code does.
"""

from __future__ import annotations

from pathlib import Path

from studio.database import Database, Trouble
from studio.errors import JobError

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            directory TEXT NOT NULL,
            target TEXT NOT NULL,
            arguments TEXT NOT NULL,
            kind TEXT NOT NULL,
            title TEXT NOT NULL,
            status TEXT NOT NULL CHECK (
                status IN ('waiting', 'running', 'done', 'failed', 'stopped', 'interrupted', 'cancelled')
            ),
            position INTEGER,
            created REAL NOT NULL,
            started REAL,
            finished REAL,
            CHECK ((status = 'waiting') = (position IS NOT NULL))
        )""",
        "CREATE UNIQUE INDEX one_open_entry_per_folder ON entries (directory) WHERE status IN ('waiting', 'running')",
        "CREATE UNIQUE INDEX one_at_work ON entries (status) WHERE status = 'running'",
    ),
)


def queue_database(path: Path) -> Database:
    """The database in `path`; its operations raise `JobError`."""

    def error(trouble: Trouble, why: str) -> JobError:
        return {"damaged": _damaged, "newer": _newer, "unusable": _unusable}[trouble](path, why)

    return Database(path, MIGRATIONS, error)


def _unusable(path: Path, why: str) -> JobError:
    return JobError(
        "The queue of training runs cannot be used now.",
        why=f"The system says: {why}.",
        next_step="Check that the disk is not full and .studio/ can be written, then try again.",
        where=path.name,
    )


def _newer(path: Path, why: str) -> JobError:
    return JobError(
        f"The queue was written by a newer studio ({why}).",
        next_step="Update the studio, or use another workspace.",
        where=path.name,
    )


def _damaged(path: Path, why: str) -> JobError:
    return JobError(
        "The queue of training runs is damaged. It was left as it is.",
        why=f"SQLite says: {why}.",
        next_step=(
            f"Move {path.name} and the files {path.name}-wal and {path.name}-shm out of .studio/. No run is lost: "
            "those that waited are listed as not started, and can be started again."
        ),
        where=path.name,
    )
