"""The process in which llama.cpp quantizes a file; `quantization.quantize` starts it and reads its answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from ctypes import POINTER, c_char_p, c_float, c_int, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from studio.conversion.imatrix.matrix import (
    IMATRIX_CHUNKS,
    IMATRIX_ENTRIES,
    IMATRIX_SHA256,
    ImportanceMatrix,
    read_imatrix,
)
from studio.conversion.worker_process import Report, serve
from studio.errors import ConversionError

_PROGRESS = re.compile(r"\[ *(\d+)/ *(\d+)\]")
_WARNING_LEVEL = 3


class QuantizeRequest(BaseModel):
    """What to quantize. Paths are absolute; `target` is replaced if it exists.

    Attributes:
        file_type: llama.cpp's number of the file's type (`llama_ftype`).
        kinds: numbers of the types (`ggml_type`) of single tensors that are to have another one, by name.
        imatrix: importance matrix, and its SHA-256 for the file's metadata.
    """

    source: Path
    target: Path
    file_type: int
    threads: int
    allow_requantize: bool = False
    kinds: dict[str, int] = {}
    imatrix: Path | None = None
    imatrix_sha256: str = ""


class QuantizeAnswer(BaseModel):
    """Bytes of the file that was made."""

    size: int


def quantize(request: QuantizeRequest, report: Report) -> QuantizeAnswer:
    """Call llama.cpp's quantizer and report the tensors done.

    Raises:
        ConversionError: llama.cpp refused.
    """
    import llama_cpp

    complaints: list[str] = []

    def on_log(level: int, text: bytes, _user: object) -> None:
        line = text.decode("utf-8", "replace")
        if match := _PROGRESS.match(line):
            report(int(match[1]), int(match[2]))
        elif level >= _WARNING_LEVEL and line.strip(" \n.="):
            complaints.append(line.strip())

    callback = llama_cpp.llama_log_callback(on_log)
    llama_cpp.llama_log_set(callback, c_void_p(0))
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = c_int(request.file_type)
    parameters.nthread = request.threads
    parameters.allow_requantize = request.allow_requantize
    parameters.max_buf_size = 64 << 20
    if request.kinds:
        parameters.tt_overrides = _tensor_types(request.kinds)
    if request.imatrix:
        matrix = read_imatrix(request.imatrix)
        importance = {name: one.importance for name, one in matrix.entries.items()}  # alive while llama.cpp reads it
        parameters.imatrix = _importance(importance)
        parameters.kv_overrides = _described(matrix, request.imatrix_sha256)
    names = (c_char_p(str(path).encode()).value for path in (request.source, request.target))
    status = llama_cpp.llama_model_quantize(*names, parameters)
    if status != 0 or not request.target.exists():
        raise ConversionError(
            "llama.cpp could not quantize this model.",
            why=" ".join(complaints[-3:])[-500:],
            next_step="Choose another type, or validate the file it was made from.",
        )
    return QuantizeAnswer(size=request.target.stat().st_size)


def _tensor_types(kinds: Mapping[str, int]) -> Any:
    """Types by name as llama.cpp takes them: regular expressions, of which the first that fits decides."""
    import llama_cpp

    rows = [(f"^{_escaped(name)}$".encode(), kind) for name, kind in kinds.items()]
    return (llama_cpp.llama_model_tensor_override * (len(rows) + 1))(*rows, (None, 0))


def _escaped(name: str) -> str:
    return re.sub(r"(\W)", r"\\\1", name)


def _importance(values: Mapping[str, npt.NDArray[np.float32]]) -> Any:
    """The importance of every column as an array of C structs that ends with one without a name."""
    import llama_cpp

    rows = [(name.encode(), data.ctypes.data_as(POINTER(c_float)), data.size) for name, data in values.items()]
    return (llama_cpp.llama_model_imatrix_data * (len(rows) + 1))(*rows, (None, None, 0))


def _described(matrix: ImportanceMatrix, sha256: str) -> Any:
    """What the file's metadata will say of the matrix."""
    import llama_cpp

    wanted: dict[str, int | str] = {
        IMATRIX_SHA256: sha256,
        IMATRIX_ENTRIES: len(matrix.entries),
        IMATRIX_CHUNKS: matrix.chunk_count,
    }
    rows = (llama_cpp.llama_model_kv_override * (len(wanted) + 1))()  # the last one, without a key, ends the list
    for row, (key, value) in zip(rows, wanted.items(), strict=False):
        row.key = key.encode()
        if isinstance(value, str):
            row.tag, row.value.val_str = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR, value.encode()
        else:
            row.tag, row.value.val_i64 = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_INT, value
    return rows


if __name__ == "__main__":
    sys.exit(serve(QuantizeRequest, quantize))
