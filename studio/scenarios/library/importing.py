"""Uploads -> scenarios: single markdown files and zips, with a report that says for every file what became of it.

A file is never silently dropped and never silently replaces another. Texts are taken over byte for byte; whether they
are good scenarios is for the diagnostics to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.scenarios.library.archive import ImportLimits, Member, read_zip
from studio.scenarios.library.errors import ScenarioLibraryError
from studio.scenarios.library.front_matter import read_scenario_type
from studio.scenarios.library.library import ScenarioLibrary
from studio.scenarios.library.names import fold, tidy_name
from studio.scenarios.models import SCENARIO_TYPES
from studio.workspace import PROJECT_ROOT

Clash = Literal["skip", "rename", "replace"]
"""What to do when a scenario of that name is there: leave it, import as `NAME 2`, or replace it (history keeps it)."""
Outcome = Literal["created", "replaced", "same", "skipped"]
_EXAMPLES = PROJECT_ROOT / "data" / "scenarios"
_MARKDOWN = (".md", ".markdown")
_BATCH = 200
"""Files added under one hold of the lock, so that others need not wait for a large import."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Upload(BaseModel):
    """A file as the browser sent it."""

    model_config = ConfigDict(frozen=True)

    name: str
    content: bytes = Field(repr=False)


class ImportedFile(BaseModel):
    """What became of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(description="Its name in the upload, with the archive's name before it.")
    outcome: Outcome
    scenario_id: str | None = Field(None, description="The scenario it is now, or the one that is there already.")
    reason: str = Field("", description="Why it was skipped.")


class ImportReport(BaseModel):
    """What became of every file, in order."""

    files: list[ImportedFile] = Field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """How many files ended so."""
        return sum(1 for one in self.files if one.outcome == outcome)


def count_examples(library: ScenarioLibrary) -> int:
    """How many scenarios the studio brings along for another workspace; none for its own, where they lie already."""
    own = library.workspace.scenarios_dir.resolve() == _EXAMPLES.resolve()
    return 0 if own else len(_example_paths())


def import_examples(library: ScenarioLibrary) -> ImportReport:
    """Copy the studio's own scenarios into a workspace; one whose name is taken is left out."""
    paths = _example_paths()
    added = library.add_many(((one.parent.name, one.stem, one.read_bytes()) for one in paths), "skip")
    sources = (f"{one.parent.name}/{one.name}" for one in paths)
    return ImportReport(files=[_reported(source, *result) for source, result in zip(sources, added, strict=True)])


def _example_paths() -> list[Path]:
    return [path for kind in SCENARIO_TYPES for path in sorted((_EXAMPLES / kind).glob("[!.]*.md"))]


class _Candidate(BaseModel):
    source: str
    scenario_type: str
    name: str
    content: bytes


def import_files(
    library: ScenarioLibrary,
    uploads: Sequence[Upload],
    *,
    default_type: str = "mixed",
    clash: Clash = "rename",
    limits: ImportLimits | None = None,
) -> ImportReport:
    """Add uploaded markdown files and zips to the library.

    The type of a file is the nearest folder above it that is named as a type, else its front matter's, else
    `default_type`. Names are made plain; twice the same name in one upload is skipped the second time.
    """
    report = ImportReport()
    candidates = _candidates(uploads, default_type, limits or ImportLimits(), report)
    while batch := list(islice(candidates, _BATCH)):
        added = library.add_many(((one.scenario_type, one.name, one.content) for one in batch), clash)
        for one, (scenario_id, outcome) in zip(batch, added, strict=True):
            report.files.append(_reported(one.source, scenario_id, outcome))
    return report


def _reported(source: str, scenario_id: str, outcome: str) -> ImportedFile:
    reasons = {
        "skipped": "A scenario of that name is there already.",
        "same": "The very same scenario is there already.",
    }
    return ImportedFile(
        source=source, outcome=_outcome(outcome), scenario_id=scenario_id, reason=reasons.get(outcome, "")
    )


def _outcome(written: str) -> Outcome:
    outcomes: tuple[Outcome, ...] = ("created", "replaced", "same", "skipped")
    return next(one for one in outcomes if one == written)


def _candidates(
    uploads: Iterable[Upload], default_type: str, limits: ImportLimits, report: ImportReport
) -> Iterator[_Candidate]:
    seen: set[str] = set()
    for source, member in _members(uploads, limits, report):
        problem = member.problem or _objection(member)
        candidate = None if problem else _candidate(source, member, default_type)
        if candidate is not None:
            key = fold(f"{candidate.scenario_type}/{candidate.name}")
            problem = "The upload holds a file of that name twice." if key in seen else ""
            seen.add(key)
        if problem or candidate is None:
            report.files.append(ImportedFile(source=source, outcome="skipped", reason=problem))
        else:
            yield candidate


def _members(uploads: Iterable[Upload], limits: ImportLimits, report: ImportReport) -> Iterator[tuple[str, Member]]:
    for upload in uploads:
        shown = _printable(upload.name)
        if not upload.name.lower().endswith(".zip"):
            too_large = len(upload.content) > limits.file_bytes
            plain = Member(upload.name.replace("\\", "/").rsplit("/", 1)[-1], upload.content)
            yield shown, Member(plain.name, None, "It is too large for a scenario.") if too_large else plain
            continue
        try:
            for member in read_zip(upload.content, limits):
                yield f"{shown}/{_printable(member.name)}", member
        except ScenarioLibraryError as error:
            report.files.append(ImportedFile(source=shown, outcome="skipped", reason=str(error)))


def _objection(member: Member) -> str:
    """Why a file that could be read is no scenario; empty when it may be one."""
    parts = member.name.replace("\\", "/").split("/")
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return "It is a hidden file of the system that packed it."
    if not parts[-1].lower().endswith(_MARKDOWN):
        return "It is not a markdown file (.md)."
    content = member.content or b""
    if content.startswith(_UTF16):
        return "Its text is UTF-16; save it as UTF-8."
    if b"\0" in content:
        return "It holds binary data, not text."
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"Its text is not UTF-8 (line {line}); save it as UTF-8."
    return ""


def _candidate(source: str, member: Member, default_type: str) -> _Candidate:
    *folders, file = member.name.replace("\\", "/").split("/")
    content = member.content or b""
    by_folder = next((one.lower() for one in reversed(folders) if one.lower() in SCENARIO_TYPES), None)
    scenario_type = by_folder or read_scenario_type(content.decode("utf-8")) or default_type
    stem = file.rsplit(".", 1)[0]
    return _Candidate(source=source, scenario_type=scenario_type, name=tidy_name(stem), content=content)


def _printable(name: str) -> str:
    """A hostile name as it may be shown: control and half characters replaced, length bounded."""
    clean = name.encode("utf-8", errors="replace").decode("utf-8")[:300]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in clean)
