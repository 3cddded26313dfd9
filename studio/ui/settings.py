"""The knobs of the training page: their bounds, and a configuration with some of them turned."""

from __future__ import annotations

from studio.config import TrainingConfig

MOST_ALPHA = 4096


def turned(
    config: TrainingConfig, *, steps: int, epochs: float, rank: int, rate: float, length: int, seed: int
) -> TrainingConfig:
    """`config` with the knobs where the page has them; alpha keeps its proportion to the rank.

    Raises:
        pydantic.ValidationError: a value that `TrainingConfig` refuses.
    """
    alpha = max(1, min(MOST_ALPHA, round(config.lora_alpha * rank / config.lora_rank)))
    values = {
        "max_steps": steps,
        "epochs": epochs,
        "lora_rank": rank,
        "lora_alpha": alpha,
        "learning_rate": rate,
        "max_seq_length": length,
        "seed": seed,
    }
    return TrainingConfig.model_validate({**config.model_dump(), **values})


def reach(value: float, low: float, high: float) -> tuple[float, float]:
    """The usual bounds of a knob, widened so that a value from a configuration file lies within them."""
    return min(low, value), max(high, value)
