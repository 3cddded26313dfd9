"""Runs every check on one reading."""

from __future__ import annotations

from studio.scenarios.checks import schema_codes
from studio.scenarios.checks.catalogue import RULES
from studio.scenarios.checks.game import check_game
from studio.scenarios.checks.report import Report
from studio.scenarios.checks.schema import check_schema
from studio.scenarios.checks.tool_calls import check_tool_calls
from studio.scenarios.checks.variety import check_variety
from studio.scenarios.checks.writing import check_writing
from studio.scenarios.models import Diagnostic, Severity
from studio.scenarios.reading import Reading
from studio.scenarios.settings import CheckSettings, read_severity


def run_checks(reading: Reading, settings: CheckSettings) -> list[Diagnostic]:
    """The diagnostics of one text, in the order of the text. Never raises on content."""
    overrides, refused = _overrides(reading)
    report = Report(reading, settings, overrides)
    for message in refused:
        matter = reading.tree.nodes[0] if reading.tree.nodes[0].kind == "front_matter" else reading.tree.nodes[1]
        report.add(schema_codes.BAD_OVERRIDE, matter.start, matter.end, message)
    check_schema(report)
    check_variety(report)
    check_tool_calls(report)
    check_game(report)
    check_writing(report)
    return report.finish()


def _overrides(reading: Reading) -> tuple[dict[str, Severity | None], list[str]]:
    """The severities of the front matter, and what in it cannot be used."""
    written = reading.front_matter.values.get("diagnostics")
    if written is None:
        return {}, []
    if not isinstance(written, dict):
        return {}, ["`diagnostics` is written like this: {W003: off, R004: warning}."]
    found: dict[str, Severity | None] = {}
    refused = []
    for code, level in written.items():
        try:
            if code in RULES:
                found[code] = read_severity(level)
            else:
                refused.append(f"There is no code {str(code)[:40]}. docs/diagnostics.md lists them.")
        except ValueError:
            refused.append(f"{str(level)[:40]!r} cannot be used: write error, warning, info or off.")
    return found, refused
