"""How much memory a GGUF takes to play, before it is made: its weights, the KV cache, and llama.cpp's working buffer.

All three follow from the header. The formulas are those by which llama.cpp allocates on a processor (as in
llama-cpp-python 0.3.36, f16 KV cache, with or without flash attention), and a test compares them with what it says when
it loads. Not counted: the program around llama.cpp (about 40 MB for the studio's own player), and what weights take
twice where the processor wants some types in another order. Recurrent models and mixtures of experts are not covered.
"""

from __future__ import annotations

from typing import NamedTuple

from studio.conversion.families import GGUF_EMBEDDING
from studio.conversion.formats.gguf_header import GGUFHeader, aligned
from studio.conversion.metadata import TOKENS

BATCH_TOKENS = 256
"""Tokens of a prompt that are computed together, as the studio's player does."""
_HALF, _FLOAT = 2, 4
_CELLS = 256
"""llama.cpp rounds windows up to a multiple of this."""
_GEMMA3_PERIOD = 6
"""Every sixth layer of Gemma 3 looks at everything, the others through a sliding window (models/gemma3.cpp)."""


class MemoryNeed(NamedTuple):
    """What the memory goes into, in bytes."""

    weights: int
    kv_cache: int
    compute: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.compute


def memory_needed(header: GGUFHeader, size: int, context_length: int) -> int:
    """Bytes that a model takes while it is played.

    Args:
        header: of the model in any type; its shapes and hyperparameters count, not its types.
        size: bytes of the file that would be played.
        context_length: tokens of the window; no more is ever taken than the model was trained for.
    """
    return memory_parts(header, size, context_length).total


def player_memory(header: GGUFHeader, size: int, context_length: int) -> MemoryNeed:
    """The parts for the studio's own player, which can take conversations back and computes attention as a whole."""
    return memory_parts(header, size, context_length, whole_window=True, flash_attention=False)


def memory_parts(
    header: GGUFHeader,
    size: int,
    context_length: int,
    *,
    batch_tokens: int = BATCH_TOKENS,
    whole_window: bool = False,
    flash_attention: bool = True,
) -> MemoryNeed:
    """The same, part by part.

    Args:
        whole_window: layers with a sliding window keep all tokens, as llama.cpp does when told to (`swa_full`).
        flash_attention: False where who looks at whom is computed as a whole, as in the studio's player.
    """
    cells = _cells(header, context_length)
    return MemoryNeed(
        weights=max(0, size - header.data_offset),
        kv_cache=_kv_cache(header, cells, cells if whole_window else _window_cells(header, cells, batch_tokens)),
        compute=_compute(header, cells, min(batch_tokens, cells), flash_attention),
    )


def _cells(header: GGUFHeader, context_length: int) -> int:
    trained = header.hyperparameter("context_length")
    return aligned(min(context_length, trained) if trained else context_length, _CELLS)


def _window_cells(header: GGUFHeader, cells: int, batch_tokens: int) -> int:
    """Tokens that a layer with a sliding window keeps (llama.cpp's src/llama-kv-cache-iswa.cpp)."""
    window = header.hyperparameter("attention.sliding_window")
    return aligned(min(cells, window + batch_tokens), _CELLS) if window else cells


def _kv_cache(header: GGUFHeader, cells: int, window_cells: int) -> int:
    layers = header.hyperparameter("block_count") or 0
    sliding = layers - layers // _GEMMA3_PERIOD if _slides(header) else 0
    return _HALF * _kv_width(header) * ((layers - sliding) * cells + sliding * window_cells)


def _slides(header: GGUFHeader) -> bool:
    return header.architecture == "gemma3" and bool(header.hyperparameter("attention.sliding_window"))


def _kv_width(header: GGUFHeader) -> int:
    """Numbers that a layer keeps of a token: its keys and its values."""
    heads = header.hyperparameter("attention.head_count") or 1
    kv_heads = header.hyperparameter("attention.head_count_kv") or heads
    width = (header.hyperparameter("embedding_length") or 0) // heads
    keys = header.hyperparameter("attention.key_length") or width
    values = header.hyperparameter("attention.value_length") or width
    return kv_heads * (keys + values)


def _compute(header: GGUFHeader, cells: int, batch_tokens: int, flash_attention: bool) -> int:
    """The working buffer of a batch: its largest moment, which of a small model is the scores of all words.

    llama.cpp's allocator leaves gaps that depend on the window: its buffer is up to a twentieth larger than this.
    """
    width = header.hyperparameter("embedding_length") or 0
    inner = header.hyperparameter("feed_forward_length") or 0
    words = next((one.shape[-1] for one in header.tensors if one.name == GGUF_EMBEDDING), header.count(TOKENS))
    scores = _FLOAT * (words + 2 * width)
    layer = _FLOAT * 2 * (width + inner) + _HALF * cells  # who may look at whom is held as float16
    heads = header.hyperparameter("attention.head_count") or 1
    attention = 0 if flash_attention else _FLOAT * ((heads + 1) * cells + 5 * width)
    return batch_tokens * max(scores, layer, attention)
