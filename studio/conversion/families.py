"""How a Hugging Face checkpoint becomes GGUF tensors: names, row order and offsets.

Facts from llama.cpp: conversion/llama.py, gemma.py and qwen.py (rows of q and k reordered for Llama, +1 on Gemma's
norms). Text models only; Gemma 3 with vision, mixtures of experts and other architectures are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.constants import MODEL_ARCH
from gguf.tensor_mapping import TensorNameMap, get_tensor_name_map

from studio.errors import ConversionError

EMBEDDING = "model.embed_tokens.weight"
OUTPUT = "lm_head.weight"
GGUF_EMBEDDING = "token_embd.weight"
GGUF_OUTPUT = "output.weight"
GGUF_ROPE_FACTORS = "rope_freqs.weight"


@dataclass(frozen=True)
class Architecture:
    """What sets one architecture apart.

    Attributes:
        gguf: its number in the `gguf` library.
        permutes_rotary: rows of q and k are stored in another order than in the checkpoint.
        norm_offset: added to every norm weight.
        trims_vocabulary: the checkpoint may have more embedding rows than the tokenizer has tokens.
    """

    gguf: MODEL_ARCH
    permutes_rotary: bool = False
    norm_offset: float = 0.0
    trims_vocabulary: bool = False


ARCHITECTURES = {
    "LlamaForCausalLM": Architecture(MODEL_ARCH.LLAMA, permutes_rotary=True),
    "Gemma3ForCausalLM": Architecture(MODEL_ARCH.GEMMA3, norm_offset=1.0, trims_vocabulary=True),
    "Qwen2ForCausalLM": Architecture(MODEL_ARCH.QWEN2),
    "Qwen3ForCausalLM": Architecture(MODEL_ARCH.QWEN3),
}


@dataclass(frozen=True)
class Checkpoint:
    """config.json of a base model, as far as conversion needs it."""

    architecture: Architecture
    config: dict[str, Any]

    @property
    def layers(self) -> int:
        """Number of transformer blocks."""
        return int(self.config["num_hidden_layers"])

    @property
    def heads(self) -> int:
        """Attention heads of the queries."""
        return int(self.config["num_attention_heads"])

    @property
    def kv_heads(self) -> int:
        """Attention heads of keys and values; fewer than `heads` with grouped-query attention."""
        return int(self.config.get("num_key_value_heads") or self.heads)

    @property
    def head_dim(self) -> int:
        """Rows of one attention head."""
        return int(self.config.get("head_dim") or int(self.config["hidden_size"]) // self.heads)

    @property
    def tied(self) -> bool:
        """Whether the output layer is the token embedding."""
        return bool(self.config.get("tie_word_embeddings", False))

    @property
    def rope(self) -> dict[str, Any]:
        """Parameters of the rotary embedding of full attention, in the form of transformers 5."""
        parameters = self.config.get("rope_parameters") or self.config.get("rope_scaling") or {}
        parameters = parameters.get("full_attention", parameters)
        return {"rope_theta": self.config.get("rope_theta", 10000.0), "rope_type": "default", **parameters}

    @cached_property
    def _names(self) -> TensorNameMap:
        return get_tensor_name_map(self.architecture.gguf, self.layers)

    def gguf_name(self, name: str) -> str:
        """The name that llama.cpp gives a tensor of the checkpoint. Raises `ConversionError`."""
        found = self._names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ConversionError(
                f"The base model has a tensor that cannot be converted: {name[:120]}.",
                next_step="Use a text model of Llama, SmolLM2, Gemma 3, Qwen2.5 or Qwen3.",
            )
        return str(found)

    def rotary_heads(self, name: str) -> int:
        """Into how many heads the rows of `name` are reordered; 0 when they keep their order."""
        if not self.architecture.permutes_rotary:
            return 0
        module = name.rsplit(".", 2)[-2] if name.count(".") > 1 else ""
        return {"q_proj": self.heads, "k_proj": self.kv_heads}.get(module, 0)

    def offset(self, name: str) -> float:
        """What is added to the weights of `name`."""
        return self.architecture.norm_offset if name.endswith("norm.weight") else 0.0


def read_checkpoint(folder: Path) -> Checkpoint:
    """What config.json says about the model in `folder`.

    Raises:
        ConversionError: it cannot be read, or the architecture is not supported.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        name = str((config.get("architectures") or [""])[0])
        checkpoint = Checkpoint(ARCHITECTURES[name], config)
        sizes = (checkpoint.layers, checkpoint.heads, checkpoint.kv_heads, checkpoint.head_dim)
    except KeyError as error:
        raise ConversionError(
            f"Models of the architecture {error.args[0]!r} cannot be converted.",
            next_step=f"Use one of {', '.join(ARCHITECTURES)}.",
            where="config.json",
        ) from error
    except (OSError, ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ConversionError("The model's config.json cannot be used.", why=str(error), where=str(path)) from error
    if min(sizes) < 1:
        raise ConversionError("The model's config.json has sizes below one.", where=str(path))
    return checkpoint


def permute_rotary(block: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows of `heads` whole heads, from the checkpoint's half-split rotary order to llama.cpp's interleaved one.

    Args:
        block: `[heads * head_dim, ...]`. Source: `LlamaModel.permute` in llama.cpp's conversion/llama.py.
    """
    halves = block.reshape(heads, 2, block.shape[0] // heads // 2, *block.shape[1:])
    return halves.swapaxes(1, 2).reshape(block.shape)
