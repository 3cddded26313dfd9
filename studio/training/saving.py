"""When a run saves, and what makes a saved state one that can be trusted: callbacks of transformers' Trainer.

A state is saved every so many steps (transformers does that), every so many minutes, and at the end. It is sealed
before an older one is deleted, so there is a whole one at every moment after the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import IntervalStrategy

from studio.config import TrainingConfig
from studio.jobs.state import EVENTS_FILE
from studio.training.checkpoints import keep_newest, seal
from studio.training.processes.group import leads, wait_for_all
from studio.workspace import sync


class TimedSaves(TrainerCallback):  # type: ignore[misc]
    """Asks for a checkpoint at the first step that ends so many minutes after the last one.

    Args:
        minutes: 0 asks for none.
        clock: seconds.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = minutes * 60
        self._clock = clock
        self._saved = clock()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What there is now is what was loaded: nothing is lost yet."""
        self._saved = self._clock()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """See whether it is time. Processes that train together go by the clock of the leader (`SameDecisions`)."""
        if self._seconds and self._clock() - self._saved >= self._seconds:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Whoever asked for it, it counts."""
        self._saved = self._clock()


class EvaluatesBeforeSaving(TrainerCallback):  # type: ignore[misc]
    """Measures at the last step of a pass instead of after it, where evaluation is once per pass.

    A checkpoint of that step would otherwise not know the evaluation that follows it: resumed from there, a run would
    never make it, and its curve and its best adapter would differ from those of a run that nobody interrupted.
    """

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The state counts passes in steps, so the end of one is a whole number, exactly."""
        ends = state.epoch == int(state.epoch) or state.global_step >= state.max_steps
        if args.eval_strategy == IntervalStrategy.EPOCH and ends:
            control.should_evaluate = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """It has been done."""
        control.should_evaluate = False


class SealedCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Seals every checkpoint and then deletes the oldest.

    Args:
        folder: where checkpoints go; the run's folder.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """When all processes have written their parts, seal it.

        The events come first: no step before a sealed checkpoint may be missing from the curve after a power loss.
        """
        wait_for_all()
        if leads():
            if (events := self._folder / EVENTS_FILE).is_file():
                sync(events)
            seal(self._folder / f"checkpoint-{state.global_step}")
            keep_newest(self._folder, self._keep)


def saving_callbacks(config: TrainingConfig, folder: Path) -> list[TrainerCallback]:
    """What a run needs to be resumed as if nothing had happened. Callbacks that report of saving come after these."""
    return [
        EvaluatesBeforeSaving(),
        TimedSaves(config.checkpoint_minutes),
        SealedCheckpoints(folder, config.keep_checkpoints),
    ]
