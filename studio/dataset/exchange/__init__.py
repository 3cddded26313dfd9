"""Scenarios from what people have already, and scenarios for other trainers. It never writes prose of its own."""

from studio.dataset.exchange.exporting import ExportReport, export_row, export_scenarios
from studio.dataset.exchange.importing import BATCH, ImportOptions, import_foreign, recognised
from studio.dataset.exchange.models import (
    EXPORT_FORMATS,
    FORMATS,
    ExportFormat,
    Format,
    Note,
    Outcome,
    RecordOutcome,
)
from studio.dataset.exchange.posts import survey
from studio.dataset.exchange.speakers import PARTS, Mapping, Part, Speaker, character_name

__all__ = [
    "BATCH",
    "EXPORT_FORMATS",
    "FORMATS",
    "PARTS",
    "ExportFormat",
    "ExportReport",
    "Format",
    "ImportOptions",
    "Mapping",
    "Note",
    "Outcome",
    "Part",
    "RecordOutcome",
    "Speaker",
    "character_name",
    "export_row",
    "export_scenarios",
    "import_foreign",
    "recognised",
    "survey",
]
