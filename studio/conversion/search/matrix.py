"""Whether a search should have an importance matrix: files as small as the limit asks for may gain much from one."""

from __future__ import annotations

from pathlib import Path

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped, ProgressCallback, StopCallback
from studio.conversion.imatrix.service import ensure_imatrix, known_imatrix
from studio.conversion.search.fitting import choosable
from studio.conversion.search.optimization import Limits
from studio.conversion.search.search import Tell, fitting
from studio.errors import BaseModelError, ConversionError
from studio.workspace import Workspace

GAINS_BELOW = 6.5
"""Bits per weight: as measured, Q4_K_M (6.2 for SmolLM2) loses a seventh less with a matrix, smaller types a third."""


def helpful_imatrix(
    workspace: Workspace,
    source: Path,
    limits: Limits,
    *,
    tell: Tell = lambda _: None,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> Path | None:
    """The matrix beside an unquantized file; made now where only types that gain from one are within the limits.

    Where there is no text to make it from, that is told and there is none.

    Raises:
        ConversionError: nothing fits, with or without a matrix.
        ConversionStopped: `stop` said yes.
    """
    header = read_header(source)
    limit = limits.file_size(header)
    plain = [one for one in choosable(header) if one.size <= limit]
    if plain and plain[0].bits_per_weight >= GAINS_BELOW:
        return known_imatrix(workspace, source)
    fitting(header, limit, imatrix=True)  # that nothing fits is said before anything is read
    tell("Types as small as these gain from an importance matrix: reading the texts that the model learned from ...")
    try:
        return ensure_imatrix(workspace, source, progress=progress, stop=stop).path
    except ConversionStopped:
        raise
    except (ConversionError, BaseModelError) as error:
        tell(f"There is no importance matrix. {error}")
        return None
