"""Whether held-out scenarios share words with those to train on: long runs of words that stand in both.

Only hashes are compared (`wordprints.run_prints`), scenario by scenario, so memory holds those of the held-out side.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from studio.dataset.models import LeakageReport, LeakPair
from studio.dataset.wordprints import CERTAIN_WORDS, RUN_WORDS, Hashes, words_of

SHOWN_PAIRS = 50
_STOCK = 16
"""A run of words in more held-out scenarios than this is a stock phrase: counted, but it makes no pair."""

ReadText = Callable[[str], str]
"""The words said at the table in the scenario of that name."""


def check_leakage(
    held_out: Sequence[tuple[str, Hashes]], train: Iterable[tuple[str, Hashes]], read: ReadText
) -> LeakageReport | None:
    """Compare names and run hashes of both sides; None when nothing is held out."""
    if not held_out:
        return None
    index = _Index([hashes for _, hashes in held_out])
    best: list[tuple[int, str, str]] = []
    for name, hashes in train:
        for owner, shared in index.shared_with(hashes):
            heapq.heappush(best, (shared, held_out[owner][0], name))
            if len(best) > SHOWN_PAIRS:
                heapq.heappop(best)
    pairs = [
        LeakPair(held_out=kept, train=name, shared=shared, example=_example(read(kept), read(name)))
        for shared, kept, name in sorted(best, key=lambda one: (-one[0], one[1], one[2]))
    ]
    return LeakageReport(
        words=RUN_WORDS,
        certain_words=CERTAIN_WORDS,
        held_out_scenarios=len(held_out),
        leaking_scenarios=int(index.leaking.sum()),
        shared_runs=int(index.found.sum()),
        pairs=pairs,
    )


class _Index:
    """All run hashes of the held-out side, sorted, with the scenarios that own them."""

    def __init__(self, hashes: Sequence[Hashes]) -> None:
        owners = np.repeat(np.arange(len(hashes), dtype=np.int32), [len(one) for one in hashes])
        together = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
        order = np.argsort(together, kind="stable")
        self._owners = owners[order]
        self._known, self._starts = np.unique(together[order], return_index=True)
        self._ends = np.append(self._starts[1:], len(together))
        self.found = np.zeros(len(self._known), bool)
        self.leaking = np.zeros(len(hashes), bool)

    def shared_with(self, hashes: Hashes) -> list[tuple[int, int]]:
        """Held-out scenario and number of runs that it shares with these, one entry per scenario."""
        places = np.searchsorted(self._known, hashes)
        places = places[places < len(self._known)]
        hits = places[np.isin(self._known[places], hashes)] if len(places) else places
        if not len(hits):
            return []
        hits = np.unique(hits)
        fresh = hits[~self.found[hits]]
        for place in fresh:
            self.leaking[self._owners[self._starts[place] : self._ends[place]]] = True
        self.found[fresh] = True
        telling = hits[self._ends[hits] - self._starts[hits] <= _STOCK]
        if not len(telling):
            return []
        owners = np.concatenate([self._owners[self._starts[one] : self._ends[one]] for one in telling])
        each, counts = np.unique(owners, return_counts=True)
        return list(zip(each.tolist(), counts.tolist(), strict=True))


def _example(one: str, other: str) -> str:
    """The first run of words that both texts hold."""
    known = set(_runs(words_of(other)))
    return next((" ".join(run) for run in _runs(words_of(one)) if run in known), "")


def _runs(words: list[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(RUN_WORDS)), strict=False)
