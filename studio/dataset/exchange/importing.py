"""Foreign files -> scenarios of the workspace, record by record, with an outcome for every one of them.

A generator: what it holds at once is one record and a batch of finished texts, however large the file is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from studio.dataset.exchange.conversations import format_of, read_conversation
from studio.dataset.exchange.fireball import read_fireball
from studio.dataset.exchange.models import Format, Outcome, Record, RecordOutcome, Rejected, RejectedError, shown
from studio.dataset.exchange.posts import read_posts
from studio.dataset.exchange.speakers import Mapping
from studio.dataset.exchange.streams import Value, looks_like_json, read_values
from studio.dataset.exchange.writing import scenario_text, tidy_title
from studio.scenarios import SCENARIO_TYPES, MarkdownParser, load_check_settings, load_vocabulary
from studio.scenarios.library import Clash, ScenarioLibrary
from studio.scenarios.library.names import fold, tidy_name
from studio.workspace import Workspace

_LOOKED_AT = 20
"""Records by which a file is recognised."""
BATCH = 200
"""Records that are written under one hold of the library's lock, and whose outcomes come together."""


@dataclass(frozen=True)
class ImportOptions:
    """What a person decides about an import."""

    format: Format | None = None
    """None finds it out, record by record."""
    scenario_type: str | None = None
    """For records that do not say theirs; else mixed, or combat for FIREBALL."""
    mapping: Mapping = field(default_factory=Mapping)
    dry_run: bool = False
    clash: Clash = "rename"
    """When another scenario has that name already."""


def recognised(path: Path) -> Format | None:
    """What a file seems to be, by the first records of it that can be read; None when it is none of the formats.

    Raises:
        DatasetError: the file cannot be read.
    """
    if not looks_like_json(path):
        return "play-by-post"
    values = (one.value for one in islice(read_values(path), _LOOKED_AT) if not one.problem)
    return next((kind for one in values if (kind := format_of(one))), None)


def import_foreign(
    workspace: Workspace, paths: Iterable[Path], options: ImportOptions | None = None
) -> Iterator[RecordOutcome]:
    """Import files; the outcomes come in the order of the records, as batches are written.

    Raises:
        DatasetError: a file cannot be read; what came before it is imported.
        ConfigError: the workspace's tools.yaml or diagnostics.yaml cannot be used.
    """
    importer = _Importer(workspace, options or ImportOptions())
    for path in paths:
        yield from importer.run(path)


@dataclass(frozen=True, slots=True)
class _Ready:
    record: Record
    name: str
    text: str


class _Importer:
    def __init__(self, workspace: Workspace, options: ImportOptions) -> None:
        self._library, self._options = ScenarioLibrary(workspace), options
        vocabulary = load_vocabulary(workspace.config_file("tools.yaml"))
        self._parser = MarkdownParser(vocabulary, load_check_settings(workspace.config_file("diagnostics.yaml")))
        self._names: set[int] = set()
        """Hashes of the names used in this import: a second record of that title gets its line number."""

    def run(self, path: Path) -> Iterator[RecordOutcome]:
        finished = (self._finish(one) for one in self._records(path))
        while batch := list(islice(finished, BATCH)):
            yield from self._write(batch)

    def _records(self, path: Path) -> Iterator[Record | Rejected]:
        chosen = self._options.format
        if chosen == "play-by-post" or (chosen is None and not looks_like_json(path)):
            return read_posts(path, self._options.mapping, self._parser.vocabulary)
        return (self._read(value, shown(path)) for value in read_values(path))

    def _read(self, value: Value, file: str) -> Record | Rejected:
        if value.problem:
            return Rejected(file, value.line, value.problem)
        kind = self._options.format or format_of(value.value)
        if kind is None:
            reason = "It is none of the formats that are read: messages, ShareGPT, FIREBALL."
            return Rejected(file, value.line, reason)
        record = Record(file, value.line, kind, [])
        if value.note:
            record.note(value.note)
        reader = read_fireball if kind == "fireball" else read_conversation
        try:
            reader(value.value, record, self._parser.vocabulary)
        except RejectedError as error:
            return Rejected(file, value.line, str(error), kind, tuple(record.notes))
        return record

    def _finish(self, found: Record | Rejected) -> _Ready | Rejected:
        if isinstance(found, Rejected):
            return found
        found.scenario_type = self._type_of(found)
        place = f"{Path(found.file).stem} {found.line}"
        found.title = tidy_title(found.title) or tidy_title(place)
        try:
            text = scenario_text(found, self._parser)
            text.encode("utf-8")
        except RejectedError as error:
            return Rejected(found.file, found.line, str(error), found.format, tuple(found.notes))
        except UnicodeEncodeError:
            return Rejected(found.file, found.line, "It holds half a character.", found.format, tuple(found.notes))
        return _Ready(found, self._name_of(found), text)

    def _type_of(self, record: Record) -> str:
        chosen = record.scenario_type or self._options.scenario_type or "mixed"
        if record.format == "fireball" and self._options.scenario_type:
            chosen = self._options.scenario_type
        return chosen if chosen in SCENARIO_TYPES else "mixed"

    def _name_of(self, record: Record) -> str:
        """The same record of the same file gets the same name each time, so that importing twice adds nothing."""
        name = tidy_name(record.title)
        if self._is_used(record, name):
            name = tidy_name(f"{record.title} {Path(record.file).stem} {record.line}")
            self._is_used(record, name)
        return name

    def _is_used(self, record: Record, name: str) -> bool:
        key = hash(fold(f"{record.scenario_type}/{name}"))
        used = key in self._names
        self._names.add(key)
        return used

    def _write(self, batch: list[_Ready | Rejected]) -> Iterator[RecordOutcome]:
        ready = [one for one in batch if isinstance(one, _Ready)]
        written = iter(self._add(ready))
        for one in batch:
            if isinstance(one, Rejected):
                yield RecordOutcome(
                    file=one.file,
                    line=one.line,
                    outcome="rejected",
                    format=one.format,
                    reason=one.reason,
                    notes=one.notes,
                )
            else:
                yield _outcome(one, *next(written))

    def _add(self, ready: list[_Ready]) -> list[tuple[str, str]]:
        if self._options.dry_run:
            return [(f"{one.record.scenario_type}/{one.name}", "valid") for one in ready]
        files = ((one.record.scenario_type, one.name, one.text.encode("utf-8")) for one in ready)
        return self._library.add_many(files, self._options.clash) if ready else []


def _outcome(one: _Ready, scenario_id: str, written: str) -> RecordOutcome:
    record = one.record
    outcomes: tuple[Outcome, ...] = ("created", "replaced", "same", "skipped", "valid")
    return RecordOutcome(
        file=record.file,
        line=record.line,
        outcome=next(one for one in outcomes if one == written),
        format=record.format,
        scenario_id=scenario_id,
        notes=tuple(record.notes),
    )
