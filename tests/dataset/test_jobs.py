"""The dataset as a job: the same dataset as made at once, stopped and gone on with, and known again by its stamp."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from benchmarks.dataset import write_scenarios
from studio.bases import BaseModel
from studio.config import BalanceConfig, DatasetConfig
from studio.dataset.jobs import DatasetRequest, dataset_request, made_by, make_dataset, preprocess_job, start_preprocess
from studio.dataset.processor import PREPARED_FOLDER
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write


def wanted(workspace: Workspace, config: DatasetConfig | None = None) -> DatasetRequest:
    return dataset_request(workspace, "smollm2-135m-instruct", 1024, config or DatasetConfig())


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    """The shipped scenarios in the fresh workspace."""
    return Path(shutil.copytree(PROJECT_ROOT / "data" / "scenarios", workspace.scenarios_dir))


def test_the_stamp_follows_every_file_and_setting_that_decides(workspace: Workspace, folder: Path) -> None:
    stamps = [wanted(workspace).stamp]
    assert wanted(workspace).stamp == stamps[0]
    assert wanted(workspace, DatasetConfig(balance=BalanceConfig(by=["type"]))).stamp == stamps[0], "order, not rows"
    path = folder / "combat" / "tavern-brawl.md"
    os.utime(path, ns=(1, 1))
    stamps.append(wanted(workspace).stamp)
    shutil.copy(path, folder / "combat" / "again.md")
    stamps.append(wanted(workspace).stamp)
    atomic_write(workspace.validation_dir / "held.md", "<User>Hi.</User>\n")
    stamps.append(wanted(workspace).stamp)
    atomic_write(workspace.state_dir / "augmented" / "accepted" / "combat" / "one.md", "<User>Hi.</User>\n")
    stamps.append(wanted(workspace).stamp)
    stamps.append(wanted(workspace, DatasetConfig(pairs=True)).stamp)
    assert len(set(stamps)) == len(stamps)


def test_hidden_files_and_notes_are_not_counted(workspace: Workspace, folder: Path) -> None:
    before, files = wanted(workspace), len(list(folder.rglob("*.md")))
    atomic_write(folder / "combat" / ".draft.md", "x")
    atomic_write(folder / "combat" / "notes.txt", "x")
    assert wanted(workspace) == before
    assert before.files == files


@pytest.mark.slow
def test_a_job_makes_the_dataset_that_would_be_made_at_once(workspace: Workspace, folder: Path) -> None:
    request = wanted(workspace)
    assert preprocess_job(request) is None
    state = start_preprocess(request).wait(120)
    assert state.status == "done", state.error
    assert made_by(state, request) == make_dataset(request).directory
    os.utime(folder / "combat" / "tavern-brawl.md", ns=(1, 1))
    assert made_by(state, wanted(workspace)) is None, "it may be another one by now"
    shutil.rmtree(workspace.processed_dir / str(state.result["fingerprint"]))
    assert made_by(state, request) is None, "it is not there any more"


@pytest.mark.slow
def test_a_job_that_was_stopped_goes_on_where_it_was(workspace: Workspace, smollm2: BaseModel) -> None:
    write_scenarios(workspace.scenarios_dir, 1200)
    request = wanted(workspace)
    job = start_preprocess(request)
    while not job.state().progress.done and not job.state().is_finished:
        time.sleep(0.05)
    assert start_preprocess(request) == job, "one at a time"
    stopped = job.stop(60)
    assert (stopped.status, stopped.error) == ("stopped", None)
    assert made_by(stopped, request) is None
    shards = set((workspace.processed_dir / PREPARED_FOLDER).rglob("*.arrow"))
    assert shards
    done = start_preprocess(request).wait(120)
    assert done.status == "done", done.error
    assert shards <= set((workspace.processed_dir / PREPARED_FOLDER).rglob("*.arrow"))
    assert made_by(done, request)
