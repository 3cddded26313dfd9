"""The metadata that llama.cpp needs to run a model, from config.json, for bases that came without a GGUF of their own.

Facts from llama.cpp: conversion/base.py `set_gguf_parameters`, and llama.py, gemma.py, qwen.py. Rotary embeddings other
than the plain and Llama 3's one are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.constants import MODEL_ARCH, MODEL_ARCH_NAMES

from studio.conversion.families import Checkpoint
from studio.conversion.formats.gguf_header import Scalar
from studio.errors import ConversionError


def hyperparameters(checkpoint: Checkpoint, name: str) -> dict[str, Scalar]:
    """`general.*` and the architecture's own keys.

    Raises:
        ConversionError: the model does something that llama.cpp would not do.
    """
    architecture = MODEL_ARCH_NAMES[checkpoint.architecture.gguf]
    try:
        own = _common(checkpoint) | _EXTRAS[checkpoint.architecture.gguf](checkpoint)
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionError("A setting in config.json is missing or no number.", why=repr(error)) from error
    general: dict[str, Scalar] = {"general.architecture": architecture, "general.type": "model", "general.name": name}
    return general | {f"{architecture}.{key}": value for key, value in own.items()}


def rope_factors(checkpoint: Checkpoint) -> npt.NDArray[np.float32] | None:
    """The divisors of Llama 3's stretched rotary frequencies, `[head_dim / 2]`; None for the plain rotary embedding.

    Source: `generate_extra_tensors` in llama.cpp's conversion/llama.py.

    Raises:
        ConversionError: the rotary embedding is of another kind.
    """
    rope = checkpoint.rope
    if rope["rope_type"] == "default":
        return None
    if rope["rope_type"] != "llama3" or checkpoint.architecture.gguf != MODEL_ARCH.LLAMA:
        raise ConversionError(f"A rotary embedding of the type {rope['rope_type']!r} cannot be converted.")
    frequencies = rope["rope_theta"] ** -(np.arange(0, checkpoint.head_dim, 2, dtype=np.float64) / checkpoint.head_dim)
    waves = 2 * math.pi / frequencies
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((original / waves - low) / (high - low), 0.0, 1.0)
    factors: npt.NDArray[np.float32] = (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)
    return factors


def _common(checkpoint: Checkpoint) -> dict[str, Scalar]:
    config = checkpoint.config
    return {
        "block_count": checkpoint.layers,
        "context_length": int(config["max_position_embeddings"]),
        "embedding_length": int(config["hidden_size"]),
        "feed_forward_length": int(config["intermediate_size"]),
        "attention.head_count": checkpoint.heads,
        "attention.head_count_kv": checkpoint.kv_heads,
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(checkpoint.rope["rope_theta"]),
    }


def _llama(checkpoint: Checkpoint) -> dict[str, Scalar]:
    own = {"vocab_size": int(checkpoint.config["vocab_size"]), "rope.dimension_count": checkpoint.head_dim}
    return {**own, **_key_length(checkpoint)}


def _gemma3(checkpoint: Checkpoint) -> dict[str, Scalar]:
    config = checkpoint.config
    layers = config.get("layer_types") or []
    every_sixth = ["full_attention" if number % 6 == 5 else "sliding_attention" for number in range(checkpoint.layers)]
    if layers != every_sixth or float(config.get("query_pre_attn_scalar", checkpoint.head_dim)) != checkpoint.head_dim:
        raise ConversionError(
            "This Gemma 3 attends in a way that llama.cpp does not have.",
            why="Its layer pattern or its query scale is not that of the small Gemma 3 models.",
        )
    own: dict[str, Scalar] = {"attention.sliding_window": int(config["sliding_window"]), **_key_length(checkpoint)}
    if cap := config.get("final_logit_softcapping"):
        own["final_logit_softcapping"] = float(cap)
    return own


def _key_length(checkpoint: Checkpoint) -> dict[str, Scalar]:
    return {"attention.key_length": checkpoint.head_dim, "attention.value_length": checkpoint.head_dim}


def _plain(_checkpoint: Checkpoint) -> dict[str, Scalar]:
    return {}


_EXTRAS: dict[Any, Callable[[Checkpoint], dict[str, Scalar]]] = {
    MODEL_ARCH.LLAMA: _llama,
    MODEL_ARCH.GEMMA3: _gemma3,
    MODEL_ARCH.QWEN2: _plain,
    MODEL_ARCH.QWEN3: _key_length,
}
