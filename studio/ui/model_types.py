"""The types that a run's model can be made in, for one device: what each takes and gives, and which one suits best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.config import OptimizationProfile
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.memory import memory_needed
from studio.conversion.metadata import BASE_NAME
from studio.conversion.quantization.types import TYPES
from studio.conversion.search.fitting import GIGABYTE
from studio.conversion.speed.expected import DecodingPace, expected_tokens_per_second, speed_of_file
from studio.machine import GIB
from studio.ui.file_quality import TypeRow
from studio.ui.wording import count, size
from studio.workspace import Workspace

WINDOWS = (2048, 4096, 8192)
"""Context lengths for which the memory is told, in tokens."""
SHORT_LIST = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M")
FLOATS = ("F32", "F16", "BF16")
_UNTRAINED_FOR = ("TQ1_0", "TQ2_0")
"""Ternary types turn a model that was not trained for them into noise."""
_AS_GOOD = 0.001
"""Mean KL divergence in nats that is too small a difference to pay bytes for."""


@dataclass(frozen=True)
class TypeLine:
    """A type and what it means on a device.

    Attributes:
        memory: bytes while it is played, by the length of the window in tokens.
        expected: tokens per second on this machine, estimated; None while the machine is not measured.
        too_large: why it does not fit the device, as a sentence; empty when it fits.
    """

    row: TypeRow
    memory: dict[int, int]
    expected: float | None
    too_large: str

    @property
    def fits(self) -> bool:
        """Whether file and memory are within the device's limits."""
        return not self.too_large

    @property
    def is_made(self) -> bool:
        """Whether the file is there."""
        return self.row.path is not None


def type_lines(
    rows: Sequence[TypeRow], header: GGUFHeader, profile: OptimizationProfile, pace: DecodingPace | None
) -> list[TypeLine]:
    """The types for a device, in the order of `rows`.

    Args:
        header: of the model in any type.
        pace: what was measured on this machine for its base model.
    """
    window = profile.quantization_settings.context_length
    return [
        TypeLine(
            row,
            {length: memory_needed(header, row.size, length) for length in WINDOWS},
            _expected(row, header, pace) if pace else None,
            _too_large(row.size, memory_needed(header, row.size, window), profile),
        )
        for row in rows
    ]


def base_name(workspace: Workspace, header: GGUFHeader) -> str:
    """The base model that a file says it was made from, or whose own file it is; empty for one from elsewhere."""
    path, inside = header.path.resolve(), workspace.base_dir.resolve()
    return header.text(BASE_NAME) or (path.relative_to(inside).parts[0] if path.is_relative_to(inside) else "")


def short_list(lines: Sequence[TypeLine], chosen: TypeLine | None) -> list[TypeLine]:
    """The few types that most people need: sensible ones, all that are made, and the chosen one."""
    return [one for one in lines if one.row.type in SHORT_LIST or one.is_made or one is chosen]


def recommended(lines: Sequence[TypeLine], profile: OptimizationProfile) -> TypeLine | None:
    """The type for a device: the best that was measured, else what its profile names, else the largest that fits.

    None: nothing fits.
    """
    fitting = [one for one in lines if one.fits and one.row.type not in (*FLOATS, *_UNTRAINED_FOR)]
    measured = [one for one in fitting if one.row.is_measured]
    if good := [one for one in measured if _good_enough(one, lines, profile)]:
        return _best(good)
    sure = [one for one in fitting if not (one.row.needs_imatrix or one in measured)]
    wanted = profile.quantization_settings.type.upper()
    return next((one for one in sure if one.row.type == wanted), next(iter(sure), None))


def measured_lines(lines: Sequence[TypeLine]) -> list[TypeLine]:
    """Those whose quality is known, smallest first."""
    return sorted((one for one in lines if one.row.is_measured), key=lambda one: one.row.size)


def frontier(lines: Sequence[TypeLine]) -> list[TypeLine]:
    """The measured types that no other one beats in size and quality at once, smallest first."""
    found: list[TypeLine] = []
    for one in measured_lines(lines):
        if not found or (one.row.kl or 0.0) < (found[-1].row.kl or 0.0):
            found.append(one)
    return found


def perplexity_increase(line: TypeLine, lines: Sequence[TypeLine]) -> float | None:
    """By what share a type's perplexity is above the unquantized file's; None where one of them is not measured."""
    whole = next((one.row.perplexity for one in lines if one.row.type == "F16"), None)
    return line.row.perplexity / whole - 1 if whole and line.row.perplexity else None


def recommendation(line: TypeLine | None, lines: Sequence[TypeLine], profile: OptimizationProfile) -> str:
    """The recommended type in a sentence or two: what it takes on the device, and how near it comes."""
    device = profile.title or profile.name
    if line is None:
        return _nothing_fits(lines, device)
    window = profile.quantization_settings.context_length
    takes = [size(line.row.size), f"{size(_memory(line, window))} of memory with {count(window, 'token')}"]
    if speed := line.row.tokens_per_second or line.expected:
        about = "" if line.row.tokens_per_second else "about "
        takes.append(f"{about}{speed:.0f} tokens per second on this computer")
    return f"{line.row.type} suits {device}: {', '.join(takes)}. {_nearness(line)}".strip()


def _expected(row: TypeRow, header: GGUFHeader, pace: DecodingPace) -> float | None:
    """A mixed file has types of its own, which only its header tells."""
    if row.type in TYPES:
        return expected_tokens_per_second(pace, header, row.type, imatrix=row.needs_imatrix)
    return speed_of_file(pace, read_header(row.path)) if row.path else None


def limits_words(profile: OptimizationProfile) -> str:
    """What a device allows: `A file of 400 MB and 859 MB of memory with a window of 2,048 tokens`."""
    settings, memory = profile.quantization_settings, size(round(profile.memory_limit_gb * GIB))
    file = f"A file of {size(settings.size_limit_gb * GIGABYTE)}" if settings.size_limit_gb else "A file of any size"
    return f"{file} and {memory} of memory with a window of {count(settings.context_length, 'token')}."


def _memory(line: TypeLine, window: int) -> int:
    """Of the window that is told nearest to a device's."""
    return line.memory.get(window) or line.memory[min(WINDOWS, key=lambda one: abs(one - window))]


def _nearness(line: TypeLine) -> str:
    if line.row.kl is None:
        return "How near it comes to the unquantized model is not measured yet."
    same = f"At {line.row.same_top:.1%} of the places" if line.row.same_top is not None else "Mostly"
    return f"{same} it thinks the same word likeliest as the unquantized model (KL divergence {line.row.kl:.4f})."


def _nothing_fits(lines: Sequence[TypeLine], device: str) -> str:
    if not lines:
        return ""
    smallest = min(lines, key=lambda one: one.row.size)
    return f"No type of this model fits {device}. Even {smallest.row.type} does not: {smallest.too_large}"


def _good_enough(line: TypeLine, lines: Sequence[TypeLine], profile: OptimizationProfile) -> bool:
    """Whether a measured type keeps to what the device's profile allows quantizing to cost."""
    floor, increase = profile.quality_floor, perplexity_increase(line, lines)
    return (line.row.kl or 0.0) <= floor.max_kl and (increase is None or increase <= floor.max_perplexity_increase)


def _best(measured: Sequence[TypeLine]) -> TypeLine:
    """The smallest of those that are as good as the best."""
    best = min(one.row.kl or 0.0 for one in measured)
    return min((one for one in measured if (one.row.kl or 0.0) <= best + _AS_GOOD), key=lambda one: one.row.size)


def _too_large(file: int, memory: int, profile: OptimizationProfile) -> str:
    limit = round(profile.quantization_settings.size_limit_gb * GIGABYTE)
    if limit and file > limit:
        return f"the file has {size(file)}, {size(limit)} are allowed."
    allowed = round(profile.memory_limit_gb * GIB)
    if memory > allowed:
        return f"it takes {size(memory)} of memory, {size(allowed)} are allowed."
    return ""
