"""The last word on a run that has not enough memory and cannot use less by itself: what the person can change."""

from __future__ import annotations

from studio.config import TrainingConfig
from studio.errors import StudioError
from studio.training.memory.faults import MemoryShortageError
from studio.training.memory.fit import judge_memory
from studio.workspace import Workspace

_LEAST_LENGTH = 64
_SHORTER = 0.75
"""What is tried instead is no longer than this share of what failed, though the estimate may have let that pass."""


def no_room(workspace: Workspace, config: TrainingConfig, what: str, why: str = "") -> MemoryShortageError:
    """The error that ends the run, with a length of rows that should fit and what else would help."""
    at_a_time = "It reads one row at a time already." if config.batch_size == 1 else ""
    ways = [f"lower max_seq_length (it is {config.max_seq_length}{_instead(workspace, config)})"]
    ways += [f"lower lora_rank (it is {config.lora_rank})"] if config.lora_rank > 8 else []
    ways += [f"lower batch_size (it is {config.batch_size})"] if config.batch_size > 1 else []
    ways += ["raise memory_limit_gb"] if config.memory_limit_gb else ["close other programs"]
    ways += ["train on the processor (use_gpu: false)"] if config.use_gpu else []
    steps = f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]
    return MemoryShortageError(
        what,
        why=f"{why} {at_a_time}".strip(),
        next_step=f"In a new run, {steps}; what this one learned until its last checkpoint is kept.",
    )


def _instead(workspace: Workspace, config: TrainingConfig) -> str:
    """A shorter length that fits by the estimate; empty when none can be told."""
    try:
        shorter = max(_LEAST_LENGTH, int(config.max_seq_length * _SHORTER) // 64 * 64)
        verdict = judge_memory(workspace, config.model_copy(update={"max_seq_length": shorter}))
    except StudioError:
        return ""
    length = shorter if verdict.judgement != "does not fit" else verdict.fitting_length
    return f"; {length} should fit" if length and length < config.max_seq_length else ""
