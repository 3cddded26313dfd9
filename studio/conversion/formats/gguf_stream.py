"""Write a GGUF file as a stream: the header first, then tensor after tensor, never more than one block in memory.

The header is encoded by the `gguf` library, whose own way of writing tensors would hold each of them in memory whole.
The file appears under its name only when it is complete (temporary file, fsync, rename). Free space is checked before.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType, GGUFValueType
from gguf.gguf_writer import GGUFWriter, WriterState

from studio.conversion.formats.gguf_header import DEFAULT_ALIGNMENT, GGUFHeader, MetadataEntry, Scalar, aligned
from studio.errors import ConversionError
from studio.workspace import atomic_writer

ProgressCallback: TypeAlias = Callable[[int, int], None]
StopCallback: TypeAlias = Callable[[], bool]
Block: TypeAlias = npt.NDArray[np.generic]

SPARE_BYTES = 16 << 20


class ConversionStopped(ConversionError):  # noqa: N818 - it is no fault
    """The person asked the conversion to stop; nothing was left behind."""

    def __init__(self) -> None:
        super().__init__("The conversion was stopped.", next_step="Start it again whenever you like.")


@dataclass(frozen=True)
class TypedValue:
    """A metadata value together with the type that it has in the file it was read from.

    Attributes:
        value: for an array that is copied, the bytes that encode it in that file: type and number of items, items.
        item_kind: type of the items of an array; None for a single value.
    """

    kind: GGUFValueType
    value: Scalar | Sequence[Scalar] | bytes
    item_kind: GGUFValueType | None = None


Metadata: TypeAlias = Mapping[str, Scalar | TypedValue]


@dataclass(frozen=True)
class TensorSource:
    """A tensor to write and where its data comes from.

    Attributes:
        shape: row width first, as in the file.
        kind: number of the tensor type.
        size: bytes of data that `blocks` yields in all.
        blocks: called once, when it is the tensor's turn.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    size: int
    blocks: Callable[[], Iterator[Block]]


def copied(header: GGUFHeader, keys: Iterable[str]) -> dict[str, Scalar | TypedValue]:
    """The metadata of another file under `keys`, with its types. Empty arrays say nothing and are left out."""
    entries = (header.entries[key] for key in keys)
    return {entry.key: _copied_value(header, entry) for entry in entries if entry.count}


def write_gguf(
    path: Path,
    metadata: Metadata,
    tensors: Sequence[TensorSource],
    *,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
    approve: Callable[[], None] | None = None,
) -> int:
    """Write a whole GGUF file, or nothing, and return its size in bytes.

    Args:
        approve: called when all is written and before the file appears under its name; what it raises prevents that.
        progress: told the bytes of tensor data written and to write.
        stop: asked between blocks; when it says yes the file is given up.

    Raises:
        ConversionError: too little disk space, or the folder cannot be written.
        ConversionStopped: `stop` said yes.
    """
    header = encode_header(metadata, tensors)
    total = sum(tensor.size for tensor in tensors)
    require_space(path, len(header) + total)
    try:
        with atomic_writer(path) as stream:
            stream.write(header)
            done = 0
            for tensor in tensors:
                written = 0
                for block in tensor.blocks():
                    if stop and stop():
                        raise ConversionStopped
                    written += stream.write(np.ascontiguousarray(block).view(np.uint8).data)
                    if progress:
                        progress(done + written, total)
                _check_size(tensor, written)
                done += written
                stream.write(bytes(aligned(written, DEFAULT_ALIGNMENT) - written))
            if approve:
                approve()
    except OSError as error:
        raise write_error(path, error) from error
    return path.stat().st_size


def encode_header(metadata: Metadata, tensors: Sequence[TensorSource]) -> bytes:
    """Everything before the tensor data, made by the `gguf` library's writer and padded to the alignment."""
    values = {key: _typed(value) for key, value in metadata.items()}
    writer = _HeaderWriter(None, values.pop("general.architecture").value)  # which the writer puts first itself
    for key, typed in values.items():
        writer.add_key_value(key, typed.value, typed.kind, typed.item_kind)
    for tensor in tensors:
        kind = GGMLQuantizationType(tensor.kind)
        writer.add_tensor_info(tensor.name, tensor.shape[::-1], np.dtype(np.float32), tensor.size, raw_dtype=kind)
    header = writer.header()
    return header + bytes(aligned(len(header), DEFAULT_ALIGNMENT) - len(header))


def require_space(path: Path, size: int) -> None:
    """Check that `size` bytes and a little more fit beside `path`.

    Raises:
        ConversionError: they do not, or the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise write_error(path, error) from error
    if free < size + SPARE_BYTES:
        raise ConversionError(
            f"There is too little space on the disk for {path.name}.",
            why=f"It needs {(size + SPARE_BYTES) / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free.",
            next_step="Free some space and start again.",
        )


def write_error(path: Path, error: OSError) -> ConversionError:
    """An error of the operating system while writing `path`, as one for the user."""
    return ConversionError(
        f"{path.name} could not be written.",
        why=error.strerror or str(error),
        next_step="Check free space and the folder's rights, then start again; what was there before is untouched.",
    )


def _check_size(tensor: TensorSource, written: int) -> None:
    if written != tensor.size:
        raise ConversionError(
            f"The tensor {tensor.name} came out with {written} bytes where {tensor.size} were planned.",
            why="The weights on disk do not have the size that their header promises.",
            next_step="Import the base model again.",
        )


class _HeaderWriter(GGUFWriter):  # type: ignore[misc]
    """The library's writer, kept from holding or writing tensor data: only what stands before it, into memory."""

    def open_output_file(self, path: Path | None = None) -> None:
        """Write into memory instead of a file."""
        self.fout = [BytesIO()]
        self.state = WriterState.EMPTY

    def _pack_val(
        self, val: Any, vtype: GGUFValueType, add_vtype: bool, sub_type: GGUFValueType | None = None
    ) -> bytes:
        """As the library does; a vocabulary of another file goes in as it is encoded there, a hundred times as fast."""
        if vtype == GGUFValueType.ARRAY and isinstance(val, bytes):
            return struct.pack("<I", vtype) + val
        packed: bytes = super()._pack_val(val, vtype, add_vtype, sub_type)
        return packed

    def header(self) -> bytes:
        """Counts, metadata and tensor descriptions."""
        self.write_header_to_file()
        self.write_kv_data_to_file()
        self.write_ti_data_to_file()
        data: bytes = self.fout[0].getvalue()
        return data


def _copied_value(header: GGUFHeader, entry: MetadataEntry) -> TypedValue:
    if entry.kind == GGUFValueType.ARRAY:
        with header.path.open("rb") as stream:
            stream.seek(entry.start)
            return TypedValue(entry.kind, stream.read(entry.end - entry.start), entry.item_kind)
    return TypedValue(entry.kind, header.values[entry.key])


def _typed(value: Scalar | TypedValue) -> TypedValue:
    """Whole numbers become uint32, as llama.cpp expects of its own keys."""
    match value:
        case TypedValue():
            return value
        case bool():
            return TypedValue(GGUFValueType.BOOL, value)
        case int():
            return TypedValue(GGUFValueType.UINT32, value)
        case float():
            return TypedValue(GGUFValueType.FLOAT32, value)
    return TypedValue(GGUFValueType.STRING, value)
