"""`reports`: every model that was measured, version by version, and whether it became better or worse."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime

from studio.commands import Command, Context, Exit, table, whole_number
from studio.validation import CHECKS, figure_text
from studio.validation.history import Change, Lineage
from studio.validation.reports import change_of, read_history

_SHOWN = 20
_MOST = 100_000
_HEADER = ("WHEN", "MODEL", "TYPE", "RIGHT TURNS", "REQUESTS THAT CAME", "AGAINST THE VERSION BEFORE")


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="only lineages that have this in a name")
    parser.add_argument(
        "--last", type=whole_number(1, _MOST), default=_SHOWN, metavar="N",
        help=f"versions of each lineage and test set, the newest (default: {_SHOWN})",
    )  # fmt: skip
    parser.add_argument(
        "--fail-on-regression", action="store_true",
        help="exit with 1 when the newest version of a lineage is worse than the one before it",
    )  # fmt: skip


def _reports(options: Namespace, context: Context) -> int:
    lineages = [one for one in read_history(context.workspace) if _has(one, options.name)]
    found = [
        (lineage, test_set, _changes(context, lineage, test_set, options.last)) for lineage, test_set in _sets(lineages)
    ]
    newest = {id(one) for lineage in lineages for one in lineage.newest}
    regressed = [one for _, _, changes in found for one in changes if one.worse and id(one.version) in newest]
    context.show(_text(found, regressed), [_plain(*one) for one in found])
    return Exit.FINDINGS if options.fail_on_regression and regressed else Exit.DONE


def _has(lineage: Lineage, name: str) -> bool:
    wanted = name.casefold()
    names = [lineage.title, *(word for one in lineage.versions for word in (one.model.label, one.model.run))]
    return any(wanted in one.casefold() for one in names)


def _sets(lineages: list[Lineage]) -> list[tuple[Lineage, str]]:
    """Every lineage once per test set: their figures cannot be compared, so they stand apart."""
    return [(one, test_set) for one in lineages for test_set in dict.fromkeys(v.test_set for v in one.versions)]


def _changes(context: Context, lineage: Lineage, test_set: str, last: int) -> list[Change]:
    versions = [one for one in lineage.versions if one.test_set == test_set][-last:]
    return [change_of(context.workspace, lineage, one) for one in versions]


def _text(found: list[tuple[Lineage, str, list[Change]]], regressed: list[Change]) -> str:
    if not found:
        return "Nothing has been measured yet. Measure a model: evaluate MODEL --baseline OTHER"
    parts = [f"{_title(lineage, changes)}\n{table(list(map(_row, changes)), _HEADER)}" for lineage, _, changes in found]
    ends = [
        f"{one.version.model.label} is worse than {one.before.model.label}, the version before."
        for one in regressed
        if one.before
    ]
    return "\n\n".join([*parts, *(["\n".join(ends)] if ends else [])])


def _title(lineage: Lineage, changes: list[Change]) -> str:
    version = changes[-1].version
    return f"{lineage.title} ({version.turns:,} turns, test set {version.test_set})"


def _row(change: Change) -> tuple[str, ...]:
    version, figures = change.version, change.version.model.figures
    return (
        f"{datetime.fromtimestamp(version.measured):%Y-%m-%d %H:%M}",
        version.model.label,
        version.model.quantization or "-",
        figure_text(figures["turn_right"]),
        figure_text(figures["call_recall"]),
        _verdict(change),
    )


def _verdict(change: Change) -> str:
    """For example 'worse: Turns that are right'."""
    if change.before is None:
        return "the first"
    parts = (("worse", change.worse), ("better", change.better))
    said = [f"{word}: {', '.join(CHECKS[one.name].title for one in found)}" for word, found in parts if found]
    return "; ".join(said) or "no difference shown"


def _plain(lineage: Lineage, test_set: str, changes: list[Change]) -> dict[str, object]:
    """A lineage on one test set, for programs."""
    return {"title": lineage.title, "test_set": test_set, "versions": list(map(_plain_version, changes))}


def _plain_version(change: Change) -> dict[str, object]:
    version, before = change.version, change.before
    return {
        "report": version.report,
        "measured": version.measured,
        "turns": version.turns,
        "before": {"report": before.report, "label": before.model.label} if before else None,
        "verdicts": {one.name: one.verdict for one in change.comparisons},
        "lost": {one.name: one.lost for one in change.comparisons if one.lost},
        "gained": {one.name: one.gained for one in change.comparisons if one.gained},
        "model": version.model,
    }


COMMANDS = (
    Command("reports", "list what was measured, version by version, and what became worse", _configure, _reports),
)
