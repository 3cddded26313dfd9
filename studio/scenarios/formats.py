"""Diagnostics for people and for programs: lines of text, JSON, SARIF 2.1.0, and GitHub's annotation commands.

Every writer takes reports one by one and yields pieces of text: ten thousand files need no more memory than one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from studio.scenarios.batch import FileReport
from studio.scenarios.checks import RULES
from studio.scenarios.models import Diagnostic, Severity

Writer = Callable[[Iterable[FileReport]], Iterator[str]]
_SARIF_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write_human(reports: Iterable[FileReport]) -> Iterator[str]:
    """`file:line:column: severity CODE message`, then one line of counts."""
    files, counts = 0, dict.fromkeys(Severity, 0)
    unread = 0
    for report in reports:
        files += 1
        unread += bool(report.error)
        if report.error:
            yield f"{_shown(report.path)}: {report.error}\n"
        for one in report.diagnostics:
            counts[one.severity] += 1
            hint = f" (fix: {one.fix.title})" if one.fix else ""
            place = f"{_shown(report.path)}:{one.span.line}:{one.span.column}"
            yield f"{place}: {one.severity} {one.code} {_shown(one.message)}{_shown(hint)}\n"
    parts = [f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}" for severity in Severity]
    could_not = f", {unread} could not be read" if unread else ""
    yield f"{files} file{'' if files == 1 else 's'}: {', '.join(parts)}{could_not}.\n"


def write_json(reports: Iterable[FileReport]) -> Iterator[str]:
    """One JSON object: `files` (path, valid, error, diagnostics) and `valid` for all together."""
    yield '{"files": ['
    separator, valid = "\n", True
    for report in reports:
        valid = valid and report.valid
        entry = {
            "path": _shown(report.path),
            "valid": report.valid,
            "error": report.error,
            "diagnostics": [one.model_dump() for one in report.diagnostics],
        }
        yield separator + _json(entry)
        separator = ",\n"
    yield f'\n], "valid": {json.dumps(valid)}}}\n'


def write_sarif(reports: Iterable[FileReport]) -> Iterator[str]:
    """A SARIF 2.1.0 log (OASIS), as code scanners and editors read it."""
    driver = {"name": "studio validate", "rules": [_sarif_rule(code) for code in RULES]}
    yield f'{{"version": "2.1.0", "$schema": "{_SARIF_SCHEMA}", "runs": [{{"tool": {_json({"driver": driver})}, '
    yield '"columnKind": "unicodeCodePoints", "results": ['
    separator, unread = "\n", []
    for report in reports:
        if report.error:
            unread.append(_sarif_notification(report))
        for one in report.diagnostics:
            yield separator + _json(_sarif_result(report.path, one))
            separator = ",\n"
    invocation = {"executionSuccessful": not unread, "toolExecutionNotifications": unread}
    yield f'\n], "invocations": [{_json(invocation)}]}}]}}\n'


def write_github(reports: Iterable[FileReport]) -> Iterator[str]:
    """Workflow commands of GitHub Actions: each becomes an annotation at its line."""
    for report in reports:
        if report.error:
            yield f"::error file={_property(report.path)}::{_data(report.error)}\n"
        for one in report.diagnostics:
            place = (
                f"file={_property(report.path)},line={one.span.line},endLine={one.span.end_line},"
                f"col={one.span.column},endColumn={one.span.end_column},title={one.code}"
            )
            yield f"::{_GITHUB_LEVEL[one.severity]} {place}::{_data(one.message)}\n"


WRITERS: dict[str, Writer] = {"human": write_human, "json": write_json, "sarif": write_sarif, "github": write_github}
"""Name of a format -> its writer."""


def _sarif_rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\nFine:\n{rule.cure}"},
        "defaultConfiguration": {"level": _SARIF_LEVEL[rule.severity]},
    }


def _sarif_artifact(path: str) -> dict[str, str]:
    """Where a file is: a relative reference as it was given, or a file URI."""
    written = quote(path.replace("\\", "/"), errors="surrogateescape")
    return {"uri": f"file://{written}" if written.startswith("/") else written}


def _sarif_notification(report: FileReport) -> dict[str, Any]:
    location = {"physicalLocation": {"artifactLocation": _sarif_artifact(report.path)}}
    return {"level": "error", "message": {"text": report.error}, "locations": [location]}


def _sarif_result(path: str, one: Diagnostic) -> dict[str, Any]:
    artifact = _sarif_artifact(path)
    region = {
        "startLine": one.span.line,
        "startColumn": one.span.column,
        "endLine": one.span.end_line,
        "endColumn": one.span.end_column,
    }
    result: dict[str, Any] = {
        "ruleId": one.code,
        "level": _SARIF_LEVEL[one.severity],
        "message": {"text": one.message},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
    }
    if one.fix is not None:
        deleted = {"charOffset": one.fix.start, "charLength": one.fix.end - one.fix.start}
        change = {"deletedRegion": deleted, "insertedContent": {"text": one.fix.text}}
        changes = [{"artifactLocation": artifact, "replacements": [change]}]
        result["fixes"] = [{"description": {"text": one.fix.title}, "artifactChanges": changes}]
    return result


def _json(value: object) -> str:
    """JSON in ASCII: lone surrogates (bytes that were not UTF-8) stay escapes, which every reader takes."""
    return json.dumps(value, ensure_ascii=True)


def _shown(text: str) -> str:
    """Text for a terminal: control characters (escape sequences) and lone surrogates made visible."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


def _data(text: str) -> str:
    return _shown(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
