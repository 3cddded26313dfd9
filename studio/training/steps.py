"""How many optimizer steps, passes and evaluations a run will take: arithmetic that needs no torch."""

from __future__ import annotations

import math

from studio.config import TrainingConfig


def steps_per_pass(config: TrainingConfig, rows: int) -> int:
    """Optimizer steps that one pass over so many rows takes; the last one may be smaller."""
    per_round = config.batch_size * config.processes
    return max(1, math.ceil(math.ceil(rows / per_round) / config.gradient_accumulation_steps))


def optimizer_steps(config: TrainingConfig, rows: int) -> int:
    """How many optimizer steps a run of so many rows per pass takes: what the epochs need, `max_steps` at most."""
    needed = max(1, math.ceil(config.epochs * steps_per_pass(config, rows)))
    return min(needed, config.max_steps) if config.max_steps else needed


def evaluations(config: TrainingConfig, steps: int, rows: int) -> int:
    """How often a run of so many steps is measured on held-out rows: every `eval_steps`, or at the end of a pass."""
    return steps // config.eval_steps if config.eval_steps else math.ceil(steps / steps_per_pass(config, rows))
