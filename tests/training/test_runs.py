"""Training runs as real worker processes: what they leave, how they end, and how they go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from studio.bases import BaseModel, get_base
from studio.config import TrainingConfig, load_dataset_config, load_settings, save_settings
from studio.dataset import ProcessedDataset
from studio.errors import BaseModelError, JobError, TrainingError, WorkspaceError
from studio.jobs import CheckpointEvent, EvaluationEvent, Job, StepEvent, latest_by_step, launch, of_type
from studio.training import Run, find_run, list_runs, resume_run, start_run
from studio.training.checkpoints import checkpoints, is_whole, last_whole_checkpoint
from studio.training.provenance import config_digest
from studio.workspace import Workspace, sha256_file
from tests.training.conftest import PATIENCE, SETTINGS

WaitUntil = Callable[[Job, Callable[[object], bool]], None]
WEIGHTS = "adapter_model.safetensors"


def assert_same_adapter(one: Run, other: Run) -> None:
    """Equal up to what float32 sums may differ by."""
    assert one.adapter
    assert other.adapter
    left, right = load_file(one.adapter / WEIGHTS), load_file(other.adapter / WEIGHTS)
    assert left.keys() == right.keys()
    assert max(float(abs(left[name] - right[name]).max()) for name in left) < 1e-5
    assert any(float(abs(value).max()) > 1e-2 for value in left.values())


def steps_of(run: Run) -> list[StepEvent]:
    return latest_by_step(of_type(run.job.events().events, StepEvent))


def checkpoint_saved(event: object) -> bool:
    return isinstance(event, CheckpointEvent) and event.step >= 4


def test_a_run_leaves_everything_that_its_folder_promises(
    finished: Run, campaign: Workspace, dataset: ProcessedDataset
) -> None:
    state = finished.state()
    assert finished.directory == campaign.checkpoints_dir / "finished"
    assert (state.kind, state.progress.done, state.progress.total) == ("train", 40, 40)
    settled = SETTINGS.model_copy(update={"dataset": load_dataset_config(campaign)})
    assert load_settings(TrainingConfig, finished.directory / "config.yaml") == finished.config() == settled
    assert ProcessedDataset.load(finished.directory).manifest == dataset.manifest
    assert finished.job.tail_log()
    assert [path.name for path in checkpoints(finished.directory)] == [f"checkpoint-{n}" for n in (40, 38, 36)]
    assert all(is_whole(path) for path in checkpoints(finished.directory))
    events = finished.job.events()
    assert events.damaged == 0
    assert [one.step for one in of_type(events.events, StepEvent)] == list(range(1, 41))
    assert [one.step for one in of_type(events.events, EvaluationEvent)] == [10, 20, 30, 40]


def test_the_adapter_names_its_parents(finished: Run, campaign: Workspace, dataset: ProcessedDataset) -> None:
    assert finished.adapter
    digest = sha256_file(finished.adapter / WEIGHTS)
    assert json.loads((finished.adapter / "provenance.json").read_text()) == {
        "base": SETTINGS.base_model,
        "base_sha256": get_base(campaign, SETTINGS.base_model).fingerprint,
        "dataset_fingerprint": dataset.fingerprint,
        "config_sha256": config_digest(finished.config()),
        "adapter_sha256": digest,
        "parent_adapter_sha256": "",
        "run": "finished",
        "step": 0,  # the last one: its held-out loss was the lowest
        "held_out_loss": None,
    }
    result = dict(finished.state().result or {})
    assert result.pop("peak_memory_bytes") > 100 * 2**20  # torch alone is more
    assert result == {"adapter": "adapter", "adapter_sha256": digest, "step": None}


def test_the_loss_falls_on_what_is_trained_and_on_what_is_held_out(finished: Run) -> None:
    losses = [one.loss for one in steps_of(finished)]
    held_out = [one.loss for one in of_type(finished.job.events().events, EvaluationEvent)]
    assert losses[0] > 10.5
    assert max(losses[-5:]) < losses[0] - 0.7
    assert held_out[-1] < losses[0] - 0.5


def test_a_stopped_run_keeps_what_it_learned_and_goes_on_as_if_nothing_had_happened(
    own_campaign: Workspace, finished: Run, wait_until: WaitUntil
) -> None:
    run = start_run(own_campaign, SETTINGS, name="stopped")
    wait_until(run.job, checkpoint_saved)
    run.job.stop()
    state = run.job.wait(PATIENCE)
    assert state.status == "stopped", run.job.tail_log()
    reached = steps_of(run)[-1].step
    assert reached < SETTINGS.max_steps
    assert last_whole_checkpoint(run.directory) == run.directory / f"checkpoint-{reached}"
    assert run.adapter
    early = sha256_file(run.adapter / WEIGHTS)

    (own_campaign.scenarios_dir / "place-0.md").unlink()  # a run goes on with the rows it began with
    resume_run(own_campaign, "stopped")
    assert run.job.wait(PATIENCE).status == "done", run.job.tail_log()
    steps = of_type(run.job.events().events, StepEvent)
    assert [one.step for one in steps] == list(range(1, 41))
    assert steps[-1].tokens_seen == steps_of(finished)[-1].tokens_seen
    assert sha256_file(run.adapter / WEIGHTS) != early
    assert_same_adapter(run, finished)


def test_a_killed_run_goes_on_from_its_last_whole_checkpoint(
    campaign: Workspace, finished: Run, wait_until: WaitUntil
) -> None:
    run = start_run(campaign, SETTINGS, name="killed")
    wait_until(run.job, checkpoint_saved)
    pid = run.state().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert run.job.wait(PATIENCE).status == "interrupted"
    assert run.adapter is None
    newest, older = [path for path in checkpoints(run.directory) if is_whole(path)][:2]
    weights = newest / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-64])

    before = len(of_type(run.job.events().events, StepEvent))
    resume_run(campaign, "killed")
    assert run.job.wait(PATIENCE).status == "done", run.job.tail_log()
    again = of_type(run.job.events().events, StepEvent)[before:]
    assert again[0].step == int(older.name.removeprefix("checkpoint-")) + 1
    assert [one.step for one in steps_of(run)] == list(range(1, 41))
    assert_same_adapter(run, finished)


@pytest.mark.parametrize("name", [WEIGHTS, "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"])
@pytest.mark.parametrize("damage", ["cut short", "empty", "missing"])
def test_a_half_written_checkpoint_is_passed_over(name: str, damage: str, finished: Run, tmp_path: Path) -> None:
    for number in (38, 40):
        shutil.copytree(finished.directory / f"checkpoint-{number}", tmp_path / f"checkpoint-{number}")
    assert last_whole_checkpoint(tmp_path) == tmp_path / "checkpoint-40"
    path = tmp_path / "checkpoint-40" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) - 100] if damage == "cut short" else b"")
    assert last_whole_checkpoint(tmp_path) == tmp_path / "checkpoint-38"


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-best").mkdir()
    assert last_whole_checkpoint(tmp_path) is None


def test_runs_are_found_again_newest_first(campaign: Workspace, finished: Run) -> None:
    assert find_run(campaign, "finished") == finished
    assert finished in list_runs(campaign)
    created = [run.state().created for run in list_runs(campaign)]
    assert created == sorted(created, reverse=True)
    with pytest.raises(JobError):
        find_run(campaign, "never started")


def test_a_name_is_taken_once(campaign: Workspace, finished: Run) -> None:
    before = sha256_file(finished.directory / "config.yaml")
    with pytest.raises(TrainingError):
        start_run(campaign, SETTINGS.model_copy(update={"seed": 1}), name="finished")
    assert sha256_file(finished.directory / "config.yaml") == before


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden", "nul", "x" * 200])
def test_a_name_that_is_no_folder_name_is_refused(name: str, campaign: Workspace) -> None:
    with pytest.raises(WorkspaceError):
        start_run(campaign, SETTINGS, name=name)


def test_a_run_on_a_base_model_that_is_not_here_leaves_no_folder(campaign: Workspace) -> None:
    with pytest.raises(BaseModelError):
        start_run(campaign, SETTINGS.model_copy(update={"base_model": "gemma3-270m"}), name="homeless")
    assert not (campaign.checkpoints_dir / "homeless").exists()


def test_a_complete_run_is_not_resumed(campaign: Workspace, finished: Run) -> None:
    with pytest.raises(TrainingError):
        resume_run(campaign, finished.name)


def test_a_campaign_without_scenarios_fails_with_a_clear_state(campaign: Workspace, tmp_path: Path) -> None:
    run = start_run(campaign, SETTINGS, name="empty", scenarios=tmp_path)
    state = run.job.wait(PATIENCE)
    assert state.status == "failed"
    assert state.error
    assert state.error["error"] == "DatasetError"
    assert state.error["next_step"]


def test_a_base_model_that_vanishes_before_the_worker_starts_is_named(own_campaign: Workspace) -> None:
    shutil.rmtree(own_campaign.base_dir)
    folder = own_campaign.checkpoints_dir / "orphan"
    save_settings(SETTINGS, folder / "config.yaml")
    arguments = {"workspace": str(own_campaign.root), "scenarios": str(own_campaign.scenarios_dir)}
    state = launch(folder, "studio.training.worker:main", arguments, kind="train").wait(PATIENCE)
    assert state.status == "failed"
    assert state.error
    assert state.error["error"] == "BaseModelError"
    with pytest.raises(BaseModelError):
        resume_run(own_campaign, "orphan")


def test_a_run_does_not_go_on_with_another_base_model(
    own_campaign: Workspace, finished: Run, tiny_qwen2: BaseModel
) -> None:
    """The folder keeps its name, its files are other ones."""
    run = own_campaign.checkpoints_dir / "swapped"
    shutil.copytree(finished.directory, run)
    arguments = {"workspace": str(own_campaign.root), "scenarios": str(own_campaign.scenarios_dir)}
    home = own_campaign.base_dir / SETTINGS.base_model
    shutil.rmtree(home)
    shutil.copytree(tiny_qwen2.directory, home)
    state = launch(run, "studio.training.worker:main", arguments, kind="train").wait(PATIENCE)
    assert state.status == "failed"
    assert state.error
    assert state.error["error"] == "TrainingError"
