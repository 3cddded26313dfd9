"""A random Llama of about a million weights as a float16 GGUF file, of which every quantization is quick."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType as Kind
from gguf.constants import GGUFValueType

from studio.conversion.formats.gguf_stream import TensorSource, TypedValue, write_gguf

VOCABULARY = 128


def write_tiny_gguf(
    path: Path, *, width: int = 256, hidden: int = 512, layers: int = 2, kv_heads: int = 2, tied: bool = False
) -> Path:
    """Write the model; rows are multiples of 256 wide by default, so that every type is made as its name says."""
    heads = 8
    kv_width = width // heads * kv_heads
    shapes = {"token_embd.weight": (width, VOCABULARY), "output_norm.weight": (width,)}
    if not tied:
        shapes["output.weight"] = (width, VOCABULARY)
    for layer in range(layers):
        shapes |= {
            f"blk.{layer}.attn_norm.weight": (width,),
            f"blk.{layer}.ffn_norm.weight": (width,),
            f"blk.{layer}.attn_q.weight": (width, width),
            f"blk.{layer}.attn_k.weight": (width, kv_width),
            f"blk.{layer}.attn_v.weight": (width, kv_width),
            f"blk.{layer}.attn_output.weight": (width, width),
            f"blk.{layer}.ffn_gate.weight": (width, hidden),
            f"blk.{layer}.ffn_up.weight": (width, hidden),
            f"blk.{layer}.ffn_down.weight": (hidden, width),
        }
    random = np.random.default_rng(5)
    metadata = {
        "general.architecture": "llama",
        "llama.context_length": 2048,
        "llama.embedding_length": width,
        "llama.block_count": layers,
        "llama.feed_forward_length": hidden,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads,
        "llama.rope.dimension_count": width // heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        **_vocabulary(),
    }
    write_gguf(path, metadata, [_tensor(name, shape, random) for name, shape in shapes.items()])
    return path


def _vocabulary() -> dict[str, TypedValue]:
    tokens = ["<unk>", "<s>", "</s>", *(f"t{number}" for number in range(3, VOCABULARY))]
    kinds = [2, 3, 3, *[1] * (VOCABULARY - 3)]
    return {
        "tokenizer.ggml.tokens": TypedValue(GGUFValueType.ARRAY, tokens, GGUFValueType.STRING),
        "tokenizer.ggml.scores": TypedValue(GGUFValueType.ARRAY, [0.0] * VOCABULARY, GGUFValueType.FLOAT32),
        "tokenizer.ggml.token_type": TypedValue(GGUFValueType.ARRAY, kinds, GGUFValueType.INT32),
    }


def _tensor(name: str, shape: tuple[int, ...], random: np.random.Generator) -> TensorSource:
    norm = len(shape) == 1
    values = random.normal(1.0 if norm else 0.0, 0.1, shape[::-1]).astype(np.float32 if norm else np.float16)
    kind = Kind.F32 if norm else Kind.F16
    return TensorSource(name, shape, int(kind), values.nbytes, partial(iter, (values,)))
