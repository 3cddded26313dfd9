"""The words of a scenario as numbers: a MinHash signature, and hashes of its runs of words.

The signature says how alike two scenarios are (`duplicates.py`); the hashed runs say which words they share
(`leakage.py`). Both look at what is said at the table, because the system block of a campaign is the same in all its
scenarios. Numbers are the same on every machine.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from datasketch import MinHash
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

PERMUTATIONS = 64
SCHEME = "affine32"
SHINGLE_WORDS = 3
RUN_WORDS = 10
RUN_WINDOW = 7
CERTAIN_WORDS = RUN_WORDS + RUN_WINDOW - 1
"""A run of so many words that two texts share is always found (winnowing; Schleimer, Wilkerson and Aiken, 2003)."""

_WORD = re.compile(r"\w+")
_FACTOR = 0x9E3779B97F4A7C15
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_HALF = np.uint64(33)
_LOW = np.uint64(0xFFFFFFFF)

Hashes = NDArray[np.uint64]


def words_of(text: str) -> list[str]:
    """Words in the order of the text, without case and punctuation."""
    return _WORD.findall(text.casefold())


def signature(words: list[str]) -> NDArray[np.uint32]:
    """MinHash over the runs of three words, `[PERMUTATIONS]`."""
    shingles = np.unique(_run_hashes(words, min(SHINGLE_WORDS, len(words))) & _LOW)
    minhash = MinHash(PERMUTATIONS, hashfunc=int, permutations=_permutations(), scheme=SCHEME)
    minhash.update_batch(shingles.tolist())
    values: NDArray[np.uint32] = minhash.hashvalues.astype(np.uint32)
    return values


def run_prints(words: list[str]) -> Hashes:
    """Hashes of some runs of ten words, sorted: the smallest of every seven neighbours, the same ones in every text."""
    hashes = _run_hashes(words, RUN_WORDS)
    if len(hashes) > RUN_WINDOW:
        hashes = sliding_window_view(hashes, RUN_WINDOW).min(axis=1)
    return np.unique(hashes)


def _run_hashes(words: list[str], length: int) -> Hashes:
    """A polynomial hash of every run of `length` words, modulo 2^64, and mixed so that its low bits are good, too."""
    if not words or len(words) < length:
        return np.empty(0, np.uint64)
    each = np.array([_word_hash(word) for word in words], np.uint64)
    count = len(words) - length + 1
    hashes = np.zeros(count, np.uint64)
    for offset in range(length):
        hashes = hashes * np.uint64(_FACTOR) + each[offset : offset + count]
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    return hashes ^ (hashes >> _HALF)


@lru_cache(maxsize=200_000)
def _word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


@lru_cache(maxsize=1)
def _permutations() -> NDArray[np.uint64]:
    permutations: NDArray[np.uint64] = MinHash(PERMUTATIONS, scheme=SCHEME).permutations
    return permutations
