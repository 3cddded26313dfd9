"""`runs` and `queue`: what training runs there are, notes on them, their deletion, and the order of those that wait."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from studio.commands import (
    Command,
    Context,
    Exit,
    UsageError,
    clock_text,
    shared_options,
    size_text,
    table,
    whole_number,
)
from studio.errors import JobError
from studio.jobs import JobQueue, JobState, QueueEntry
from studio.training import Run, delete_run, dependants, find_run, list_runs, read_note, write_note

_MOST = 10_000


def _configure_runs(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="without one: list the runs")
    note = actions.add_parser(
        "note", parents=[shared_options()], allow_abbrev=False, help="write a note on a run: note RUN TEXT"
    )
    note.add_argument("run_name", metavar="RUN")
    note.add_argument("text", metavar="TEXT", nargs="?", help="the note; empty: remove it; left out: show it")
    delete = actions.add_parser(
        "delete", parents=[shared_options()], allow_abbrev=False, help="delete a run: delete RUN [--yes]"
    )
    delete.add_argument("run_name", metavar="RUN")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _runs(options: Namespace, context: Context) -> int:
    JobQueue(context.workspace).wake()
    if options.action == "note":
        return _note(options, context)
    if options.action == "delete":
        return _delete(options, context)
    places = {one.title: one.position for one in JobQueue(context.workspace).entries()}
    seen = [(run, run.state()) for run in list_runs(context.workspace)]
    data = [
        {"run": run.name, **state.model_dump(mode="json"), "position": places.get(run.name), "note": read_note(run)}
        for run, state in seen
    ]
    rows = [_row(run, state, places.get(run.name)) for run, state in seen]
    context.show(table(rows, ("RUN", "STATUS", "PROGRESS", "LEFT", "NOTE")), data)
    return Exit.DONE


def _row(run: Run, state: JobState, position: int | None) -> tuple[str, ...]:
    status = f"waiting, number {position}" if position else state.status
    progress = f"{state.progress.done:.0f}/{state.progress.total:.0f} {state.progress.unit}"
    left = clock_text(state.seconds_left) if state.seconds_left else ""
    return run.name, status, progress, left, next(iter(read_note(run).splitlines()), "")


def _note(options: Namespace, context: Context) -> int:
    run = find_run(context.workspace, options.run_name)
    if options.text is not None:
        write_note(run, options.text)
    note = read_note(run).rstrip()
    context.show(note or f"There is no note on {run.name}.", {"run": run.name, "note": note})
    return Exit.DONE


def _delete(options: Namespace, context: Context) -> int:
    run = find_run(context.workspace, options.run_name)
    if not options.yes and not _confirmed(run, context):
        context.note("Nothing was deleted.")
        return Exit.FINDINGS
    kept = delete_run(context.workspace, run.name)
    named = [*(context.workspace.relative(path) for path in kept.models), *(f"run {name}" for name in kept.runs)]
    text = f"Run {run.name} was deleted." + (f" Kept, though made from it: {', '.join(named)}." if named else "")
    context.show(text, {"run": run.name, "kept": named})
    return Exit.DONE


def _confirmed(run: Run, context: Context) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("Deleting a run cannot be undone.", next_step="Add --yes if you mean it.")
    size = sum(path.stat().st_size for path in run.directory.rglob("*") if path.is_file())
    kept = dependants(context.workspace, run)
    made = f" {len(kept.models)} model files and {len(kept.runs)} runs made from it stay." if any(vars(kept)) else ""
    context.note(f"Settings, checkpoints and adapter of {run.name} ({size_text(size)}) will be gone.{made}")
    return input("Delete it? [y/N] ").strip().lower() in ("y", "yes")


def _configure_queue(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="without one: show the queue")
    move = actions.add_parser(
        "move", parents=[shared_options()], allow_abbrev=False, help="give a waiting run another place: move N POS"
    )
    move.add_argument("entry", metavar="N", help="its number in the queue, or its name")
    move.add_argument("position", metavar="POS", type=whole_number(1, _MOST), help="the new number; 1 is the next one")
    cancel = actions.add_parser(
        "cancel", parents=[shared_options()], allow_abbrev=False, help="take a waiting run out: cancel N"
    )
    cancel.add_argument("entry", metavar="N", help="its number in the queue, or its name")


def _queue(options: Namespace, context: Context) -> int:
    queue = JobQueue(context.workspace)
    if options.action == "move":
        queue.move(_found(queue, options.entry).id, options.position)
    elif options.action == "cancel":
        entry = _found(queue, options.entry)
        queue.cancel(entry.id)
        context.note(f"{entry.title} was taken out of the queue. Start it with: train --resume {entry.title}")
    queue.wake()
    entries = queue.entries()
    rows = [(str(one.position or "now"), one.title, one.status) for one in entries]
    text = table(rows, ("N", "RUN", "STATUS")) if rows else "Nothing is at work and nothing waits."
    context.show(text, entries)
    return Exit.DONE


def _found(queue: JobQueue, named: str) -> QueueEntry:
    """The waiting entry of a number or a name; a run whose name is a number is found by its place."""
    waiting = [one for one in queue.entries() if one.is_waiting]
    for one in waiting:
        if named == str(one.position) or (named == one.title and not named.isdecimal()):
            return one
    raise JobError(
        f"Nothing waits as {named!r}.",
        why="It is at work already, has ended, or was never queued.",
        next_step="`queue` shows what waits; `stop` ends a run that is at work.",
    )


COMMANDS = (
    Command("runs", "list the training runs, write notes on them, delete them", _configure_runs, _runs),
    Command("queue", "show the training runs that wait, and change their order", _configure_queue, _queue),
)
