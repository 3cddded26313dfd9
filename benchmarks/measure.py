"""Interleaved rounds of two things, and the ratio of each pair: a machine that slows down slows both."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Ratio:
    """`ours` over `theirs`, round by round, in the unit of the figures."""

    title: str
    unit: str
    ours: list[float]
    theirs: list[float]
    peer: str

    def __str__(self) -> str:
        ratios = [mine / other for mine, other in zip(self.ours, self.theirs, strict=True)]
        return (
            f"{self.title}: {statistics.median(self.ours):.4g} {self.unit}, {self.peer} "
            f"{statistics.median(self.theirs):.4g}; ratio {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} rounds)"
        )


def interleaved(
    title: str, unit: str, peer: str, ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int
) -> Ratio:
    """One uncounted round of each to warm up, then `rounds` in the order ours, theirs, theirs, ours, ..."""
    ours()
    theirs()
    mine: list[float] = []
    other: list[float] = []
    for number in range(rounds):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            (other if which else mine).append((theirs if which else ours)())
    return Ratio(title, unit, mine, other, peer)


@contextmanager
def peak_memory(process: int | None = None) -> Iterator[list[int]]:
    """Samples of the memory of a process (by its number; this one by default) and all its children, in bytes.

    Pages that processes share are counted in each, so the sum is never too small.
    """
    samples, done = [0], threading.Event()

    def sample() -> None:
        try:
            root = psutil.Process(process)
            while not done.wait(SAMPLE_SECONDS):
                samples.append(sum(map(_resident, [root, *root.children(recursive=True)])))
        except psutil.Error:  # it ended
            return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
