"""Checks many files at once: on all cores, in the order given, with flat memory however many there are.

Nothing is written here. Files go to the worker processes in bundles; at most a few bundles are under way at a time.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from studio.errors import StudioError, WorkspaceError
from studio.scenarios.models import Diagnostic, Severity
from studio.scenarios.parser import MarkdownParser, read_text
from studio.scenarios.settings import load_check_settings
from studio.scenarios.vocabulary import load_vocabulary

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with files done and files in all."""
_BUNDLE_BYTES = 400_000
_BUNDLE_FILES = 64
_IN_PROCESS_BYTES = 600_000
"""Below this starting processes takes longer than checking (bytes)."""
_BUNDLES_PER_WORKER = 3


@dataclass(frozen=True, slots=True)
class FileReport:
    """What checking one file found; `error` says why it could not be read."""

    path: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    bytes: int = 0
    error: str = ""

    def count(self, severity: Severity) -> int:
        """Diagnostics of one severity."""
        return sum(one.severity is severity for one in self.diagnostics)

    @property
    def valid(self) -> bool:
        """Whether the file was read and has no error."""
        return not self.error and not any(one.severity is Severity.ERROR for one in self.diagnostics)


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """Which tools.yaml and diagnostics.yaml the checks use; None for the project's own."""

    vocabulary: Path | None = None
    settings: Path | None = None


def scenario_files(paths: Iterable[str | Path]) -> list[Path]:
    """The files that paths mean: a folder stands for its markdown files, at any depth, hidden ones left out.

    Raises:
        WorkspaceError: a path does not exist.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = (one for one in path.rglob("*.md") if not _hidden(one.relative_to(path)) and one.is_file())
            found.update(dict.fromkeys(sorted(inside)))
        elif path.exists():
            found[path] = None
        else:
            raise WorkspaceError("There is no such file or folder.", next_step="Check the path.", where=str(path))
    return list(found)


def validate_paths(
    paths: Iterable[str | Path],
    *,
    workers: int | None = None,
    config: CheckConfig | None = None,
    progress: Progress | None = None,
) -> Iterator[FileReport]:
    """Check files and folders; reports come one by one, in order, as they are ready.

    Args:
        paths: files, and folders that are searched for markdown files.
        workers: processes; None for one per core. Little work is done in this process.
        config: other configuration files than the project's own.
        progress: called after every file.

    Raises:
        WorkspaceError: a path does not exist.
        ConfigError: a configuration file cannot be used.
        StudioError: a worker process died.
    """
    files = scenario_files(paths)
    chosen, count = config or CheckConfig(), workers or os.cpu_count() or 1
    sizes = {path: _size(path) for path in files}
    alone = count == 1 or (workers is None and sum(sizes.values()) < _IN_PROCESS_BYTES)
    parts = bundles(files, sizes.__getitem__, _BUNDLE_FILES, _BUNDLE_BYTES)
    reports = _check_alone(files, chosen) if alone else _check_in_pool(parts, chosen, count)
    for done, report in enumerate(reports, start=1):
        yield report
        if progress is not None:
            progress(done, len(files))


def validate_file(path: Path, config: CheckConfig) -> FileReport:
    """Check one file; an unreadable one gives a report with `error`."""
    try:
        text = read_text(path)
    except WorkspaceError as error:
        return FileReport(str(path), error=f"{error.what} {error.why}".strip())
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
    return FileReport(str(path), _parser(config).validate_format(text).diagnostics, size)


@lru_cache(maxsize=4)
def _parser(config: CheckConfig) -> MarkdownParser:
    return MarkdownParser(load_vocabulary(config.vocabulary), load_check_settings(config.settings))


def _check_alone(files: Sequence[Path], config: CheckConfig) -> Iterator[FileReport]:
    return (validate_file(path, config) for path in files)


def _check_in_pool(bundles: Iterator[list[Path]], config: CheckConfig, workers: int) -> Iterator[FileReport]:
    _parser(config)  # a configuration that cannot be used is reported here, not by a dying worker
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[list[FileReport]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(config,)) as pool:
        try:
            for bundle in bundles:
                waiting.append(pool.submit(_check_bundle, bundle, config))
                if len(waiting) >= workers * _BUNDLES_PER_WORKER:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise StudioError(
                "A process that checks scenarios ended unexpectedly.",
                why="The system may have run out of memory.",
                next_step="Check fewer files at a time, or use one worker.",
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _start_worker(config: CheckConfig) -> None:
    """Load everything once, and keep the collector from looking at it again and again."""
    _parser(config).validate_format("<DM>[roll: stealth]</DM>")
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _check_bundle(bundle: list[Path], config: CheckConfig) -> list[FileReport]:
    return [validate_file(path, config) for path in bundle]


def bundles(items: Iterable[T], size: Callable[[T], int], most_items: int, most_bytes: int) -> Iterator[list[T]]:
    """The items in runs that are full with `most_items`, or as soon as their sizes reach `most_bytes` together."""
    bundle: list[T] = []
    total = 0
    for one in items:
        bundle.append(one)
        total += size(one)
        if total >= most_bytes or len(bundle) >= most_items:
            yield bundle
            bundle, total = [], 0
    if bundle:
        yield bundle


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)
