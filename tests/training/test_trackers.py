"""A run's curves for other programs: below the run's folder, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from studio.config import Tracker
from studio.dataset import ProcessedDataset
from studio.errors import TrainingError
from studio.jobs import EvaluationEvent, StepEvent, Worker, of_type, read_events
from studio.training import ModelTrainer, list_runs, start_run
from studio.training.reporter import Reporter
from studio.training.trackers import check_trackers, tracker_environment, tracker_folder
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS

ALL: list[Tracker] = ["tensorboard", "mlflow", "wandb"]


@pytest.fixture
def own_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("own_environment")
def test_tensorboard_reads_the_curves_of_a_run(campaign: Workspace, dataset: ProcessedDataset, worker: Worker) -> None:
    changes = {"max_steps": 4, "eval_steps": 2, "trackers": ["tensorboard"]}
    trainer = ModelTrainer(SETTINGS.model_copy(update=changes), worker.directory)
    trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    trainer.train(dataset, dataset, callbacks=[Reporter(worker, trainer)])
    events = read_events(worker.directory / "events.jsonl").events
    shown = EventAccumulator(str(tracker_folder(worker.directory, "tensorboard")))
    shown.Reload()
    losses = [(one.step, pytest.approx(one.loss, rel=1e-6)) for one in of_type(events, StepEvent)]
    held_out = [(one.step, pytest.approx(one.loss, rel=1e-6)) for one in of_type(events, EvaluationEvent)]
    assert [(one.step, one.value) for one in shown.Scalars("train/loss")] == losses
    assert [(one.step, one.value) for one in shown.Scalars("eval/loss")] == held_out
    assert (len(losses), len(held_out)) == (4, 2)


def test_a_tracker_that_is_not_installed_is_told_before_the_run(
    campaign: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [run.name for run in list_runs(campaign)]
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(__import__("sys").modules, "tensorboard", raising=False)
    with pytest.raises(TrainingError) as caught:
        start_run(campaign, SETTINGS.model_copy(update={"trackers": ["tensorboard"]}), name="untracked")
    assert "pip install tensorboard" in caught.value.next_step
    assert [run.name for run in list_runs(campaign)] == before
    check_trackers([])


def test_nothing_leaves_the_machine_unless_the_user_says_so(tmp_path: Path) -> None:
    elsewhere = {"MLFLOW_TRACKING_URI": "https://tracking.example.org", "WANDB_API_KEY": "secret"}
    found = tracker_environment(tmp_path, ALL, elsewhere)
    assert found["WANDB_MODE"] == "offline"
    assert found["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    assert found["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard")
    assert "WANDB_API_KEY" not in found
    assert tracker_environment(tmp_path, ["wandb"], {"WANDB_MODE": "online"})["WANDB_MODE"] == "online"
    assert tracker_environment(tmp_path, [], elsewhere) == {}
