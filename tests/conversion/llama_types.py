"""Asks llama.cpp itself which type each tensor gets, for every file type. Run as a script: it imports llama.cpp.

python -m tests.conversion.llama_types JSON

The argument is a list of questions [GGUF, IMATRIX or "", {tensor: number of its type}, "plan" or FOLDER]. With `plan`
nothing is written (llama.cpp's dry run); with a folder, the types that need a matrix are made there. Prints a list of
answers: {type: {tensor: kind}} for a plan, {type: bytes} for files.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path

import llama_cpp

from studio.conversion import estimate_size
from studio.conversion.imatrix.matrix import read_imatrix
from studio.conversion.quantization import quantize_worker
from studio.conversion.quantization.types import TYPES

_NAMED = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- .* type = +(\S+), ")
_BECOMES = re.compile(r"size = .* -> .* MiB \((\S+)\)")


def planned(source: Path, file_type: int, matrix: Path | None, kinds: dict[str, int]) -> dict[str, str]:
    """Tensor -> type, as llama.cpp's dry run tells it line by line."""
    found: dict[str, str] = {}

    def on_log(_level: int, text: bytes, _user: object) -> None:
        line = text.decode()
        if named := _NAMED.match(line):
            found[named[1]] = named[2].upper()
        elif becomes := _BECOMES.match(line):
            found[next(reversed(found))] = becomes[1].upper()

    callback = llama_cpp.llama_log_callback(on_log)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.dry_run, parameters.nthread = file_type, True, 1
    importance = {name: one.importance for name, one in read_imatrix(matrix).entries.items()} if matrix else {}
    if matrix:
        parameters.imatrix = quantize_worker._importance(importance)
    if kinds:
        parameters.tt_overrides = quantize_worker._tensor_types(kinds)
    if llama_cpp.llama_model_quantize(str(source).encode(), b"/dev/null", parameters):
        raise SystemExit(f"llama.cpp refused {file_type}")
    llama_cpp.llama_log_set(llama_cpp.llama_log_callback(lambda *_: None), ctypes.c_void_p(0))
    return found


def made(source: Path, name: str, file_type: int, matrix: Path | None, folder: Path) -> int:
    request = quantize_worker.QuantizeRequest(
        source=source, target=folder / f"{name}.gguf", file_type=file_type, threads=1, imatrix=matrix,
        imatrix_sha256="0" * 64 if matrix else "",
    )  # fmt: skip
    return quantize_worker.quantize(request, lambda _done, _total: None).size


def answer(gguf: Path, matrix: Path | None, kinds: dict[str, int], how: str) -> dict[str, object]:
    if how == "plan":
        return {one.name: planned(gguf, one.file_type, matrix, kinds) for one in TYPES.values()}
    needing = [one for one in TYPES.values() if estimate_size(gguf, one.name).needs_imatrix]
    return {one.name: made(gguf, one.name, one.file_type, matrix, Path(how)) for one in needing}


if __name__ == "__main__":
    questions = json.loads(sys.argv[1])
    answers = [answer(Path(gguf), Path(matrix) if matrix else None, *rest) for gguf, matrix, *rest in questions]
    sys.stdout.write(json.dumps(answers))
