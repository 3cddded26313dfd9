"""The saved sessions as a list: of each file only what a list shows, read again only when the file changed.

A thousand sessions are listed at every drawing of a page, so nothing here reads a whole session as a model does. A file
that is listed may therefore still turn out to be unreadable when it is opened; that page says so.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.workspace import Workspace

FOLDER = "chats"
"""Below the workspace's `.studio/`."""


@dataclass(frozen=True)
class SessionSummary:
    """One line of the list of saved sessions."""

    id: str
    title: str
    created: datetime
    turns: int
    model: str
    branched_from: str = ""
    group: str = ""

    def matches(self, words: str) -> bool:
        """Whether title, model or id hold all of the words, in any case."""
        told = f"{self.title} {self.model} {self.id}".casefold()
        return all(word in told for word in words.casefold().split())


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class _Stamp(_Loose):
    path: str = ""
    adapter: str = ""


class _Branch(_Loose):
    session: str = ""


class _Head(_Loose):
    """What a list shows of a session file; of the rest not even the form is looked at."""

    title: str = ""
    created: datetime
    messages: list[Any]
    turns: list[Any] = Field(default_factory=list)
    model: _Stamp | None = None
    branched_from: _Branch | None = None
    group: str = ""


class SessionIndex:
    """The list of one workspace's sessions, which remembers what it read. Thread-safe."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.state_dir / FOLDER
        self._known: dict[str, tuple[tuple[int, int], SessionSummary | None]] = {}
        self._lock = threading.Lock()

    def summaries(self) -> list[SessionSummary]:
        """The sessions that can be read, newest first."""
        with self._lock:
            self._known = {name: self._current(name, stamp) for name, stamp in _files(self._folder)}
            found = [one for _, one in self._known.values() if one is not None]
        return sorted(found, key=lambda one: one.created, reverse=True)

    def _current(self, name: str, stamp: tuple[int, int]) -> tuple[tuple[int, int], SessionSummary | None]:
        known = self._known.get(name)
        return known if known and known[0] == stamp else (stamp, _read(self._folder / name))


def of_group(summaries: Sequence[SessionSummary], group: str) -> list[SessionSummary]:
    """The sessions that are compared with each other, in the order of their ids."""
    return sorted((one for one in summaries if group and one.group == group), key=lambda one: one.id)


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names of the session files, with when they were written and their size."""
    try:
        entries = list(os.scandir(folder))
    except OSError:  # no session was ever saved
        return
    for entry in entries:
        if entry.name.endswith(".json") and not entry.name.startswith("."):
            try:
                status = entry.stat()
            except OSError:  # deleted meanwhile
                continue
            yield entry.name, (status.st_mtime_ns, status.st_size)


def _read(path: Path) -> SessionSummary | None:
    try:
        head = _Head.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    model = (head.model.adapter or head.model.path) if head.model else ""
    branched = head.branched_from.session if head.branched_from else ""
    return SessionSummary(path.stem, head.title, head.created, len(head.turns), model, branched, head.group)
