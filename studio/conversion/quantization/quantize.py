"""Quantize a GGUF file with llama.cpp in a worker process; the result appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback, require_space, write_error
from studio.conversion.imatrix.matrix import check_fits, read_imatrix
from studio.conversion.quantization.overrides import Overrides
from studio.conversion.quantization.quantize_worker import QuantizeAnswer, QuantizeRequest
from studio.conversion.quantization.sizes import SizeEstimate, estimate_size
from studio.conversion.quantization.types import overridden_kinds, quantization_type
from studio.conversion.worker_process import run_worker
from studio.errors import ConversionError
from studio.jobs import usable_cores
from studio.workspace import sha256_file, sync

TIMEOUT_SECONDS = 6 * 3600.0
_FLOAT_TYPES = ("F32", "F16", "BF16")


class QuantizeReport(BaseModel):
    """The file that was made, its size in bytes and what had been predicted."""

    path: Path
    type: str
    size: int
    predicted_size: int


def quantize_file(
    source: Path,
    target: Path,
    type_name: str,
    *,
    threads: int = 0,
    allow_requantize: bool = False,
    imatrix: Path | None = None,
    overrides: Overrides | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> QuantizeReport:
    """Make `target` from `source` in the type of that name.

    Args:
        threads: 0 takes all cores that this process may use.
        allow_requantize: accept a source that is quantized already; its rounding is then added to the new one's.
        imatrix: importance matrix of this model (see `make_imatrix`); types that round every weight alike leave it out.
        overrides: other types for single tensors, such as {'attn_v': 'Q6_K'} (see `quantization.overrides`).
        progress: told the tensors done and to do.

    Raises:
        ConversionError: no such type, a source that is unreadable or quantized, a type that needs an importance matrix,
            a matrix of another model, an override that fits no tensor, a full disk, or llama.cpp's refusal. `target`
            stays as it was.
        ConversionStopped: `stop` said yes.
    """
    header = read_header(source)
    estimate = check_possible(
        header, type_name, allow_requantize=allow_requantize, imatrix=bool(imatrix), overrides=overrides
    )
    if imatrix and estimate.uses_imatrix:
        check_fits(read_imatrix(imatrix), header, imatrix)
    else:
        imatrix = None
    require_space(target, estimate.size)
    partial = _partial_path(target)
    request = QuantizeRequest(
        source=source.resolve(),
        target=partial,
        file_type=quantization_type(type_name).file_type,
        threads=threads or usable_cores(),
        allow_requantize=allow_requantize,
        kinds={name: int(kind) for name, kind in overridden_kinds(header, type_name, overrides).items()},
        imatrix=imatrix.resolve() if imatrix else None,
        imatrix_sha256=sha256_file(imatrix) if imatrix else "",
    )
    try:
        module = "studio.conversion.quantization.quantize_worker"
        answer = run_worker(module, request, QuantizeAnswer, timeout=TIMEOUT_SECONDS, progress=progress, stop=stop)
        _check_written(partial, estimate)
        partial.chmod(0o644)
        partial.replace(target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        partial.unlink(missing_ok=True)
    return QuantizeReport(path=target, type=estimate.type, size=answer.size, predicted_size=estimate.size)


def check_possible(
    header: GGUFHeader,
    type_name: str,
    *,
    allow_requantize: bool = False,
    imatrix: bool = False,
    overrides: Overrides | None = None,
) -> SizeEstimate:
    """The size that the file will have, if llama.cpp can make it from this source. Raises `ConversionError`."""
    estimate = estimate_size(header, type_name, imatrix=imatrix, overrides=overrides)
    quantized = sorted({tensor.type_name for tensor in header.tensors} - set(_FLOAT_TYPES))
    if quantized and not allow_requantize:
        raise ConversionError(
            f"{header.path.name} is quantized already ({', '.join(quantized)}).",
            why="Quantizing it once more would add a second rounding to the first.",
            next_step="Start from the F16 file of the same model.",
        )
    if estimate.needs_imatrix and not imatrix:
        raise ConversionError(
            f"{estimate.type} needs an importance matrix for this model.",
            why="Without one, so few bits give garbage, and llama.cpp refuses.",
            next_step=f"Make one from your scenarios: `imatrix {header.path.name}`, or `quantize --imatrix auto`. "
            "Or choose a type with more bits, such as Q3_K_M or IQ4_XS.",
        )
    return estimate


def _check_written(path: Path, estimate: SizeEstimate) -> None:
    """llama.cpp does not always notice a full disk: the file must be whole, and is made durable before its rename."""
    header = read_header(path)
    end = max((header.data_offset + tensor.offset + (tensor.size or 0) for tensor in header.tensors), default=0)
    if header.file_size < end:
        raise ConversionError(
            "The quantized file came out incomplete.",
            why=f"It has {header.file_size} bytes where about {estimate.size} were expected.",
            next_step="Check the free space on the disk and start again.",
        )
    sync(path)


def _partial_path(target: Path) -> Path:
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent.resolve())
    except OSError as error:
        raise write_error(target, error) from error
    os.close(handle)
    return Path(name)
