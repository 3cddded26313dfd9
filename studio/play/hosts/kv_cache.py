"""Which tokens the KV cache holds, and keeping one conversation's cache aside while another is served.

The context of llama.cpp holds one conversation at a time, the live one. Others are copies of its bytes in memory
(SmolLM2: about 23 KB per token): `idle` ones may be forgotten when room is needed, `held` ones belong to a reply in the
making and are kept until it goes on. A copy that comes back is the same to the bit, so a reply that was put aside says
what it would have said.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import llama_cpp

from studio.errors import PlayError

WORTH_KEEPING = 32
"""Tokens below which a beginning is not worth reusing, nor a conversation worth copying.

So a conversation that shares only its first words with another one is evaluated as if it were alone, with the same
rounding and the same reply.
"""


_Buffer = ctypes.Array[ctypes.c_uint8]


@dataclass(eq=False)
class Conversation:
    """One conversation's tokens, and a copy of its part of the KV cache unless it is the live one.

    Attributes:
        size: bytes of the copy; its buffer may be larger.
    """

    tokens: list[int]
    state: _Buffer | None = None
    size: int = 0
    held: bool = False


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return min(len(first), len(second))


class SequenceCache:
    """The live conversation (sequence 0 of the context) and copies of others, least recently used first."""

    def __init__(self, context: llama_cpp.llama_context_p, *, parked_bytes: int) -> None:
        self._context = context
        self._memory = llama_cpp.llama_get_memory(context)
        self._budget = parked_bytes
        self._kept: list[Conversation] = []
        self._live = Conversation([])
        self._spare: _Buffer | None = None

    @property
    def tokens(self) -> list[int]:
        """The tokens of the live conversation that are in the cache; whoever evaluates more appends them."""
        return self._live.tokens

    @property
    def parked_bytes(self) -> int:
        """Memory that the copies take."""
        return sum(one.size for one in self._kept)

    def clear(self) -> None:
        """Forget the live conversation."""
        llama_cpp.llama_memory_clear(self._memory, False)  # what is left there is never looked at
        self._live = Conversation([])

    def forget_all(self) -> None:
        """Forget every conversation, those kept aside too: the model is another one now."""
        self._kept, self._spare = [], None
        self.clear()

    def select(self, wanted: Sequence[int], *, fresh: bool = False) -> int:
        """Make live whichever conversation shares the longest beginning with `wanted`, cut to that beginning.

        With `fresh` nothing is reused. Returns the number of tokens that need not be evaluated again.
        """
        keep = 0 if fresh else common_prefix(self.tokens, wanted)
        best = None if fresh else max(self._kept, key=lambda one: common_prefix(one.tokens, wanted), default=None)
        if best is not None and common_prefix(best.tokens, wanted) >= keep + WORTH_KEEPING:
            self._exchange(best)
            keep = common_prefix(self.tokens, wanted)
        elif self._live.held or len(self.tokens) - keep >= WORTH_KEEPING:
            self._put_away()
        if not self._cut(keep):
            self.clear()
            return 0
        return keep

    def hold(self) -> Conversation | None:
        """Keep the live conversation for the reply that is made in it; None when there is no room to keep it.

        Nothing is copied until another conversation takes its place.
        """
        size = llama_cpp.llama_state_seq_get_size(self._context, 0)
        if sum(one.size for one in self._kept if one.held) + size > self._budget:
            return None
        self._live.held = True
        return self._live

    def take_up(self, held: Conversation) -> None:
        """Make a held conversation live again, exactly as it was. Raises `PlayError`."""
        held.held = False
        if held is not self._live:
            self._exchange(held)
        if self._live is not held:
            raise PlayError(
                "The reply could not be taken up again after another one.",
                why="llama.cpp did not take its part of the KV cache back.",
                next_step="Send the message again; the conversation is read afresh.",
            )

    def release(self, held: Conversation) -> None:
        """The reply ends here: its conversation may be forgotten when room is needed."""
        held.held = False
        self._make_room()

    def _cut(self, keep: int) -> bool:
        """Cut the live conversation to `keep` tokens; False where too few are left, or the cache cannot be cut.

        A recurrent model's cannot. One with a sliding window keeps every token here (`swa_full`, llama.cpp's default).
        """
        if keep < WORTH_KEEPING or not llama_cpp.llama_memory_seq_rm(self._memory, 0, keep, -1):
            return False
        del self.tokens[keep:]
        return True

    def _put_away(self) -> None:
        """Copy the live conversation, which stays in the context as one of nobody's."""
        leaving, self._live = self._live, Conversation(list(self._live.tokens))
        size = llama_cpp.llama_state_seq_get_size(self._context, 0)
        if not leaving.tokens or (size > self._budget and not leaving.held):
            return
        self._kept = [one for one in self._kept if one.held or not _covers(leaving, one)]
        self._make_room(size)
        leaving.state, leaving.size = self._buffer(size), size
        llama_cpp.llama_state_seq_get_data(self._context, leaving.state, size, 0)
        self._kept.append(leaving)

    def _make_room(self, size: int = 0) -> None:
        """Forget idle conversations, those not used for longest first, until `size` more bytes fit."""
        for one in [one for one in self._kept if not one.held]:
            if self.parked_bytes + size <= self._budget:
                return
            self._kept.remove(one)

    def _exchange(self, kept: Conversation) -> None:
        """Make a copy live in place of what is. A held one is kept as well: the reply that it belongs to needs it."""
        if not kept.held:
            self._kept.remove(kept)
        if self._live.held or len(self.tokens) >= WORTH_KEEPING:
            self._put_away()
        llama_cpp.llama_memory_clear(self._memory, False)
        coming = Conversation(list(kept.tokens)) if kept.held else kept
        whole = llama_cpp.llama_state_seq_set_data(self._context, kept.state, kept.size, 0)
        if coming is kept:
            self._spare = coming.state
        coming.state, coming.size, self._live = None, 0, coming
        if not whole:
            self.clear()

    def _buffer(self, size: int) -> _Buffer:
        """The buffer of the copy that came back last, if it is large enough: its memory need not be fetched again.

        A new one has room for the words that the conversation grows by in its next turns; what is not used of it takes
        addresses and no memory.
        """
        spare, self._spare = self._spare, None
        if spare is not None and size <= len(spare) <= 2 * size:
            return spare
        return (ctypes.c_uint8 * (size + size // 4))()


def _covers(one: Conversation, other: Conversation) -> bool:
    """Whether all of the other conversation is the beginning of this one."""
    return common_prefix(one.tokens, other.tokens) == len(other.tokens)
