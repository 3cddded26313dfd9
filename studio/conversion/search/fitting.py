"""What a limit of size or memory leaves room for, by exact sizes alone; `search.search` measures quality."""

from __future__ import annotations

from pathlib import Path

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.memory import memory_needed
from studio.conversion.quantization.sizes import SizeEstimate, estimate_sizes
from studio.errors import ConversionError

GIGABYTE = 10**9
"""Bytes of a GB as phones and disks count it; a file that fits so fits into a GiB too."""

# Floats are no quantization, and ternary types turn a model that was not trained for them into noise.
_NEVER_CHOSEN = ("F32", "F16", "BF16", "TQ1_0", "TQ2_0")


def choosable(gguf: Path | GGUFHeader, *, imatrix: bool = False) -> list[SizeEstimate]:
    """The types that may be chosen for someone, largest first; equal sizes stand in falling quality.

    Args:
        imatrix: there is an importance matrix, so that types which need one can be made.

    Raises:
        ConversionError: the file cannot be read.
    """
    estimates = estimate_sizes(gguf, imatrix=imatrix)
    return [one for one in estimates if (imatrix or not one.needs_imatrix) and one.type not in _NEVER_CHOSEN]


def largest_fitting(gguf: Path | GGUFHeader, size_limit_gb: float) -> SizeEstimate:
    """The largest type with which the whole file stays within `size_limit_gb` (10^9 bytes).

    Raises:
        ConversionError: the limit is not above zero, or even the smallest type is too large.
    """
    header = gguf if isinstance(gguf, GGUFHeader) else read_header(gguf)
    return largest_within(header, bytes_of(size_limit_gb))


def largest_within(header: GGUFHeader, limit: int) -> SizeEstimate:
    """The same for a limit in bytes. Raises `ConversionError`."""
    types = choosable(header)
    fitting = [one for one in types if one.size <= limit]
    if fitting:
        return fitting[0]
    raise nothing_fits(header, limit, types[-1].type, types[-1].size)


def bytes_of(limit_gb: float, unit: int = GIGABYTE) -> int:
    """A limit in bytes. Raises `ConversionError` when it is not above zero."""
    if not limit_gb > 0:
        raise ConversionError(f"A limit of {limit_gb} GB cannot be met.", next_step="Give more than 0.")
    return int(limit_gb * unit)


def size_within_memory(header: GGUFHeader, memory: int, context_length: int) -> int:
    """How many bytes a file may have so that weights, KV cache and working buffer stay within `memory` bytes.

    Args:
        header: of the model in any type.
        context_length: tokens of the window.

    Raises:
        ConversionError: the window alone takes more than that.
    """
    beside_weights = memory_needed(header, header.data_offset, context_length)
    left = memory - beside_weights
    if left > 0:
        return left + header.data_offset
    raise ConversionError(
        f"{_megabytes(memory)} of memory are too little for a window of {context_length} tokens.",
        why=f"Without any weights it takes {_megabytes(beside_weights)}, {-left:,} bytes more.",
        next_step="Allow more memory, or choose a shorter window.",
        where=header.path.name,
    )


def nothing_fits(header: GGUFHeader, limit: int, smallest: str, size: int) -> ConversionError:
    """That even the smallest file is above the limit, and by how much; sizes in bytes."""
    return ConversionError(
        f"No quantization type makes this model as small as {_megabytes(limit)}.",
        why=f"The smallest is {smallest} with {_megabytes(size)} ({size:,} bytes), {size - limit:,} bytes too many.",
        next_step="Allow a larger file, or start from a smaller base model.",
        where=header.path.name,
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB"
