"""Measure how near a GGUF file comes to the unquantized one: perplexity, KL divergence, and the same likeliest token.

llama.cpp runs every file in a process of its own over the same held-out rows. What the unquantized file says is kept
on disk for the two that were used last, so that ten files cost eleven runs and not twenty. It says how much a model
lost by quantizing, nothing of how good it was before: that is the report card's business.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import (
    ConversionStopped,
    ProgressCallback,
    StopCallback,
    require_space,
    write_error,
)
from studio.conversion.metadata import TOKENS
from studio.conversion.quality.records import (
    FORMAT,
    FileQuality,
    HeldOutRow,
    file_digest,
    find_quality,
    quality_folder,
    rows_digest,
    save_quality,
)
from studio.conversion.quality.worker import QualityAnswer, QualityRequest
from studio.conversion.worker_process import run_worker
from studio.errors import ConversionError
from studio.jobs import usable_cores
from studio.workspace import Workspace

TIMEOUT_SECONDS = 6 * 3600.0
KEPT_REFERENCES = 2
_MODULE = "studio.conversion.quality.worker"
_PREFIX = "reference-"
_BYTES = 2
_WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class QualityMeter:
    """Measures files against one unquantized file, on the same rows.

    Attributes:
        workspace: where records are kept.
        reference: the unquantized file.
        rows: held-out conversations (`studio.conversion.held_out_rows`); only their trained positions count.
        threads: 0 takes all cores that this process may use.
    """

    workspace: Workspace
    reference: Path
    rows: Sequence[HeldOutRow]
    threads: int = 0

    def measure(
        self, gguf: Path, *, progress: ProgressCallback | None = None, stop: StopCallback | None = None
    ) -> FileQuality:
        """The quality of a file; at once if it was measured on these rows before.

        Args:
            progress: told the tokens done and to do.

        Raises:
            ConversionError: there are no rows, a file cannot be run, the two are not of one model, or the disk is full.
            ConversionStopped: `stop` said yes.
        """
        rows = [row for row in self.rows if row.wanted]
        if not rows:
            raise ConversionError(
                "There is nothing to measure the quality with.",
                why="No held-out scenario has a turn of the DM.",
                next_step="Put scenarios that are never trained on into data/validation/.",
            )
        _check_same_model(read_header(self.reference), read_header(gguf))
        identity = (file_digest(gguf), file_digest(self.reference), rows_digest(rows))
        if known := find_quality(self.workspace, *identity):
            return known
        with _only_measurement(self.workspace, stop):
            made = self._measured(gguf, rows, identity, progress, stop)
        save_quality(self.workspace, made)
        return made

    def _measured(
        self,
        gguf: Path,
        rows: list[HeldOutRow],
        identity: tuple[str, str, str],
        progress: ProgressCallback | None,
        stop: StopCallback | None,
    ) -> FileQuality:
        sha256, reference_sha256, rows_sha256 = identity
        folder = self._folder(reference_sha256, rows_sha256)
        is_known, is_other = _answer_path(folder).is_file(), sha256 != reference_sha256
        runs = is_other + (not is_known)
        if not is_known:
            self._fill(folder, rows, _part_of(progress, 0, runs), stop)
        os.utime(folder)
        answer = reference = QualityAnswer.model_validate_json(_answer_path(folder).read_bytes())
        if is_other:
            answer = self._run(gguf, rows, folder, _part_of(progress, runs - 1, runs), stop, is_reference=False)
        return FileQuality(
            file=gguf.name,
            size=gguf.stat().st_size,
            sha256=sha256,
            reference_sha256=reference_sha256,
            rows_sha256=rows_sha256,
            reference_perplexity=reference.perplexity,
            **answer.model_dump(),
        )

    def _folder(self, reference_sha256: str, rows_sha256: str) -> Path:
        name = hashlib.sha256(f"{FORMAT}\0{reference_sha256}\0{rows_sha256}".encode()).hexdigest()[:32]
        return quality_folder(self.workspace) / f"{_PREFIX}{name}"

    def _fill(
        self, folder: Path, rows: list[HeldOutRow], progress: ProgressCallback | None, stop: StopCallback | None
    ) -> None:
        """Let the unquantized file say what it says about the rows; the folder appears whole or not at all."""
        positions = sum(len(row.wanted) for row in rows)
        _sweep(folder.parent)
        require_space(folder, positions * read_header(self.reference).count(TOKENS) * _BYTES)
        try:
            partial = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=folder.parent))
        except OSError as error:
            raise write_error(folder, error) from error
        try:
            answer = self._run(self.reference, rows, partial, progress, stop, is_reference=True)
            _answer_path(partial).write_text(answer.model_dump_json(), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            partial.replace(folder)
        except OSError as error:
            raise write_error(folder, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _forget_oldest(folder.parent)

    def _run(
        self,
        gguf: Path,
        rows: list[HeldOutRow],
        folder: Path,
        progress: ProgressCallback | None,
        stop: StopCallback | None,
        *,
        is_reference: bool,
    ) -> QualityAnswer:
        request = QualityRequest(
            gguf=gguf.resolve(),
            rows=rows,
            reference=folder.resolve(),
            is_reference=is_reference,
            threads=self.threads or usable_cores(),
        )
        return run_worker(_MODULE, request, QualityAnswer, timeout=TIMEOUT_SECONDS, progress=progress, stop=stop)


def _check_same_model(reference: GGUFHeader, header: GGUFHeader) -> None:
    """The two must have the same tensors, whatever their types."""
    shapes = [{tensor.name: tensor.shape for tensor in one.tensors} for one in (reference, header)]
    if reference.architecture != header.architecture or shapes[0] != shapes[1]:
        raise ConversionError(
            f"{header.path.name} is not of the same model as {reference.path.name}.",
            why="Their tensors differ in names or shapes.",
            next_step="Compare it with the unquantized file that it was made from.",
        )


def _answer_path(folder: Path) -> Path:
    return folder / "answer.json"


def _sweep(folder: Path) -> None:
    """Remove what a killed measurement left; the lock says that nobody is at it any more."""
    for path in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def _forget_oldest(folder: Path) -> None:
    """Keep what was said by the unquantized files that were used last; each may be hundreds of MB."""
    found = sorted(folder.glob(f"{_PREFIX}*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[KEPT_REFERENCES:]:
        shutil.rmtree(path, ignore_errors=True)


def _part_of(progress: ProgressCallback | None, part: int, parts: int) -> ProgressCallback | None:
    """Progress of one of several runs over the same rows, told as progress of all."""
    if progress is None:
        return None
    tell = progress
    return lambda done, total: tell(part * total + done, parts * total)


@contextmanager
def _only_measurement(workspace: Workspace, stop: StopCallback | None) -> Iterator[None]:
    """Wait until nobody else measures in this workspace: two at once would take twice as long each."""
    folder = quality_folder(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    while not lock.is_locked:
        if stop and stop():
            raise ConversionStopped
        with suppress(Timeout):
            lock.acquire(timeout=_WAIT_SECONDS)
    try:
        yield
    finally:
        lock.release()
