"""A LoRA adapter laid over the loaded model, in the host process. llama.cpp adds it to each layer; nothing is merged.

A file that does not fit is refused, as far as llama.cpp notices; one that crashes llama.cpp ends this process only.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import llama_cpp

from studio.errors import PlayError


class LoadedLora:
    """One adapter in memory. It must be freed before its model, or left to be freed with it."""

    def __init__(self, model: llama_cpp.llama_model_p, path: Path) -> None:
        """Load `path`, a GGUF of the type adapter.

        Raises:
            PlayError: it cannot be read, or it changes layers that the model does not have.
        """
        self._path = path
        self._handle = llama_cpp.llama_adapter_lora_init(model, os.fsencode(path))
        if not self._handle:
            raise PlayError(
                "llama.cpp cannot lay this adapter over the model.",
                why="It is damaged, not a LoRA in GGUF form, or made for a base model with other layers.",
                next_step="Choose the base model that it was trained on, or make the file again.",
                where=path.name,
            )

    def lay_over(self, context: llama_cpp.llama_context_p) -> None:
        """Let `context` compute with the adapter, at full strength. Its KV cache must be empty. Raises `PlayError`."""
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(self._handle)
        if llama_cpp.llama_set_adapters_lora(context, adapters, 1, (ctypes.c_float * 1)(1.0)):
            raise PlayError("llama.cpp refuses this adapter.", next_step="Make the file again.", where=self._path.name)

    def free(self) -> None:
        """Give its memory back; no context may use it any more."""
        llama_cpp.llama_adapter_lora_free(self._handle)


def take_off(context: llama_cpp.llama_context_p) -> None:
    """Let `context` compute with the model alone."""
    llama_cpp.llama_set_adapters_lora(context, None, 0, None)
