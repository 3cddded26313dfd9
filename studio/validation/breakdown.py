"""The report's tables by part: scenario types, skills, details of requests, and what was asked for instead.

They show where a model is good, not whether: a part has few turns, and its intervals are wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.metrics import NO_CALL, ArgumentScore, Figure, Interval, Summary, ToolScore
from studio.validation.wording import FIGURES, figure_text

BY_TYPE = ("turn_right", "call_accuracy", "call_exact", "outcome_told", "invented_numbers", "faithful")
"""The figures that are shown by scenario type."""
NOTHING = "nothing to count"


@dataclass(frozen=True)
class Cell:
    """What a table says of one model: a share with its interval, and what else there is to it."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line of a table: what it is about, and the cell of every model in the order of the report."""

    title: str
    cells: tuple[Cell, ...]
    part: str = ""


@dataclass(frozen=True)
class Count:
    """A cell of a confusion matrix; `tone` is 'right' on the diagonal, 'wrong' off it, empty where nothing is."""

    value: int
    tone: str = ""
    turns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """Wanted tools (rows) by asked tools (columns), without those that never came up."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Count, ...]], ...]


def type_rows(summaries: Sequence[Summary]) -> list[Row]:
    """One row per scenario type and figure of `BY_TYPE`; `part` is the type, and is the same for its rows."""
    types = sorted({kind for one in summaries for kind in one.by_type})
    return [
        Row(FIGURES[name].title, tuple(_figure_cell(one.by_type.get(kind, {}).get(name)) for one in summaries), kind)
        for kind in types
        for name in BY_TYPE
    ]


def tool_rows(summaries: Sequence[Summary]) -> list[Row]:
    """One row per tool that an author or a model asked for."""
    tables = [{score.tool: score for score in one.tools} for one in summaries]
    names = sorted({name for table in tables for name in table})
    return [Row(spoken(name), tuple(_tool_cell(table.get(name)) for table in tables)) for name in names]


def argument_rows(summaries: Sequence[Summary]) -> list[Row]:
    """One row per argument that was given in a request of the right tool."""
    tables = [{score.argument: score for score in one.arguments} for one in summaries]
    names = sorted({name for table in tables for name in table})
    return [Row(spoken(name), tuple(_argument_cell(table.get(name)) for table in tables)) for name in names]


def matrix(summary: Summary) -> Matrix | None:
    """The confusion matrix of one model; None when nothing was wanted or asked for.

    Calls are counted; where neither side has one, turns are.
    """
    found = summary.confusion
    wanted = [label for label, counts in zip(found.labels, found.counts, strict=True) if any(counts)]
    asked = [label for label, counts in zip(found.labels, zip(*found.counts, strict=True), strict=True) if any(counts)]
    if not wanted:
        return None
    asked += [] if NO_CALL in asked else [NO_CALL]
    wanted += [] if NO_CALL in wanted else [NO_CALL]
    return Matrix(
        columns=tuple(spoken(label) for label in asked),
        rows=tuple((spoken(row), tuple(_count(summary, row, column) for column in asked)) for row in wanted),
    )


def spoken(name: str) -> str:
    """A tool or argument as a Dungeon Master reads it: `sleight_of_hand` -> `sleight of hand`."""
    return "nothing" if name == NO_CALL else name.replace("_", " ")


def _count(summary: Summary, wanted: str, asked: str) -> Count:
    if wanted == asked == NO_CALL:
        return Count(len(summary.decision.silent_rightly), "right", summary.decision.silent_rightly)
    labels = summary.confusion.labels
    value = summary.confusion.counts[labels.index(wanted)][labels.index(asked)]
    tone = "" if not value else ("right" if wanted == asked else "wrong")
    return Count(value, tone, summary.confusion.behind(wanted, asked))


def _figure_cell(figure: Figure | None) -> Cell:
    return Cell(figure_text(figure) if figure else NOTHING)


def _tool_cell(score: ToolScore | None) -> Cell:
    if score is None:
        return Cell(NOTHING)
    needless = score.made - score.right
    notes = {
        f"{score.exact} exact": score.exact is not None and score.right > 0,
        f"{needless} asked for needlessly": needless > 0,
        f"outcome told as rolled: {score.outcomes_right} of {score.outcomes}": score.outcomes > 0,
    }
    return Cell(
        _share_text(score.right, score.expected, score.recall_interval),
        tuple(note for note, shown in notes.items() if shown),
    )


def _argument_cell(score: ArgumentScore | None) -> Cell:
    if score is None:
        return Cell(NOTHING)
    counts = {"wrong": score.wrong, "missing": score.missing, "given though not wanted": score.extra}
    given = score.right + score.wrong + score.missing
    return Cell(
        _share_text(score.right, given, score.interval),
        tuple(f"{value} {name}" for name, value in counts.items() if value),
    )


def _share_text(hits: int, total: int, interval: Interval | None) -> str:
    """As the figures of the whole report are written."""
    value = hits / total if total else None
    return figure_text(Figure(name="", value=value, interval=interval, hits=hits, total=total))
