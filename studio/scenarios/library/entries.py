"""The list of scenarios, fast for ten thousand files: one look at each folder, and a title only where a file changed.

What is known of a file is kept with its signature (modification and change time, size, inode) in memory and in
`.studio/library/index.json`. A file that was written twice in place within one tick of the file system's clock, with
the same size, may show its former title until the next change; its text is always read from the file itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from studio.scenarios.grammar import BOM
from studio.scenarios.library.files import MAX_BYTES, telling
from studio.scenarios.library.names import SUFFIX
from studio.scenarios.models import SCENARIO_TYPES
from studio.workspace import Workspace, atomic_write

HEAD_BYTES = 4096
"""How much of a file is read for its title."""
_INDEX_VERSION = 1
_WORTH_WRITING = 50
_TITLE = re.compile(r"^title[ \t]*:[ \t]+(.*?)[ \t\r]*$", re.MULTILINE)
_RULE = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_PLAIN_SCALAR = re.compile(r"[^\W_][^#:\n]*")
Signature = tuple[int, int, int, int]
"""Modification time and change time in ns, size in bytes, inode."""


@dataclass(frozen=True, slots=True)
class ScenarioEntry:
    """A line of the list."""

    id: str
    title: str
    size: int
    """Bytes."""
    modified_ns: int
    """Nanoseconds since 1970."""

    @property
    def type(self) -> str:
        """The scenario type: the folder."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The file's name without `.md`."""
        return self.id.partition("/")[2]

    @property
    def modified(self) -> datetime:
        """When the file last changed."""
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)


@dataclass(frozen=True, slots=True)
class Stray:
    """A file among the scenarios that the list cannot show, and why."""

    path: str
    reason: str


class Index:
    """The entries of one workspace, remembered between looks; threads may share it."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.scenarios_dir
        self._file = workspace.state_dir / "library" / "index.json"
        self._known: dict[str, tuple[Signature, ScenarioEntry]] | None = None

    def entries(self) -> list[ScenarioEntry]:
        """Every scenario, by type and then by name."""
        known = self._known if self._known is not None else _load(self._file)
        fresh = 0
        found: dict[str, tuple[Signature, ScenarioEntry]] = {}
        for scenario_id, item, stat in self._scan():
            signature = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
            former = known.get(scenario_id)
            if former is None or former[0] != signature:
                fresh += 1
                former = (signature, _entry(scenario_id, item, stat))
            found[scenario_id] = former
        if fresh + len(known) - len(found) >= _WORTH_WRITING or (self._known is None and fresh):
            _store(self._file, found)
        self._known = found
        order = {name: position for position, name in enumerate(SCENARIO_TYPES)}
        return sorted(
            (entry for _, entry in found.values()), key=lambda one: (order[one.type], one.name.casefold(), one.name)
        )

    def names(self, scenario_type: str) -> list[str]:
        """The names in one type's folder, whatever the case of their suffix."""
        return [item.name[: -len(SUFFIX)] for item in _files(self._folder / scenario_type) if _has_suffix(item.name)]

    def content(self, scenario_id: str) -> bytes | None:
        """The bytes of a file of the list, None when it is gone or became something else; only for ids of `entries`.

        Quicker than asking for the path of an id that somebody typed, which follows every link on the way.
        """
        path = self._folder / f"{scenario_id}{SUFFIX}"
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return None
        with os.fdopen(handle, "rb", buffering=0) as stream:
            return stream.read(MAX_BYTES)

    def strays(self) -> list[Stray]:
        """Markdown files below the scenarios folder that are not in the list; they may still be trained on."""
        found: list[Stray] = []
        for folder, folders, names in os.walk(self._folder):
            folders[:] = [name for name in folders if name[0] != "."]
            below = Path(folder).relative_to(self._folder).as_posix()
            for name in names:
                path = Path(folder, name)
                if _is_markdown(name) and not self._is_listed(below, path) and path.is_file():
                    shown = name if below == "." else f"{below}/{name}"
                    found.append(Stray(_shown(shown), _reason(shown, path)))
        return sorted(found, key=lambda one: one.path)

    def _is_listed(self, below: str, path: Path) -> bool:
        return below in SCENARIO_TYPES and _may_be_listed(path.name) and not path.is_symlink()

    def _scan(self) -> Iterator[tuple[str, Path, os.stat_result]]:
        for scenario_type in SCENARIO_TYPES:
            for item in _files(self._folder / scenario_type):
                name = item.name
                if _may_be_listed(name):
                    try:
                        stat = item.stat(follow_symlinks=False)
                    except FileNotFoundError:  # deleted between the look at the folder and the look at the file
                        continue
                    yield f"{scenario_type}/{name[: -len(SUFFIX)]}", Path(item.path), stat


def read_title(head: str) -> str:
    """The title in the front matter of a text that may be cut off; empty when there is none."""
    text = head.removeprefix(BOM)
    opening = _RULE.match(text)
    if opening is None:
        return ""
    closing = _RULE.search(text, opening.end())
    match = _TITLE.search(text, opening.end(), closing.start() if closing else len(text))
    return _scalar(match[1]) if match else ""


def _scalar(written: str) -> str:
    """The value of a one-line YAML scalar; YAML itself is asked only when it is not plain text."""
    if _PLAIN_SCALAR.fullmatch(written):
        return written.strip()
    try:
        value = yaml.safe_load(written)
    except (yaml.YAMLError, ValueError, RecursionError):
        return written
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _entry(scenario_id: str, path: Path, stat: os.stat_result) -> ScenarioEntry:
    try:
        with path.open("rb", buffering=0) as stream:
            title = read_title(stream.read(HEAD_BYTES).decode("utf-8", errors="replace"))
    except OSError:
        title = ""
    return ScenarioEntry(scenario_id, title, stat.st_size, stat.st_mtime_ns)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The ordinary files of a folder, links left out; nothing when it does not exist."""
    with telling("The folder of scenarios cannot be read.", folder.name):
        try:
            items = os.scandir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
    with items:
        yield from (item for item in items if item.is_file(follow_symlinks=False))


def _may_be_listed(name: str) -> bool:
    return name.endswith(SUFFIX) and name[0] != "." and name.isprintable()


def _is_markdown(name: str) -> bool:
    return name[0] != "." and name.lower().endswith((SUFFIX, ".markdown"))


def _has_suffix(name: str) -> bool:
    return name.lower().endswith(SUFFIX)


def _load(file: Path) -> dict[str, tuple[Signature, ScenarioEntry]]:
    """What was written by another process; empty when it is missing, damaged or of another version."""
    try:
        content = json.loads(file.read_bytes())
        if content["version"] != _INDEX_VERSION:
            return {}
        return {
            key: ((mtime, ctime, size, inode), ScenarioEntry(key, title, size, mtime))
            for key, title, mtime, ctime, size, inode in content["files"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _store(file: Path, known: dict[str, tuple[Signature, ScenarioEntry]]) -> None:
    """Remember the list. It is a cache: a disk that refuses costs speed, nothing else."""
    rows = [[key, entry.title, *signature] for key, (signature, entry) in known.items()]
    try:
        atomic_write(file, json.dumps({"version": _INDEX_VERSION, "files": rows}))
    except OSError:
        return


def _reason(relative: str, path: Path) -> str:
    if path.is_symlink():
        return "It is a link; copy the file here instead."
    if relative.partition("/")[0] not in SCENARIO_TYPES or relative.count("/") != 1:
        return f"It is not directly in one of the folders {', '.join(SCENARIO_TYPES)}; move it there."
    if not path.name.isprintable():
        return "Its name holds characters that cannot be shown; rename it."
    return f"Its name does not end in {SUFFIX}; rename it."


def _shown(path: str) -> str:
    return path.encode("utf-8", errors="replace").decode("utf-8")
