"""Whether a run will fit into the memory it may use, in plain words, and what would have to change. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field

from studio.bases import get_base
from studio.config import TrainingConfig
from studio.machine import GIB, look
from studio.training.memory.estimate import BaseFacts, MemoryEstimate, estimate_memory, largest_that_fits
from studio.workspace import Workspace

Judgement = Literal["fits", "tight", "does not fit"]
_EASY = 0.8
"""Up to this share of the room the estimate may be wrong and the run still fits."""
_LENGTH_STEP = 64
_GROUP_FILES = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


class MemoryVerdict(BaseModel):
    """An estimate held against the room there is; sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    estimate: MemoryEstimate
    room: int = Field(description="What the run may take: the free memory, or memory_limit_gb if that is less.")
    limited: bool = Field(description="Whether the room is memory_limit_gb.")
    judgement: Judgement
    fitting_length: int | None = Field(None, description="The longest max_seq_length that would fit, if this does not.")
    fitting_batch: int | None = Field(None, description="The largest batch_size that would fit, if this does not.")

    @property
    def sentence(self) -> str:
        """What it needs and what that means."""
        needed, there = f"about {self.estimate.gib:.1f} GiB of memory", f"{self.room / GIB:.1f} GiB"
        told = f"it may use {there} (memory_limit_gb)" if self.limited else f"{there} are free"
        ends = {"fits": "That fits easily.", "tight": "That is tight.", "does not fit": "That does not fit."}
        return f"This run needs {needed}, and {told}. {ends[self.judgement]}"

    @property
    def advice(self) -> str:
        """What to change; empty when it fits easily."""
        if self.judgement == "fits":
            return ""
        ways = []
        if self.fitting_length:
            ways.append(f"rows of at most {self.fitting_length:,} tokens (max_seq_length)")
        if self.fitting_batch:
            ways.append(
                f"{self.fitting_batch} row{'s' if self.fitting_batch > 1 else ''} at a time (batch_size), with more "
                "gradient_accumulation_steps instead"
            )
        rest = "Raise the limit" if self.limited else "Close other programs"
        if self.judgement == "tight":
            return f"{rest} before it starts."
        return f"It would fit with {', or with '.join(ways)}." if ways else f"{rest}, or choose a smaller base model."


def judge_memory(
    workspace: Workspace,
    config: TrainingConfig,
    *,
    longest_row: int | None = None,
    trained_share: float | None = None,
    room: int | None = None,
) -> MemoryVerdict:
    """Estimate a run and hold it against this machine.

    Args:
        longest_row: tokens of the dataset's longest row, if known.
        trained_share: share of its tokens that carry loss, if known.
        room: bytes that are free; None: what this machine has free now.

    Raises:
        BaseModelError: the base model is not imported, or cannot be read.
    """
    facts = BaseFacts.read(get_base(workspace, config.base_model).hf)
    free = memory_free() if room is None else room
    limit = int(config.memory_limit_gb * GIB)
    limited = 0 < limit < free
    room, native = limit if limited else free, look(workspace).native_bfloat16

    def of(**changes: int) -> MemoryEstimate:
        return estimate_memory(
            config.model_copy(update=changes), facts,
            native_bfloat16=native, longest_row=longest_row, trained_share=trained_share,
        )  # fmt: skip

    estimate = of()
    if estimate.total <= room:
        easy = estimate.total <= _EASY * room
        return MemoryVerdict(estimate=estimate, room=room, limited=limited, judgement="fits" if easy else "tight")
    lengths = largest_that_fits(
        lambda n: of(max_seq_length=n * _LENGTH_STEP).total <= room, max(1, estimate.row_tokens // _LENGTH_STEP)
    )
    batches = largest_that_fits(lambda n: of(batch_size=n).total <= room, config.batch_size)
    return MemoryVerdict(
        estimate=estimate,
        room=room,
        limited=limited,
        judgement="does not fit",
        fitting_length=lengths and lengths * _LENGTH_STEP,
        fitting_batch=batches,
    )


def memory_free(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that a new process may take: what the machine has free, or what the control group of a container leaves."""
    free = int(psutil.virtual_memory().available)
    for limit, usage in _GROUP_FILES:
        try:
            most, used = (int((groups / name).read_text().strip()) for name in (limit, usage))
        except (OSError, ValueError):  # not there, or "max": no limit
            continue
        free = min(free, max(0, most - used))
    return free
