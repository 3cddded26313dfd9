"""Which tokens the KV cache holds, and parking one conversation's cache while another is served.

A parked conversation costs as many bytes of memory as its part of the KV cache (SmolLM2: about 23 KB per token).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import llama_cpp

WORTH_PARKING = 32
"""Tokens of difference below which switching conversations is not worth copying the cache."""


@dataclass(frozen=True)
class _Parked:
    tokens: list[int]
    state: ctypes.Array[ctypes.c_uint8]


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return min(len(first), len(second))


class SequenceCache:
    """The live conversation (sequence 0 of the context) and up to `parked` others, least recently used first."""

    def __init__(self, context: llama_cpp.llama_context_p, *, parked: int) -> None:
        self._context = context
        self._memory = llama_cpp.llama_get_memory(context)
        self._limit = parked
        self._parked: list[_Parked] = []
        self.tokens: list[int] = []

    def clear(self) -> None:
        """Forget the live conversation."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self.tokens = []

    def forget_all(self) -> None:
        """Forget every conversation, parked ones too: the model is another one now."""
        self._parked = []
        self.clear()

    def select(self, wanted: Sequence[int], *, fresh: bool = False) -> int:
        """Make live whichever conversation shares the longest beginning with `wanted`, cut to that beginning.

        With `fresh` nothing is reused. Returns the number of tokens that need not be evaluated again.
        """
        keep = 0 if fresh else common_prefix(self.tokens, wanted)
        best = None if fresh else max(self._parked, key=lambda one: common_prefix(one.tokens, wanted), default=None)
        if best is not None and common_prefix(best.tokens, wanted) >= keep + WORTH_PARKING:
            self._park()
            self._restore(best)
            keep = common_prefix(self.tokens, wanted)
        elif len(self.tokens) - keep >= WORTH_PARKING:
            self._park()
        if not keep or not llama_cpp.llama_memory_seq_rm(self._memory, 0, keep, -1):
            self.clear()  # also where a cache cannot be cut, such as a recurrent model's
            return 0
        del self.tokens[keep:]
        return keep

    def _park(self) -> None:
        if not self._limit or not self.tokens:
            return
        size = llama_cpp.llama_state_seq_get_size(self._context, 0)
        state = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, state, size, 0)
        covered = [one for one in self._parked if common_prefix(one.tokens, self.tokens) == len(one.tokens)]
        others = [one for one in self._parked if one not in covered]
        self._parked = [*others, _Parked(list(self.tokens), state)][-self._limit :]

    def _restore(self, parked: _Parked) -> None:
        self._parked = [one for one in self._parked if one is not parked]
        self.clear()
        if llama_cpp.llama_state_seq_set_data(self._context, parked.state, len(parked.state), 0):
            self.tokens = list(parked.tokens)
        else:
            self.clear()
