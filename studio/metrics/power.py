"""How many turns it takes to show that one model is better than another by so much (exact McNemar test).

Turns are taken as independent; with scenarios whose turns resemble each other it takes more.
"""

from __future__ import annotations

from studio.metrics.paired import two_sided_p

MOST_TURNS = 5000
POWER = 0.8


def least_discordant(alpha: float) -> int:
    """How many turns must change, all in one direction, before the test can show anything: 6 at 0.05.

    Raises:
        ValueError: `alpha` is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError("alpha is a probability between 0 and 1")
    count = 1
    while two_sided_p(count, 0) >= alpha:
        count += 1
    return count


def power(turns: int, gained: float, lost: float, alpha: float) -> float:
    """The probability that the test shows the second model to be better.

    Args:
        gained: share of the turns that only the second model has right, in the long run.
        lost: share that only the first has right.
    """
    import numpy as np
    from scipy.stats import binom

    differ = np.arange(turns + 1)
    least = binom.isf(alpha / 2, differ, 0.5)  # one more than this is in the rejection region
    shown = binom.sf(least, differ, gained / (gained + lost))
    return float(binom.pmf(differ, turns, gained + lost) @ shown)


def turns_needed(gained: float, lost: float, alpha: float, wanted: float = POWER) -> int | None:
    """The fewest turns with which the better model is found out with probability `wanted`; None above `MOST_TURNS`.

    Raises:
        ValueError: the shares are negative, above 1 together, or `gained` is not above `lost`.
    """
    if not 0 <= lost < gained <= 1 - lost:
        raise ValueError("the shares that are won and lost are between 0 and 1, and more is won than lost")
    low, high = 0, MOST_TURNS
    if power(high, gained, lost, alpha) < wanted:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, gained, lost, alpha) >= wanted else (middle, high)
    return high
