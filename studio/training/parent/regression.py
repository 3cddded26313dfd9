"""Is a run that went on from an earlier adapter better or worse than that one? Both measured on the same held-out rows.

Every row is compared with itself, and scenarios are what is drawn at random: rows of one resemble each other. With few
held-out scenarios nothing is claimed. It is about the loss; how well a model plays says the report card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from peft import set_peft_model_state_dict
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors.torch import load_file
from transformers import TrainerCallback

from studio.dataset import ProcessedDataset
from studio.metrics.clusters import FEWEST_SCENARIOS, mean_of_scenarios
from studio.metrics.statistics import Interval
from studio.training.batches import as_features, collate
from studio.training.loss import mean_loss
from studio.training.parent.learned import Learned
from studio.workspace import atomic_write

PARENT_LOSSES_FILE = "held_out.json"
Verdict = Literal["better", "worse", "no difference shown", "too few scenarios"]


class RowLoss(BaseModel):
    """How a model foresees one held-out row: summed cross-entropy of its trained tokens, and how many they are."""

    model_config = ConfigDict(frozen=True)

    source: str
    turns: tuple[int, int]
    nats: float
    tokens: int


_ROWS = TypeAdapter(list[RowLoss])


class ParentComparison(BaseModel):
    """The new adapter against its parent; losses in nats per trained token, lower is better."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    parent: str
    parent_loss: float
    loss: float
    low: float | None = Field(None, description="Of the difference, new minus parent: lower end of the 95 % interval.")
    high: float | None = None
    scenarios: int
    rows: int
    all_worse: bool = Field(description="Whether the loss of every held-out scenario rose.")

    @property
    def level(self) -> Literal["info", "warning"]:
        """How loudly to say it."""
        doubtful = self.verdict == "too few scenarios" and self.all_worse
        return "warning" if self.verdict == "worse" or doubtful else "info"

    @property
    def text(self) -> str:
        """It in plain words, with what to do where the news is bad."""
        losses = f"held-out loss {self.parent_loss:.3f} → {self.loss:.3f}"
        advice = "Fewer passes, a lower learning rate or a larger replay_share forget less; the old adapter is kept."
        match self.verdict:
            case "better":
                return f"Better than {self.parent}: {losses}, on {self._scenarios()}."
            case "worse":
                return f"Worse than {self.parent}: {losses}, on {self._scenarios()}. {advice}"
            case "no difference shown":
                return f"No difference from {self.parent} shown: {losses}, on {self._scenarios()}."
            case "too few scenarios":
                seen = f"Against {self.parent}: {losses}. With {self._scenarios()} that may be chance"
                return f"{seen}. {advice}" if self.all_worse else f"{seen}; {FEWEST_SCENARIOS} or more would tell."

    def _scenarios(self) -> str:
        return f"{self.scenarios} held-out scenario{'' if self.scenarios == 1 else 's'}"


def row_losses(model: Any, dataset: ProcessedDataset, learned: Learned, device: Any) -> list[RowLoss]:
    """The held-out rows, one by one, without those of scenarios that the parent was trained on: they would favour it.

    Raises:
        DatasetError: the rows cannot be read.
    """
    texts = dataset.manifest.scenarios
    rows = [row for row in dataset.rows("validation") if texts[row.source] not in learned.scenarios]
    found = []
    for row, feature in zip(rows, as_features(rows, "validation") if rows else [], strict=True):
        loss, tokens = mean_loss(model, [collate([feature])], device)
        found.append(RowLoss(source=row.source, turns=row.turns, nats=loss * tokens, tokens=tokens))
    return found


def compare_rows(parent: str, before: Sequence[RowLoss], after: Sequence[RowLoss]) -> ParentComparison | None:
    """The verdict on the rows that were measured twice; None where there are none."""
    pairs = _pairs(before, after)
    if not pairs:
        return None
    tokens = sum(old.tokens for old, _ in pairs)
    rose = _changes_of_scenarios(pairs)
    interval = _interval(pairs) if len(rose) >= FEWEST_SCENARIOS else None
    return ParentComparison(
        verdict=_verdict(interval),
        parent=parent,
        parent_loss=sum(old.nats for old, _ in pairs) / tokens,
        loss=sum(new.nats for _, new in pairs) / tokens,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        scenarios=len(rose),
        rows=len(pairs),
        all_worse=min(rose.values()) > 0,
    )


def _verdict(interval: Interval | None) -> Verdict:
    if interval is None:
        return "too few scenarios"
    return "better" if interval.high < 0 else "worse" if interval.low > 0 else "no difference shown"


def _pairs(before: Sequence[RowLoss], after: Sequence[RowLoss]) -> list[tuple[RowLoss, RowLoss]]:
    again = {(one.source, one.turns): one for one in after}
    return [(old, again[key]) for old in before if (key := (old.source, old.turns)) in again and old.tokens]


def _changes_of_scenarios(pairs: Sequence[tuple[RowLoss, RowLoss]]) -> dict[str, float]:
    """By how many nats the loss of each scenario rose."""
    rose: dict[str, float] = {}
    for old, new in pairs:
        rose[old.source] = rose.get(old.source, 0.0) + new.nats - old.nats
    return rose


def _interval(pairs: Sequence[tuple[RowLoss, RowLoss]]) -> Interval:
    """Of the difference of the losses per token, new minus old.

    Both are ratios with the same denominator, so their difference is the ratio of the summed changes; its interval is
    that of the mean of its linearized values (W. Cochran, Sampling Techniques, 1977, 6.4), with scenarios as clusters.
    """
    tokens = sum(old.tokens for old, _ in pairs)
    rate, scale = sum(new.nats - old.nats for old, new in pairs) / tokens, len(pairs) / tokens
    linear = [rate + scale * (new.nats - old.nats - rate * old.tokens) for old, new in pairs]
    return mean_of_scenarios([old.source for old, _ in pairs], linear)


class ParentCheck(TrainerCallback):  # type: ignore[misc]
    """Measures the parent before the first step, and the new adapter against it when training is over.

    Args:
        folder: the run's copy of the parent; what was measured is kept there, for a run that is resumed.
        measure: the losses of a model on the held-out rows, one by one.
        told: takes the parent's loss (nats per trained token) and the number of trained tokens.
    """

    def __init__(
        self, folder: Path, measure: Callable[[Any], list[RowLoss]], told: Callable[[float, int], object]
    ) -> None:
        self._file = folder / PARENT_LOSSES_FILE
        self._measure, self._told = measure, told

    def on_train_begin(self, args: Any, state: Any, control: Any, *, model: Any, **_: Any) -> None:
        """Before the first step the model is the parent."""
        if state.global_step:
            return
        rows = self._measure(model)
        atomic_write(self._file, _ROWS.dump_json(rows, indent=1))
        if tokens := sum(one.tokens for one in rows):
            self._told(sum(one.nats for one in rows) / tokens, tokens)

    def against_parent(self, parent: str, model: Any, weights: Path | None = None) -> ParentComparison | None:
        """The comparison; None where no row was measured.

        Args:
            model: the trained model.
            weights: of the adapter that the run leaves, where that is not the one on the model; they are put on it.
        """
        try:
            before = _ROWS.validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return None
        if weights and before:
            set_peft_model_state_dict(model, load_file(weights))
        return compare_rows(parent, before, self._measure(model)) if before else None
