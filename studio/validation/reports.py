"""The reports of a workspace: found, read as digests, compared across, and deleted."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from studio.errors import EvaluationError, JobError
from studio.jobs import Job, JobState
from studio.jobs.process import acquire_lock
from studio.validation.card import REPORT_FILE, ReportCard, load_report
from studio.validation.digest import ReportDigest, read_digest
from studio.validation.history import Change, Lineage, Version, card_between, lineages
from studio.validation.jobs import BENCHMARK_KIND, EVALUATION_KIND
from studio.workspace import Workspace

_PROVENANCE = "*/adapter/provenance.json"
_EXIT_SECONDS = 1.0
"""How long a worker that has said its last word may take to go."""


class _Origin(BaseModel):
    """What provenance.json beside an adapter says of the adapter before it."""

    adapter_sha256: str = ""
    parent_adapter_sha256: str = ""


def report_folders(workspace: Workspace) -> list[Path]:
    """The job folders that hold a report, in no order."""
    return [path.parent for path in workspace.jobs_dir.glob(f"*/{REPORT_FILE}")]


def read_reports(workspace: Workspace) -> list[tuple[str, ReportDigest]]:
    """Every report that can be read, by its folder's name; others are left out, the list of measurements tells them."""
    return [(folder.name, digest) for folder in report_folders(workspace) for digest in _readable(folder)]


def read_history(workspace: Workspace) -> list[Lineage]:
    """The lineages of all reports, the one that was measured last first."""
    return lineages(read_reports(workspace), known_parents(workspace))


def known_parents(workspace: Workspace) -> dict[str, str]:
    """Adapter -> the adapter that its training went on from, by SHA-256, of the runs that are still there."""
    found = [_origin(path) for path in workspace.checkpoints_dir.glob(_PROVENANCE)]
    return {one.adapter_sha256: one.parent_adapter_sha256 for one in found if one.parent_adapter_sha256}


def compare_versions(workspace: Workspace, before: Version, after: Version) -> ReportCard:
    """A report of two versions from what was measured of them, the second against the first; nothing is generated.

    Raises:
        EvaluationError: a report is gone or was made anew, or they were not asked the same turns.
    """
    cards = [load_report(workspace.inside(workspace.jobs_dir, one.report)) for one in (before, after)]
    return card_between(cards[0], before.model.identity, cards[1], after.model.identity)


def change_of(workspace: Workspace, lineage: Lineage, version: Version) -> Change:
    """A version against the one before it. Where a report went away meanwhile, nothing is compared."""
    before = lineage.before(version)
    if before is None:
        return Change(version)
    try:
        card = compare_versions(workspace, before, version)
    except EvaluationError:
        return Change(version)
    return Change(version, before, card.models[1].comparisons)


def find_version(found: list[Lineage], version_id: str) -> Version:
    """The version of that id. Raises `EvaluationError` when there is none (any more)."""
    for one in (one for lineage in found for one in lineage.versions):
        if one.id == version_id:
            return one
    raise EvaluationError(
        "This version is not there.",
        why="Its report was deleted, or it was measured again since.",
        next_step="Choose another one below History.",
        where=version_id,
    )


def delete_measurement(workspace: Workspace, name: str) -> None:
    """Remove the folder of an evaluation or a benchmark. What the models wrote is kept (`.studio/evaluations/`).

    Raises:
        EvaluationError: there is no such measurement, or it is at work.
        JobError: its worker has not ended.
        WorkspaceError: the name leads outside the folder of jobs.
    """
    folder = workspace.inside(workspace.jobs_dir, name)
    if folder.parent != workspace.jobs_dir.resolve() or _state(folder).kind not in (EVALUATION_KIND, BENCHMARK_KIND):
        raise EvaluationError("This report is not there.", next_step="Choose another one below Measure.", where=name)
    if not _state(folder).is_finished:
        raise EvaluationError(
            "This measurement is still at work.", next_step="Stop it first, or wait until it has ended.", where=name
        )
    lock = acquire_lock(folder, _EXIT_SECONDS)  # a worker holds it for as long as it lives
    try:
        gone = workspace.state_dir / f".deleted-{uuid.uuid4().hex}"
        folder.rename(gone)  # at once, so that nobody ever sees half of it
        shutil.rmtree(gone, ignore_errors=True)
    finally:
        os.close(lock)


def _state(folder: Path) -> JobState:
    try:
        return Job(folder).state()
    except JobError:
        return JobState(kind="")


def _readable(folder: Path) -> Iterator[ReportDigest]:
    try:
        yield read_digest(folder)
    except EvaluationError:
        return


def _origin(path: Path) -> _Origin:
    try:
        return _Origin.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return _Origin()
