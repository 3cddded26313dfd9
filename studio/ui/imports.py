"""Imports of the page: what a file of other people's is, what would become of it, and what became of it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from studio.dataset.exchange import (
    BATCH,
    Format,
    ImportOptions,
    Part,
    RecordOutcome,
    Speaker,
    character_name,
    import_foreign,
    recognised,
    survey,
)
from studio.dataset.exchange import Mapping as SpeakerMapping
from studio.scenarios.library import ImportedFile, ImportReport, Upload
from studio.ui.wording import count, printable
from studio.workspace import Workspace

MARKDOWN = ("md", "markdown", "zip")
FOREIGN = ("jsonl", "json", "ndjson", "txt")
"""Endings of the files that hold other people's formats."""
FORMAT_NAMES: dict[Format, str] = {
    "messages": "OpenAI messages",
    "sharegpt": "ShareGPT",
    "play-by-post": "Play by post",
    "fireball": "FIREBALL",
}
PART_NAMES: dict[Part, str] = {
    "DM": "Dungeon Master",
    "Player": "Player",
    "Companion": "Companion",
    "Dice": "Dice bot",
    "Drop": "Leave out",
}
MOST_CONVERSATIONS = 20_000
"""Conversations of one file that the page takes; reading that many takes about a minute."""
MOST_REASONS = 200
_NOTES_TOLD = 3
_LONGEST_NAME, _LONGEST_ENDING = 120, 10
"""Bytes of a staged file's name, and characters behind its last dot."""
_WORDS = {"created": "imported", "replaced": "replaced yours", "same": "already there", "skipped": "left out"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TAKEN = "A scenario of that name is there already."
_SAME = "The very same scenario is there already."


# -- what became of it


def outcome_sentence(report: ImportReport) -> str:
    """What became of the files in one sentence, such as `Imported 3 scenarios, left out 2.`."""
    parts = [f"Imported {count(report.count('created'), 'scenario')}"]
    counted = {
        "replaced": report.count("replaced"),
        "found unchanged": report.count("same"),
        "left out": report.count("skipped"),
    }
    parts += [f"{words} {number:,}" for words, number in counted.items() if number]
    return ", ".join(parts) + "."


def outcome_rows(report: ImportReport) -> list[dict[str, str]]:
    """A row per file, those that need a look first."""
    files = sorted(report.files, key=lambda one: one.outcome != "skipped")
    return [
        {
            "File": printable(one.source),
            "Outcome": _WORDS[one.outcome],
            "Scenario": one.scenario_id or "",
            "Why": printable(one.reason),
        }
        for one in files
    ]


def arrived(report: ImportReport) -> list[str]:
    """The ids of the scenarios that the import brought, or found there already, in order."""
    found = (one.scenario_id for one in report.files if one.outcome != "skipped" and one.scenario_id)
    return list(dict.fromkeys(found))


# -- what a file is


def is_foreign(name: str) -> bool:
    """Whether a file is of another format by its name's end; Markdown and zips are not."""
    return name.lower().endswith(tuple(f".{one}" for one in FOREIGN))


@contextmanager
def staged(upload: Upload) -> Iterator[Path]:
    """An upload as a file of its own name, for as long as the block lasts; the engine reads files, not bytes."""
    with tempfile.TemporaryDirectory(prefix="studio-import-") as folder:
        path = Path(folder) / _file_name(upload.name)
        path.write_bytes(upload.content)
        yield path


def _file_name(sent: str) -> str:
    """What a browser sent as a name, as one component that every file system takes; the ending stays."""
    last = PurePosixPath(sent.replace("\\", "/").replace("\0", "")).name.encode("utf-8", "replace").decode()
    stem, dot, ending = last.rpartition(".") if "." in last else (last, "", "")
    short = stem.encode()[:_LONGEST_NAME].decode(errors="ignore").strip(". ")
    return f"{short or 'upload'}{dot}{ending[:_LONGEST_ENDING]}"


def objection(content: bytes) -> str:
    """Why a file cannot hold any conversation; empty when it may."""
    if not content.strip():
        return "It is empty."
    if b"\0" in content and not content.startswith(_UTF16):
        return "It holds binary data, not text. Export the log as text or JSON, and choose that file."
    return ""


@dataclass(frozen=True)
class Recognised:
    """What the studio takes a file for, and who speaks in it where that matters."""

    format: Format | None
    speakers: Sequence[Speaker] = ()


def recognise(upload: Upload, chosen: Format | None = None) -> Recognised:
    """Look at a file: its format, unless somebody has `chosen` one, and the speakers of a play-by-post text.

    Raises:
        DatasetError: it cannot be read.
    """
    with staged(upload) as path:
        kind = chosen or recognised(path)
        return Recognised(kind, survey(path, doubtful=True) if kind == "play-by-post" else ())


def mapping_of(choices: Mapping[str, tuple[Part | None, str]]) -> SpeakerMapping:
    """Who is who, by the name of each speaker: the part (None: no speaker, just text) and the character's name."""
    parts = {name.casefold(): part for name, (part, _) in choices.items() if part}
    names = {name.casefold(): character_name(called) for name, (_, called) in choices.items() if called.strip()}
    return SpeakerMapping(parts, names)


# -- what would become of it


@dataclass
class Preview:
    """What an import would do, counted as the file is read."""

    ready: int = 0
    left_out: int = 0
    formats: Counter[Format] = field(default_factory=Counter)
    too_many: bool = False
    read: float = 0.0
    """Share of the file that has been read, 0 to 1."""
    _reasons: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    _more: int = 0

    @property
    def total(self) -> int:
        """Conversations, with those that would be left out."""
        return self.ready + self.left_out

    def add(self, one: RecordOutcome) -> None:
        """Count one conversation."""
        self.ready += one.outcome != "rejected"
        self.left_out += one.outcome == "rejected"
        if one.format:
            self.formats[one.format] += 1
        if one.outcome == "rejected":
            self._remember(0, one.reason, one.line)
        for note in one.notes:
            self._remember(1 if note.text.startswith("Left out") else 2, note.text, note.line)

    def sentence(self) -> str:
        """`120 conversations become scenarios, 3 are left out.`, and of which format they are when of several."""
        if not self.total:
            return "There is no conversation in it."
        left_out = f", {self.left_out:,} {'is' if self.left_out == 1 else 'are'} left out" if self.left_out else ""
        become = "becomes a scenario" if self.ready == 1 else "become scenarios"
        several = ", ".join(f"{number:,} {FORMAT_NAMES[kind]}" for kind, number in self.formats.most_common())
        of = f" Found: {several}." if len(self.formats) > 1 else ""
        return f"{count(self.ready, 'conversation')} {become}{left_out}.{of}"

    def rows(self) -> list[dict[str, str | int]]:
        """Why conversations and passages are left out and what is changed: a row per reason, the gravest first."""
        kinds = ("conversation left out", "passage left out", "to know")
        found = sorted(self._reasons.items(), key=lambda one: (one[0][0], -one[1][0]))
        return [
            {"What": kinds[grade], "Why": printable(why), "Times": times, "First line": line}
            for (grade, why), (times, line) in found
        ]

    @property
    def unlisted(self) -> int:
        """Remarks that `rows` has no room for."""
        return self._more

    def _remember(self, grade: int, why: str, line: int) -> None:
        key = (grade, why)
        times, first = self._reasons.get(key, (0, line))
        if not times and len(self._reasons) >= MOST_REASONS:
            self._more += 1
        else:
            self._reasons[key] = (times + 1, first)


def look_through(
    workspace: Workspace, upload: Upload, options: ImportOptions, most: int = MOST_CONVERSATIONS
) -> Generator[Preview]:
    """Read a whole file without writing anything; gives the same growing preview every now and then, and at the end.

    Raises:
        DatasetError, ConfigError: as `import_foreign`.
    """
    preview, lines = Preview(), upload.content.count(b"\n") + 1
    with staged(upload) as path, closing(_outcomes(workspace, path, replace(options, dry_run=True))) as outcomes:
        for one in outcomes:
            if preview.total == most:
                preview.too_many = True
                break
            preview.add(one)
            preview.read = min(1.0, one.line / lines)
            if preview.total % BATCH == 0:
                yield preview
    yield preview


def bring_in(workspace: Workspace, upload: Upload, options: ImportOptions, report: ImportReport) -> Generator[int]:
    """Import a file; `report` grows as scenarios are written, so that it holds when the import is broken off.

    Gives the number of conversations that are done, with every batch and at the end; whoever stops then has a
    report of all that was written.

    Raises:
        DatasetError, ConfigError, ScenarioLibraryError: what came before is imported.
    """
    done = 0
    with staged(upload) as path, closing(_outcomes(workspace, path, options)) as outcomes:
        for done, one in enumerate(outcomes, start=1):
            report.files.append(_reported(one))
            if done % BATCH == 0:
                yield done
    yield done


def refused(upload: Upload, reason: str) -> ImportedFile:
    """The row of a report for a file of which nothing was imported."""
    return ImportedFile(source=upload.name, outcome="skipped", reason=reason)


def _outcomes(workspace: Workspace, path: Path, options: ImportOptions) -> Generator[RecordOutcome]:
    yield from import_foreign(workspace, [path], options)


def _reported(one: RecordOutcome) -> ImportedFile:
    outcomes: tuple[Literal["created", "replaced", "same"], ...] = ("created", "replaced", "same")
    notes = " ".join(note.text for note in one.notes[:_NOTES_TOLD])
    reasons = {"rejected": one.reason, "skipped": _TAKEN, "same": _SAME}
    return ImportedFile(
        source=f"{one.file}, line {one.line}",
        outcome=next((known for known in outcomes if known == one.outcome), "skipped"),
        scenario_id=one.scenario_id,
        reason=reasons.get(one.outcome, notes),
    )
