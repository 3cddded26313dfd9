"""`import` and `export`: scenarios from chat logs and other people's datasets, and scenarios for other trainers."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError, to_plain
from studio.dataset.exchange import (
    EXPORT_FORMATS,
    FORMATS,
    ImportOptions,
    Mapping,
    RecordOutcome,
    export_scenarios,
    import_foreign,
)
from studio.errors import DatasetError
from studio.scenarios import SCENARIO_TYPES

_IMPORT = """Make scenarios of what there is already: OpenAI messages or ShareGPT (JSON, JSON Lines), FIREBALL records,
and plain text of play by post. Every record becomes one scenario of the workspace, or is named with file, line and
reason. In plain text --map says who is who: --map 'Game Master=DM', --map sarah_k=Sarah, --map Avrae=Dice, --map
spectator=Drop. Exit status 1 when something was rejected. With --json: {"records": [{"file", "line", "outcome",
"format", "scenario_id", "reason", "notes"}], "counts"}."""
_EXPORT = """Write scenarios as JSON Lines for other trainers: the conversations exactly as the studio trains on them,
as OpenAI messages (for trl and most others) or as ShareGPT. Scenarios with an error are left out and named; exit
status 1 then. With --json: {"output", "written", "left_out": [{"path", "line", "reason"}]}."""


def _configure_import(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="what to import; .gz is unpacked on the way"
    )
    parser.add_argument("--format", choices=["auto", *FORMATS], default="auto", help="the format (default: find out)")
    parser.add_argument("--type", choices=SCENARIO_TYPES, help="type of scenarios that do not say theirs")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="SPEAKER=WHO",
        help="who a speaker of plain text is: DM, Player, Companion, Dice, Drop, or the character's name",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")


def _import(options: Namespace, context: Context) -> int:
    workspace = context.workspace
    settings = ImportOptions(
        format=None if options.format == "auto" else options.format,
        scenario_type=options.type,
        mapping=_mapping(options.map),
        dry_run=options.dry_run,
    )
    counts: Counter[str] = Counter()
    outcomes = _counted(import_foreign(workspace, options.files, settings), counts)
    if context.as_json:
        records = [to_plain(one) for one in outcomes]
        context.show("", {"records": records, "counts": dict(counts)})
    else:
        context.write(line for one in outcomes for line in _lines(one))
        context.show(_summary(counts, dry_run=options.dry_run))
    return Exit.FINDINGS if counts["rejected"] or not counts else Exit.DONE


def _mapping(pairs: list[str]) -> Mapping:
    try:
        return Mapping.parse(pairs)
    except DatasetError as error:
        raise UsageError(error.what, why=error.why, next_step=error.next_step, where=error.where) from error


def _counted(outcomes: Iterable[RecordOutcome], counts: Counter[str]) -> Iterator[RecordOutcome]:
    for one in outcomes:
        counts[one.outcome] += 1
        yield one


def _lines(one: RecordOutcome) -> Iterator[str]:
    what = f"rejected. {one.reason}" if one.outcome == "rejected" else f"{one.outcome} {one.scenario_id}"
    yield _shown(f"{one.file}:{one.line}: {what}")
    for note in one.notes:
        yield _shown(f"{one.file}:{note.line}: note. {note.text}")


def _shown(text: str) -> str:
    """One line for a terminal: what a file brought along may not move the cursor."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text) + "\n"


def _summary(counts: Counter[str], *, dry_run: bool) -> str:
    if not counts:
        return "There is no record in it."
    made = counts["valid"] if dry_run else counts["created"]
    parts = [f"{made} {'would be imported' if dry_run else 'imported'}"]
    if counts["same"]:
        parts.append(f"{counts['same']} there already")
    return f"{', '.join([*parts, str(counts['rejected']) + ' rejected'])}."


def _configure_export(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="scenarios (default: data/scenarios)")
    parser.add_argument("--format", choices=EXPORT_FORMATS, required=True, help="how conversations are written")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the JSON Lines file to write")


def _export(options: Namespace, context: Context) -> int:
    folder = options.folder or context.workspace.scenarios_dir
    line = context.progress("Exporting")
    report = export_scenarios(
        context.workspace, folder, options.output, options.format, lambda done, total: line(done, total, "scenarios")
    )
    remarks = [_shown(f"{one['path']}:{one['line']}: left out. {one['reason']}").rstrip() for one in report.left_out]
    noun = "scenario" if report.written == 1 else "scenarios"
    text = "\n".join([*remarks, f"{report.written} {noun} written to {options.output}."])
    context.show(text, {"output": str(options.output), "written": report.written, "left_out": report.left_out})
    return Exit.FINDINGS if report.left_out else Exit.DONE


COMMANDS = (
    Command("import", "make scenarios of chat logs and datasets", _configure_import, _import, description=_IMPORT),
    Command("export", "write scenarios for other trainers", _configure_export, _export, description=_EXPORT),
)
