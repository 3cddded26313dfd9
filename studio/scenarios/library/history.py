"""Former versions of scenarios: every text that was ever saved, compressed, named by its revision.

A folder per scenario under `.studio/history/`: `log.json` and one `REVISION.z` (zlib) per different text. The newest
`HistoryLimits.versions` are kept, fewer when they take more than `HistoryLimits.bytes` compressed; the newest two
always stay. A log that is damaged is rebuilt from the texts. Callers hold the library's lock while they write.
"""

from __future__ import annotations

import contextlib
import difflib
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.scenarios.library.errors import ScenarioLibraryError, ScenarioMissingError
from studio.scenarios.library.files import MAX_BYTES, decode, revision_of, telling
from studio.scenarios.library.merge import split_lines
from studio.scenarios.library.names import key_of
from studio.workspace import atomic_write

Reason = Literal["created", "saved", "found", "restored", "imported", "renamed"]
"""Why a text is there. `found`: it came from outside the studio, or was there before its first save."""
Clock = Callable[[], datetime]
_ALWAYS_KEPT = 2


@dataclass(frozen=True)
class HistoryLimits:
    """How much history one scenario keeps."""

    versions: int = 200
    bytes: int = 8 * 1024 * 1024


class Version(BaseModel):
    """One saved text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1, description="Counts up within one scenario; never used twice.")
    revision: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the text's bytes.")
    saved_at: datetime
    size: int = Field(ge=0, description="Bytes of the text, not compressed.")
    reason: Reason = "saved"


class _Log(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scenario_id: str
    versions: list[Version] = Field(default_factory=list, description="Oldest first.")


class History:
    """The histories of one workspace."""

    def __init__(self, folder: Path, clock: Clock, limits: HistoryLimits | None = None) -> None:
        self._root = folder
        self._clock = clock
        self._limits = limits or HistoryLimits()

    def versions(self, scenario_id: str) -> list[Version]:
        """The versions of a scenario, newest first."""
        return self._load(scenario_id).versions[::-1]

    def record(self, scenario_id: str, content: bytes, reason: Reason) -> None:
        """Keep a text as the newest version, unless the newest is the same text."""
        log = self._load(scenario_id)
        revision = revision_of(content)
        if log.versions and log.versions[-1].revision == revision:
            return
        number = log.versions[-1].number + 1 if log.versions else 1
        version = Version(number=number, revision=revision, saved_at=self._clock(), size=len(content), reason=reason)
        with telling("The history cannot be written.", scenario_id):
            target = self._text_file(scenario_id, revision)
            if not target.exists():
                atomic_write(target, zlib.compress(content, 6))
            log.versions.append(version)
            self._trim(scenario_id, log)
            self._store(scenario_id, log)
            self._sweep(scenario_id, log)

    def read_bytes(self, scenario_id: str, revision: str) -> bytes:
        """The bytes of a former text, checked against its revision.

        Raises:
            ScenarioMissingError: the history does not have it, or has it damaged.
        """
        try:
            if not _is_revision(revision):
                raise FileNotFoundError(revision)
            reader = zlib.decompressobj()
            content = reader.decompress(self._text_file(scenario_id, revision).read_bytes(), MAX_BYTES + 1)
        except (OSError, zlib.error) as error:
            raise self._missing(scenario_id) from error
        if revision_of(content) != revision:
            raise self._missing(scenario_id)
        return content

    def read(self, scenario_id: str, revision: str) -> str:
        """A former text. Raises `ScenarioMissingError`."""
        return decode(self.read_bytes(scenario_id, revision))

    def find(self, scenario_id: str, revision: str) -> str | None:
        """A former text, or None when the history does not have it."""
        try:
            return self.read(scenario_id, revision)
        except ScenarioMissingError:
            return None

    def diff(self, scenario_id: str, old: str, new: str) -> str:
        """The unified diff between two versions. Raises `ScenarioMissingError`."""
        texts = self.read(scenario_id, old), self.read(scenario_id, new)
        return unified_diff(*texts, old[:8], new[:8])

    def move(self, old_id: str, new_id: str) -> None:
        """The history of a scenario goes with it to a new name; what lay there already stays as older versions."""
        source, target = self._folder(old_id), self._folder(new_id)
        if source == target or not source.exists():
            return
        with telling("The history cannot be moved.", new_id):
            if target.exists():
                self._absorb(source, target, old_id, new_id)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
            log = self._load(new_id)
            log.scenario_id = new_id
            self._store(new_id, log)

    def take_out(self, scenario_id: str, target: Path) -> None:
        """Move the history of a deleted scenario to `target`, a path that does not exist."""
        if self._folder(scenario_id).exists():
            with telling("The history cannot be moved.", scenario_id):
                self._folder(scenario_id).rename(target)

    def put_back(self, source: Path, scenario_id: str) -> None:
        """The reverse of `take_out`; a history that is there meanwhile is joined."""
        if not source.exists():
            return
        with telling("The history cannot be moved.", scenario_id):
            target = self._folder(scenario_id)
            if target.exists():
                self._absorb(target, source, scenario_id, scenario_id)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)

    def _absorb(self, newer: Path, older: Path, newer_id: str, older_id: str) -> None:
        """Join two folders in `older`: its versions first, those of `newer` after them, renumbered; `newer` goes."""
        log, recent = _load(older, older_id), _load(newer, newer_id)
        for file in newer.glob("*.z"):
            file.replace(older / file.name)
        for version in recent.versions:
            number = log.versions[-1].number + 1 if log.versions else 1
            log.versions.append(version.model_copy(update={"number": number}))
        atomic_write(older / "log.json", log.model_dump_json(indent=1))
        shutil.rmtree(newer)

    def _trim(self, scenario_id: str, log: _Log) -> None:
        log.versions = log.versions[-max(self._limits.versions, _ALWAYS_KEPT) :]
        total, kept = 0, 0
        seen: set[str] = set()
        for version in reversed(log.versions):
            if version.revision not in seen:
                total += _size(self._text_file(scenario_id, version.revision))
                seen.add(version.revision)
            if total > self._limits.bytes and kept >= _ALWAYS_KEPT:
                break
            kept += 1
        log.versions = log.versions[-kept:]

    def _sweep(self, scenario_id: str, log: _Log) -> None:
        """Remove texts that no version names. Runs after the log is written: a crash leaves too many, never too few."""
        kept = {version.revision for version in log.versions}
        for file in self._folder(scenario_id).glob("*.z"):
            if file.stem not in kept:
                file.unlink(missing_ok=True)

    def _load(self, scenario_id: str) -> _Log:
        return _load(self._folder(scenario_id), scenario_id)

    def _store(self, scenario_id: str, log: _Log) -> None:
        atomic_write(self._folder(scenario_id) / "log.json", log.model_dump_json(indent=1))

    def _folder(self, scenario_id: str) -> Path:
        return self._root / key_of(scenario_id)

    def _text_file(self, scenario_id: str, revision: str) -> Path:
        return self._folder(scenario_id) / f"{revision}.z"

    def _missing(self, scenario_id: str) -> ScenarioMissingError:
        return ScenarioMissingError(
            "That version is not in the history.",
            why="It was never saved in the studio, is older than what is kept, or its file is damaged.",
            next_step="Choose another version.",
            where=scenario_id,
        )


def unified_diff(old: str, new: str, old_name: str, new_name: str) -> str:
    """The unified diff of two texts, 3 lines of context; lines are shown without their line ends."""
    if old == new:
        return ""
    before, after = ([line.rstrip("\r\n") for line in split_lines(text)] for text in (old, new))
    if before == after:
        return "(only line ends differ)\n"
    return "\n".join(difflib.unified_diff(before, after, old_name, new_name, lineterm="")) + "\n"


def _load(folder: Path, scenario_id: str) -> _Log:
    try:
        return _Log.model_validate_json((folder / "log.json").read_bytes())
    except FileNotFoundError:
        return _rebuilt(folder, scenario_id)
    except (ValidationError, UnicodeDecodeError):
        return _rebuilt(folder, scenario_id)
    except OSError as error:
        raise ScenarioLibraryError("The history cannot be read.", why=str(error), where=scenario_id) from error


def _rebuilt(folder: Path, scenario_id: str) -> _Log:
    """A log from the texts alone, in the order in which they were written."""
    found: list[tuple[float, str, int]] = []
    for file in folder.glob("*.z"):
        with contextlib.suppress(OSError, zlib.error):
            content = zlib.decompressobj().decompress(file.read_bytes(), MAX_BYTES + 1)
            if revision_of(content) == file.stem:
                found.append((file.stat().st_mtime, file.stem, len(content)))
    versions = [
        Version(number=number, revision=revision, saved_at=datetime.fromtimestamp(when, UTC), size=size)
        for number, (when, revision, size) in enumerate(sorted(found), 1)
    ]
    return _Log(scenario_id=scenario_id, versions=versions)


def _is_revision(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
