"""Which quantization type suits a size limit: the largest one whose exact size is within it."""

from __future__ import annotations

from pathlib import Path

from studio.conversion.gguf_header import GGUFHeader, read_header
from studio.conversion.sizes import SizeEstimate, estimate_sizes
from studio.errors import ConversionError

GIGABYTE = 10**9
"""Bytes of a GB as phones and disks count it; a file that fits so fits into a GiB too."""

# Floats are no quantization, and ternary types turn a model that was not trained for them into noise.
_NEVER_CHOSEN = ("F32", "F16", "BF16", "TQ1_0", "TQ2_0")


def choosable(gguf: Path | GGUFHeader) -> list[SizeEstimate]:
    """The types that may be chosen for someone, largest first; equal sizes stand in falling quality.

    Raises:
        ConversionError: the file cannot be read.
    """
    estimates = estimate_sizes(gguf)
    return [one for one in estimates if not one.needs_imatrix and one.type not in _NEVER_CHOSEN]


def largest_fitting(gguf: Path | GGUFHeader, size_limit_gb: float) -> SizeEstimate:
    """The largest type with which the whole file stays within `size_limit_gb` (10^9 bytes).

    Raises:
        ConversionError: the limit is not above zero, or even the smallest type is too large.
    """
    header = gguf if isinstance(gguf, GGUFHeader) else read_header(gguf)
    if not size_limit_gb > 0:
        raise ConversionError(f"A size limit of {size_limit_gb} GB cannot be met.", next_step="Give more than 0.")
    candidates = choosable(header)
    fitting = [one for one in candidates if one.size <= size_limit_gb * GIGABYTE]
    if fitting:
        return fitting[0]
    smallest = candidates[-1]
    raise ConversionError(
        f"No quantization type makes this model as small as {size_limit_gb:g} GB.",
        why=f"The smallest is {smallest.type} with {smallest.size / 1e6:.2f} MB ({smallest.size:,} bytes).",
        next_step="Allow a larger file, or start from a smaller base model.",
        where=header.path.name,
    )
