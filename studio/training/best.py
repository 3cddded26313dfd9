"""The best adapter of a run, by its loss on held-out scenarios, and an early end when that no longer falls.

The losses are those of the trainer's own history, which its checkpoints keep: a run that is resumed decides as an
unbroken one would have. Where nothing is held out there is no best adapter, and the last one counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from studio.training.adapter_files import leave_adapter
from studio.training.provenance import WEIGHTS_FILE, Provenance

BEST_DIR = "best"


@dataclass(frozen=True)
class Measured:
    """A held-out loss in nats per trained token, after an optimizer step."""

    step: int
    loss: float


def measured_losses(history: Sequence[Mapping[str, Any]]) -> list[Measured]:
    """The evaluations in a trainer's `log_history`, in order; a loss that is no number counts as endlessly bad."""
    found = [(int(one["step"]), float(one["eval_loss"])) for one in history if "eval_loss" in one]
    return [Measured(step, loss if math.isfinite(loss) else math.inf) for step, loss in found]


def best_of(losses: Sequence[Measured]) -> Measured | None:
    """The lowest loss, the earliest of equal ones; None where no loss is a number."""
    best = min(losses, key=lambda one: one.loss, default=None)
    return best if best and math.isfinite(best.loss) else None


def evaluations_since_best(losses: Sequence[Measured]) -> int:
    """How many evaluations in a row were no better than the best one before them."""
    best = best_of(losses)
    return len(losses) - 1 - losses.index(best) if best else len(losses)


@dataclass(frozen=True)
class Kept:
    """An adapter that is kept beside the one that training ends with."""

    step: int
    folder: Path


class BestAdapter(TrainerCallback):  # type: ignore[misc]
    """Keeps the adapter of the lowest held-out loss in the run's `best/`, and ends a run that gets no better.

    Args:
        run: the run's folder.
        provenance: what the adapter is made from; its `step` and `held_out_loss` are filled in.
        patience: evaluations without a lower loss after which the run ends; 0 means that it never does.
        tell: takes a sentence for the person who watches.
    """

    def __init__(self, run: Path, provenance: Provenance, patience: int, tell: Callable[[str], None]) -> None:
        self._folder = run / BEST_DIR
        self._provenance = provenance
        self._patience = patience
        self._tell = tell
        self.better_than_the_last: Kept | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A run that was killed after its early end has nothing left to do."""
        if self._has_lost_patience(measured_losses(state.log_history)):
            control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, *, model: Any, **_: Any) -> None:
        """Keep the adapter if this is the best evaluation; count the others."""
        losses = measured_losses(state.log_history)
        best = best_of(losses)
        if best and best == losses[-1]:
            told = {"step": best.step, "held_out_loss": best.loss}
            leave_adapter(model, self._folder, self._provenance.model_copy(update=told))
        elif self._has_lost_patience(losses):
            control.should_training_stop = True
            self._tell(
                f"Ended early: the loss on held-out scenarios has not fallen for {self._patience} evaluations, "
                "so more training would only learn by heart."
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """See whether an earlier adapter is better than the one that training ends with."""
        best = best_of(measured_losses(state.log_history))
        if best and best.step != state.global_step and (self._folder / WEIGHTS_FILE).is_file():
            self.better_than_the_last = Kept(best.step, self._folder)

    def _has_lost_patience(self, losses: Sequence[Measured]) -> bool:
        return 0 < self._patience <= evaluations_since_best(losses)
