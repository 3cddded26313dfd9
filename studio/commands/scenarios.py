"""`validate`: what is wrong with scenario files, where, and how to fix it."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.commands import Command, Context, Exit
from studio.errors import WorkspaceError
from studio.scenarios import (
    WRITERS,
    CheckConfig,
    FileReport,
    MarkdownParser,
    fix_text,
    load_check_settings,
    load_vocabulary,
    read_text,
    scenario_files,
    validate_paths,
)
from studio.workspace import Workspace, atomic_write

_DESCRIPTION = """Check scenario files and say what is wrong, where, and how to fix it. A folder stands for every *.md
file in it. With --fix the safe fixes are written into the files first: those that cannot change what a scenario says.
Exit status 1 when a file has an error or cannot be read; warnings do not count. With --json: {"files": [{"path",
"valid", "error", "diagnostics"}], "valid", "fixed": [{"path", "applied"}]}."""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="scenario files or folders of them")
    parser.add_argument("--fix", action="store_true", help="apply the safe fixes, then report what is left")
    parser.add_argument(
        "--format",
        choices=[name for name in WRITERS if name != "json"],
        default="human",
        help="how to print the findings: for people, as SARIF for editors, as GitHub annotations (default human)",
    )


def _validate(options: Namespace, context: Context) -> int:
    files = scenario_files(options.paths)
    if not files:
        raise WorkspaceError("There is no scenario file.", next_step="Name a file or a folder with *.md files.")
    config = _config(context.workspace)
    tally = _Tally()
    reports: Iterable[FileReport] = validate_paths(files, config=config)
    if options.fix:
        reports = tally.fixing(reports, _parser(config))
    reports = tally.watching(reports)
    if context.as_json:
        document = json.loads("".join(WRITERS["json"](reports)))
        context.show("", {**document, "fixed": [{"path": path, "applied": n} for path, n in tally.fixed.items()]})
    else:
        context.write(WRITERS[options.format](reports))
        if options.fix:
            context.note(_fixes_text(tally.fixed))
    return Exit.DONE if tally.valid else Exit.FINDINGS


def _config(workspace: Workspace) -> CheckConfig:
    return CheckConfig(workspace.config_file("tools.yaml"), workspace.config_file("diagnostics.yaml"))


def _parser(config: CheckConfig) -> MarkdownParser:
    return MarkdownParser(load_vocabulary(config.vocabulary), load_check_settings(config.settings))


@dataclass
class _Tally:
    """What is remembered of the reports while they pass by: whether all are valid, and what was fixed."""

    valid: bool = True
    fixed: dict[str, int] = field(default_factory=dict)
    """Path -> fixes applied."""

    def watching(self, reports: Iterable[FileReport]) -> Iterator[FileReport]:
        """The reports as they are."""
        for report in reports:
            self.valid = self.valid and report.valid
            yield report

    def fixing(self, reports: Iterable[FileReport], parser: MarkdownParser) -> Iterator[FileReport]:
        """The reports, those of files with a safe fix replaced by what is left after it was written."""
        for report in reports:
            if any(one.fix is not None and one.fix.safe for one in report.diagnostics):
                yield self._fix(report, parser)
            else:
                yield report

    def _fix(self, report: FileReport, parser: MarkdownParser) -> FileReport:
        path = Path(report.path)
        try:
            fixed = fix_text(read_text(path), parser)
            content = fixed.text.encode("utf-8", "surrogateescape")
            atomic_write(path.resolve(), content)
        except (OSError, WorkspaceError) as error:
            return replace(report, error=f"The fixes cannot be written. {getattr(error, 'strerror', None) or error}.")
        self.fixed[report.path] = fixed.applied
        return replace(report, diagnostics=fixed.diagnostics, bytes=len(content))


def _fixes_text(fixed: dict[str, int]) -> str:
    if not fixed:
        return "There was nothing to fix that is safe to fix."
    lines = [f"{path}: {applied} fix{'' if applied == 1 else 'es'} applied." for path, applied in fixed.items()]
    return "\n".join(lines)


COMMANDS = (Command("validate", "check scenario files, and fix them", _configure, _validate, description=_DESCRIPTION),)
