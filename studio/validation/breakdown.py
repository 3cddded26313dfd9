"""The report's tables by part: scenario types, skills, details of requests, and what was asked for instead.

They show where a model is good, not whether: a part has few turns, and its intervals are wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.metrics import NO_CALL, ArgumentScore, Comparison, Figure, Interval, Summary, ToolScore
from studio.metrics.comparison import Verdict
from studio.validation.behind import Behind, figure_lists, lists_of
from studio.validation.card import ModelResult
from studio.validation.wording import FIGURES, figure_text

BY_TYPE = ("turn_right", "call_accuracy", "call_exact", "outcome_told", "invented_numbers", "faithful")
"""The figures that are shown by scenario type."""
NOTHING = "nothing to count"


@dataclass(frozen=True)
class Cell:
    """What a table says of one model: a share with its interval, what else there is to it, and the turns behind it.

    `verdict` is set where a paired test of this very property found a difference to the baseline.
    """

    text: str
    notes: tuple[str, ...] = ()
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    verdict: Verdict | None = None


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


def figure_row(models: Sequence[ModelResult], name: str, kind: str | None = None) -> Row:
    """A figure of every model, over all turns or over those of one scenario type."""
    title, part = FIGURES[name].title, kind if kind is not None else ""
    return Row(title, tuple(_figure_cell(one, name, kind) for one in models), part)


def type_rows(models: Sequence[ModelResult]) -> list[Row]:
    """One row per scenario type and figure of `BY_TYPE`; `part` is the type, and is the same for its rows."""
    return [figure_row(models, name, kind) for kind in scenario_types(models) for name in BY_TYPE]


def scenario_types(models: Sequence[ModelResult]) -> list[str]:
    """The types of the scenarios, by name; one without a type is the empty name."""
    return sorted({kind for one in models for kind in one.summary.by_type})


def type_differences(model: ModelResult) -> list[tuple[str, Comparison]]:
    """Scenario types in which a model is better or worse than the baseline, the worse ones first.

    Empty where all turns are of one type: that is the comparison over all turns.
    """
    if len(model.by_type) < 2:
        return []
    found = [(kind, one) for kind, compared in model.by_type.items() for one in compared if changes(one)]
    return sorted(found, key=lambda one: one[1].verdict != "worse")


def tool_rows(models: Sequence[ModelResult]) -> list[Row]:
    """One row per tool that an author or a model asked for."""
    tables = [{score.tool: score for score in one.summary.tools} for one in models]
    names = sorted({name for table in tables for name in table})
    return [
        Row(spoken(name), tuple(_tool_cell(table.get(name), one) for table, one in zip(tables, models, strict=True)))
        for name in names
    ]


def argument_rows(models: Sequence[ModelResult]) -> list[Row]:
    """One row per argument that was given in a request of the right tool."""
    tables = [{score.argument: score for score in one.summary.arguments} for one in models]
    names = sorted({name for table in tables for name in table})
    return [
        Row(
            spoken(name), tuple(_argument_cell(table.get(name), one) for table, one in zip(tables, models, strict=True))
        )
        for name in names
    ]


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


def behind_cell(row: Row, number: int, label: str) -> Behind:
    """The turns behind a model's cell of a row."""
    title = f"{row.part}: {row.title}" if row.part else row.title
    cell = row.cells[number]
    return Behind(title, "; ".join([cell.text, *cell.notes]), label, cell.lists)


def behind_count(wanted: str, asked: str, found: Count, label: str) -> Behind:
    """The turns behind a cell of a confusion matrix."""
    meaning = f"The author asked for {wanted}, the model for {asked}."
    return Behind(f"{wanted} → {asked}", meaning, label, lists_of({"All": found.turns}))


def changes(one: Comparison) -> bool:
    """Whether a comparison shows a difference."""
    return one.verdict != "no difference shown"


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


def _figure_cell(model: ModelResult, name: str, kind: str | None) -> Cell:
    figures = model.summary.figures if kind is None else model.summary.by_type.get(kind, {})
    figure = figures.get(name)
    if figure is None:
        return Cell(NOTHING)
    compared = model.comparisons if kind is None else model.by_type.get(kind, ())
    verdict = next((one.verdict for one in compared if one.name == name and changes(one)), None)
    return Cell(figure_text(figure), lists=figure_lists(figure), verdict=verdict)


def _tool_cell(score: ToolScore | None, model: ModelResult) -> Cell:
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
        _tool_lists(score.tool, model),
    )


def _tool_lists(tool: str, model: ModelResult) -> dict[str, tuple[str, ...]]:
    pairs = [(one.key, pair) for one in model.verdicts for pair in one.calls.pairs]
    both = [(key, pair.exact) for key, pair in pairs if pair.labels == (tool, tool)]
    told = [(one.key, one.outcome.coherent) for one in model.verdicts if tool in one.outcome.tools]
    return lists_of(
        {
            "Missed": [key for key, pair in pairs if pair.labels[0] == tool != pair.labels[1]],
            "Needless": [key for key, pair in pairs if pair.labels[1] == tool != pair.labels[0]],
            "Not exact": [key for key, exact in both if not exact],
            "Exact": [key for key, exact in both if exact],
            "Outcome not as rolled": [key for key, right in told if not right],
            "Outcome as rolled": [key for key, right in told if right],
        }
    )


def _argument_cell(score: ArgumentScore | None, model: ModelResult) -> Cell:
    if score is None:
        return Cell(NOTHING)
    counts = {"wrong": score.wrong, "missing": score.missing, "given though not wanted": score.extra}
    given = score.right + score.wrong + score.missing
    return Cell(
        _share_text(score.right, given, score.interval),
        tuple(f"{value} {name}" for name, value in counts.items() if value),
        _argument_lists(score.argument, model),
    )


def _argument_lists(argument: str, model: ModelResult) -> dict[str, tuple[str, ...]]:
    fates = [(one.key, pair.arguments) for one in model.verdicts for pair in one.calls.pairs if pair.arguments]
    return lists_of(
        {
            "Wrong": [key for key, match in fates if argument in match.wrong],
            "Missing": [key for key, match in fates if argument in match.missing],
            "Not wanted": [key for key, match in fates if argument in match.extra],
            "As written": [key for key, match in fates if argument in match.right],
        }
    )


def _share_text(hits: int, total: int, interval: Interval | None) -> str:
    """As the figures of the whole report are written."""
    value = hits / total if total else None
    return figure_text(Figure(name="", value=value, interval=interval, hits=hits, total=total))
