"""Find the file of the best measured quality within a limit of bytes: make a few candidates, measure each, keep one.

Exact sizes leave out what does not fit, an expectation (`candidates`) orders the rest, and a measurement decides: KL
divergence from the unquantized file on held-out scenarios. A handful of candidates is tried, so the result is the best
of those, not of all that could be made. Losers are deleted at once, a result below the floor too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from studio.config import QualityFloor
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback
from studio.conversion.quality.meter import QualityMeter
from studio.conversion.quality.records import FileQuality, save_quality
from studio.conversion.quantization.quantize import QuantizeReport, check_possible, quantize_file
from studio.conversion.search.candidates import Candidate, candidates, exact_size
from studio.conversion.search.fitting import nothing_fits
from studio.errors import ConversionError
from studio.workspace import sync

TRIES = 6
"""Candidates that are made and measured at most."""
_WORTH_TRYING = 2.0
"""A candidate whose expected loss is above the best one's by more than this factor is not tried."""
_PER_TYPE = 2
_SCALE = 1000
TRIAL_ENDING = ".trial"
Tell = Callable[[str], None]


class Tried(BaseModel):
    """A candidate that was made and measured."""

    type: str
    overrides: dict[str, str]
    size: int
    quality: FileQuality


class OptimizeReport(QuantizeReport):
    """The file that was kept, what was measured of it, and what else was tried.

    Attributes:
        overrides: parts of the model that have another type than the file's.
        quality: None where the file was chosen by its size alone.
        size_limit: bytes.
    """

    overrides: dict[str, str] = Field(default_factory=dict)
    quality: FileQuality | None = None
    tried: list[Tried] = Field(default_factory=list)
    size_limit: int


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        meter: measures against the unquantized file, which is what candidates are made from.
        size_limit: bytes of the whole file.
        floor: how much a file may lose.
        target: where the kept file goes, by the word for its type in a file name.
        imatrix: importance matrix to quantize with, if there is one.
        tries: candidates that are made at most.
        tell: takes a sentence about every step.
        progress: told steps done and to do, in thousandths of all.
    """

    meter: QualityMeter
    size_limit: int
    floor: QualityFloor
    target: Callable[[str], Path]
    imatrix: Path | None = None
    tries: int = TRIES
    tell: Tell = lambda _: None
    progress: ProgressCallback | None = None
    stop: StopCallback | None = None

    def run(self) -> OptimizeReport:
        """Try the most promising candidates and keep the best.

        Raises:
            ConversionError: nothing fits, the best that fits is below the floor, or a file cannot be made or measured.
            ConversionStopped: `stop` said yes; nothing that was tried is left.
        """
        header = read_header(self.meter.reference)
        chosen = promising(fitting(header, self.size_limit, imatrix=self._matrix), self.tries)
        self._count(0, len(chosen) + 1)
        reference = self.meter.measure(self.meter.reference, progress=self._part(0, len(chosen) + 1), stop=self.stop)
        self.tell(
            f"The unquantized file: perplexity {reference.perplexity:.2f} at {reference.positions:,} held-out tokens."
        )
        tried: list[tuple[Tried, Path]] = []
        with _removed_after(self.target("trial").parent) as trials:
            for number, one in enumerate(chosen, start=1):
                tried.append(self._try(one, number, len(chosen), trials))
                _keep_best(tried)
            return self._kept(header, tried)

    @property
    def _matrix(self) -> bool:
        return self.imatrix is not None

    def _try(self, one: Candidate, number: int, count: int, trials: Path) -> tuple[Tried, Path]:
        """Make a candidate and measure it."""
        self.tell(f"Try {number} of {count}: {one.label}, {one.size / 1e6:.1f} MB ...")
        path = trials.with_name(f"{trials.name}{number}{TRIAL_ENDING}")
        steps = 2 * (count + 1)
        made = quantize_file(
            self.meter.reference, path, one.type, imatrix=self.imatrix, overrides=one.overrides or None,
            progress=self._part(2 * number, steps), stop=self.stop,
        )  # fmt: skip
        quality = self.meter.measure(path, progress=self._part(2 * number + 1, steps), stop=self.stop)
        self.tell(f"{one.label}: {quality_words(quality)}.")
        return Tried(type=one.type, overrides=dict(one.overrides), size=made.size, quality=quality), path

    def _kept(self, header: GGUFHeader, tried: Sequence[tuple[Tried, Path]]) -> OptimizeReport:
        best, path = best_of(tried)
        if faults := floor_faults(best.quality, self.floor):
            raise _below_floor(header, best, faults, self.size_limit)
        one = Candidate(best.type, best.overrides, best.size, 0.0)
        target = self.target(one.file_word)
        path.replace(target)
        sync(target.parent)
        quality = best.quality.model_copy(update={"file": target.name})
        save_quality(self.meter.workspace, quality)
        self.tell(f"Kept {one.label}: the best of {len(tried)} that were tried.")
        return OptimizeReport(
            path=target,
            type=best.type,
            size=best.size,
            predicted_size=exact_size(header, one, imatrix=self._matrix),
            overrides=best.overrides,
            quality=quality,
            tried=[one for one, _ in tried],
            size_limit=self.size_limit,
        )

    def _part(self, part: int, parts: int) -> ProgressCallback:
        return lambda done, total: self._count(part + done / max(total, 1), parts)

    def _count(self, done: float, total: int) -> None:
        if self.progress:
            self.progress(int(_SCALE * done / total), _SCALE)


def fitting(header: GGUFHeader, size_limit: int, *, imatrix: bool = False) -> list[Candidate]:
    """The candidates whose file is within `size_limit` bytes, most promising first.

    Raises:
        ConversionError: there is none, or nothing can be made from this file because it is quantized already.
    """
    every = candidates(header, imatrix=imatrix)
    found = [one for one in every if one.size <= size_limit]
    if not found:
        smallest = min(every, key=lambda one: one.size)
        raise nothing_fits(header, size_limit, smallest.label, smallest.size)
    check_possible(header, found[0].type, imatrix=imatrix)
    return [one for one in found if not imatrix or exact_size(header, one, imatrix=True) <= size_limit]


def promising(ordered: Sequence[Candidate], tries: int) -> list[Candidate]:
    """The first `tries` of candidates in falling promise, not more than two of a type, and none far behind the first.

    The largest plain type is always among them, so a search ends with nothing worse than the choice by size alone.
    """
    chosen = _first(ordered, tries)
    plain = max((one for one in ordered if not one.overrides), key=lambda one: one.size, default=None)
    if plain and plain not in chosen:
        chosen = [*chosen[: max(tries - 1, 0)], plain]
    return chosen


def _first(ordered: Sequence[Candidate], tries: int) -> list[Candidate]:
    chosen: list[Candidate] = []
    for one in ordered:
        if chosen and one.expected_loss > _WORTH_TRYING * chosen[0].expected_loss:
            break
        if sum(other.type == one.type for other in chosen) < _PER_TYPE:
            chosen.append(one)
        if len(chosen) == tries:
            break
    return chosen


def best_of(tried: Sequence[tuple[Tried, Path]]) -> tuple[Tried, Path]:
    """The one of the lowest mean KL divergence; of equal ones the smaller file."""
    return min(tried, key=lambda one: (one[0].quality.kl, one[0].size))


def floor_faults(quality: FileQuality, floor: QualityFloor) -> list[str]:
    """In what a file is below the floor, as sentences' parts; empty when it is not."""
    faults = []
    if quality.kl > floor.max_kl:
        faults.append(f"its KL divergence is {quality.kl:.4f} where {floor.max_kl:g} is allowed")
    if quality.perplexity_increase > floor.max_perplexity_increase:
        faults.append(
            f"its perplexity is {quality.perplexity_increase:.1%} above the unquantized file's where "
            f"{floor.max_perplexity_increase:.1%} is allowed"
        )
    return faults


def quality_words(quality: FileQuality) -> str:
    """For example 'KL divergence 0.0123, perplexity +0.8 %, same top token 95.1 %'."""
    return (
        f"KL divergence {quality.kl:.4f}, perplexity {100 * quality.perplexity_increase:+.1f} %, "
        f"same top token {100 * quality.same_top:.1f} %"
    )


def _keep_best(tried: Sequence[tuple[Tried, Path]]) -> None:
    """Delete all files but the best one's: the disk never holds more than two."""
    best = best_of(tried)
    for one in tried:
        if one is not best:
            one[1].unlink(missing_ok=True)


@contextmanager
def _removed_after(folder: Path) -> Iterator[Path]:
    """The beginning of names for files in `folder` that are gone in the end, however that comes."""
    folder.mkdir(parents=True, exist_ok=True)
    begin = folder / f".search-{secrets.token_hex(4)}-"
    try:
        yield begin
    finally:
        for path in folder.glob(f"{begin.name}*{TRIAL_ENDING}"):
            path.unlink(missing_ok=True)


def _below_floor(header: GGUFHeader, best: Tried, faults: Sequence[str], limit: int) -> ConversionError:
    label = Candidate(best.type, best.overrides, best.size, 0.0).label
    return ConversionError(
        f"What fits into {limit / 1e6:.2f} MB loses too much of what the model learned, so nothing was kept.",
        why=f"The best is {label} ({best.size / 1e6:.2f} MB): {' and '.join(faults)}.",
        next_step="Allow a larger file, start from a smaller base model, or lower the profile's quality_floor.",
        where=header.path.name,
    )
