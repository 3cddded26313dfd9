"""`augment`: variations of scenarios, proposed, looked at, accepted and rejected."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError, table, whole_number
from studio.dataset.augmentation import (
    OPERATIONS,
    AugmentationPlan,
    AugmentationStore,
    Refused,
    Status,
    operations_named,
)
from studio.dataset.variations import Proposed, propose, propose_again, scenario_names, standings
from studio.errors import DatasetError

_ALL = "all"
_SEEDS = 2**31 - 1
_DESCRIPTION = """Make variations of scenarios that keep the truth: other names, other dice, other difficulties, another
order of the party. No model writes anything: every word stands in the scenario or in config/augmentation.yaml. What is
made is proposed; training reads only what was accepted. Exit status 1 when a scenario has an error, so that nothing can
be made of it. With --json: {"made", "new", "refused"}, or the list of variations."""
_NEXT = "Look at one with --diff NAME, then --accept NAME, or --accept all. Training reads only what was accepted."


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="scenarios or folders of them (default: all of the workspace)",
    )
    parser.add_argument(
        "--operations", type=_names, default=tuple(OPERATIONS), metavar="A,B", help=f"which: {', '.join(OPERATIONS)}"
    )
    parser.add_argument(
        "--copies", type=whole_number(1, 100), default=1, metavar="N", help="how many of each scenario and operation"
    )
    parser.add_argument(
        "--seed", type=whole_number(0, _SEEDS), default=7, metavar="S", help="another number, other variations"
    )
    parser.add_argument("--together", action="store_true", help="all operations on one copy, not a copy for each")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list what was made and decided")
    what.add_argument("--diff", metavar="NAME", help="show what a variation changes")
    what.add_argument("--accept", nargs="+", metavar="NAME", help="let variations be trained on; all: those proposed")
    what.add_argument("--reject", nargs="+", metavar="NAME", help="keep variations out; all: those proposed")
    what.add_argument(
        "--again",
        nargs="+",
        metavar="NAME",
        help="make variations again after their scenarios were changed; all: those",
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(one.replace("_", " ").split()).lower() for one in text.split(",") if one.strip())


def _augment(options: Namespace, context: Context) -> int:
    store = AugmentationStore(context.workspace)
    if options.list:
        return _list(store, context)
    if options.diff:
        diff = store.diff(options.diff)
        context.show(_safe(diff), {"name": options.diff, "diff": diff})
        return Exit.DONE
    if options.accept or options.reject:
        return _decide(store, options.accept or options.reject, "accepted" if options.accept else "rejected", context)
    return _make_again(options.again, context) if options.again else _propose(options, context)


def _propose(options: Namespace, context: Context) -> int:
    names = scenario_names(context.workspace, options.paths)
    if not names:
        raise DatasetError("There is no scenario to vary.", next_step="Write one, or import some.")
    line = context.progress("Making variations")
    done = propose(
        context.workspace, names, _plan(options), options.seed, lambda done, total: line(done, total, "scenarios")
    )
    context.show(_told(done), {"made": done.made, "new": done.new, "refused": [_row(one) for one in done.refused]})
    return Exit.FINDINGS if done.unfit else Exit.DONE


def _plan(options: Namespace) -> AugmentationPlan:
    try:
        operations_named(options.operations)
    except DatasetError as error:
        raise UsageError(error.what, why=error.why, next_step=error.next_step) from error
    if not options.operations:
        raise UsageError("No operation is named.", next_step=f"Choose from: {', '.join(OPERATIONS)}.")
    return AugmentationPlan(operations=options.operations, copies=options.copies, together=options.together)


def _told(done: Proposed) -> str:
    rows = [(one.name, one.status, ", ".join(one.operations)) for one in done.made]
    made = [table([tuple(map(_safe, row)) for row in rows], ("VARIATION", "STATUS", "DONE"))] if rows else []
    unfit = [f"{_safe(one.parent)}: nothing made. {_safe(one.reason)}" for one in done.unfit]
    reasons = Counter((", ".join(one.operations), one.reason) for one in done.refused if one.operations)
    refused = [f"{what}: not made of {number}. {_safe(why)}" for (what, why), number in reasons.items()]
    old = len(done.made) - done.new
    summary = f"{done.new} proposed{f', {old} were there already' if old else ''}, {len(done.refused)} not made."
    return "\n".join([*made, *unfit, *refused, summary, *([_NEXT] if done.new else [])])


def _list(store: AugmentationStore, context: Context) -> int:
    found = store.proposals()
    standing = standings(context.workspace, found)
    rows = [
        (_safe(one.name), one.status, {"current": ""}.get(standing[one.name], f"scenario {standing[one.name]}"))
        for one in found
    ]
    text = (
        table(rows, ("VARIATION", "STATUS", "")) if rows else "There are no variations yet. Make some: studio augment"
    )
    context.show(text, [{**one.model_dump(mode="json"), "scenario": standing[one.name]} for one in found])
    return Exit.DONE


def _decide(store: AugmentationStore, names: Sequence[str], status: Status, context: Context) -> int:
    line = context.progress("Writing")
    chosen = [one.name for one in store.proposals("proposed")] if list(names) == [_ALL] else list(dict.fromkeys(names))
    before = store.decide(chosen, status, lambda done, total: line(done, total, "variations"))
    noun = "variation" if len(before) == 1 else "variations"
    context.show(f"{len(before)} {noun} {status}.", {"status": status, "changed": [one.name for one in before]})
    return Exit.DONE


def _make_again(names: Sequence[str], context: Context) -> int:
    workspace = context.workspace
    found = AugmentationStore(workspace).proposals()
    changed = [name for name, standing in standings(workspace, found).items() if standing == "changed"]
    chosen = changed if list(names) == [_ALL] else list(dict.fromkeys(names))
    done = propose_again(workspace, chosen)
    remarks = [f"{_safe(one.parent)}: not made again. {_safe(one.reason)}" for one in done.refused]
    context.show(
        "\n".join([*remarks, f"{done.new} made again; they wait for a decision."]),
        {"made": done.made, "new": done.new, "refused": [_row(one) for one in done.refused]},
    )
    return Exit.FINDINGS if done.refused else Exit.DONE


def _row(one: Refused) -> dict[str, object]:
    return {"parent": one.parent, "operations": one.operations, "reason": one.reason}


def _safe(text: str) -> str:
    """For a terminal: what a file brought along may not move the cursor."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


COMMANDS = (Command("augment", "make variations of scenarios, and review them", _configure, _augment, _DESCRIPTION),)
