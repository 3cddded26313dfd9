"""How large a GGUF file of a type will be, from the tensors' shapes alone and before anything is made."""

from __future__ import annotations

from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind
from pydantic import BaseModel

from studio.conversion.formats.gguf_header import DEFAULT_ALIGNMENT, GGUFHeader, TensorInfo, aligned, read_header
from studio.conversion.imatrix.matrix import IMATRIX_CHUNKS, IMATRIX_ENTRIES, IMATRIX_SHA256
from studio.conversion.quantization.overrides import Overrides
from studio.conversion.quantization.types import (
    TYPES,
    QuantizationType,
    needs_imatrix,
    quantization_type,
    tensor_kinds,
    uses_imatrix,
)

# Keys that llama.cpp writes into the file, and the bytes of their values.
_ADDED_BY_QUANTIZING = {"general.file_type": 4, "general.quantization_version": 4}
_ADDED_WITH_IMATRIX = {IMATRIX_SHA256: 8 + 64, IMATRIX_ENTRIES: 4, IMATRIX_CHUNKS: 4}


class SizeEstimate(BaseModel):
    """A type and what a model would be in it.

    Attributes:
        size: bytes of the whole file.
        bits_per_weight: bits of tensor data per weight, all tensors together.
        needs_imatrix: llama.cpp refuses to make it without an importance matrix.
        uses_imatrix: an importance matrix changes what is in the file.
        tensor_types: how many tensors get which type.
    """

    type: str
    size: int
    bits_per_weight: float
    needs_imatrix: bool
    uses_imatrix: bool
    tensor_types: dict[str, int]


def estimate_size(
    gguf: Path | GGUFHeader, type_name: str, *, imatrix: bool = False, overrides: Overrides | None = None
) -> SizeEstimate:
    """The exact size of `gguf` (float16 or the like) quantized to `type_name`.

    Args:
        imatrix: with an importance matrix, which changes the type of a few tensors.
        overrides: other types for single tensors, such as {'attn_v': 'Q6_K'} (see `quantization.overrides`).

    Raises:
        ConversionError: the file cannot be read, there is no such type, or an override fits no tensor.
    """
    header = gguf if isinstance(gguf, GGUFHeader) else read_header(gguf)
    return _estimate(header, quantization_type(type_name), imatrix, overrides)


def estimate_sizes(gguf: Path | GGUFHeader, *, imatrix: bool = False) -> list[SizeEstimate]:
    """The same for every type, largest first. Raises `ConversionError`."""
    header = gguf if isinstance(gguf, GGUFHeader) else read_header(gguf)
    return sorted((_estimate(header, kind, imatrix) for kind in TYPES.values()), key=lambda estimate: -estimate.size)


def _estimate(
    header: GGUFHeader, chosen: QuantizationType, imatrix: bool, overrides: Overrides | None = None
) -> SizeEstimate:
    kinds = tensor_kinds(header, chosen, imatrix=imatrix, overrides=overrides)
    sizes = {tensor.name: _data_bytes(tensor, kinds[tensor.name]) for tensor in header.tensors}
    total = aligned(header.header_size + _added_bytes(header, imatrix and uses_imatrix(kinds)), DEFAULT_ALIGNMENT)
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
        uses_imatrix=uses_imatrix(kinds),
        tensor_types=dict(sorted(counts.items(), key=lambda pair: -pair[1])),
    )


def _added_bytes(header: GGUFHeader, imatrix: bool) -> int:
    added = {**_ADDED_BY_QUANTIZING, **(_ADDED_WITH_IMATRIX if imatrix else {})}
    return sum(8 + len(key) + 4 + size for key, size in added.items() if key not in header.entries)


def _data_bytes(tensor: TensorInfo, kind: Kind) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return int(tensor.elements // block * block_bytes)
