"""Which scenarios are nearly the same, so that they stay on one side of the split: MinHash LSH from `datasketch`.

Time and memory grow with the number of scenarios, not with its square, also where thousands are alike: a group shows
only so many of its members to newcomers. Two scenarios that are nearly the same can therefore be missed (about one
pair in twenty at a likeness of 0.8, fewer above); the leakage report finds what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from datasketch import LeanMinHash, MinHashLSH
from numpy.typing import NDArray

from studio.dataset.wordprints import PERMUTATIONS, SCHEME

LIKENESS = 0.7
"""Two scenarios are nearly the same when they share so much of their runs of three words (Jaccard, estimated)."""
_BANDS, _ROWS = 10, 6
_SHOWN = 32
"""Members of a group that newcomers are compared with."""
_TWIN = 0.95
"""A member so much like one that is shown need not be shown itself."""


def near_duplicates(signatures: NDArray[np.uint32], related: Sequence[str] | None = None) -> list[list[int]]:
    """Groups of row numbers of `signatures` (`[scenarios, PERMUTATIONS]`); rows and groups in ascending order.

    Args:
        related: a text for every row; rows with the same text that is not empty belong together whatever they say.
    """
    groups = _Groups(len(signatures))
    lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(_BANDS, _ROWS), hashfunc=_short)
    shown: dict[int, int] = {}
    for row, values in enumerate(signatures):
        minhash = LeanMinHash(seed=1, hashvalues=values, scheme=SCHEME)
        found = np.fromiter(lsh.query(minhash), np.int64)
        likeness = (signatures[found] == values).mean(axis=1) if len(found) else np.empty(0)
        for other in found[likeness >= LIKENESS].tolist():
            groups.join(other, row)
        leader = groups.leader(row)
        if (likeness < _TWIN).all() and shown.get(leader, 0) < _SHOWN:
            shown[leader] = shown.get(leader, 0) + 1
            lsh.insert(row, minhash, check_duplication=False)
    first_of: dict[str, int] = {}
    for row, name in enumerate(related or ()):
        if name:
            groups.join(first_of.setdefault(name, row), row)
    return groups.all()


class _Groups:
    """Union-find; the leader of a group is its smallest number."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def leader(self, one: int) -> int:
        while self._parent[one] != one:
            self._parent[one] = self._parent[self._parent[one]]
            one = self._parent[one]
        return one

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.leader(one), self.leader(other)))
        self._parent[high] = low

    def all(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for one in range(len(self._parent)):
            found.setdefault(self.leader(one), []).append(one)
        return list(found.values())


def _short(band: bytes) -> bytes:
    return blake2b(band, digest_size=8).digest()
