"""Importance matrices: which inputs of each weight matrix are large when the model reads the user's own scenarios.

A quantizer rounds every weight; with the matrix it rounds those finer that are multiplied with large inputs. Kept is,
for each weight matrix and each of its columns, the sum of the squared inputs over all tokens, and the number of tokens.
The file is llama.cpp's own (a GGUF of `general.type` imatrix, tensors NAME.in_sum2 and NAME.counts; tools/imatrix and
common/imatrix-loader.cpp), so that its tools read ours and we read theirs. Its older .dat format is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType as Kind
from gguf.constants import GGUFValueType

from studio.conversion.formats.gguf_header import GGUFHeader, TensorInfo, read_header
from studio.conversion.formats.gguf_stream import Metadata, TensorSource, TypedValue, write_gguf
from studio.errors import ConversionError

IMATRIX_ENTRIES, IMATRIX_CHUNKS = "quantize.imatrix.entries_count", "quantize.imatrix.chunks_count"
IMATRIX_SHA256 = "studio.imatrix.sha256"
"""What a quantized file says of the matrix that it was made with: its entries, chunks of text, and its own hash."""

_DATASETS, _CHUNK_COUNT, _CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
_MODEL, _TEXTS = "studio.imatrix.model_sha256", "studio.imatrix.texts_sha256"
_SUMS, _COUNTS = ".in_sum2", ".counts"
_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Activations:
    """What went into one weight matrix.

    Attributes:
        sums: sum of the squared inputs of every column, `[columns]`; of several experts `[experts * columns]`.
        counts: tokens that were read, `[1]` or `[experts]`.
    """

    sums: _Floats
    counts: _Floats

    @property
    def importance(self) -> _Floats:
        """Mean squared input of every column, as llama.cpp's quantizer takes it; 1 where nothing was read."""
        counts = self.counts[:, None]
        sums = self.sums.reshape(len(self.counts), -1)
        mean: _Floats = np.where(counts > 0, sums / np.maximum(counts, 1), 1).astype(np.float32).reshape(-1)
        return mean


@dataclass(frozen=True)
class ImportanceMatrix:
    """The activations of every weight matrix, and where they come from.

    Attributes:
        entries: by the name of the weight matrix, such as 'blk.0.attn_q.weight'.
        datasets: what the texts are called.
        chunk_count: texts, or pieces of texts, that were read.
        chunk_size: tokens of the longest piece.
        model_sha256: of the GGUF file that read them; empty in a file that the studio did not make.
        texts_sha256: of the token ids that were read; empty likewise.
    """

    entries: Mapping[str, Activations]
    datasets: tuple[str, ...] = ()
    chunk_count: int = 0
    chunk_size: int = 0
    model_sha256: str = ""
    texts_sha256: str = ""

    @property
    def tokens(self) -> int:
        """Tokens that were read."""
        return int(max((one.counts.max() for one in self.entries.values()), default=0))


def write_imatrix(path: Path, matrix: ImportanceMatrix) -> int:
    """Write the file whole or not at all; returns its size in bytes. Raises `ConversionError`."""
    metadata: Metadata = {
        "general.architecture": "imatrix",
        "general.type": "imatrix",
        _DATASETS: TypedValue(GGUFValueType.ARRAY, list(matrix.datasets) or [""], GGUFValueType.STRING),
        _CHUNK_COUNT: matrix.chunk_count,
        _CHUNK_SIZE: matrix.chunk_size,
        _MODEL: matrix.model_sha256,
        _TEXTS: matrix.texts_sha256,
    }
    tensors = [
        _tensor(name + suffix, values)
        for name, one in sorted(matrix.entries.items())
        for suffix, values in ((_SUMS, one.sums), (_COUNTS, one.counts))
    ]
    return write_gguf(path, {key: value for key, value in metadata.items() if value != ""}, tensors)


def read_imatrix(path: Path) -> ImportanceMatrix:
    """An importance matrix that the studio or llama.cpp's llama-imatrix wrote.

    Raises:
        ConversionError: the file is no GGUF, or holds something else, or numbers that cannot be sums of squares.
    """
    header = read_header(path)
    sums = {one.name.removesuffix(_SUMS): one for one in header.tensors if one.name.endswith(_SUMS)}
    counts = {one.name.removesuffix(_COUNTS): one for one in header.tensors if one.name.endswith(_COUNTS)}
    if header.text("general.type") != "imatrix" or not sums or set(sums) != set(counts):
        raise _no_matrix(path, "It says nothing about the inputs of weight matrices.")
    return ImportanceMatrix(
        {name: _read_entry(header, sums[name], counts[name]) for name in sums},
        tuple(str(one) for one in header.array(_DATASETS)),
        header.integer(_CHUNK_COUNT) or 0,
        header.integer(_CHUNK_SIZE) or 0,
        header.text(_MODEL),
        header.text(_TEXTS),
    )


def check_fits(matrix: ImportanceMatrix, model: GGUFHeader, source: Path) -> None:
    """Check that a matrix belongs to a model of this shape. Raises `ConversionError`."""
    known = {one.name: one for one in model.tensors}
    described = [name for name in matrix.entries if name in known]
    wrong = next((name for name in described if _columns(known[name]) != matrix.entries[name].sums.size), None)
    if described and wrong is None:
        return
    why = f"Its {wrong} has another width." if wrong else "They have no weight matrix in common."
    raise ConversionError(
        f"The importance matrix {source.name} is not of {model.path.name}.",
        why=why, next_step="Make one of this model, or leave it out.", where=source.name,
    )  # fmt: skip


def _columns(tensor: TensorInfo) -> int:
    return tensor.shape[0] * (tensor.shape[2] if len(tensor.shape) > 2 else 1)


def _tensor(name: str, values: _Floats) -> TensorSource:
    data = np.ascontiguousarray(values, dtype=np.float32)
    return TensorSource(name, data.shape, int(Kind.F32), data.nbytes, partial(iter, (data,)))


def _read_entry(header: GGUFHeader, sums: TensorInfo, counts: TensorInfo) -> Activations:
    entry = Activations(_read_floats(header, sums), _read_floats(header, counts))
    if not entry.counts.size or entry.sums.size % entry.counts.size:
        raise _no_matrix(header.path, f"{sums.name} does not divide by its counts.")
    return entry


def _read_floats(header: GGUFHeader, tensor: TensorInfo) -> _Floats:
    start = header.data_offset + tensor.offset
    if tensor.kind != Kind.F32 or start + (tensor.size or 0) > header.file_size:
        raise _no_matrix(header.path, f"{tensor.name} is cut off, or not of type F32.")
    values = np.fromfile(header.path, np.float32, tensor.elements, offset=start)
    if not np.isfinite(values).all() or (values < 0).any():
        raise _no_matrix(header.path, f"{tensor.name} holds numbers that are no sums of squares.")
    return values


def _no_matrix(path: Path, why: str) -> ConversionError:
    return ConversionError(
        "This file is no importance matrix.",
        why=why, next_step="Make one with `imatrix`, or take a GGUF that llama.cpp's llama-imatrix wrote.",
        where=path.name,
    )  # fmt: skip
