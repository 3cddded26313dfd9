"""What a run uses instead of what its config.yaml asks for, since the machine could not do it: kept in `in_use.json`.

The effective batch size stays, so every optimizer step learns from the same rows, whether in one pass through the model
or in several.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.config import TrainingConfig
from studio.workspace import atomic_write

IN_USE_FILE = "in_use.json"


class InUse(BaseModel):
    """The settings that were adjusted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    batch_size: int
    gradient_accumulation_steps: int
    use_gpu: bool

    @classmethod
    def of(cls, config: TrainingConfig) -> InUse:
        """Those of a configuration."""
        return cls.model_validate({name: getattr(config, name) for name in cls.model_fields})


def settings_in_use(run: Path, asked: TrainingConfig) -> TrainingConfig:
    """What was asked, with what is used instead. A damaged file, or one of another effective batch, is passed over."""
    try:
        kept = InUse.model_validate_json((run / IN_USE_FILE).read_bytes())
        used = TrainingConfig.model_validate({**asked.model_dump(), **kept.model_dump()})
    except (OSError, ValidationError):
        return asked
    return used if used.effective_batch_size == asked.effective_batch_size else asked


def use_from_now_on(run: Path, config: TrainingConfig) -> None:
    """Keep the settings of `config` that may be adjusted, atomically; the run's config.yaml stays as it was asked."""
    atomic_write(run / IN_USE_FILE, InUse.of(config).model_dump_json(indent=1) + "\n")


def halved(config: TrainingConfig) -> TrainingConfig | None:
    """The same optimizer steps with at most half as many rows at a time; None where it is one row already.

    The batch becomes the largest divisor of the rows per optimizer step that is no more than half of it: 2 becomes 1,
    and 5 (of 10) becomes 2.
    """
    rows = config.batch_size * config.gradient_accumulation_steps
    smaller = next((size for size in range(config.batch_size // 2, 0, -1) if rows % size == 0), None)
    if smaller is None:
        return None
    return config.model_copy(update={"batch_size": smaller, "gradient_accumulation_steps": rows // smaller})
