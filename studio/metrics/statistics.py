"""The range in which a figure would lie in other such tests: intervals of shares, of F1 and of means.

Everything here takes items as independent. Turns of one scenario are not; `studio.metrics.clusters` says how many
independent turns they are worth, and the counts given here may be smaller for it, and not whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Units = Literal["turns", "scenarios"]
CONFIDENCE = 0.95
RESAMPLES = 2000


class Interval(BaseModel):
    """A confidence interval, both ends included."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    confidence: float = CONFIDENCE
    method: str = ""
    units: Units = Field(
        "turns", description="What would be drawn anew: 'turns' of these scenarios alone, or other 'scenarios'."
    )


class Difference(BaseModel):
    """Second model minus first, over the same items."""

    model_config = ConfigDict(frozen=True)

    value: float
    interval: Interval
    pairs: int


def wilson_interval(hits: float, total: float, confidence: float = CONFIDENCE, units: Units = "turns") -> Interval:
    """The Wilson score interval of a proportion (E. B. Wilson, 1927); 0 to 1 when nothing was counted.

    The counts need not be whole, as scipy's must: those of an effective sample size are not.
    """
    if not total:
        return Interval(low=0.0, high=1.0, confidence=confidence, method="Wilson", units=units)
    from scipy.special import ndtri

    z, part = float(ndtri((1 + confidence) / 2)), hits / total
    middle = (part + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * (part * (1 - part) / total + (z / (2 * total)) ** 2) ** 0.5 / (1 + z**2 / total)
    low = max(middle - half, 0.0) if hits else 0.0
    high = min(middle + half, 1.0) if hits < total else 1.0
    return Interval(low=low, high=high, confidence=confidence, method="Wilson", units=units)


def f1_interval(hits: float, counted: float, confidence: float = CONFIDENCE, units: Units = "turns") -> Interval:
    """The interval of F1 = 2 TP / (2 TP + FP + FN), honest also where nothing or everything is hit.

    TP / (TP + FP + FN), the Jaccard share J, is a plain proportion and F1 = 2 J / (1 + J) rises with it, so the ends
    of its Wilson interval become the ends of this one.

    Args:
        hits: TP.
        counted: TP + FP + FN.
    """
    share = wilson_interval(hits, counted, confidence, units)
    low, high = (2 * end / (1 + end) for end in (share.low, share.high))
    return share.model_copy(update={"low": low, "high": high, "method": "Wilson of the Jaccard share"})


def bootstrap_interval(
    values: Sequence[float], seed: int, confidence: float = CONFIDENCE, resamples: int = RESAMPLES
) -> Interval:
    """The percentile bootstrap interval of the mean (B. Efron, 1979), scipy's.

    Args:
        seed: of the resampling; the same seed gives the same interval.

    Fewer than two values say nothing of the spread: the interval is then the value itself, and its method "none".
    """
    if len(values) < 2:
        value = float(values[0]) if values else 0.0
        return Interval(low=value, high=value, confidence=confidence, method="none")
    import numpy as np
    from scipy.stats import bootstrap

    found = bootstrap(
        (np.asarray(values, dtype=np.float64),),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(low=float(found.low), high=float(found.high), confidence=confidence, method="bootstrap")
