"""The Cactus checks of a file's structure: version, tensors, architecture, hyperparameters, size, the newer format.

Architectures are those of which the names stand in the 0.2.11 binary and that the studio or its users convert to;
tensor types are those of the llama.cpp that 0.2.11 is a fork of (mid-2025).
"""

from __future__ import annotations

import re
from itertools import pairwise

from studio.conversion.formats.gguf_header import GGUFHeader, TensorInfo, type_names
from studio.validation.cactus_row import CactusCheck, fail, good, warn

OLD, NEW = "0.2.11", "2.2.2"
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3", "granite", "olmo2")
_TYPES = re.compile(r"F32|F16|BF16|Q[45]_[01]|Q8_0|Q[2-6]_K|IQ[1-4]_\w+|TQ[12]_0")
REQUIRED = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
)
ASSUMED = {"attention.head_count_kv": "as many as heads", "rope.freq_base": "10000"}
"""Keys that the engine replaces in silence when they are missing, and by what."""
LARGEST_RECOMMENDED = 1_500_000_000
"""Bytes: about Qwen3-1.7B at Q6_K, the largest of the models that Cactus recommends for phones."""
NEW_CONTEXT = 2048
NEW_WIDTH = 128


def check_version(header: GGUFHeader) -> CactusCheck:
    """GGUF version 3."""
    if header.version == 3:
        return good("file", OLD, "A GGUF file of version 3.")
    return warn("file", OLD, f"A GGUF file of version {header.version}; only version 3 was tried.")


def check_tensor_bounds(header: GGUFHeader) -> CactusCheck:
    """Every tensor lies inside the file, aligned, and none over another."""
    if not header.tensors:
        return fail("tensors", OLD, "The file holds no tensors, so there is nothing to run.")
    places = sorted((one.offset, one.offset + (one.size or 0), one.name) for one in header.tensors)
    room = header.file_size - header.data_offset
    outside = [name for _, end, name in places if end > room]
    crooked = [name for start, _, name in places if start % header.alignment]
    overlapping = [after[2] for before, after in pairwise(places) if after[0] < before[1]]
    if outside:
        return fail("tensors", OLD, f"The file is cut off: {_some(outside)} would lie beyond its end.")
    if crooked or overlapping:
        return fail("tensors", OLD, f"The places of {_some(crooked or overlapping)} contradict the file's own layout.")
    return good("tensors", OLD, f"All {len(places)} tensors lie inside the file.")


def check_architecture(header: GGUFHeader) -> CactusCheck:
    """An architecture that the engine knows."""
    name = header.architecture
    if name in ARCHITECTURES:
        return good("architecture", OLD, f"The engine knows the architecture {name}.")
    said = f"The architecture {name[:40]!r} is" if name else "The file names no architecture, which is"
    return fail("architecture", OLD, f"{said} none that the engine can run; it runs {', '.join(ARCHITECTURES)}.")


def check_tensor_types(header: GGUFHeader) -> CactusCheck:
    """Tensor types that the engine can compute with."""
    names = type_names(header.tensors)
    unknown = [name for name in names if not _TYPES.fullmatch(name)]
    if unknown:
        return fail("tensor types", OLD, f"The engine cannot compute with {', '.join(unknown)}; quantize it anew.")
    return good("tensor types", OLD, ", ".join(f"{count} of {name}" for name, count in names.items()) + ".")


def check_hyperparameters(header: GGUFHeader) -> CactusCheck:
    """The numbers without which the engine refuses the file or guesses."""
    missing = [name for name in REQUIRED if f"{header.architecture}.{name}" not in header.entries]
    guessed = [name for name in ASSUMED if f"{header.architecture}.{name}" not in header.entries]
    if missing:
        return fail("hyperparameters", OLD, f"The file does not say {', '.join(missing)}.")
    if guessed:
        guesses = ", ".join(f"{name} ({ASSUMED[name]})" for name in guessed)
        return warn("hyperparameters", OLD, f"The file leaves to the engine's guess: {guesses}.")
    return good("hyperparameters", OLD, "All that the engine asks for is there.")


def check_context(header: GGUFHeader) -> CactusCheck:
    """How long a conversation the app may ask for."""
    trained = header.hyperparameter("context_length")
    if not trained:
        return fail("context", OLD, "The file does not say how long a conversation it was trained for.")
    return good("context", OLD, f"The app may ask for a window (n_ctx) of up to {trained} tokens.")


def check_size(header: GGUFHeader) -> CactusCheck:
    """Near the sizes that Cactus recommends."""
    text = f"{header.file_size / 1e6:.0f} MB"
    if header.file_size <= LARGEST_RECOMMENDED:
        return good("size", "any", f"{text}: within the sizes that Cactus recommends for phones.")
    return warn("size", "any", f"{text}: larger than the models that Cactus recommends for phones (about 1500 MB).")


def check_newer_engine(header: GGUFHeader) -> CactusCheck:
    """Version 2 reads no GGUF at all."""
    trouble = " Its conversion of Gemma 3 failed when it was tried." if header.architecture == "gemma3" else ""
    return warn(
        "format", NEW, f"This engine reads no GGUF: give it the merged checkpoint, or base and adapter.{trouble}"
    )


def check_newer_context(header: GGUFHeader) -> CactusCheck:
    """The generic cache of version 2 holds 2048 tokens."""
    trained = header.hyperparameter("context_length") or 0
    if trained <= NEW_CONTEXT:
        return good("cache", NEW, f"The model's {trained} tokens fit the engine's cache of {NEW_CONTEXT}.")
    return warn("cache", NEW, f"Of the model's {trained} tokens the engine's generic cache holds {NEW_CONTEXT}.")


def check_widths(header: GGUFHeader) -> CactusCheck:
    """Version 2 quantizes only matrices whose width is a multiple of 128."""
    matrices = [one for one in header.tensors if one.name.startswith("blk.") and len(one.shape) > 1]
    left = [one for one in matrices if one.shape[0] % NEW_WIDTH]
    if not left:
        return good("widths", NEW, f"The width of every matrix is a multiple of {NEW_WIDTH}.")
    share = _weights(left) / max(1, _weights(matrices))
    return warn(
        "widths", NEW, f"{len(left)} of {len(matrices)} matrices ({share:.0%} of the layers) stay at 16 bits there: "
        f"their width is no multiple of {NEW_WIDTH}.",
    )  # fmt: skip


def _weights(tensors: list[TensorInfo]) -> int:
    return sum(one.elements for one in tensors)


def _some(names: list[str]) -> str:
    shown = ", ".join(name[:64] for name in names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"
