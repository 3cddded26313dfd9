"""Raking: weights nearest to equal ones under which several margins have the shares that they should.

They are the minimum of the relative entropy under bounds (Deville and Särndal, "Calibration Estimators in Survey
Sampling", JASA 87, 1992), found through its convex dual for all margins at once. Knows numbers only, no scenarios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key")
Numbers = NDArray[np.float64]
TOLERANCE = 0.01
"""A share that is off its target by at most this much counts as met."""
_RIDGE = 1e-9
"""Pulls multipliers towards 0, so that labels that say the same thing twice have one answer."""
_NOTHING = 1e-9
_HALVINGS = 6
"""How finely the way to a target is searched: to one part in 2**6."""


def shares_of(amounts: Numbers, weights: Numbers) -> Numbers:
    """Shares [labels] of amounts [rows, labels] under weights [rows]: they add up to 1, or all are 0."""
    sums: Numbers = weights @ amounts
    whole = sums.sum()
    return sums / whole if whole else sums


def nearest(margins: Mapping[Key, tuple[Numbers, Numbers]], cap: float, rows: int) -> tuple[Numbers, dict[Key, float]]:
    """Ratios to equal weights [rows], each between 1/cap and cap, and how far each margin came, 0 to 1.

    A margin is its amounts [rows, labels], every label with one above 0, and the shares [labels] that it should get.

    What weights can reach is convex and holds the shares of now, so if a part of the way is possible, a smaller one is
    too: first all margins go together as far as they can, then each goes on alone, in the order of the targets.
    """
    now = {margin: shares_of(amounts, np.ones(rows)) for margin, (amounts, _) in margins.items()}

    def at(way: Mapping[Key, float]) -> Numbers | None:
        shares = {margin: now[margin] + way[margin] * (goal - now[margin]) for margin, (_, goal) in margins.items()}
        beyond = [_beyond(amounts, shares[margin]) for margin, (amounts, _) in margins.items()]
        found = _calibrated(beyond, rows, cap)
        near = found is not None and all(
            np.abs(shares_of(amounts, found) - shares[margin]).max() <= TOLERANCE / 2
            for margin, (amounts, _) in margins.items()
        )
        return found if near else None

    way, best = _furthest(at, dict.fromkeys(margins, 0.0), list(margins), np.ones(rows))
    if any(part < 1 for part in way.values()):
        for margin in margins:
            way, best = _furthest(at, way, [margin], best)
    return best, way


def _beyond(amounts: Numbers, shares: Numbers) -> Numbers:
    """[rows, labels]: what each row adds to a label beyond its share. The weighted sum is 0 when they are met."""
    beyond = amounts - np.outer(amounts.sum(axis=1), shares)
    beyond[np.abs(beyond) < _NOTHING * amounts.max(initial=0)] = 0  # a rounding error is no demand
    return beyond


def _furthest(
    at: Callable[[Mapping[Key, float]], Numbers | None],
    way: dict[Key, float],
    moving: Sequence[Key],
    best: Numbers,
) -> tuple[dict[Key, float], Numbers]:
    """The longest way of the `moving` margins beyond `way` that can be reached, and its ratios; bisection."""
    low, high = min((way[margin] for margin in moving), default=1.0), 1.0
    step = high
    for _ in range(_HALVINGS + 1):
        if low >= high:
            break
        tried = way | dict.fromkeys(moving, step)
        if (found := at(tried)) is not None:
            low, way, best = step, tried, found
        else:
            high = step
        step = (low + high) / 2
    return way, best


class _OutOfReachError(Exception):
    """No weights within the bounds meet the targets."""


def _calibrated(margins: Sequence[Numbers], rows: int, cap: float) -> Numbers | None:
    """Ratios to equal weights, [rows], each between 1/cap and cap, with mean 1 and every margin's sum near 0.

    Minimizes the convex dual of the bounded entropy problem: ratio = clip(exp(features @ multipliers), 1/cap, cap).
    The mean of ratio * log(ratio) - ratio is at most log(cap) - 1, so a dual value below 1 - log(cap) proves that there
    is no answer: then None.
    """
    from scipy.optimize import minimize

    columns = np.hstack(margins)
    scale = np.sqrt((columns**2).mean(axis=0))
    features = np.hstack([np.ones((rows, 1)), columns / np.where(scale > 0, scale, 1)])
    lowest = 1 - np.log(cap) - 1e-6

    def dual(multipliers: Numbers) -> tuple[float, Numbers]:
        ratios, potential = _bounded_exp(features @ multipliers, cap)
        value, gradient = potential.mean() - multipliers[0], features.T @ ratios / rows
        if value < lowest:
            raise _OutOfReachError
        gradient[0] -= 1
        return float(value + _RIDGE * (multipliers @ multipliers)), gradient + 2 * _RIDGE * multipliers

    options = {"maxiter": 500, "ftol": 1e-14, "gtol": 1e-7}
    try:
        found = minimize(dual, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options=options)
    except _OutOfReachError:
        return None
    return _bounded_exp(features @ found.x, cap)[0]


def _bounded_exp(exponents: Numbers, cap: float) -> tuple[Numbers, Numbers]:
    """exp(x) kept between 1/cap and cap, and its integral (continuous, straight where exp is cut off)."""
    most = np.log(cap)
    inside = np.clip(exponents, -most, most)
    ratios = np.exp(inside)
    return ratios, ratios + ratios * (exponents - inside)
