"""What passes between the readers of foreign formats, the writer of scenario texts, and whoever shows the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import pydantic

from studio.scenarios import Message

Format = Literal["messages", "sharegpt", "play-by-post", "fireball"]
FORMATS: tuple[Format, ...] = get_args(Format)
ExportFormat = Literal["messages", "sharegpt"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
Outcome = Literal["created", "replaced", "same", "skipped", "valid", "rejected"]
"""Written; written over another; there as it is; left out for its name; would be written (dry run); no scenario."""


class Note(pydantic.BaseModel):
    """Something that was changed or left out on the way, at a line of the imported file."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    line: int
    text: str


class RecordOutcome(pydantic.BaseModel):
    """What became of one record of an imported file."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int = pydantic.Field(description="Where the record begins, from 1.")
    outcome: Outcome
    format: Format | None = pydantic.Field(None, description="None when that could not be told.")
    scenario_id: str | None = None
    reason: str = pydantic.Field("", description="Why it was rejected.")
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class Record:
    """One conversation of a foreign file, as chat messages whose text is in our language already."""

    file: str
    line: int
    format: Format
    messages: list[Message]
    title: str = ""
    scenario_type: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Front matter that the record brings along: tags, author, source."""
    notes: list[Note] = field(default_factory=list)

    def note(self, text: str, line: int | None = None) -> None:
        """Remember something that a person should know about this record."""
        self.notes.append(Note(line=line or self.line, text=text))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record, or a line, that no scenario can be made of."""

    file: str
    line: int
    reason: str
    format: Format | None = None
    notes: tuple[Note, ...] = ()


class RejectedError(Exception):
    """Raised inside a reader: this record cannot be read. Never leaves the package."""


def shown(path: Path) -> str:
    """A file's name for reports and front matter: printable, without its folder."""
    clean = path.name.encode("utf-8", "replace").decode()[:200]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in clean)
