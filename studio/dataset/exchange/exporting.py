"""Scenarios -> JSON Lines for other trainers: OpenAI messages, as trl's SFTTrainer takes them, or ShareGPT.

The conversation of a line is exactly what `studio.scenarios.to_messages` gives; `metadata` has the same keys on every
line, because columns of a table must. What has an error or waits for review is left out and named, as in training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.dataset.exchange.models import ExportFormat
from studio.errors import DatasetError
from studio.scenarios import (
    MarkdownParser,
    Role,
    TrainingScenario,
    load_check_settings,
    load_vocabulary,
    scenario_files,
    to_messages,
)
from studio.scenarios.review import UNREVIEWED, waits_for_review
from studio.workspace import Workspace, atomic_writer

SHAREGPT_ROLES: dict[Role, str] = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


@dataclass
class ExportReport:
    """What was written, and what was left out and why."""

    written: int = 0
    left_out: list[dict[str, Any]] = field(default_factory=list)
    """`path`, `line` and `reason`."""


def export_scenarios(
    workspace: Workspace,
    folder: Path,
    output: Path,
    format: ExportFormat,
    progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Write the scenarios of a folder as JSON Lines in UTF-8; the file appears whole or not at all.

    Raises:
        DatasetError: there is no scenario, or the file cannot be written there.
        WorkspaceError: the folder does not exist.
        ConfigError: the workspace's tools.yaml or diagnostics.yaml cannot be used.
    """
    files = scenario_files([folder])
    if not files:
        raise DatasetError("There is no scenario to export.", next_step="Write or import one first.", where=str(folder))
    if output.is_dir() or output.suffix.lower() == ".md":
        raise DatasetError(
            "The output must be a file of its own.", next_step="Name it, such as scenarios.jsonl.", where=str(output)
        )
    report = ExportReport()
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(output) as stream:
        for done, line in enumerate(_lines(workspace, folder, files, format, report), start=1):
            if line:
                stream.write(line.encode("utf-8"))
                report.written += 1
            if progress is not None:
                progress(done, len(files))
    return report


def export_row(scenario: TrainingScenario, source: str, format: ExportFormat) -> dict[str, Any]:
    """One line: `messages` or `conversations`, and `metadata`."""
    messages = to_messages(scenario)
    metadata = {
        "title": str(scenario.metadata.get("title") or ""),
        "scenario_type": scenario.scenario_type,
        "tags": _words(scenario.metadata.get("tags")),
        "author": str(scenario.metadata.get("author") or ""),
        "source": source,
    }
    if format == "messages":
        return {"messages": [one.as_dict() for one in messages], "metadata": metadata}
    turns = [{"from": SHAREGPT_ROLES[one.role], "value": one.content} for one in messages]
    return {"conversations": turns, "metadata": metadata}


def _lines(
    workspace: Workspace, folder: Path, files: list[Path], format: ExportFormat, report: ExportReport
) -> Iterator[str]:
    """A line for each file, empty for one that is left out."""
    parser = MarkdownParser(
        load_vocabulary(workspace.config_file("tools.yaml")),
        load_check_settings(workspace.config_file("diagnostics.yaml")),
    )
    for path in files:
        source = path.relative_to(folder).as_posix() if folder.is_dir() else path.name
        scenario = parser.parse_scenario(path)
        error = next((one for one in scenario.diagnostics if one.severity == "error"), None)
        if error is not None:
            reason = f"{error.code} {error.message}"
            report.left_out.append({"path": source, "line": error.span.line, "reason": reason})
            yield ""
        elif waits_for_review(scenario.metadata):
            report.left_out.append({"path": source, "line": 1, "reason": UNREVIEWED})
            yield ""
        else:
            yield json.dumps(export_row(scenario, source, format), ensure_ascii=False) + "\n"


def _words(tags: object) -> list[str]:
    if isinstance(tags, list):
        return [str(one) for one in tags]
    return [str(tags)] if tags else []
