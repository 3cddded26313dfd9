"""A hundred thousand generated scenarios: is the cost linear, does the memory stay, and what does a kill cost?

`python -m benchmarks scale` takes about a quarter of an hour of two cores and 2 GB of disk: it does not run by default.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.dataset import BASE, LIMIT, measure, write_scenarios
from benchmarks.measure import Ratio
from studio.bases import get_base
from studio.dataset import TrainingDataProcessor
from studio.workspace import PROJECT_ROOT, Workspace

SIZES = (10_000, 30_000, 100_000)
KILLED_AFTER = 0.5
"""Share of the scenarios after which the process is killed."""


def main() -> Iterator[Ratio | str]:
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / f"{size}" for size in SIZES]
        for folder, size in zip(folders, SIZES, strict=True):
            write_scenarios(folder / "scenarios", size)
        yield from _grown(folders)
        yield from _killed(folders[-1], SIZES[-1])


def _grown(folders: list[Path]) -> Iterator[Ratio | str]:
    """Seconds and memory for each size, and the plain loop for the largest."""
    last: dict[str, float] = {}
    for folder, size in zip(folders, SIZES, strict=True):
        last = measure("ours", folder, size)
        yield (
            f"{size:,} scenarios: {last['seconds']:.1f} s, {last['seconds'] / size * 1e3:.2f} ms each, "
            f"peak of all processes {last['peak_mb']:.0f} MB; with one more file {last['again_seconds']:.1f} s"
        )
    peer = measure("peer", folders[-1], SIZES[-1])
    yield Ratio(
        f"dataset of {SIZES[-1]:,} scenarios", "s", [last["seconds"]], [peer["seconds"]], "a loop over datasets.map"
    )
    yield f"  the loop's peak {peer['peak_mb']:.0f} MB"


def _killed(folder: Path, size: int) -> Iterator[str]:
    """Kill it in the middle, start it again: how many scenarios were taken over, and the seconds of both."""
    with tempfile.TemporaryDirectory(dir=folder) as workspace:
        command = [sys.executable, "-m", "benchmarks.scale", str(folder / "scenarios"), workspace]
        began = time.perf_counter()
        with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as first:
            done = next(count for count in map(int, first.stdout or ()) if count >= size * KILLED_AFTER)
            first.kill()
        killed, began = time.perf_counter() - began, time.perf_counter()
        second = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT_ROOT)
        rest = time.perf_counter() - began
    taken_over = int(second.stdout.split()[0])
    yield (
        f"killed after {killed:.1f} s with {done:,} of {size:,} scenarios done; started again: {taken_over:,} taken "
        f"over, {rest:.1f} s for the rest"
    )


def _process(scenarios: Path, workspace: Path) -> None:
    """Process the folder and print how many scenarios are done, as they are."""
    base = get_base(Workspace.find(PROJECT_ROOT), BASE)
    processor = TrainingDataProcessor(Workspace(workspace), base, LIMIT)
    processor.process_scenarios(scenarios, lambda done, _: print(done, flush=True))


if __name__ == "__main__":
    _process(*map(Path, sys.argv[1:]))
