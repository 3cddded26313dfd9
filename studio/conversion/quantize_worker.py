"""The process in which llama.cpp quantizes a file; `studio.conversion.quantize` starts it and reads its answers."""

from __future__ import annotations

import re
import sys
from ctypes import c_char_p, c_int, c_void_p
from pathlib import Path

from pydantic import BaseModel

from studio.conversion.worker_process import Report, serve
from studio.errors import ConversionError

_PROGRESS = re.compile(r"\[ *(\d+)/ *(\d+)\]")
_WARNING_LEVEL = 3


class QuantizeRequest(BaseModel):
    """What to quantize. Paths are absolute; `target` is replaced if it exists."""

    source: Path
    target: Path
    file_type: int
    threads: int
    allow_requantize: bool = False


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
    names = (c_char_p(str(path).encode()).value for path in (request.source, request.target))
    status = llama_cpp.llama_model_quantize(*names, parameters)
    if status != 0 or not request.target.exists():
        raise ConversionError(
            "llama.cpp could not quantize this model.",
            why=" ".join(complaints[-3:])[-500:],
            next_step="Choose another type, or validate the file it was made from.",
        )
    return QuantizeAnswer(size=request.target.stat().st_size)


if __name__ == "__main__":
    sys.exit(serve(QuantizeRequest, quantize))
