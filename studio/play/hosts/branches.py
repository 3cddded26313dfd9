"""One conversation and many branches of it in one KV cache of llama.cpp, in the host process.

Sequence 0 is the conversation; a branch is a further sequence that shares the cells of the conversation's beginning and
owns only what is written on it. All branches are evaluated together, one token of each per call: the weights are then
read once for all of them. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import llama_cpp
import numpy as np

from studio.errors import PlayError
from studio.play.hosts.branch_plan import READ_TOKENS
from studio.play.hosts.kv_cache import common_prefix
from studio.play.hosts.logits import Logits, likeliest


class BranchContext:
    """A llama.cpp context of its own for one request. Use it as a context manager: leaving it frees the memory."""

    def __init__(
        self, model: llama_cpp.llama_model_p, *, cells: int, branches: int, threads: int, forkable: bool
    ) -> None:
        """Room for `cells` tokens in all, and for `branches` sequences besides the conversation.

        Where it is not `forkable`, the cache can be neither cut nor shared, and `fork` must not be called.

        Raises:
            PlayError: there is not enough memory.
        """
        self.forkable = forkable
        self.tokens: list[int] = []
        self._vocabulary: int = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self.handle = _new_context(model, cells, branches + 1, threads)
        self._memory = llama_cpp.llama_get_memory(self.handle)
        self._batch = llama_cpp.llama_batch_init(max(READ_TOKENS, branches), 0, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self.handle)

    def cut(self, wanted: Sequence[int], most: int) -> int:
        """Cut the conversation to what it shares with `wanted`, at most `most` tokens; returns how many are left.

        Branches keep their own beginnings. A cache that cannot be cut is emptied.
        """
        keep = min(common_prefix(self.tokens, wanted), most)
        if not self.forkable or not llama_cpp.llama_memory_seq_rm(self._memory, 0, keep, -1):
            llama_cpp.llama_memory_clear(self._memory, True)
            keep = 0
        del self.tokens[keep:]
        return keep

    def read(self, ids: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[list[int], Logits]]:
        """Append to the conversation what `ids` has beyond it, part by part.

        Args:
            ids: the whole conversation; it begins with `tokens`.
            wanted: positions, ascending, after which the next token's logits are needed.

        Yields:
            Positions of the part that are wanted, and their logits, `[positions, vocabulary]`, valid until the next.
        """
        asked = set(wanted)
        for start in range(len(self.tokens), len(ids), READ_TOKENS):
            places = range(start, min(start + READ_TOKENS, len(ids)))
            found = [place for place in places if place in asked]
            self._evaluate([(0, place, ids[place], place in asked) for place in places])
            self.tokens += ids[places.start : places.stop]
            yield found, self._logits(len(found))

    def fork(self, branch: int, length: int) -> None:
        """Let sequence `branch` begin with the first `length` tokens of the conversation; nothing is copied."""
        llama_cpp.llama_memory_seq_cp(self._memory, 0, branch, 0, length)

    def step(self, tokens: Sequence[tuple[int, int, int]]) -> list[int]:
        """Evaluate one token of each branch, as `(branch, position, token)`; returns the likeliest next tokens."""
        self._evaluate([(*one, True) for one in tokens])
        return likeliest(self._logits(len(tokens)))

    def drop(self, branch: int) -> None:
        """Forget a branch and free the cells that are only its own."""
        llama_cpp.llama_memory_seq_rm(self._memory, branch, -1, -1)

    def _evaluate(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Rows of sequence, position, token, and whether its logits are wanted."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for index, (sequence, position, token, wanted) in enumerate(rows):
            batch.token[index], batch.pos[index] = token, position
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
            batch.logits[index] = wanted
        status = llama_cpp.llama_decode(self.handle, batch)
        if status != 0:
            raise PlayError(
                "llama.cpp could not evaluate the conversations.",
                why=f"llama_decode returned {status}.",
                next_step="Try again; fewer or shorter conversations need less memory.",
            )

    def _logits(self, rows: int) -> Logits:
        if not rows:
            return np.empty((0, self._vocabulary), np.float32)
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.handle), (rows, self._vocabulary))


def _new_context(model: llama_cpp.llama_model_p, cells: int, sequences: int, threads: int) -> llama_cpp.llama_context_p:
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = cells
    parameters.n_batch = parameters.n_ubatch = max(READ_TOKENS, sequences)
    parameters.n_seq_max = sequences
    parameters.kv_unified = True  # branches share cells
    parameters.swa_full = True  # a sliding window keeps what lies before it: a branch may begin there
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.no_perf = True
    context = llama_cpp.llama_init_from_model(model, parameters)
    if not context:
        raise PlayError(
            f"There is not enough memory to go on with {sequences - 1} conversations at once.",
            next_step="Choose a smaller window or shorter replies, or close other models.",
        )
    return context
