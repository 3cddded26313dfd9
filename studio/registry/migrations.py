"""The schema of the registry as numbered migrations, see `studio.database`.

docs/registry.md explains every column; a test compares the two.
"""

from __future__ import annotations

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
