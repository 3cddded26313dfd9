"""In which order a run reads its rows: one order for every pass, drawn from seed and pass alone.

A resumed run asks for the same passes again and skips what it had read, so nothing has to be kept in a checkpoint.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from studio.dataset import Balance


class GroupedSteps(Sampler[int]):  # type: ignore[misc]
    """Another order with rows of one kind moved together, so that they are in one optimizer step.

    Args:
        order: numbers of rows; its `set_epoch` is told which pass begins.
        kinds: of what kind each row is, by number.
        step: rows of an optimizer step, of all processes together.
    """

    def __init__(self, order: Sampler[int], kinds: Sequence[Hashable], step: int) -> None:
        self._order, self._kinds, self._step = order, kinds, step

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is pass number `epoch`, counted from 0."""
        self._order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[int]:
        return iter(together(list(self._order), self._kinds, self._step))


def together(order: Sequence[int], kinds: Sequence[Hashable], step: int) -> list[int]:
    """The same rows in steps of so many: each begins with the first that is left, and takes others of its kind.

    When those do not fill it, the first that is left is next again. So which kind comes when is as random as the order
    was, and of one with more rows than a step has, the rest has its turn later.
    """
    places: dict[Hashable, deque[int]] = defaultdict(deque)
    for place, row in enumerate(order):
        places[kinds[row]].append(place)
    moved: list[int] = []
    taken: set[int] = set()
    for place, row in enumerate(order):
        if place not in taken:
            same = places[kinds[row]]
            chosen = [same.popleft() for _ in range(min(len(same), step - len(moved) % step))]
            taken.update(chosen)
            moved += [order[one] for one in chosen]
    return moved


class EveryRow(Sampler[int]):  # type: ignore[misc]
    """Every row once in a pass; transformers says with `set_epoch` which pass begins."""

    def __init__(self, rows: int, seed: int) -> None:
        self._rows, self._seed, self._epoch = rows, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is pass number `epoch`, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self._seed, self._epoch)).permutation(self._rows).tolist())


class BalancedSampler(Sampler[int]):  # type: ignore[misc]
    """Numbers of rows for one pass after the other; transformers says with `set_epoch` which pass begins."""

    def __init__(self, balance: Balance, seed: int) -> None:
        self._balance = balance
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is pass number `epoch`, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._balance.rows_per_pass

    def __iter__(self) -> Iterator[int]:
        return iter(rows_of_pass(self._balance, self._seed, self._epoch).tolist())


def rows_of_pass(balance: Balance, seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows that pass `epoch` reads, in its order; the same for the same arguments.

    Copies are the same in every pass. By weight as many rows are drawn as there are, systematically (Madow 1949): in
    each pass a row comes as often as its weight says, rounded down or up, and on average exactly so.
    """
    chance = np.random.default_rng((seed, epoch))
    copies = _drawn(balance.weights, chance) if balance.copies is None else np.asarray(balance.copies)
    return chance.permutation(np.repeat(np.arange(len(copies)), copies))


def _drawn(weights: NDArray[np.float64], chance: np.random.Generator) -> NDArray[np.int64]:
    """How often each row is drawn. In a random order, so that no two rows always come or stay away together."""
    order = chance.permutation(len(weights))
    steps = np.cumsum(weights[order])
    steps *= len(weights) / steps[-1]
    steps[-1] = len(weights)  # exactly, whatever the sum was rounded to: every pass has as many rows
    copies = np.empty(len(weights), dtype=np.int64)
    copies[order] = np.diff(np.floor(steps + chance.random()), prepend=0).astype(np.int64)
    return copies
