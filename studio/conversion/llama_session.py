"""A GGUF file loaded by llama.cpp for measuring: token ids in, float32 logits out. For worker processes only.

Weights stay as they are in the file; everything that llama.cpp may round besides (KV cache, flash attention) is set to
its exact form, so that what differs from a reference is the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.errors import ConversionError


class LlamaSession:
    """One model and one context, with a LoRA GGUF over it if one is given. Close it, or use it as a context manager.

    Raises:
        ConversionError: llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, context: int, threads: int, adapter: Path | None = None) -> None:
        import llama_cpp

        llama_cpp.llama_log_set(_SILENT, None)
        try:
            self._llama: Any = llama_cpp.Llama(
                model_path=os.fspath(path), n_ctx=context, n_batch=context, n_ubatch=min(context, 512), logits_all=True,
                n_threads=threads, n_threads_batch=threads, n_gpu_layers=0, verbose=False, flash_attn=False,
                type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
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
