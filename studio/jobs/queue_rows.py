"""The queue's rows, read and written as models. Every function takes an open connection and does SQL only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

EntryStatus = Literal["waiting", "running", "done", "failed", "stopped", "interrupted", "cancelled"]


class QueueEntry(BaseModel):
    """One entry of the queue: what to launch, and how far it has come. Times are Unix seconds."""

    model_config = ConfigDict(frozen=True)

    id: int
    directory: str = Field(description="The job's folder, relative to the workspace.")
    target: str
    arguments: dict[str, JsonValue]
    kind: str
    title: str
    status: EntryStatus
    position: int | None = Field(description="From 1 on among those that wait; None for all others.")
    created: float
    started: float | None
    finished: float | None

    @property
    def is_waiting(self) -> bool:
        """Its turn has not come."""
        return self.status == "waiting"


def add(
    connection: sqlite3.Connection,
    directory: str,
    target: str,
    arguments: Mapping[str, JsonValue],
    kind: str,
    title: str,
    at: float,
) -> int:
    """Append an entry at the end; returns its id."""
    row = connection.execute(
        """INSERT INTO entries (directory, target, arguments, kind, title, status, position, created)
           VALUES (?, ?, ?, ?, ?, 'waiting', (SELECT coalesce(max(position), 0) + 1 FROM entries), ?) RETURNING id""",
        (directory, target, json.dumps(dict(arguments), sort_keys=True), kind, title, at),
    ).fetchone()
    return int(row["id"])


def find(connection: sqlite3.Connection, entry_id: int) -> QueueEntry | None:
    """The entry of that id."""
    row = connection.execute("SELECT * FROM entries WHERE id = ?", (entry_id,)).fetchone()
    return _entry(row) if row else None


def open_entries(connection: sqlite3.Connection) -> list[QueueEntry]:
    """What is at work, then what waits, in order."""
    rows = connection.execute(  # NULL comes first in SQLite
        "SELECT * FROM entries WHERE status IN ('running', 'waiting') ORDER BY position, id"
    )
    return [_entry(row) for row in rows]


def ended_entries(connection: sqlite3.Connection) -> list[QueueEntry]:
    """The others, the one that ended last first."""
    rows = connection.execute(
        "SELECT * FROM entries WHERE status NOT IN ('running', 'waiting') ORDER BY finished DESC, id DESC"
    )
    return [_entry(row) for row in rows]


def begin(connection: sqlite3.Connection, entry_id: int, at: float) -> None:
    """A waiting entry's turn has come."""
    connection.execute(
        "UPDATE entries SET status = 'running', position = NULL, started = ? WHERE id = ?", (at, entry_id)
    )
    order(connection, waiting_ids(connection))


def put_back(connection: sqlite3.Connection, entry_id: int) -> None:
    """An entry whose turn had come waits again, before all others."""
    connection.execute("UPDATE entries SET status = 'waiting', position = 0, started = NULL WHERE id = ?", (entry_id,))
    order(connection, waiting_ids(connection))


def end(connection: sqlite3.Connection, entry_id: int, was: EntryStatus, status: EntryStatus, at: float) -> bool:
    """Close an entry that still `was` in that status; says whether it was."""
    changed = connection.execute(
        "UPDATE entries SET status = ?, position = NULL, finished = ? WHERE id = ? AND status = ?",
        (status, at, entry_id, was),
    ).rowcount
    order(connection, waiting_ids(connection))
    return changed == 1


def waiting_ids(connection: sqlite3.Connection) -> list[int]:
    """Who waits, in order."""
    rows = connection.execute("SELECT id FROM entries WHERE status = 'waiting' ORDER BY position, id")
    return [int(row["id"]) for row in rows]


def order(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Number the waiting entries anew, from 1 on."""
    connection.executemany(
        "UPDATE entries SET position = ? WHERE id = ? AND status = 'waiting'",
        [(place, entry_id) for place, entry_id in enumerate(ids, start=1)],
    )


def remove_ended(connection: sqlite3.Connection, directory: str) -> int:
    """Forget the entries of a folder that have ended; says how many."""
    return connection.execute(
        "DELETE FROM entries WHERE directory = ? AND status NOT IN ('running', 'waiting')", (directory,)
    ).rowcount


def _entry(row: sqlite3.Row) -> QueueEntry:
    values = dict(row)
    return QueueEntry.model_validate({**values, "arguments": json.loads(values["arguments"])})
