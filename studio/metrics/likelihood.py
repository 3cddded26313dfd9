"""How well a model foresees the turns that authors wrote: perplexity, and the same per character of text.

Perplexity counts tokens, so it compares only models that cut text into the same tokens. Bits per character do not
depend on the tokenizer. Both are over the tokens that training puts loss on: the turn and its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.figures import Figure, mean_interval
from studio.metrics.statistics import Interval


class Likelihood(BaseModel):
    """What a model gave to one turn that its author wrote, word for word."""

    model_config = ConfigDict(frozen=True)

    nats: float = Field(ge=0, description="Sum of the negative log-probabilities of the tokens, natural logarithm.")
    tokens: int = Field(gt=0, description="Tokens of the turn, the one that ends it included.")
    characters: int = Field(ge=0, description="Characters that the author wrote.")


def perplexity(turns: Sequence[tuple[str, Likelihood]], seed: int) -> Figure:
    """The exponential of the mean loss per token, from `(turn key, likelihood)`; lower is better, 1 is certainty."""
    rate, interval = _rate([(key, one.nats, one.tokens) for key, one in turns], seed)
    if rate is None or interval is None:
        return _figure("perplexity", None, None, turns)
    ends = {"low": math.exp(interval.low), "high": math.exp(interval.high)}
    return _figure("perplexity", math.exp(rate), interval.model_copy(update=ends), turns)


def bits_per_character(turns: Sequence[tuple[str, Likelihood]], seed: int) -> Figure:
    """Loss in bits over the characters of the turns; comparable between models of different tokenizers."""
    written = [(key, one) for key, one in turns if one.characters]
    rate, interval = _rate([(key, one.nats / math.log(2), one.characters) for key, one in written], seed)
    return _figure("bits_per_character", rate, interval, written)


def _figure(
    name: str, value: float | None, interval: Interval | None, turns: Sequence[tuple[str, Likelihood]]
) -> Figure:
    keys = tuple(key for key, _ in turns)
    return Figure(
        name=name, value=value, interval=interval, better="lower", is_share=False, total=len(keys), turns=keys
    )


def _rate(rows: Sequence[tuple[str, float, int]], seed: int) -> tuple[float | None, Interval | None]:
    """Sum of the second column over the sum of the third, and its interval; None for no row.

    A ratio of sums has the interval of the mean of its linearized values (W. Cochran, Sampling Techniques, 1977, 6.4):
    each row's deviation from the common rate, over the mean size of a row.
    """
    if not rows:
        return None, None
    size = sum(units for _, _, units in rows)
    rate = sum(amount for _, amount, _ in rows) / size
    scale = len(rows) / size
    linear = [(key, rate + scale * (amount - rate * units)) for key, amount, units in rows]
    interval = mean_interval(linear, seed)
    return rate, interval.model_copy(update={"low": max(interval.low, 0.0)})
