"""A whole model of 76 kB that llama.cpp plays, and ways to spoil it: what a fuzzed file is made from.

It has the random weights of one Llama layer, a byte-pair vocabulary of 261 tokens and the studio's chat template.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
from gguf.constants import GGUFValueType

from studio.bases import load_template
from studio.conversion.formats.gguf_stream import Metadata, TensorSource, TypedValue, write_gguf

WIDTH, HEADS, INNER = 32, 2, 64
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["t h", "th e"]
NORMAL, CONTROL_TYPE = 1, 3
FAMILY = "smollm2"


def byte_letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2's table)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


def texts(items: list[str]) -> TypedValue:
    return TypedValue(GGUFValueType.ARRAY, items, GGUFValueType.STRING)


TOKENS = [*CONTROL, *byte_letters(), *(merge.replace(" ", "") for merge in MERGES)]
TYPES = [CONTROL_TYPE] * len(CONTROL) + [NORMAL] * (len(TOKENS) - len(CONTROL))
METADATA: Metadata = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "llama.block_count": 1,
    "llama.context_length": 256,
    "llama.embedding_length": WIDTH,
    "llama.feed_forward_length": INNER,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": 1,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.dimension_count": WIDTH // HEADS,
    "llama.rope.freq_base": 10000.0,
    "llama.vocab_size": len(TOKENS),
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": texts(TOKENS),
    "tokenizer.ggml.token_type": TypedValue(GGUFValueType.ARRAY, TYPES, GGUFValueType.INT32),
    "tokenizer.ggml.merges": texts(MERGES),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.chat_template": load_template(FAMILY).source,
    "studio.base.family": FAMILY,
}
SHAPES = {
    "token_embd.weight": (WIDTH, len(TOKENS)),
    "output_norm.weight": (WIDTH,),
    "blk.0.attn_norm.weight": (WIDTH,),
    "blk.0.attn_q.weight": (WIDTH, WIDTH),
    "blk.0.attn_k.weight": (WIDTH, WIDTH // HEADS),
    "blk.0.attn_v.weight": (WIDTH, WIDTH // HEADS),
    "blk.0.attn_output.weight": (WIDTH, WIDTH),
    "blk.0.ffn_norm.weight": (WIDTH,),
    "blk.0.ffn_gate.weight": (WIDTH, INNER),
    "blk.0.ffn_up.weight": (WIDTH, INNER),
    "blk.0.ffn_down.weight": (INNER, WIDTH),
}


def write_whole(path: Path, changes: dict[str, object] | None = None) -> Path:
    """The model, with other metadata for the keys of `changes`; None leaves a key out."""
    metadata = {**METADATA, **(changes or {})}
    weights = np.random.default_rng(5)
    tensors = [_tensor(name, shape, weights) for name, shape in SHAPES.items()]
    write_gguf(path, {key: value for key, value in metadata.items() if value is not None}, tensors)  # type: ignore[misc]
    return path


def _tensor(name: str, shape: tuple[int, ...], random_numbers: np.random.Generator) -> TensorSource:
    data = random_numbers.standard_normal(shape[::-1]).astype(np.float32) / 4
    return TensorSource(name, shape, 0, 4 * prod(shape), lambda: iter([data]))


EXTREMES = (
    b"\xff" * 4, b"\xff" * 8, bytes(4), bytes(8), b"\xff\xff\xff\x7f", struct.pack("<Q", 1 << 62),
    struct.pack("<I", 99), struct.pack("<f", float("nan")), struct.pack("<I", 1 << 30),
)  # fmt: skip


def spoilt(data: bytes, header_size: int, seed: int) -> bytes:
    """The file with one to three changes that depend on the seed alone; most of them in the header."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(header_size if chance.random() < 0.85 else max(len(data), 1))
        data = chance.choice(WAYS)(data, min(at, max(len(data) - 1, 0)), chance)
    return data


def _cut(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[: at if chance.random() < 0.5 else chance.randrange(len(data) + 1)]


def _flip(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :] if data else data


def _overwrite(data: bytes, at: int, chance: random.Random) -> bytes:
    piece = chance.choice(EXTREMES)
    return data[:at] + piece + data[at + len(piece) :]


def _noise(data: bytes, at: int, chance: random.Random) -> bytes:
    piece = chance.randbytes(chance.randrange(1, 40))
    return data[:at] + piece + data[at + len(piece) :]


def _insert(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at] + chance.randbytes(chance.randrange(1, 40)) + data[at:]


def _drop(data: bytes, at: int, chance: random.Random) -> bytes:
    return data[:at] + data[at + chance.randrange(1, 200) :]


def _append(data: bytes, _at: int, chance: random.Random) -> bytes:
    return data + chance.randbytes(chance.randrange(32, 500))


def _repeat(data: bytes, at: int, chance: random.Random) -> bytes:
    """A piece of the file once more, such as an entry or a tensor's description."""
    length = chance.randrange(1, 100)
    return data[: at + length] + data[at : at + length] + data[at + length :]


def _swap(data: bytes, at: int, chance: random.Random) -> bytes:
    """Two pieces of equal length change places."""
    length = chance.randrange(1, 9)
    first, second = sorted((at, chance.randrange(len(data) + 1)))
    if first + length > second:
        return data
    left, right = slice(first, first + length), slice(second, second + length)
    return data[:first] + data[right] + data[first + length : second] + data[left] + data[second + length :]


WAYS: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (
    _cut, _flip, _flip, _overwrite, _overwrite, _noise, _insert, _drop, _append, _repeat, _swap,
)  # fmt: skip
