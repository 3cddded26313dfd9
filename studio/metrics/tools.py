"""Tool by tool and argument by argument: which skill, save or attack a model gets right, and what it takes it for.

Counts of few calls say little: every share has its interval, and a tool that was wanted twice has a wide one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.figures import share_interval
from studio.metrics.statistics import Interval
from studio.metrics.tool_calls import NO_CALL, CallPair
from studio.metrics.turns import TurnVerdict

_Frozen = ConfigDict(frozen=True)


class ToolScore(BaseModel):
    """One tool: calls expected, made, and made where expected; and the outcomes told of its rolls.

    Precision is None for a tool that was never called, recall for one that was never expected.
    """

    model_config = _Frozen

    tool: str
    expected: int
    made: int
    right: int
    exact: int | None = Field(None, description="Of `right`: with exactly the expected arguments; None: not counted.")
    precision: float | None
    recall: float | None
    f1: float | None
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None
    outcomes: int = Field(0, description="Turns right after its rolls that must say success or failure.")
    outcomes_right: int = Field(0, description="Of `outcomes`: those that say what the dice say.")
    turns: tuple[str, ...] = ()
    faults: tuple[str, ...] = Field((), description="Of `turns`: where a call is missing, needless or not exact.")


class ArgumentScore(BaseModel):
    """One argument, over the calls whose tool is right: how often its value was the author's, and how it failed."""

    model_config = _Frozen

    argument: str
    right: int = 0
    wrong: int = 0
    missing: int = 0
    extra: int = Field(0, description="Given although the author gave none; not part of `accuracy`.")
    accuracy: float | None = Field(None, description="Right over all that the author gave; None when that is nothing.")
    interval: Interval | None = None
    faults: tuple[str, ...] = ()


class ConfusionMatrix(BaseModel):
    """`counts[row][column]`: expected tool by generated tool, `NO_CALL` where one side has no call."""

    model_config = _Frozen

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    turns: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="'expected → generated' -> turn keys, for the cells that are not empty."
    )

    def behind(self, expected: str, generated: str) -> tuple[str, ...]:
        """The turns of a cell."""
        return self.turns.get(_cell(expected, generated), ())


def tool_scores(verdicts: Sequence[TurnVerdict]) -> tuple[ToolScore, ...]:
    """Every tool that was expected or called, by name; precision, recall and F1 are scikit-learn's."""
    labels = [pair.labels for _, pair in _pairs(verdicts)]
    expected, made = [one for one, _ in labels], [other for _, other in labels]
    tools = sorted({*expected, *made} - {NO_CALL})
    if not tools:
        return ()
    from sklearn.metrics import precision_recall_fscore_support

    rows = precision_recall_fscore_support(expected, made, labels=tools, zero_division=0)
    return tuple(
        _tool_score(verdicts, tool, float(precision), float(recall), float(f1))
        for tool, precision, recall, f1, _ in zip(tools, *rows, strict=True)
    )


def _tool_score(verdicts: Sequence[TurnVerdict], tool: str, precision: float, recall: float, f1: float) -> ToolScore:
    pairs = [(key, pair) for key, pair in _pairs(verdicts) if tool in pair.labels]
    expected = sum(pair.labels[0] == tool for _, pair in pairs)
    made = sum(pair.labels[1] == tool for _, pair in pairs)
    right = sum(pair.labels == (tool, tool) for _, pair in pairs)
    told = [one.outcome.coherent for one in verdicts if tool in one.outcome.tools]
    return ToolScore(
        tool=tool,
        expected=expected,
        made=made,
        right=right,
        exact=sum(pair.exact for _, pair in pairs),
        precision=precision if made else None,
        recall=recall if expected else None,
        f1=f1,
        precision_interval=_hit_interval(pairs, tool, side=1) if made else None,
        recall_interval=_hit_interval(pairs, tool, side=0) if expected else None,
        outcomes=len(told),
        outcomes_right=sum(told),
        turns=tuple(dict.fromkeys(key for key, _ in pairs)),
        faults=tuple(dict.fromkeys(key for key, pair in pairs if not pair.exact)),
    )


def _hit_interval(pairs: Sequence[tuple[str, CallPair]], tool: str, side: int) -> Interval:
    """Of the calls that name the tool on one side (0 expected, 1 generated): those that name it on both."""
    named = [(key, pair.labels) for key, pair in pairs if pair.labels[side] == tool]
    return share_interval([(key, labels == (tool, tool)) for key, labels in named])


def argument_scores(verdicts: Sequence[TurnVerdict]) -> tuple[ArgumentScore, ...]:
    """Every argument that an author or the model gave in a call of the right tool, by name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for key, pair in _pairs(verdicts):
        for fate in ("right", "wrong", "missing", "extra") if pair.arguments else ():
            for argument in getattr(pair.arguments, fate):
                found.setdefault(argument, []).append((fate, key))
    return tuple(_argument_score(argument, found[argument]) for argument in sorted(found))


def _argument_score(argument: str, fates: Sequence[tuple[str, str]]) -> ArgumentScore:
    counts = {fate: sum(one == fate for one, _ in fates) for fate in ("right", "wrong", "missing", "extra")}
    outcomes = [(key, fate == "right") for fate, key in fates if fate != "extra"]
    given = len(outcomes)
    return ArgumentScore(
        argument=argument,
        **counts,
        accuracy=counts["right"] / given if given else None,
        interval=share_interval(outcomes) if given else None,
        faults=tuple(dict.fromkeys(key for fate, key in fates if fate != "right")),
    )


def confusion_matrix(verdicts: Sequence[TurnVerdict]) -> ConfusionMatrix:
    """Expected against generated tools, call by call (scikit-learn's); `NO_CALL` is the last row and column."""
    pairs = [(key, *pair.labels) for key, pair in _pairs(verdicts)]
    expected, made = [one for _, one, _ in pairs], [other for _, _, other in pairs]
    labels = (*sorted({*expected, *made} - {NO_CALL}), NO_CALL)
    if not pairs:
        return ConfusionMatrix(labels=labels, counts=((0,),))
    from sklearn.metrics import confusion_matrix as count

    cells: dict[str, list[str]] = {}
    for key, one, other in pairs:
        cells.setdefault(_cell(one, other), []).append(key)
    return ConfusionMatrix(
        labels=labels,
        counts=tuple(tuple(row) for row in count(expected, made, labels=list(labels)).tolist()),
        turns={cell: tuple(dict.fromkeys(found)) for cell, found in cells.items()},
    )


def _pairs(verdicts: Sequence[TurnVerdict]) -> Iterator[tuple[str, CallPair]]:
    return ((one.key, pair) for one in verdicts for pair in one.calls.pairs)


def _cell(expected: str, generated: str) -> str:
    return f"{expected} → {generated}"
