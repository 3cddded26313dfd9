"""Whether the tensors of a GGUF file lie in it as its header says: all there, whole, where llama.cpp looks for them.

llama.cpp wants the data of one tensor behind the other, in the header's order, each at the next multiple of the
alignment (ggml/src/gguf.cpp, `gguf_init_from_reader`); holes, overlaps and data behind the last are faults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gguf.constants import GGUFValueType

from studio.conversion.formats.gguf_header import MAX_TENSOR_NAME_BYTES, GGUFHeader, TensorInfo, aligned

ALIGNMENT = "general.alignment"
_SHOWN = 80


def structure_faults(header: GGUFHeader) -> Iterator[str]:
    """What is wrong with the tensors as the header describes them, one sentence each."""
    if not header.tensors:
        yield "It holds no tensors."
        return
    yield from _alignment_faults(header)
    names = Counter(tensor.name for tensor in header.tensors)
    yield from (f"The tensor {name[:_SHOWN]!r} occurs {count} times." for name, count in names.items() if count > 1)
    for tensor in header.tensors:
        if fault := _tensor_fault(header, tensor):
            yield fault
    yield from _placement_faults(header)


def data_end(header: GGUFHeader) -> int:
    """One past the last byte of tensor data, relative to the start of the file."""
    return header.data_offset + max((tensor.offset + (tensor.size or 0) for tensor in header.tensors), default=0)


def _alignment_faults(header: GGUFHeader) -> Iterator[str]:
    entry = header.entries.get(ALIGNMENT)
    if entry and entry.kind != GGUFValueType.UINT32:
        yield f"{ALIGNMENT} is stored as {entry.kind.name}; llama.cpp takes UINT32 only."


def _tensor_fault(header: GGUFHeader, tensor: TensorInfo) -> str:
    name = repr(tensor.name[:_SHOWN])
    if len(tensor.name.encode()) > MAX_TENSOR_NAME_BYTES:
        return f"The tensor name {name} is longer than llama.cpp allows."
    if 0 in tensor.shape:
        return f"The tensor {name} is empty."
    if tensor.size is None:
        return f"The tensor {name} has the type {tensor.type_name}, which does not fit rows of {tensor.shape[0]}."
    if tensor.offset != aligned(tensor.offset, header.alignment):
        return f"The data of {name} does not start at a multiple of {header.alignment} bytes."
    if header.data_offset + tensor.offset + tensor.size > header.file_size:
        return f"The data of {name} ends behind the end of the file: the file is cut off."
    return ""


def _placement_faults(header: GGUFHeader) -> Iterator[str]:
    """Overlaps, holes, another order than the header's, and bytes that belong to nothing."""
    end = 0
    for tensor in sorted(header.tensors, key=lambda one: one.offset):
        if tensor.offset < end:
            yield f"The data of {tensor.name[:_SHOWN]!r} overlaps another tensor's."
        elif tensor.offset > aligned(end, header.alignment):
            yield f"There is a hole of {tensor.offset - end:,} bytes before the data of {tensor.name[:_SHOWN]!r}."
        end = max(end, tensor.offset + (tensor.size or 0))
    offsets = [tensor.offset for tensor in header.tensors]
    if offsets != sorted(offsets):
        yield "Its tensors lie in another order than its header lists them, which llama.cpp refuses."
    trailing = header.file_size - header.data_offset - aligned(end, header.alignment)
    if trailing > 0:
        yield f"Behind the last tensor follow {trailing:,} bytes that belong to nothing."
