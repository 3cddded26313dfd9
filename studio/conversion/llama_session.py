"""A GGUF file loaded by llama.cpp for measuring: token ids in, float32 logits out. For worker processes only.

Weights stay as they are in the file; everything that llama.cpp may round besides (KV cache, flash attention) is set to
its exact form, so that what differs from a reference is the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.errors import ConversionError


class LlamaSession:
    """One model and one context, with a LoRA GGUF over it if one is given. Close it, or use it as a context manager.

    Args:
        context: tokens of the window.
        part: tokens that are computed together; working memory grows with it times the vocabulary.

    Raises:
        ConversionError: llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, context: int, threads: int, adapter: Path | None = None, *, part: int = 512) -> None:
        import llama_cpp

        llama_cpp.llama_log_set(_SILENT, None)
        self._part = part
        try:
            self._llama: Any = llama_cpp.Llama(
                model_path=os.fspath(path), n_ctx=context, n_batch=context, n_ubatch=min(context, part),
                n_threads=threads, n_threads_batch=threads, n_gpu_layers=0, verbose=False, flash_attn=False,
                logits_all=True, type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
                lora_path=os.fspath(adapter) if adapter else None,
            )  # fmt: skip
        except (ValueError, RuntimeError, OSError) as error:
            raise ConversionError("llama.cpp cannot load this file.", why=str(error), where=path.name) from error

    def __enter__(self) -> LlamaSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._llama.close()

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return int(self._llama.n_vocab())

    def tokenize(self, text: str, *, add_start: bool = False) -> list[int]:
        """Token ids of a text whose control tokens are written out.

        Args:
            add_start: put the token in front with which this model starts a text, if it has one.
        """
        return list(self._llama.tokenize(text.encode("utf-8"), add_bos=add_start, special=True))

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as text."""
        return str(self._llama.detokenize(list(tokens)).decode("utf-8", "replace"))

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Next-token logits after every token, `[tokens, vocabulary]`, from an empty context."""
        self._llama.reset()
        self._llama.eval(list(tokens))
        return np.array(self._llama.scores[: len(tokens)], dtype=np.float32)

    def logits_at(
        self, tokens: Sequence[int], wanted: Sequence[int]
    ) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """Next-token logits after some positions alone, from an empty context and part by part.

        Args:
            wanted: positions in `tokens`, ascending. What comes after the last of them is not computed.

        Yields:
            Positions, and their logits `[positions, vocabulary]`, valid until the next.

        Raises:
            ConversionError: llama.cpp could not compute them.
        """
        import llama_cpp

        asked, context = set(wanted), self._llama._ctx.ctx
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        end = wanted[-1] + 1 if wanted else 0
        for start in range(0, end, self._part):
            places = range(start, min(start + self._part, end))
            found = [place for place in places if place in asked]
            self._compute([tokens[place] for place in places], start, [place in asked for place in places])
            if found:
                shape = (len(found), self.vocabulary)
                yield found, np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), shape)

    def _compute(self, tokens: Sequence[int], start: int, wanted: Sequence[bool]) -> None:
        import llama_cpp

        batch = self._llama._batch
        batch.set_batch(list(tokens), start, False)
        for index, flag in enumerate(wanted):
            batch.batch.logits[index] = flag
        if status := llama_cpp.llama_decode(self._llama._ctx.ctx, batch.batch):
            raise ConversionError(
                "llama.cpp could not compute this text.",
                why=f"llama_decode returned {status}.",
                next_step="Close other programs to free memory, then try again.",
            )

    def greedy(self, prompt: Sequence[int], count: int) -> list[int]:
        """The `count` most likely tokens in turn, each computed on its own as in play."""
        self._llama.reset()
        self._llama.eval(list(prompt))
        chosen: list[int] = []
        while len(chosen) < count:
            chosen.append(int(np.argmax(self._llama.scores[self._llama.n_tokens - 1])))
            self._llama.eval(chosen[-1:])
        return chosen


def _silent() -> Any:
    from ctypes import CFUNCTYPE, c_char_p, c_int, c_void_p

    return CFUNCTYPE(None, c_int, c_char_p, c_void_p)(lambda _level, _text, _user: None)


_SILENT = _silent()
