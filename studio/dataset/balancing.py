"""Fairer shares of what a model learns from: sampling weights, repeats or caps, with tables of before and after.

No row weighs less than 1/cap or more than cap times as much as before (`raking.py`), so none is lost to a weight. Where
the targets are out of reach so, each margin goes as far towards its own as it can, and says how far. A row that a cap
leaves out is listed; nothing is lost silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from studio.config import BalanceConfig, BalanceMargin, BalanceMethod
from studio.dataset.lessons import SceneLessons
from studio.dataset.models import ProcessedDataset
from studio.dataset.raking import TOLERANCE, nearest, shares_of
from studio.errors import DatasetError
from studio.scenarios import TrainingScenario, Vocabulary
from studio.scenarios.slots import expand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Margin = BalanceMargin
MARGINS: tuple[Margin, ...] = ("type", "tool", "outcome", "call")
Method = BalanceMethod
CALL, NO_CALL = "call", "no call"
Targets = Mapping[Margin, "Mapping[str, float] | Literal['even']"]


@dataclass(frozen=True, slots=True)
class RowFeatures:
    """What a row counts for: margin -> label -> amount (rolls, turns, trained tokens; never below 0)."""

    name: str
    amounts: Mapping[Margin, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class MarginRow:
    """One line of a table: a label's share of its margin, the rows that have it, and how many of them count.

    `effective` is Kish's effective sample size of the label's amounts, (sum)^2 / sum of squares: rows that all weigh
    the same count fully, and one that outweighs the others counts for them.
    """

    margin: Margin
    label: str
    rows: int
    share: float
    target: float | None
    effective: float

    @property
    def met(self) -> bool:
        """Whether the share is the target, or there is none."""
        return self.target is None or abs(self.share - self.target) <= TOLERANCE


@dataclass(frozen=True)
class Balance:
    """The outcome of balancing. `weights` [rows] add up to 1, in the order of the rows.

    `copies` is how often each row is read in one pass, None when it is drawn by weight. `left_out` are the names of the
    rows that are never read; `unreachable` the targets that no row can serve, as sentences. `reached` is how far each
    margin could go from its shares before to its targets, 0 to 1.
    """

    weights: NDArray[np.float64]
    copies: list[int] | None
    before: list[MarginRow]
    after: list[MarginRow]
    left_out: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    reached: dict[Margin, float] = field(default_factory=dict)
    effective_rows: float = 0.0

    @property
    def met(self) -> bool:
        """Whether every target is met."""
        return not self.unreachable and all(row.met for row in self.after)

    @property
    def rows_per_pass(self) -> int:
        """How many rows are read in one pass; one that is repeated counts each time."""
        return len(self.weights) if self.copies is None else sum(self.copies)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the weights and copies of single rows, as JSON can hold it."""
        return {
            "rows": len(self.weights),
            "rows_per_pass": self.rows_per_pass,
            "effective_rows": self.effective_rows,
            "met": self.met,
            "reached": dict(self.reached),
            "unreachable": list(self.unreachable),
            "left_out": list(self.left_out),
            "before": [asdict(row) for row in self.before],
            "after": [asdict(row) for row in self.after],
        }


def features_of(
    scenario: TrainingScenario,
    *,
    name: str = "",
    turns: tuple[int, int] | None = None,
    trained: float | None = None,
    vocabulary: Vocabulary | None = None,
) -> RowFeatures:
    """What a scenario, or the turns of it that a row holds (from 0, end exclusive), counts for.

    The type counts by trained tokens, or by words of the DM where `trained` is not known; tools count by requests,
    outcomes where they are told, and call / no call by DM turns.
    """
    first, last = turns or (0, len(scenario.conversation))
    taught = SceneLessons(scenario, vocabulary).within(first, last)
    if trained is None:
        spoken = (turn for turn in scenario.conversation[first:last] if turn.speaker == "DM")
        trained = float(sum(len(expand(turn.content).split()) for turn in spoken))
    amounts: dict[Margin, Mapping[str, float]] = {
        "type": {scenario.scenario_type: trained},
        "tool": _counted(taught.tools),
        "outcome": _counted(taught.outcomes),
        "call": _counted(CALL if asks else NO_CALL for asks in taught.calls),
    }
    return RowFeatures(name or str(scenario.metadata.get("source", "")), amounts)


def balance_of(dataset: ProcessedDataset, config: BalanceConfig, seed: int = 7) -> Balance | None:
    """The balance of a dataset's training rows as `config` asks for it; None where it asks for none.

    Raises:
        DatasetError: the rows cannot be read, or there is none.
    """
    return balance_by(dataset.features("train"), config, seed) if config.by else None


def balance_by(rows: Sequence[RowFeatures], config: BalanceConfig, seed: int = 7) -> Balance:
    """`balance`, with every margin of `config` made even. Raises `DatasetError`."""
    targets: Targets = dict.fromkeys(config.by, "even")
    return balance(rows, targets, method=config.method, cap=config.cap, strength=config.strength, seed=seed)


def balance(
    rows: Sequence[RowFeatures],
    targets: Targets,
    *,
    method: Method = "weights",
    cap: float = 4.0,
    strength: float = 1.0,
    seed: int = 7,
) -> Balance:
    """Weigh, repeat or leave out rows so that each margin of `targets` gets its shares.

    Args:
        targets: margin -> label -> share (0 to 1), or `even`. Labels that are not named divide what is left as now.
        cap: most that a row may weigh, compared with before; 1/cap is the least.
        strength: 0 leaves the shares as they are, 1 asks for the targets, between them the geometric mean.
        seed: decides which of equal rows are repeated or left out. Weights do not depend on it.

    Raises:
        DatasetError: there is no row, a share or setting is out of range, or the shares of a margin exceed 1.
    """
    import numpy as np

    _check(rows, cap, strength)
    amounts = {margin: _Amounts.of(rows, margin) for margin in MARGINS}
    wanted: dict[Margin, dict[str, float]] = {}
    unreachable: list[str] = []
    for margin, target in targets.items():
        shares, lacking = _targets(margin, target, amounts[margin], strength)
        wanted[margin] = shares
        unreachable += lacking
    equal = np.full(len(rows), 1 / len(rows))
    goals = {
        margin: (amounts[margin].values, np.array([shares[label] for label in amounts[margin].labels]))
        for margin, shares in wanted.items()
        if shares
    }
    ratios, reached = nearest(goals, cap, len(rows))
    copies = _copies(ratios, method, cap, seed)
    chosen = ratios if copies is None else np.asarray(copies, dtype=float)
    weights = chosen / chosen.sum()
    return Balance(
        weights=weights,
        copies=copies,
        before=_table(amounts, equal, wanted),
        after=_table(amounts, weights, wanted),
        left_out=[row.name for row, count in zip(rows, copies or [], strict=False) if not count],
        unreachable=unreachable,
        reached=reached,
        effective_rows=float(weights.sum() ** 2 / (weights**2).sum()),
    )


@dataclass(frozen=True)
class _Amounts:
    """The amounts of one margin: `values` is [rows, labels]."""

    labels: list[str]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[RowFeatures], margin: Margin) -> _Amounts:
        import numpy as np

        found = [row.amounts.get(margin, {}) for row in rows]
        labels = sorted({label for one in found for label, amount in one.items() if amount > 0})
        place = {label: index for index, label in enumerate(labels)}
        values = np.zeros((len(rows), len(labels)))
        for number, one in enumerate(found):
            for label, amount in one.items():
                if amount > 0:
                    values[number, place[label]] = amount
        return cls(labels, values)

    def shares(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """[labels], adding up to 1."""
        return shares_of(self.values, weights)


def _check(rows: Sequence[RowFeatures], cap: float, strength: float) -> None:
    if not rows:
        raise DatasetError("There is nothing to balance.", next_step="Write or process scenarios first.")
    if not 1 <= cap <= 1000:
        raise DatasetError(f"A cap of {cap:g} is not possible.", next_step="Choose one from 1 to 1000.")
    if not 0 <= strength <= 1:
        raise DatasetError(f"A strength of {strength:g} is not possible.", next_step="Choose one from 0 to 1.")


def _targets(
    margin: Margin, target: Mapping[str, float] | Literal["even"], amounts: _Amounts, strength: float
) -> tuple[dict[str, float], list[str]]:
    """The share of every label that rows have, and sentences about the labels that none has."""
    import numpy as np

    labels = amounts.labels
    now = dict(zip(labels, map(float, amounts.shares(np.ones(len(amounts.values)))), strict=True))
    asked = dict.fromkeys(labels, 1 / max(len(labels), 1)) if target == "even" else dict(target)
    if any(not 0 <= share <= 1 for share in asked.values()) or sum(asked.values()) > 1 + 1e-9:
        raise DatasetError(
            f"The shares of {margin!r} cannot be reached by any weights.",
            why="A share lies between 0 and 1, and together they are at most 1.",
            next_step="Correct the shares.",
        )
    lacking = [label for label, share in asked.items() if share and label not in now]
    sentences = [f"No row has {label!r} ({margin}); {asked[label]:.0%} was asked for. Write one." for label in lacking]
    rest = max(0.0, 1 - sum(asked.values()))
    unnamed = sum(share for label, share in now.items() if label not in asked)
    full = {label: asked.get(label, rest * now[label] / unnamed if unnamed else 0.0) for label in labels}
    return _normal({label: now[label] ** (1 - strength) * full[label] ** strength for label in labels}), sentences


def _normal(shares: dict[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    return {label: share / total if total else 1 / len(shares) for label, share in shares.items()}


def _copies(ratios: NDArray[np.float64], method: Method, cap: float, seed: int) -> list[int] | None:
    """How often each row is read: systematic rounding in a random order, so that sums stay as near as can be."""
    import numpy as np

    if method == "weights":
        return None
    repeats = method == "repeats"
    expected = np.minimum(cap, ratios / ratios.min()) if repeats else np.maximum(1 / cap, ratios / ratios.max())
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(expected))
    steps = np.floor(np.cumsum(np.round(expected[order], 9)) + generator.random())
    copies = np.empty(len(expected), dtype=int)
    copies[order] = np.diff(steps, prepend=0)
    return [int(count) for count in np.maximum(copies, np.floor(expected))]


def _table(
    amounts: Mapping[Margin, _Amounts], weights: NDArray[np.float64], wanted: Mapping[Margin, Mapping[str, float]]
) -> list[MarginRow]:
    return [
        MarginRow(
            margin=margin,
            label=label,
            rows=int((one.values[:, place] > 0).sum()),
            share=float(share),
            target=wanted[margin][label] if margin in wanted else None,
            effective=_effective(weights * one.values[:, place]),
        )
        for margin, one in amounts.items()
        for place, (label, share) in enumerate(zip(one.labels, one.shares(weights), strict=True))
    ]


def _effective(amounts: NDArray[np.float64]) -> float:
    squares = float((amounts**2).sum())
    return float(amounts.sum()) ** 2 / squares if squares else 0.0


def _counted(labels: Iterable[str]) -> dict[str, float]:
    return {label: float(number) for label, number in Counter(labels).items()}
