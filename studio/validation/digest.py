"""A report in a few kilobytes: what lists and the history over versions need. Kept beside the report it was made of.

A report grows with every turn (a megabyte is usual), so nobody reads a thousand of them to show twenty lines.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.conversion.metadata import ADAPTER, BASE_NAME, BASE_SHA256, PARENT_ADAPTER, RUN
from studio.conversion.quantization.types import TYPES
from studio.metrics import Figure
from studio.validation.card import REPORT_FILE, ModelResult, ModelStamp, ReportCard, load_report
from studio.validation.headline import Tone, verdict
from studio.workspace import atomic_write

DIGEST_FILE = "digest.json"
FORMAT = 1
HEADLINES = (
    "turn_right", "call_accuracy", "call_precision", "call_recall", "call_exact", "outcome_told", "outcome_by_dice",
    "invented_numbers", "faithful", "speaks_for_player", "out_of_role",
)  # fmt: skip
"""The figures that a version is followed by; the others are in the report."""
_BASE_FILE = "base.gguf"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Measured(_Part):
    """One model of a report: which it is, where it comes from, and its headline figures without their turns."""

    label: str
    sha256: str
    size_bytes: int
    quantization: str = Field("", description="Such as Q8_0; empty when nothing says it.")
    made: float = Field(0.0, description="When the file was written, Unix time in seconds; 0 when unknown.")
    base: str = Field("", description="The base model it was trained from; for a base model its own name.")
    adapter: str = Field("", description="SHA-256 of the adapter in it; empty for a base model and for foreign files.")
    parent_adapter: str = Field("", description="The adapter that its training went on from, where the file names it.")
    run: str = Field("", description="The run it was made by; for an adapter that is no file yet, its own name.")
    is_base: bool = Field(False, description="A base model without an adapter, in whatever quantization.")
    figures: dict[str, Figure]

    @property
    def identity(self) -> str:
        """Two measurements of one identity are of the same model: the file's content, and the adapter laid over it."""
        return f"{self.sha256}+{self.adapter}"

    @classmethod
    def of(cls, result: ModelResult) -> Measured:
        """What is kept of a model's result."""
        stamp, parents = result.model, result.model.parents
        adapter = parents.get(ADAPTER, "")
        own_name = stamp.label.partition("/")[0] if stamp.file == _BASE_FILE else ""
        base = parents.get(BASE_NAME) or parents.get(BASE_SHA256) or own_name
        return cls(
            label=stamp.label,
            sha256=stamp.sha256,
            size_bytes=stamp.size_bytes,
            quantization=stamp.quantization or _named_type(stamp),
            made=stamp.made,
            base=base,
            adapter=adapter,
            parent_adapter=parents.get(PARENT_ADAPTER, ""),
            run=stamp.label if stamp.adapter else parents.get(RUN, ""),
            is_base=bool(base) and not adapter,
            figures={name: _bare(one) for name, one in result.summary.figures.items() if name in HEADLINES},
        )


class ReportDigest(_Part):
    """What is kept of a report."""

    format: int = FORMAT
    source: str = Field("", description="Which state of the report it was made of.")
    created: float
    test_set: str = Field(description="Twelve hex digits; figures of different test sets cannot be compared.")
    turns: int
    tone: Tone
    models: tuple[Measured, ...]

    def model(self, identity: str) -> Measured | None:
        """The model of that identity."""
        return next((one for one in self.models if one.identity == identity), None)


def digest_of(card: ReportCard, source: str = "") -> ReportDigest:
    """The digest of a report."""
    return ReportDigest(
        source=source,
        created=card.created,
        test_set=identify_test_set(card),
        turns=len(card.turns),
        tone=verdict(card),
        models=tuple(Measured.of(one) for one in card.models),
    )


def identify_test_set(card: ReportCard) -> str:
    """What the models were asked, as twelve hex digits: the turns as they stand there, and the limits of a reply.

    A scenario that moved by a line is the same; one whose author's turn was changed is another.
    """
    turns = [one.model_dump(mode="json", exclude={"line"}) for one in card.turns]
    limits = [card.format, card.settings.max_tokens, card.settings.context_tokens]
    return hashlib.sha256(json.dumps([limits, turns]).encode()).hexdigest()[:12]


def read_digest(folder: Path) -> ReportDigest:
    """The digest of the report in a job's folder, made anew when the report has changed since.

    Raises:
        EvaluationError: there is no report, or it cannot be read.
    """
    source = report_state(folder)
    try:
        known = ReportDigest.model_validate_json((folder / DIGEST_FILE).read_bytes())
    except (OSError, ValidationError):
        known = None
    if source and known and (known.format, known.source) == (FORMAT, source):
        return known
    made = digest_of(load_report(folder), source)
    with suppress(OSError):  # a full disk or a folder that may only be read: it is made again next time
        atomic_write(folder / DIGEST_FILE, made.model_dump_json())
    return made


def report_state(folder: Path) -> str:
    """A word that changes whenever the report in a folder does; empty when there is none."""
    try:
        found = (folder / REPORT_FILE).stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}:{found.st_size}"


def _bare(figure: Figure) -> Figure:
    return figure.model_copy(update={"turns": (), "faults": ()})


def _named_type(stamp: ModelStamp) -> str:
    """The type by the file's name, for reports that do not say it: `first.Q8_0.gguf`."""
    words = re.split(r"[.\-]", stamp.file.upper().removesuffix(".GGUF"))
    return next((word for word in reversed(words) if word in TYPES), "")
