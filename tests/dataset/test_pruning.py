"""Pruning frees what nothing refers to, keeps what a run needs, and what is left makes the same rows."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pyarrow as pa
import pytest

from studio.bases import BaseModel
from studio.dataset import ProcessedDataset, TrainingDataProcessor
from studio.errors import DatasetError
from studio.jobs import JobState
from studio.jobs.state import save_state
from studio.workspace import Workspace
from tests.dataset.stories import story, write_stories

LATER = 7200.0
"""Seconds after which nobody can be at work any more."""


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    return write_stories(workspace.scenarios_dir, 6)


@pytest.fixture
def processor(workspace: Workspace, smollm2: BaseModel) -> TrainingDataProcessor:
    return TrainingDataProcessor(workspace, smollm2, 1024)


def datasets(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.processed_dir.iterdir() if path.name != "prepared"}


def texts(workspace: Workspace) -> list[str]:
    """SHA-256 of every prepared text, as often as it is kept."""
    files = (workspace.processed_dir / "prepared").rglob("*.facts.arrow")
    return sorted(
        one for path in files for one in pa.ipc.open_stream(path.read_bytes()).read_all()["sha256"].to_pylist()
    )


def run_with(workspace: Workspace, dataset: ProcessedDataset, status: str = "done") -> Path:
    """A run's folder that names a dataset, as a run leaves it."""
    run = workspace.checkpoints_dir / status
    run.mkdir(parents=True)
    shutil.copyfile(dataset.directory / "dataset.json", run / "dataset.json")
    save_state(run, JobState.model_validate({"kind": "train", "status": status}))
    return run


def test_what_nothing_refers_to_is_removed_and_counted(
    workspace: Workspace, smollm2: BaseModel, folder: Path, processor: TrainingDataProcessor
) -> None:
    needed = processor.process_scenarios(folder)
    run_with(workspace, needed)
    TrainingDataProcessor(workspace, smollm2, 512).process_scenarios(folder)
    (folder / "combat" / "later.md").write_text(story("later"))
    now = processor.process_scenarios(folder)
    before = sum(path.stat().st_size for path in workspace.processed_dir.rglob("*") if path.is_file())
    gone = processor.prune(now, time.time() + LATER)
    after = sum(path.stat().st_size for path in workspace.processed_dir.rglob("*") if path.is_file())
    assert datasets(workspace) == {needed.fingerprint, now.fingerprint}
    assert (gone.datasets, gone.recipes, gone.freed) == (1, 1, before - after)
    assert list(needed.rows("train"))
    assert len(texts(workspace)) == 7


def test_what_was_just_made_may_be_in_use_and_stays(
    workspace: Workspace, smollm2: BaseModel, folder: Path, processor: TrainingDataProcessor
) -> None:
    other = TrainingDataProcessor(workspace, smollm2, 512).process_scenarios(folder)
    now = processor.process_scenarios(folder)
    gone = processor.prune(now)
    assert (gone.datasets, gone.recipes, gone.shards, gone.freed) == (0, 0, 0, 0)
    assert list(other.rows("train"))


def test_shards_of_texts_that_are_gone_are_rewritten_and_make_the_same_rows(
    workspace: Workspace, smollm2: BaseModel, folder: Path, processor: TrainingDataProcessor, tmp_path: Path
) -> None:
    processor.process_scenarios(folder)
    (folder / "combat" / "later.md").write_text(story("later"))
    processor.process_scenarios(folder)
    for number in range(4):  # of the first shard, two of six are left; the second one is whole
        (folder / "combat" / f"story-{number:03}.md").unlink()
    now = processor.process_scenarios(folder)
    assert len(texts(workspace)) == 7
    assert processor.prune(now, time.time() + LATER).shards == 1
    assert texts(workspace) == sorted(now.manifest.scenarios.values())
    for path in now.directory.iterdir():
        path.unlink()
    calls: list[tuple[int, int]] = []
    again = processor.process_scenarios(folder, lambda done, total: calls.append((done, total)))
    assert calls == [(3, 3)]  # nothing was prepared anew
    fresh = TrainingDataProcessor(Workspace(tmp_path / "fresh"), smollm2, 1024).process_scenarios(folder)
    assert (again.directory / "train.arrow").read_bytes() == (fresh.directory / "train.arrow").read_bytes()


def test_nothing_is_removed_while_a_run_is_going_on(
    workspace: Workspace, smollm2: BaseModel, folder: Path, processor: TrainingDataProcessor
) -> None:
    other = TrainingDataProcessor(workspace, smollm2, 512).process_scenarios(folder)
    now = processor.process_scenarios(folder)
    run_with(workspace, now, "queued")
    with pytest.raises(DatasetError) as caught:
        processor.prune(now, time.time() + LATER)
    assert "queued" in caught.value.why
    assert list(other.rows("train"))


def test_folders_that_the_studio_did_not_make_stay(
    workspace: Workspace, folder: Path, processor: TrainingDataProcessor, tmp_path: Path
) -> None:
    now = processor.process_scenarios(folder)
    mine = workspace.processed_dir / "my notes"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (workspace.processed_dir / ("a" * 64)).symlink_to(elsewhere)
    processor.prune(now, time.time() + LATER)
    assert (mine / "notes.txt").read_text() == "mine"
    assert elsewhere.is_dir()
