"""The process that runs a GGUF file over held-out rows for `studio.conversion.quality.meter`. It imports llama.cpp.

The unquantized file's log-probabilities are kept whole, as float16: two bytes per trained position and token of the
vocabulary (98 MB for 1,000 positions of SmolLM2). The rounding adds at most about 2.5e-6 nats, half its variance, where
all tokens are equally likely; the likeliest one is kept beside them, because two may round to the same number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from studio.conversion.formats.gguf_stream import write_error
from studio.conversion.llama_session import LlamaSession
from studio.conversion.quality.divergence import kl_divergence, log_softmax
from studio.conversion.quality.records import HeldOutRow
from studio.conversion.worker_process import Report, serve
from studio.errors import ConversionError

PART = 128
"""Tokens computed together: 128 logits of Gemma's vocabulary are 134 MB."""
PROBABILITIES, LIKELIEST = "log_probabilities.npy", "likeliest.npy"
_BLOCK = 16
"""Rows whose exponentials are held at once: 16 times a vocabulary of 262,144 is 16 MiB."""
_Floats = npt.NDArray[np.float32]
_Doubles = npt.NDArray[np.float64]


class QualityRequest(BaseModel):
    """The file and the rows.

    Attributes:
        reference: folder with what the unquantized file said.
        is_reference: the file is that one: fill `reference` instead of comparing with it.
    """

    gguf: Path
    rows: list[HeldOutRow]
    reference: Path
    is_reference: bool
    threads: int


class QualityAnswer(BaseModel):
    """Figures over all trained positions, as in `FileQuality`."""

    positions: int
    perplexity: float
    kl: float
    kl_p99: float
    same_top: float


def run_quality(request: QualityRequest, report: Report) -> QualityAnswer:
    """Run the file over the rows, and keep what it says or compare it with what was kept.

    Raises:
        ConversionError: llama.cpp cannot run the file, it says no finite numbers, it has another vocabulary, or the
            disk is full.
    """
    with LlamaSession(request.gguf, _context(request.rows), request.threads, part=PART) as session:
        shape = (sum(len(row.wanted) for row in request.rows), session.vocabulary)
        open_tally = _keep if request.is_reference else _compare
        with open_tally(request.reference, shape) as tally:
            for told, targets, logits in _said(session, request.rows):
                if not np.isfinite(logits).all():
                    raise _not_finite(request.gguf)
                tally.add(targets, log_softmax(logits))
                report(*told)
        return tally.answer()


def _context(rows: list[HeldOutRow]) -> int:
    return max(len(row.ids) for row in rows)


def _said(session: LlamaSession, rows: list[HeldOutRow]) -> Iterator[tuple[tuple[int, int], list[int], _Floats]]:
    """Tokens done and to do, the tokens that follow in the text, and the logits that were given to them."""
    ends = [row.wanted[-1] + 1 for row in rows]
    for number, row in enumerate(rows):
        for places, logits in session.logits_at(row.ids, row.wanted):
            done = sum(ends[:number]) + places[-1] + 1
            for start in range(0, len(places), _BLOCK):
                block = places[start : start + _BLOCK]
                yield (done, sum(ends)), [row.ids[place + 1] for place in block], logits[start : start + _BLOCK]


@dataclass
class _Tally:
    """Adds up what a file says, position after position.

    Attributes:
        divergence: takes log-probabilities `[positions, vocabulary]` in turn; gives KL divergences and whether the
            likeliest token is the same.
    """

    divergence: Callable[[_Floats], tuple[_Doubles, npt.NDArray[np.bool_]]]
    losses: list[_Doubles] = field(default_factory=list)
    divergences: list[_Doubles] = field(default_factory=list)
    same: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    def add(self, targets: list[int], found: _Floats) -> None:
        """Count some positions: the tokens that follow there, and log-probabilities `[positions, vocabulary]`."""
        divergence, same = self.divergence(found)
        self.losses.append(-found[np.arange(len(targets)), targets].astype(np.float64))
        self.divergences.append(divergence)
        self.same.append(same)

    def answer(self) -> QualityAnswer:
        """The figures."""
        divergences = np.concatenate(self.divergences)
        return QualityAnswer(
            positions=len(divergences),
            perplexity=float(np.exp(np.concatenate(self.losses).mean())),
            kl=float(divergences.mean()),
            kl_p99=float(np.percentile(divergences, 99)),
            same_top=float(np.concatenate(self.same).mean()),
        )


@contextmanager
def _keep(folder: Path, shape: tuple[int, int]) -> Iterator[_Tally]:
    """Write down what is said; it diverges from itself by nothing. Raises `ConversionError` when the disk is full."""
    likeliest: list[npt.NDArray[np.intp]] = []
    layout = {"descr": "<f2", "fortran_order": False, "shape": shape}
    try:
        with (folder / PROBABILITIES).open("wb") as stream:  # no memory map: a full disk would end the process
            np.lib.format.write_array_header_1_0(stream, layout)

            def keep(found: _Floats) -> tuple[_Doubles, npt.NDArray[np.bool_]]:
                likeliest.append(found.argmax(axis=1))
                stream.write(found.astype("<f2").tobytes())
                return np.zeros(len(found)), np.ones(len(found), bool)

            yield _Tally(keep)
        np.save(folder / LIKELIEST, np.concatenate(likeliest))
    except OSError as error:
        raise write_error(folder / PROBABILITIES, error) from error


@contextmanager
def _compare(folder: Path, shape: tuple[int, int]) -> Iterator[_Tally]:
    """Compare with what was written down. Raises `ConversionError` when that is of another vocabulary."""
    kept, likeliest = np.load(folder / PROBABILITIES, mmap_mode="r"), np.load(folder / LIKELIEST)
    if kept.shape != shape:
        raise ConversionError(
            "This file cannot be compared with the unquantized one.",
            why=f"Its vocabulary has {shape[1]:,} tokens, that of the other {kept.shape[1]:,}.",
            next_step="Compare it with the unquantized file that it was made from.",
        )
    done = 0

    def compare(found: _Floats) -> tuple[_Doubles, npt.NDArray[np.bool_]]:
        nonlocal done
        places = slice(done, done + len(found))
        done = places.stop
        # The rounded probabilities are brought back to a sum of 1.
        expected = log_softmax(kept[places].astype(np.float32))
        return kl_divergence(expected, found), found.argmax(axis=1) == likeliest[places]

    yield _Tally(compare)


def _not_finite(path: Path) -> ConversionError:
    return ConversionError(
        "The file computes numbers that are not finite.",
        why="Its weights are damaged, or were quantized beyond what the model bears.",
        next_step="Validate it, or make it again in another type.",
        where=path.name,
    )


if __name__ == "__main__":
    sys.exit(serve(QualityRequest, run_quality))
