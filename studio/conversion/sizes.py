"""How large a GGUF file of a type will be, from the tensors' shapes alone and before anything is made."""

from __future__ import annotations

from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind
from pydantic import BaseModel

from studio.conversion.gguf_header import DEFAULT_ALIGNMENT, GGUFHeader, TensorInfo, aligned, read_header
from studio.conversion.quantization_types import (
    TYPES,
    QuantizationType,
    needs_imatrix,
    quantization_type,
    tensor_kinds,
)

_ADDED_BY_QUANTIZING = ("general.file_type", "general.quantization_version")


class SizeEstimate(BaseModel):
    """A type and what a model would be in it.

    Attributes:
        size: bytes of the whole file.
        bits_per_weight: bits of tensor data per weight, all tensors together.
        needs_imatrix: llama.cpp refuses to make it without an importance matrix.
        tensor_types: how many tensors get which type.
    """

    type: str
    size: int
    bits_per_weight: float
    needs_imatrix: bool
    tensor_types: dict[str, int]


def estimate_size(gguf: Path | GGUFHeader, type_name: str) -> SizeEstimate:
    """The exact size of `gguf` (float16 or the like) quantized to `type_name`.

    Raises:
        ConversionError: the file cannot be read, or there is no such type.
    """
    header = gguf if isinstance(gguf, GGUFHeader) else read_header(gguf)
    return _estimate(header, quantization_type(type_name))


def estimate_sizes(gguf: Path | GGUFHeader) -> list[SizeEstimate]:
    """The same for every type, largest first. Raises `ConversionError`."""
    header = gguf if isinstance(gguf, GGUFHeader) else read_header(gguf)
    return sorted((_estimate(header, kind) for kind in TYPES.values()), key=lambda estimate: -estimate.size)


def _estimate(header: GGUFHeader, chosen: QuantizationType) -> SizeEstimate:
    kinds = tensor_kinds(header, chosen)
    sizes = {tensor.name: _data_bytes(tensor, kinds[tensor.name]) for tensor in header.tensors}
    added = sum(8 + len(key) + 4 + 4 for key in _ADDED_BY_QUANTIZING if key not in header.entries)
    total = aligned(header.header_size + added, DEFAULT_ALIGNMENT)
    total += sum(aligned(size, DEFAULT_ALIGNMENT) for size in sizes.values())
    weights = sum(tensor.elements for tensor in header.tensors)
    counts: dict[str, int] = {}
    for kind in kinds.values():
        counts[kind.name] = counts.get(kind.name, 0) + 1
    return SizeEstimate(
        type=chosen.name,
        size=total,
        bits_per_weight=8 * sum(sizes.values()) / max(weights, 1),
        needs_imatrix=needs_imatrix(kinds, chosen),
        tensor_types=dict(sorted(counts.items(), key=lambda pair: -pair[1])),
    )


def _data_bytes(tensor: TensorInfo, kind: Kind) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return int(tensor.elements // block * block_bytes)
