"""Read safetensors files row block by row block, bfloat16 included, without torch and without mapping the file.

The header is checked before it is trusted: offsets inside the file, sizes that fit the shapes. Data that lies in
several files (model-00001-of-00002.safetensors) is found through its index. Format: huggingface/safetensors, README.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.errors import ConversionError

MAX_HEADER_BYTES = 100 << 20
_ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a safetensors file.

    Attributes:
        shape: rows first, as numpy and torch count.
        dtype: 'F32', 'F16' or 'BF16'; others are listed but cannot be read.
        start: first byte in the file.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int

    @property
    def readable(self) -> bool:
        """Whether its type is one of the three."""
        return self.dtype in _ITEM_BYTES

    @property
    def rows(self) -> int:
        """First dimension."""
        return self.shape[0]

    @property
    def columns(self) -> int:
        """Items of a row."""
        return prod(self.shape[1:])

    def raw_blocks(self, rows_per_block: int, rows: int | None = None) -> Iterator[npt.NDArray[np.uint8]]:
        """The stored bytes of the first `rows` rows (all by default), `rows_per_block` at a time."""
        row_bytes = self.columns * _ITEM_BYTES[self.dtype]
        total = self.rows if rows is None else rows
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            for first in range(0, total, rows_per_block):
                yield np.fromfile(stream, np.uint8, min(rows_per_block, total - first) * row_bytes)

    def blocks(self, rows_per_block: int, rows: int | None = None) -> Iterator[npt.NDArray[np.float32]]:
        """The same as float32 `[rows in block, *other dimensions]`."""
        for raw in self.raw_blocks(rows_per_block, rows):
            yield self.as_float32(raw)

    def as_float32(self, raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What `raw_blocks` gave, as numbers: `[rows in block, *other dimensions]`."""
        return _as_float32(raw, self.dtype).reshape(-1, *self.shape[1:])

    def read(self) -> npt.NDArray[np.float32]:
        """The whole tensor as float32."""
        return next(self.blocks(max(self.rows, 1)))


def read_index(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of all safetensors files that make up the model in `folder`, by name. Raises `ConversionError`."""
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.exists():
        names = _file_names(_read_object(index.read_bytes(), index).get("weight_map"), index)
    tensors: dict[str, StoredTensor] = {}
    for name in names:
        if Path(name).name != name:
            raise _damaged(index, f"It names the file {name!r}, which is not beside it.")
        tensors |= read_tensors(folder / name)
    return tensors


def _file_names(weight_map: Any, index: Path) -> list[str]:
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise _damaged(index, "Its weight_map does not map tensors to files.")
    return sorted(set(weight_map.values()))


def read_tensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one safetensors file, by name.

    Raises:
        ConversionError: the file is missing, cut off, or its header contradicts itself.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
                raise _damaged(path, "Its header does not fit into the file.")
            header = _read_object(stream.read(length), path)
    except OSError as error:
        raise ConversionError("The weights cannot be read.", why=str(error), where=path.name) from error
    header.pop("__metadata__", None)
    return {name: _stored(path, name, entry, 8 + length, size) for name, entry in header.items()}


def _stored(path: Path, name: str, entry: Any, data_start: int, file_size: int) -> StoredTensor:
    try:
        dtype, shape = str(entry["dtype"]), tuple(map(int, entry["shape"]))
        begin, end = map(int, entry["data_offsets"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(path, f"The entry of {name[:80]!r} cannot be understood.") from error
    item = _ITEM_BYTES.get(dtype)
    in_file = 0 <= begin <= end <= file_size - data_start and all(size >= 0 for size in shape)
    if not in_file or (item is not None and end - begin != prod(shape) * item):
        raise _damaged(path, f"The data of {name[:80]!r} does not fit its shape or the file.")
    return StoredTensor(path, name, shape, dtype, data_start + begin)


def _read_object(data: bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "Its header is not JSON.") from error
    if not isinstance(content, dict):
        raise _damaged(path, "Its header is not a JSON object.")
    return content


def _damaged(path: Path, why: str) -> ConversionError:
    return ConversionError(
        "This safetensors file is damaged.", why=why, next_step="Make or download it again.", where=path.name
    )


def _as_float32(raw: npt.NDArray[np.uint8], dtype: str) -> npt.NDArray[np.float32]:
    match dtype:
        case "F32":
            return raw.view(np.float32)
        case "F16":
            return raw.view(np.float16).astype(np.float32)
        case "BF16":
            return (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    raise ConversionError(
        f"Weights of type {dtype} cannot be converted.", next_step="Use float32, float16 or bfloat16."
    )
