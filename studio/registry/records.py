"""The registry's rows, read and written as models. Every function takes an open connection and does SQL only."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from studio.registry.models import Action, Deployment, ModelVersion

_VERSIONS = """
    SELECT v.*,
        (SELECT a.approved FROM approvals a WHERE a.version_id = v.id ORDER BY a.id DESC LIMIT 1) AS approved,
        (SELECT a.note FROM approvals a WHERE a.version_id = v.id ORDER BY a.id DESC LIMIT 1) AS note
    FROM versions v
"""


def save_version(connection: sqlite3.Connection, found: ModelVersion) -> int:
    """Add a version, or note where a known content was seen last; returns its id (`found.id` is not used)."""
    row = connection.execute(
        """INSERT INTO versions (sha256, path, size, name, parents, created, registered)
           VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (sha256) DO UPDATE SET path = excluded.path, name = excluded.name
           RETURNING id""",
        (
            found.sha256,
            found.path,
            found.size,
            found.name,
            json.dumps(found.parents, sort_keys=True),
            found.created.isoformat(),
            found.registered.isoformat(),
        ),
    ).fetchone()
    return int(row["id"])


def find_version(connection: sqlite3.Connection, version_id: int) -> ModelVersion | None:
    """The version with that id."""
    row = connection.execute(_VERSIONS + " WHERE v.id = ?", (version_id,)).fetchone()
    return _version(row) if row else None


def list_versions(connection: sqlite3.Connection) -> list[ModelVersion]:
    """All versions, newest first."""
    return [_version(row) for row in connection.execute(_VERSIONS + " ORDER BY v.id DESC")]


def add_approval(connection: sqlite3.Connection, version_id: int, note: str, at: datetime) -> None:
    """Approve a version once more."""
    connection.execute(
        "INSERT INTO approvals (version_id, note, approved) VALUES (?, ?, ?)", (version_id, note, at.isoformat())
    )


def add_deployment(
    connection: sqlite3.Connection,
    channel: str,
    action: Action,
    version_id: int,
    previous_id: int | None,
    release: str,
    at: datetime,
) -> None:
    """Put a version in force on a channel."""
    connection.execute(
        """INSERT INTO deployments (channel, action, version_id, previous_id, release, deployed)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (channel, action, version_id, previous_id, release, at.isoformat()),
    )


def list_deployments(connection: sqlite3.Connection, channel: str | None = None) -> list[Deployment]:
    """The deployments of a channel, or of all channels, newest first."""
    rows = connection.execute(
        "SELECT * FROM deployments WHERE ?1 IS NULL OR channel = ?1 ORDER BY id DESC", (channel,)
    ).fetchall()
    versions = {one.id: one for one in list_versions(connection)}  # after the rows: no row is newer than its version
    return [_deployment(row, versions) for row in rows]


def _version(row: sqlite3.Row) -> ModelVersion:
    values = dict(row)
    return ModelVersion.model_validate(
        {**values, "parents": json.loads(values["parents"]), "note": values["note"] or ""}
    )


def _deployment(row: sqlite3.Row, versions: dict[int, ModelVersion]) -> Deployment:
    values = dict(row)
    version = versions[values.pop("version_id")]
    return Deployment.model_validate({**values, "version": version})
