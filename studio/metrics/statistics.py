"""Uncertainty of a figure and of a difference between two models: intervals and paired tests, from scipy.

Turns of one scenario resemble each other and there are few scenarios, so every interval here, which takes turns as
independent, is somewhat too narrow. Nothing here corrects for looking at many figures at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 2000


class Interval(BaseModel):
    """A confidence interval, both ends included."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    confidence: float = CONFIDENCE
    method: str = ""


class McNemar(BaseModel):
    """The exact McNemar test on the items where two models differ."""

    model_config = ConfigDict(frozen=True)

    only_first: int = Field(description="Items that only the first model got right.")
    only_second: int = Field(description="Items that only the second model got right.")
    p_value: float = Field(description="Two-sided; 1 when the models never differ.")


class Difference(BaseModel):
    """Second model minus first, over the same items."""

    model_config = ConfigDict(frozen=True)

    value: float
    interval: Interval
    pairs: int


def wilson_interval(hits: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """The Wilson score interval of a proportion (E. B. Wilson, 1927); 0 to 1 when nothing was counted."""
    if total == 0:
        return Interval(low=0.0, high=1.0, confidence=confidence, method="Wilson")
    from scipy.stats import binomtest

    found = binomtest(hits, total).proportion_ci(confidence, method="wilson")
    return Interval(low=float(found.low), high=float(found.high), confidence=confidence, method="Wilson")


def mean(columns: Sequence[Floats], axis: int = -1) -> Any:
    """The mean of the first column: the statistic of `bootstrap_interval` that needs no other."""
    return columns[0].mean(axis=axis)


def bootstrap_interval(
    columns: Sequence[Sequence[float]],
    seed: int,
    statistic: Callable[[Sequence[Floats], int], Any] = mean,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval:
    """The percentile bootstrap interval of a statistic of whole rows (B. Efron, 1979).

    Args:
        columns: one or several columns of equal length; rows are resampled together.
        statistic: given the columns as arrays, shape `[..., rows]`, and the axis of the rows.
        seed: of the resampling; the same seed gives the same interval.

    Fewer than two rows say nothing of the spread: the interval is then the value itself.
    """
    import numpy as np

    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    value = float(statistic(arrays, -1)) if arrays[0].size else 0.0
    if arrays[0].size < 2:
        return Interval(low=value, high=value, confidence=confidence, method="none")
    from scipy.stats import bootstrap

    found = bootstrap(
        arrays,
        lambda *sample, axis=-1: statistic(sample, axis),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(low=float(found.low), high=float(found.high), confidence=confidence, method="bootstrap")


def paired_difference(
    first: Sequence[float], second: Sequence[float], seed: int, confidence: float = CONFIDENCE
) -> Difference:
    """Mean of `second` minus mean of `first` over the same items, with a paired bootstrap interval.

    Raises:
        ValueError: the two are not of one length.
    """
    differences = [after - before for before, after in zip(first, second, strict=True)]
    value = sum(differences) / len(differences) if differences else 0.0
    interval = bootstrap_interval([differences], seed, confidence=confidence)
    return Difference(value=value, interval=interval, pairs=len(differences))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Whether two models differ on the same items: exact binomial test of the discordant pairs (Q. McNemar, 1947).

    Raises:
        ValueError: the two are not of one length.
    """
    pairs = list(zip(first, second, strict=True))
    only_first = sum(one and not other for one, other in pairs)
    only_second = sum(other and not one for one, other in pairs)
    return McNemar(only_first=only_first, only_second=only_second, p_value=_binomial(only_first, only_second))


def _binomial(first: int, second: int) -> float:
    if not first + second:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(first, first + second, 0.5).pvalue)
