"""What the trainer does, as events of the job; and a stop, a lost cause or too little memory as an end to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from studio.errors import TrainingError
from studio.jobs import CheckpointEvent, EvaluationEvent, StepEvent, Worker
from studio.machine import GIB
from studio.training.memory.faults import over_the_limit
from studio.training.trainer import ModelTrainer

_LOST_STEPS, _LOST_NATS = 5, 3.0
"""So many steps in a row, each with a loss so much above the first one's, and the run is given up: exp(3) = 20 times
the perplexity that the base model had before anything was learned."""


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Listens to one training run.

    Args:
        clock: seconds, for speed.
    """

    def __init__(self, worker: Worker, trainer: ModelTrainer, clock: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self._trainer = trainer
        self._clock = clock
        self._begun, self._tokens_before = clock(), 0
        self._seconds = 0.0
        self._stopping = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The model is loaded; from here on progress is counted in steps."""
        self._worker.progress(state.global_step, state.max_steps, "steps")

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock of this step; evaluating and saving in between do not count."""
        self._begun, self._tokens_before = self._clock(), state.num_input_tokens_seen

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep to the memory limit within long steps too."""
        self._check_memory()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look for a stop request at every optimizer step; the last one needs no stopping."""
        self._seconds = self._clock() - self._begun
        self._check_memory()
        self._worker.progress(state.global_step, state.max_steps, "steps")
        if state.global_step < state.max_steps and self._worker.stop_requested():
            self._stopping = True
            control.should_save = True
            control.should_training_stop = True
            control.should_evaluate = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Who asked for a stop does not wait for another evaluation."""
        if self._stopping:
            control.should_evaluate = False

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Write a step or an evaluation."""
        logs = logs or {}
        if "eval_loss" in logs:
            self._worker.emit(_evaluation(state, logs))
        elif "loss" in logs:
            self._worker.emit(self._step(state, logs))
            self._check_losses([float(one["loss"]) for one in state.log_history if "loss" in one])

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell that a checkpoint is whole."""
        self._worker.emit(CheckpointEvent(step=state.global_step, path=f"checkpoint-{state.global_step}"))

    def _step(self, state: Any, logs: dict[str, float]) -> StepEvent:
        seen = int(state.num_input_tokens_seen)
        return StepEvent(
            step=state.global_step,
            total_steps=state.max_steps,
            epoch=float(state.epoch or 0),
            loss=float(logs["loss"]),
            learning_rate=float(logs["learning_rate"]),
            grad_norm=float(logs["grad_norm"]),
            tokens_per_second=(seen - self._tokens_before) / max(1e-6, self._seconds),
            tokens_seen=seen,
            memory_bytes=self._trainer.memory_bytes(),
        )

    def _check_losses(self, losses: list[float]) -> None:
        first, last = losses[0], losses[-1]
        if not math.isfinite(first):
            raise TrainingError(
                "The loss is not a number from the first step on.",
                why="The base model itself gives no numbers, so its weights must be damaged.",
                next_step="Delete the base model's folder and import it again.",
            )
        if not math.isfinite(last):
            raise self._too_fast("The loss is no longer a number.")
        if len(losses) > _LOST_STEPS and min(losses[-_LOST_STEPS:]) > first + _LOST_NATS:
            raise self._too_fast(f"The model gets worse: the loss was {first:.1f} at the start and is {last:.1f} now.")

    def _too_fast(self, what: str) -> TrainingError:
        return TrainingError(
            what,
            why=f"The learning rate of {self._trainer.config.learning_rate:g} is too high for these settings.",
            next_step="Start again with a third of it.",
        )

    def _check_memory(self) -> None:
        limit = self._trainer.config.memory_limit_gb
        if limit and (used := self._trainer.peak_memory_bytes() / GIB) > limit:
            raise over_the_limit(limit, f"It used {used:.2f} GiB.")


def _evaluation(state: Any, logs: dict[str, float]) -> EvaluationEvent:
    loss = float(logs["eval_loss"])
    return EvaluationEvent(
        step=state.global_step,
        epoch=float(state.epoch or 0),
        loss=loss,
        perplexity=math.exp(min(loss, 50)),
        trained_tokens=int(logs["eval_tokens"]),
        calls_right=logs.get("eval_calls_right"),
        calls_turns=int(logs.get("eval_calls_turns", 0)),
    )
