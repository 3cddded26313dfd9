"""What became of imported files, in a sentence and as a table."""

from __future__ import annotations

from studio.scenarios.library import ImportReport
from studio.ui.wording import count, printable

_WORDS = {"created": "imported", "replaced": "replaced yours", "same": "already there", "skipped": "left out"}


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
