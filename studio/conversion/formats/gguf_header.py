"""Read the header of a GGUF file that nobody vouches for: metadata and tensor descriptions, never the weights.

Every count and length is compared with the bytes that are left before anything is read or allocated, so a truncated or
mutated file costs little time and memory and ends in a `ConversionError`. Big-endian and version 1 files are refused.
Format: ggml/docs/gguf.md of llama.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO, TypeAlias

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from studio.errors import ConversionError

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | list[Scalar]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_ALIGNMENT = 1 << 20
MAX_DIMENSIONS = 4
MAX_KEY_BYTES = 65_535
MAX_STRING_BYTES = 64 << 20
MAX_STRINGS = 4 << 20
MAX_TENSORS = 1 << 17
MAX_ENTRIES = 1 << 16
MAX_TENSOR_NAME_BYTES = 63

_FORMATS = {
    GGUFValueType.UINT8: "<B", GGUFValueType.INT8: "<b", GGUFValueType.UINT16: "<H", GGUFValueType.INT16: "<h",
    GGUFValueType.UINT32: "<I", GGUFValueType.INT32: "<i", GGUFValueType.FLOAT32: "<f", GGUFValueType.BOOL: "<?",
    GGUFValueType.UINT64: "<Q", GGUFValueType.INT64: "<q", GGUFValueType.FLOAT64: "<d",
}  # fmt: skip
_SMALLEST_ENTRY = 8 + 1 + 4 + 1  # key length, key, type, value
_SMALLEST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8


@dataclass(frozen=True)
class MetadataEntry:
    """One key of the metadata and where its encoded value lies in the file.

    Attributes:
        kind: value type; ARRAY for a list.
        item_kind: type of the items of an array, else the same as `kind`.
        count: items of an array, else 1.
        start: first byte of the encoded value, after the type.
        end: one past its last byte.
    """

    key: str
    kind: GGUFValueType
    item_kind: GGUFValueType
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class TensorInfo:
    """One tensor as the header describes it.

    Attributes:
        shape: dimensions in file order: the row width first (`ne[0]` of llama.cpp), then the number of rows.
        kind: number of the tensor type; may be unknown to us.
        offset: first byte, relative to the start of the data section.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def is_known(self) -> bool:
        """Whether its type is one that the `gguf` library knows."""
        return self.kind in GGMLQuantizationType._value2member_map_

    @property
    def elements(self) -> int:
        """Number of weights."""
        return prod(self.shape)

    @property
    def type_name(self) -> str:
        """The type as llama.cpp names it, or 'type 99' for one that is unknown here."""
        return GGMLQuantizationType(self.kind).name if self.is_known else f"type {self.kind}"

    @property
    def size(self) -> int | None:
        """Bytes of its data; None when the type is unknown or the row width does not divide into blocks."""
        if not self.is_known or not self.shape:
            return None
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(self.kind)]
        return None if self.shape[0] % block else self.elements // block * block_bytes


@dataclass(frozen=True)
class GGUFHeader:
    """What a GGUF file says about itself. `read_header` gives one."""

    path: Path
    version: int
    entries: dict[str, MetadataEntry]
    values: dict[str, Scalar] = field(repr=False)
    tensors: tuple[TensorInfo, ...] = field(repr=False)
    alignment: int
    header_size: int
    data_offset: int
    file_size: int

    @property
    def architecture(self) -> str:
        """`general.architecture`, empty when it is missing."""
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """A string value; empty when missing or of another type."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def integer(self, key: str) -> int | None:
        """An integer value; None when missing or of another type."""
        value = self.values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def hyperparameter(self, name: str) -> int | None:
        """An integer under the architecture's prefix, such as `block_count`."""
        return self.integer(f"{self.architecture}.{name}")

    def count(self, key: str) -> int:
        """Items of an array; 0 when it is missing."""
        entry = self.entries.get(key)
        return entry.count if entry and entry.kind == GGUFValueType.ARRAY else 0

    def array(self, key: str) -> list[Scalar]:
        """The items of an array, decoded; empty when there is none. Raises `ConversionError`."""
        entry = self.entries.get(key)
        if entry is None or entry.kind != GGUFValueType.ARRAY:
            return []
        with self.path.open("rb") as stream:
            cursor = _Cursor(stream, entry.end, self.path)
            cursor.skip(entry.start + 12)
            return [cursor.scalar(entry.item_kind) for _ in range(entry.count)]


def read_header(path: Path) -> GGUFHeader:
    """The header of a GGUF file.

    Raises:
        ConversionError: the file cannot be opened, is no GGUF, or its header is cut off or contradicts itself.
    """
    try:
        with path.open("rb") as stream:
            return _read(_Cursor(stream, path.stat().st_size, path), path)
    except OSError as error:
        raise ConversionError("The file cannot be read.", why=str(error), where=path.name) from error


def type_names(tensors: Iterable[TensorInfo]) -> dict[str, int]:
    """How many tensors have which type, most frequent first."""
    names: dict[str, int] = {}
    for tensor in tensors:
        names[tensor.type_name] = names.get(tensor.type_name, 0) + 1
    return dict(sorted(names.items(), key=lambda pair: -pair[1]))


def aligned(offset: int, alignment: int) -> int:
    """`offset` rounded up to a multiple of `alignment`, both in bytes."""
    return -(-offset // alignment) * alignment


def _read(cursor: _Cursor, path: Path) -> GGUFHeader:
    if cursor.take(4) != MAGIC:
        raise cursor.error("It does not start with the letters GGUF.")
    version = cursor.unpack("<I")
    if version not in VERSIONS:
        raise cursor.error(f"It says it is GGUF version {version}; versions 2 and 3 (little-endian) can be read.")
    tensor_count, entry_count = int(cursor.unpack("<Q")), int(cursor.unpack("<Q"))
    cursor.expect(entry_count * _SMALLEST_ENTRY + tensor_count * _SMALLEST_TENSOR, "entries and tensors")
    if tensor_count > MAX_TENSORS or entry_count > MAX_ENTRIES:
        raise cursor.error(f"{tensor_count} tensors and {entry_count} entries are more than any model has.")
    entries, values = _read_entries(cursor, entry_count)
    tensors = tuple(_read_tensor(cursor) for _ in range(tensor_count))
    alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise cursor.error(f"Its alignment {alignment!r} is not a power of two.")
    data_offset = aligned(cursor.position, alignment)
    return GGUFHeader(
        path, int(version), entries, values, tensors, alignment, cursor.position, data_offset, cursor.size
    )


def _read_entries(cursor: _Cursor, count: int) -> tuple[dict[str, MetadataEntry], dict[str, Scalar]]:
    entries: dict[str, MetadataEntry] = {}
    values: dict[str, Scalar] = {}
    for _ in range(count):
        key = cursor.string(MAX_KEY_BYTES)
        if key in entries:
            raise cursor.error(f"The key {key!r} occurs twice.")
        kind = cursor.value_type()
        start = cursor.position
        item_kind, length = (cursor.skip_array()) if kind == GGUFValueType.ARRAY else (kind, 1)
        if kind != GGUFValueType.ARRAY:
            values[key] = cursor.scalar(kind)
        entries[key] = MetadataEntry(key, kind, item_kind, length, start, cursor.position)
    return entries, values


def _read_tensor(cursor: _Cursor) -> TensorInfo:
    name = cursor.string(MAX_KEY_BYTES)
    dimensions = int(cursor.unpack("<I"))
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise cursor.error(f"The tensor {name[:80]!r} has {dimensions} dimensions; 1 to 4 are possible.")
    shape = tuple(int(cursor.unpack("<Q")) for _ in range(dimensions))
    kind, offset = int(cursor.unpack("<I")), int(cursor.unpack("<Q"))
    return TensorInfo(name, shape, kind, offset)


class _Cursor:
    """A position in a file that never reads beyond its end."""

    def __init__(self, stream: BinaryIO, size: int, path: Path) -> None:
        self._stream, self.size, self._path = stream, size, path
        self.position = 0

    def error(self, why: str) -> ConversionError:
        return ConversionError(
            "This GGUF file is damaged or is no GGUF file.",
            why=why, next_step="Make or download it again.", where=self._path.name,
        )  # fmt: skip

    def expect(self, count: int, what: str) -> None:
        if count > self.size - self.position:
            raise self.error(f"It ends too early: its header promises {what} of at least {count} more bytes.")

    def take(self, count: int) -> bytes:
        self.expect(count, "a value")
        data = self._stream.read(count)
        if len(data) != count:
            raise self.error("It became shorter while it was read.")
        self.position += count
        return data

    def skip(self, count: int) -> None:
        self.expect(count, "an array")
        self.position += count
        self._stream.seek(self.position)

    def unpack(self, code: str) -> int | float | bool:
        (value,) = struct.unpack(code, self.take(struct.calcsize(code)))
        return value  # type: ignore[no-any-return]

    def string(self, limit: int) -> str:
        length = int(self.unpack("<Q"))
        if length > limit:
            raise self.error(f"A text of {length} bytes is longer than the {limit} that are sensible.")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.error("A text in its header is not UTF-8.") from error

    def value_type(self) -> GGUFValueType:
        number = int(self.unpack("<I"))
        try:
            return GGUFValueType(number)
        except ValueError as error:
            raise self.error(f"The metadata holds the unknown value type {number}.") from error

    def scalar(self, kind: GGUFValueType) -> Scalar:
        return self.string(MAX_STRING_BYTES) if kind == GGUFValueType.STRING else self.unpack(_FORMATS[kind])

    def skip_array(self) -> tuple[GGUFValueType, int]:
        """Pass over an array; returns the type of its items and how many there are."""
        kind, count = self.value_type(), int(self.unpack("<Q"))
        if kind == GGUFValueType.ARRAY:
            raise self.error("The metadata holds an array of arrays.")
        if kind != GGUFValueType.STRING:
            self.skip(count * struct.calcsize(_FORMATS[kind]))
            return kind, count
        if count > MAX_STRINGS:
            raise self.error(f"A list of {count} texts is longer than the {MAX_STRINGS} that are sensible.")
        self.expect(count * 8, "texts")
        for _ in range(count):
            length = int.from_bytes(self.take(8), "little")
            self.expect(length, "a text")
            self.take(length) if length < 256 else self.skip(length)
        return kind, count
