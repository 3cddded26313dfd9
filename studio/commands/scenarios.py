"""`validate`: what is wrong with scenario files, where, and how to fix it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError
from studio.errors import StudioError, WorkspaceError
from studio.scenarios import (
    SCENARIO_TYPES,
    WRITERS,
    CheckConfig,
    FileReport,
    FixedText,
    MarkdownParser,
    fix_text,
    load_check_settings,
    load_vocabulary,
    read_text,
    scenario_files,
    validate_paths,
)
from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace, atomic_write

_STDIN = Path("-")
_DESCRIPTION = """Check scenario files and say what is wrong, where, and how to fix it. A folder stands for every *.md
file in it, and - for standard input (the text of an editor that is not saved yet). With --fix the safe fixes are
written into the files first: those that cannot change what a scenario says. A scenario of the workspace keeps its
former text in its history; the fixed text of - goes to standard output. Exit status 0 when no file has an error
(warnings do not count), 1 when one has or cannot be read, 2 when the command cannot be used like this. With --json:
{"files": [{"path", "valid", "error", "diagnostics"}], "valid", "fixed": [{"path", "applied"}]}."""


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="scenario files or folders of them, or -")
    parser.add_argument("--fix", action="store_true", help="apply the safe fixes, then report what is left")
    parser.add_argument(
        "--format",
        choices=[name for name in WRITERS if name != "json"],
        default="human",
        help="how to print the findings: for people, as SARIF for editors, as GitHub annotations (default human)",
    )
    parser.add_argument("--stdin-name", default="stdin", metavar="NAME", help="what findings in - call the file")


def _validate(options: Namespace, context: Context) -> int:
    config = _config(context.workspace)
    if _STDIN in options.paths:
        return _validate_stdin(options, context, config)
    files = _files(options.paths)
    tally = _Tally()
    reports: Iterable[FileReport] = validate_paths(files, config=config, progress=_progress(context))
    if options.fix:
        reports = tally.fixing(reports, _Fixer(context.workspace, _parser(config)))
    with _workers_shielded() if len(files) > 1 else nullcontext():
        _write(tally.watching(reports), options, context, tally)
    if options.fix and not context.as_json:
        context.note(_fixes_text(tally.fixed))
    return Exit.DONE if tally.valid else Exit.FINDINGS


@contextmanager
def _workers_shielded() -> Iterator[None]:
    """Ctrl+C ends this process, which then ends its workers; they would each print where they were interrupted.

    Processes inherit the signals that are blocked. A thread that does nothing else takes the signal in our place. The
    resource tracker of multiprocessing unblocks it when it starts, so it is started first.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()
    over = threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        over.set()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _files(paths: Sequence[Path]) -> list[Path]:
    """The scenario files; a pipe or a device is refused, for reading it might never end."""
    for path in paths:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise WorkspaceError(
                "This is no ordinary file.",
                why="Scenarios are read from files and folders.",
                next_step="Use - to check what another program writes.",
                where=str(path),
            )
    files = scenario_files(paths)
    if not files:
        raise WorkspaceError("There is no scenario file.", next_step="Name a file or a folder with *.md files.")
    return files


def _validate_stdin(options: Namespace, context: Context, config: CheckConfig) -> int:
    """Check, or fix, the one text that is typed or piped in."""
    if len(options.paths) > 1:
        raise UsageError("Standard input can only be checked alone.", next_step="Name either - or files.")
    if options.fix and context.as_json:
        raise UsageError("The fixed text of - and --json cannot both be printed.", next_step="Leave one of them away.")
    content = sys.stdin.buffer.read()
    text, parser = content.decode("utf-8", "surrogateescape"), _parser(config)
    tally = _Tally()
    if options.fix:
        fixed = fix_text(text, parser)
        report = FileReport(options.stdin_name, fixed.diagnostics, len(content))
        context.out.buffer.write(fixed.text.encode("utf-8", "surrogateescape"))
        context.out.flush()
        context.err.writelines(WRITERS[options.format](tally.watching([report])))
    else:
        report = FileReport(options.stdin_name, parser.validate_format(text).diagnostics, len(content))
        _write(tally.watching([report]), options, context, tally)
    return Exit.DONE if tally.valid else Exit.FINDINGS


def _write(reports: Iterable[FileReport], options: Namespace, context: Context, tally: _Tally) -> None:
    if context.as_json:
        document = json.loads("".join(WRITERS["json"](reports)))
        context.show("", {**document, "fixed": [{"path": path, "applied": n} for path, n in tally.fixed.items()]})
    else:
        context.write(_above_progress(WRITERS[options.format](reports), context))


def _progress(context: Context) -> Callable[[int, int], None] | None:
    """The line with files, files per second and time left; only a person at a terminal sees one."""
    if not context.err.isatty():
        return None
    line = context.progress("Checking")
    return lambda done, total: line(done, total, "files")


def _above_progress(pieces: Iterable[str], context: Context) -> Iterator[str]:
    """The pieces; where findings and progress share a terminal, the progress line makes room for each."""
    shared = context.err.isatty() and context.out.isatty()
    for piece in pieces:
        if shared:
            context.out.flush()
            context.err.write("\r\x1b[K")
            context.err.flush()
        yield piece


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

    def fixing(self, reports: Iterable[FileReport], fixer: _Fixer) -> Iterator[FileReport]:
        """The reports, those of files with a safe fix replaced by what is left after it was written."""
        for report in reports:
            if any(one.fix is not None and one.fix.safe for one in report.diagnostics):
                report, applied = fixer.fix(report)
                self.fixed.update({report.path: applied} if applied else {})
            yield report


@dataclass(frozen=True)
class _Fixer:
    """Writes safe fixes into files; those of the workspace through the library, whose history keeps the former text."""

    workspace: Workspace
    parser: MarkdownParser

    def fix(self, report: FileReport) -> tuple[FileReport, int]:
        """The report of a file after fixing it, and how many fixes were applied."""
        path = Path(report.path)
        try:
            scenario_id = self._id_of(path)
            fixed = self._fix_file(path) if scenario_id is None else self._fix_scenario(scenario_id)
        except (OSError, StudioError) as error:
            reason = getattr(error, "strerror", None) or error
            return replace(report, error=f"The fixes cannot be written. {str(reason).rstrip('.')}."), 0
        size = len(fixed.text.encode("utf-8", "surrogateescape"))
        return replace(report, diagnostics=fixed.diagnostics, bytes=size), fixed.applied

    def _fix_file(self, path: Path) -> FixedText:
        fixed = fix_text(read_text(path), self.parser)
        atomic_write(path.resolve(), fixed.text.encode("utf-8", "surrogateescape"))
        return fixed

    def _fix_scenario(self, scenario_id: str) -> FixedText:
        library = ScenarioLibrary(self.workspace)
        document = library.read(scenario_id)
        fixed = fix_text(document.text, self.parser)
        library.save(scenario_id, fixed.text, document.revision)
        return fixed

    def _id_of(self, path: Path) -> str | None:
        """The id of a scenario of this workspace, or None for any other file."""
        folder = path.absolute().parent
        known = folder.parent.resolve() == self.workspace.scenarios_dir.resolve() and folder.name in SCENARIO_TYPES
        return f"{folder.name}/{path.stem}" if known and path.suffix == ".md" and not path.is_symlink() else None


def _fixes_text(fixed: dict[str, int]) -> str:
    if not fixed:
        return "There was nothing to fix that is safe to fix."
    lines = [f"{path}: {applied} fix{'' if applied == 1 else 'es'} applied." for path, applied in fixed.items()]
    return "\n".join(lines)


COMMANDS = (Command("validate", "check scenario files, and fix them", _configure, _validate, description=_DESCRIPTION),)
