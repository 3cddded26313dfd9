"""Preparing many scenarios on all cores: bundles of files in, one shard on disk per bundle.

Worker processes are spawned, write their shards themselves and end with their parent, however it ends: a script that
processes many scenarios needs the usual `if __name__ == "__main__":`. Little work is done in the calling process.
"""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from studio.dataset.preparation import Preparer, Recipe
from studio.dataset.shards import write_shard
from studio.errors import DatasetError
from studio.scenarios import bundles, read_text

BUNDLE_FILES = 256
BUNDLE_BYTES = 1_000_000
_ALONE_BYTES = 600_000
"""Below this starting processes takes longer than the work (bytes)."""
_AHEAD = 2
"""Bundles per worker that wait or are being worked on."""


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario file to prepare: where it is, the SHA-256 that its text had when it was listed, its size in bytes."""

    path: Path
    sha256: str
    size: int


def prepare_all(jobs: Sequence[Job], recipe: Recipe, folder: Path, workers: int | None = None) -> Iterator[int]:
    """Write the shards of all jobs to `folder`; yields the number of scenarios of each bundle that is finished.

    Args:
        workers: processes; None for one per core, or none at all where there is little to do.

    Raises:
        DatasetError: a file changed meanwhile, or a worker process died.
        WorkspaceError: a file cannot be read.
    """
    count = workers or os.cpu_count() or 1
    if workers is None and (count == 1 or sum(job.size for job in jobs) < _ALONE_BYTES):
        return (_prepare_bundle(bundle, recipe, folder) for bundle in _bundles(jobs))
    return _in_pool(_bundles(jobs), recipe, folder, count)


def _in_pool(bundles: Iterator[list[Job]], recipe: Recipe, folder: Path, count: int) -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(recipe,))
    running: set[Future[int]] = set()
    try:
        while True:
            free = count * _AHEAD - len(running)
            running |= {pool.submit(_prepare_bundle, one, recipe, folder) for one in islice(bundles, free)}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
    except BrokenProcessPool as error:
        raise DatasetError(
            "A process that prepares scenarios ended unexpectedly.",
            why='The system may have run out of memory, or a script of yours lacks `if __name__ == "__main__":`.',
            next_step="Start again: what was finished is kept.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(recipe: Recipe) -> None:
    """Load everything once, and end when the parent is gone (its end of the pipe closes even after SIGKILL)."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _preparer(recipe)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _prepare_bundle(bundle: list[Job], recipe: Recipe, folder: Path) -> int:
    prepare = _preparer(recipe).prepare
    scenarios = [prepare(read_text(job.path)) for job in bundle]
    for job, scenario in zip(bundle, scenarios, strict=True):
        if scenario.sha256 != job.sha256:
            raise DatasetError(
                "A scenario was changed while it was being processed.",
                next_step="Process the scenarios again.",
                where=str(job.path),
            )
    write_shard(folder, scenarios)
    return len(bundle)


@lru_cache(maxsize=1)
def _preparer(recipe: Recipe) -> Preparer:
    return Preparer(recipe)


def _bundles(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    return bundles(jobs, lambda job: job.size, BUNDLE_FILES, BUNDLE_BYTES)
