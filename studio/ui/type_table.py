"""The table of types: columns of plain values, and what each column means in a reader's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from studio.ui.model_types import WINDOWS, TypeLine
from studio.ui.wording import size

MB, PER_CENT = 1e6, 100.0


class Column(NamedTuple):
    """One column: heading, number format (printf or Streamlit's), meaning, and its value of a line."""

    title: str
    format: str
    meaning: str
    value: Callable[[TypeLine], float | None]


def _share(value: float | None) -> float | None:
    return None if value is None else PER_CENT * value


COLUMNS = (
    Column("File", "%.1f MB", "Size of the whole file, computed from its tensors.", lambda one: one.row.size / MB),
    Column("Bits", "%.2f", "Bits per weight, all tensors together.", lambda one: one.row.bits_per_weight),
    *(
        Column(
            f"Memory {length // 1024}k",
            "%.0f MB",
            f"Weights, KV cache and working buffer with a window of {length:,} tokens.",
            lambda one, length=length: one.memory[length] / MB,  # type: ignore[misc]
        )
        for length in WINDOWS
    ),
    Column("Expected", "%.0f /s", "Tokens per second on this computer, estimated.", lambda one: one.expected),
    Column("Measured", "%.0f /s", "Tokens per second by the newest benchmark.", lambda one: one.row.tokens_per_second),
    Column("Perplexity", "%.2f", "How surprised it is by held-out play.", lambda one: one.row.perplexity),
    Column("KL", "%.4f", "How far its choice of words is from the unquantized model's.", lambda one: one.row.kl),
    Column(
        "Same word", "%.1f%%", "Places where it thinks the same word likeliest as the unquantized model.",
        lambda one: _share(one.row.same_top),
    ),
    Column(
        "Dice right", "%.0f%%", "Turns with exactly the author's decision about dice, by the newest report.",
        lambda one: _share(one.row.tool_accuracy),
    ),
)  # fmt: skip


def type_table(lines: Sequence[TypeLine], chosen: TypeLine | None) -> dict[str, list[Any]]:
    """The columns by their headings; those of which no line has a value are left out."""
    found: dict[str, list[Any]] = {
        "Type": [one.row.type for one in lines],
        "State": [state_word(one, chosen) for one in lines],
        "Device": ["fits" if one.fits else "too large" for one in lines],
    }
    for column in COLUMNS:
        values = [column.value(one) for one in lines]
        if any(value is not None for value in values):
            found[column.title] = values
    return found


def state_word(line: TypeLine, chosen: TypeLine | None) -> str:
    """What a line is besides its figures: recommended, made, or in need of an importance matrix."""
    words = ["recommended"] if line is chosen else []
    if line.is_made:
        words.append("made")
    elif line.row.needs_imatrix:
        words.append("needs a matrix")
    return ", ".join(words)


def option(line: TypeLine) -> str:
    """A type as one chooses it: `Q4_K_M · 105 MB`, with what must come first and what speaks against it."""
    parts = [line.row.type, size(line.row.size)]
    if line.row.needs_imatrix and not line.is_made:
        parts.append("with an importance matrix")
    if not line.fits:
        parts.append("too large for the device")
    return " · ".join(parts)
