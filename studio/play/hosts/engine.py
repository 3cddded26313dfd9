"""llama.cpp in the host process: load a GGUF, reuse what the KV cache holds, sample token after token.

Uses llama.cpp's C interface through llama_cpp, without its `Llama` class, which keeps a logits buffer of batch times
vocabulary and offers no way to park one conversation's KV cache while another is served. Not thread-safe: one thread
owns an engine. A file that crashes llama.cpp ends this process; that is why it is a process of its own.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp

from studio.errors import PlayError
from studio.play.hosts.branches import BranchContext
from studio.play.hosts.kv_cache import SequenceCache
from studio.play.hosts.lora import LoadedLora, take_off
from studio.play.hosts.protocol import Sampling
from studio.play.hosts.samplers import Samplers

BATCH_TOKENS = 256
"""Tokens per prefill call: small enough that a cancel is heard within a second on a slow machine."""
_LOG_CALLBACK = llama_cpp.llama_log_callback(lambda level, text, data: _log(level, text))
_WARNING = 3


def _log(level: int, text: bytes) -> None:
    if level >= _WARNING:
        os.write(2, text)


class Engine:
    """One loaded GGUF with one context window, and the LoRA adapter that is laid over it, if any."""

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int,
        threads: int,
        parked_bytes: int = 0,
        mapped: bool = True,
        flash_attention: bool = False,
    ) -> None:
        """Load `path`; the window is `context_tokens` or what the model was trained for, whichever is smaller.

        `mapped` maps the file into memory; otherwise its weights are read into memory of this process. `parked_bytes`
        is what copies of other conversations' KV caches may take. `flash_attention` leaves the choice to llama.cpp.

        Raises:
            PlayError: the file is not a GGUF that llama.cpp can run, or memory is too small for the window.
        """
        llama_cpp.llama_log_set(_LOG_CALLBACK, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        if not mapped:
            parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise PlayError(
                "llama.cpp cannot load this file.",
                why="It is damaged, not a GGUF, or of an architecture that this version does not know.",
                next_step="Inspect the file, or convert it again.",
                where=path.name,
            )
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._samplers = Samplers(self._vocab, self.piece)
        self.trained_context_tokens: int = llama_cpp.llama_model_n_ctx_train(self._model)
        self.threads = threads
        self._flash_attention = flash_attention
        self._adapter: LoadedLora | None = None
        self._context = self._new_context(min(context_tokens, self.trained_context_tokens), path)
        self.context_tokens: int = llama_cpp.llama_n_ctx(self._context)
        self.cache = SequenceCache(self._context, parked_bytes=parked_bytes)

    def _new_context(self, context_tokens: int, path: Path) -> llama_cpp.llama_context_p:
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = context_tokens
        parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
        parameters.n_threads = parameters.n_threads_batch = self.threads
        if not self._flash_attention:
            parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.no_perf = True
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise PlayError(
                f"There is not enough memory for a context window of {context_tokens} tokens.",
                next_step="Choose a smaller window or close other models.",
                where=path.name,
            )
        return context

    def lay_adapter(self, context: llama_cpp.llama_context_p) -> None:
        """Let a context of this model compute with the adapter, if there is one. Raises `PlayError`."""
        if self._adapter:
            self._adapter.lay_over(context)

    def use_adapter(self, path: Path | None) -> None:
        """Lay an adapter over the model in place of the one before; None plays the model alone.

        The model stays loaded, and every KV cache is forgotten.

        Raises:
            PlayError: it does not fit; the one before stays.
        """
        new, old = LoadedLora(self._model, path) if path else None, self._adapter
        take_off(self._context)
        self._adapter = new
        self.lay_adapter(self._context)
        self.cache.forget_all()
        if old:
            old.free()

    @property
    def forkable(self) -> bool:
        """Whether conversations can share the beginning of a KV cache; a recurrent model has none to share."""
        return not (llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(self._model))

    def branch_context(self, *, cells: int, branches: int) -> BranchContext:
        """A context of its own for many replies at once, the adapter laid over it; close it. Raises `PlayError`."""
        context = BranchContext(
            self._model, cells=cells, branches=branches, threads=self.threads, forkable=self.forkable
        )
        self.lay_adapter(context.handle)
        return context

    def check_length(self, tokens: int) -> None:
        """Raises `PlayError` where a prompt of so many tokens is empty or leaves no room for a reply."""
        if not tokens:
            raise PlayError("There is nothing to continue: the prompt is empty.", next_step="Send a message.")
        if tokens >= self.context_tokens:
            raise PlayError(
                f"The conversation has {tokens} tokens and the context window holds {self.context_tokens}.",
                next_step="Shorten the system text or the message, or load the model with a larger window.",
            )

    def metadata(self) -> dict[str, str]:
        """The GGUF's key-value pairs as strings; arrays are shortened by llama.cpp."""
        count = llama_cpp.llama_model_meta_count(self._model)
        pairs = ((self._meta("key", index), self._meta("val_str", index)) for index in range(count))
        return dict(pairs)

    def _meta(self, part: str, index: int) -> str:
        read = getattr(llama_cpp, f"llama_model_meta_{part}_by_index")
        size = read(self._model, index, None, 0) + 1
        buffer = ctypes.create_string_buffer(max(size, 1))
        read(self._model, index, buffer, len(buffer))
        return buffer.value.decode("utf-8", errors="replace")

    @property
    def bos_text(self) -> str:
        """The text of the BOS token; empty where the vocabulary has none."""
        token = llama_cpp.llama_vocab_bos(self._vocab)
        return "" if token < 0 else self.piece(token, special=True).decode("utf-8", errors="replace")

    @property
    def adds_bos(self) -> bool:
        """Whether the vocabulary asks for a BOS before every text."""
        return bool(llama_cpp.llama_vocab_get_add_bos(self._vocab))

    def control_tokens(self) -> tuple[str, ...]:
        """The texts of all control tokens of the vocabulary, longest first."""
        size = llama_cpp.llama_vocab_n_tokens(self._vocab)
        control = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        found = (one for one in range(size) if llama_cpp.llama_vocab_get_attr(self._vocab, one) & control)
        texts = (llama_cpp.llama_vocab_get_text(self._vocab, one).decode("utf-8", errors="replace") for one in found)
        return tuple(sorted(texts, key=len, reverse=True))

    def tokenize(self, text: str) -> list[int]:
        """Token ids with control tokens recognised; BOS is added if the vocabulary wants one and `text` has none."""
        add_bos = self.adds_bos and not (self.bos_text and text.startswith(self.bos_text))
        raw = text.encode("utf-8", errors="replace")
        size = len(raw) + 8
        buffer = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self._vocab, raw, len(raw), buffer, size, add_bos, True)
        return list(buffer[:count])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of one token; control tokens are empty unless `special`."""
        buffer = ctypes.create_string_buffer(256)
        size = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[: max(0, size)]

    def ends_turn(self, token: int) -> bool:
        """Whether the model ends its turn with this token."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def read(self, tokens: Sequence[int], *, fresh: bool) -> Iterator[int]:
        """Bring `tokens` into the KV cache part by part, evaluating only what is not there.

        At least the last token is evaluated, because sampling needs its logits.

        Yields:
            How many of the tokens are in the cache: first those that were there, then after each part.
        """
        reused = self.cache.select(tokens[:-1], fresh=fresh)
        yield reused
        for start in range(reused, len(tokens), BATCH_TOKENS):
            self._decode(tokens[start : start + BATCH_TOKENS])
            yield min(start + BATCH_TOKENS, len(tokens))

    def generate(self, sampling: Sampling, grammar: str = "", grammar_from: str = "") -> Iterator[int]:
        """Sampled tokens without end, the end-of-turn token included; stops by itself when the window is full.

        Between two tokens another conversation may be live, as long as this one is live again for the next.

        Args:
            grammar: GBNF; empty for free text.
            grammar_from: the text from which on the grammar holds; empty: from the first token.

        Raises:
            PlayError: `grammar` is not GBNF.
        """
        chain = self._samplers.chain(sampling, grammar, grammar_from)
        try:
            while True:
                token = llama_cpp.llama_sampler_sample(chain, self._context, -1)
                yield token
                if len(self.cache.tokens) >= self.context_tokens:
                    return
                self._decode([token])
        finally:
            llama_cpp.llama_sampler_free(chain)

    def _decode(self, tokens: Sequence[int]) -> None:
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        status = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            self.cache.clear()
            raise PlayError(
                "llama.cpp could not evaluate the conversation.",
                why=f"llama_decode returned {status}.",
                next_step="Send the message again; the conversation is read afresh.",
            )
        self.cache.tokens.extend(tokens)
