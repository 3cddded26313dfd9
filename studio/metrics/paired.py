"""Two models on the same turns: the exact McNemar test, and an interval of the difference that agrees with it.

Test and interval are one method: the interval excludes zero just when the test shows a difference. Both take counts
that are not whole, for turns that resemble each other and count for less (`studio.metrics.clusters`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.clusters import design_effect, units
from studio.metrics.statistics import CONFIDENCE, Difference, Interval, Units

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NODES = 100
"""Points of the numerical integral (Gauss-Legendre); the limits then hold to about 1e-4."""


class McNemar(BaseModel):
    """The exact McNemar test on the items where two models differ."""

    model_config = ConfigDict(frozen=True)

    only_first: int = Field(description="Items that only the first model got right.")
    only_second: int = Field(description="Items that only the second model got right.")
    p_value: float = Field(description="Two-sided; 1 when the models never differ.")
    adjusted_p: float | None = Field(
        None, description="Corrected for the number of properties compared; what the verdict is made from."
    )


class PairedCounts(BaseModel):
    """How often two models differ on the same turns, and how many independent turns one turn is worth."""

    model_config = ConfigDict(frozen=True)

    only_first: int
    only_second: int
    pairs: int
    design_effect: float = 1.0
    units: Units = "turns"

    def test(self) -> McNemar:
        """The exact binomial test of the discordant pairs (Q. McNemar, 1947), both tails alike."""
        p_value = two_sided_p(self.only_second / self.design_effect, self.only_first / self.design_effect)
        return McNemar(only_first=self.only_first, only_second=self.only_second, p_value=p_value)

    def difference(self, confidence: float = CONFIDENCE) -> Difference:
        """The difference of the shares with its exact interval (Fay & Lumbard, 2021); -1 to 1 for no pair."""
        gained, lost, pairs = (one / self.design_effect for one in (self.only_second, self.only_first, self.pairs))
        tail = (1 - confidence) / 2
        low, high = (_lower(gained, lost, pairs, tail), -_lower(lost, gained, pairs, tail)) if pairs else (-1.0, 1.0)
        value = (self.only_second - self.only_first) / self.pairs if self.pairs else 0.0
        interval = Interval(low=low, high=high, confidence=confidence, method="exact, paired", units=self.units)
        return Difference(value=value, interval=interval, pairs=self.pairs)


def paired_counts(first: Sequence[bool], second: Sequence[bool], scenarios: Sequence[str] = ()) -> PairedCounts:
    """Count on which items two models differ. `scenarios` names each item's; without, items are independent.

    Raises:
        ValueError: the sequences are not of one length.
    """
    pairs = list(zip(first, second, strict=True))
    named = list(scenarios) or [""] * len(pairs)
    return PairedCounts(
        only_first=sum(one and not other for one, other in pairs),
        only_second=sum(other and not one for one, other in pairs),
        pairs=len(pairs),
        design_effect=design_effect(named, [float(other) - float(one) for one, other in pairs]),
        units=units(named),
    )


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Whether two models differ on the same items, which are taken as independent.

    Raises:
        ValueError: the two are not of one length.
    """
    return paired_counts(first, second).test()


def two_sided_p(gained: float, lost: float) -> float:
    """Twice the smaller binomial tail at one half, as a regularized incomplete beta function: any count will do."""
    if not gained + lost:
        return 1.0
    from scipy.special import betainc

    return min(1.0, 2 * float(betainc(max(gained, lost), min(gained, lost) + 1, 0.5)))


def _lower(gained: float, lost: float, pairs: float, tail: float) -> float:
    """The lower limit of (gained - lost) / pairs, missed with a probability of at most `tail`.

    Fay & Lumbard (2021, Statistics in Medicine 40, "Confidence intervals for difference in proportions for matched
    pairs compatible with exact McNemar's or sign tests"): the difference is how often the models differ times (2 B - 1)
    with B the second model's part of it. Both have the lower Clopper-Pearson confidence distribution, a Beta; where
    2 B - 1 is negative, how often they differ has the upper one. The limit is the `tail` quantile of the product.
    """
    from scipy.optimize import brentq
    from scipy.special import betainc, betaincinv

    differ = gained + lost
    rest = max(pairs - differ, 0.0)
    if not gained:
        return -float(betaincinv(differ + 1, rest, 1 - tail)) if rest else -1.0
    import numpy as np

    levels, weights = _nodes()
    above = float(betainc(gained, lost + 1, 0.5)) < tail
    how_often = _quantiles((differ, rest + 1) if above else (differ + 1, rest), levels)

    def missed(limit: float) -> float:
        part = np.clip(0.5 + limit / (2 * how_often), 0.0, 1.0)
        return float(betainc(gained, lost + 1, part) @ weights) - tail

    return float(brentq(missed, 0.0, 1.0) if above else brentq(missed, -1.0, 0.0))


@lru_cache(maxsize=1)
def _nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points between 0 and 1, and their weights, which sum to 1."""
    import numpy as np

    points, weights = np.polynomial.legendre.leggauss(_NODES)
    return (points + 1) / 2, weights / 2


def _quantiles(shape: tuple[float, float], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the Beta distribution; 1 for the one that has no second parameter."""
    import numpy as np
    from scipy.special import betaincinv

    found = betaincinv(*shape, levels) if shape[1] else np.ones_like(levels)
    return np.maximum(found, np.finfo(float).tiny)
