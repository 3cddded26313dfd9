"""Incremental training: a run that begins with what an earlier one learned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from peft import PeftModel

from studio.bases import BaseModel
from studio.config import save_settings
from studio.dataset import ProcessedDataset, TrainingRow
from studio.errors import TrainingError
from studio.jobs import JobState, StepEvent, of_type
from studio.jobs.state import save_state
from studio.training import ModelTrainer, Provenance, Run, find_adapter, start_run
from studio.training.parent.adapter import read_parent
from studio.workspace import Workspace, sha256_file
from tests.training.conftest import PATIENCE, SETTINGS

WEIGHTS = "adapter_model.safetensors"
MORE = SETTINGS.model_copy(update={"max_steps": 3, "lora_rank": 32, "lora_alpha": 7, "learning_rate": 1e-3})


@pytest.fixture
def adapter(finished: Run, tmp_path: Path) -> Path:
    """A copy of the finished adapter that a test may change."""
    assert finished.adapter
    return Path(shutil.copytree(finished.adapter, tmp_path / "mine"))


def sign(adapter: Path) -> None:
    """Make provenance.json name the weights as they are."""
    provenance = Provenance.read(adapter).model_copy(update={"adapter_sha256": sha256_file(adapter / WEIGHTS)})
    provenance.write(adapter)


def test_a_run_begins_with_what_an_earlier_one_learned(campaign: Workspace, finished: Run) -> None:
    run = start_run(campaign, MORE, name="second", parent="finished")
    assert run.job.wait(PATIENCE).status == "done", run.job.tail_log()
    assert (run.config().lora_rank, run.config().lora_alpha) == (SETTINGS.lora_rank, SETTINGS.lora_alpha)
    assert any("q_proj" in name for name in run.config().target_modules)
    before, after = (of_type(one.job.events().events, StepEvent) for one in (finished, run))
    assert abs(after[0].loss - before[-1].loss) < 0.3 < before[0].loss - before[-1].loss
    assert run.adapter
    assert finished.adapter
    provenance = Provenance.read(run.adapter)
    assert provenance.parent_adapter_sha256 == Provenance.read(finished.adapter).adapter_sha256
    assert provenance.adapter_sha256 == sha256_file(run.adapter / WEIGHTS) != provenance.parent_adapter_sha256
    assert sha256_file(run.directory / "parent" / WEIGHTS) == provenance.parent_adapter_sha256


def test_the_weights_at_the_start_are_those_of_the_parent(
    campaign: Workspace, adapter: Path, dataset: ProcessedDataset, rows: list[TrainingRow], tmp_path: Path
) -> None:
    config = read_parent(adapter).settings(MORE).model_copy(update={"learning_rate": 1e-12, "max_steps": 1})
    trainer = ModelTrainer(config, tmp_path)
    trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    continued = trainer.evaluate(trainer.train(rows, parent=adapter), dataset)
    base = trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    assert continued == pytest.approx(trainer.evaluate(PeftModel.from_pretrained(base, adapter), dataset), rel=1e-6)


def test_an_adapter_is_found_by_its_run_its_folder_and_the_folder_of_its_run(
    campaign: Workspace, finished: Run, adapter: Path
) -> None:
    assert find_adapter(campaign, adapter) == adapter
    assert find_adapter(campaign, finished.directory) == find_adapter(campaign, "finished") == finished.adapter


def test_an_adapter_of_another_base_model_is_refused(campaign: Workspace, finished: Run, tiny_qwen2: BaseModel) -> None:
    other = campaign.base_dir / tiny_qwen2.name
    if not other.exists():
        shutil.copytree(tiny_qwen2.directory, other)
    with pytest.raises(TrainingError) as caught:
        start_run(campaign, MORE.model_copy(update={"base_model": tiny_qwen2.name}), name="mixed", parent="finished")
    assert SETTINGS.base_model in caught.value.next_step
    assert not (campaign.checkpoints_dir / "mixed").exists()


def test_a_run_without_an_adapter_and_an_unknown_name_are_refused(campaign: Workspace) -> None:
    young = campaign.checkpoints_dir / "young"
    save_settings(MORE, young / "config.yaml")
    save_state(young, JobState(kind="train"))
    for parent in ("young", "no such run"):
        with pytest.raises(TrainingError) as caught:
            start_run(campaign, MORE, name="fatherless", parent=parent)
        assert parent in caught.value.what


@pytest.mark.parametrize("missing", [WEIGHTS, "adapter_config.json", "provenance.json"])
def test_an_incomplete_adapter_is_refused(missing: str, campaign: Workspace, adapter: Path) -> None:
    (adapter / missing).unlink()
    with pytest.raises(TrainingError):
        start_run(campaign, MORE, name="incomplete", parent=adapter)


def test_changed_weights_are_refused(campaign: Workspace, adapter: Path) -> None:
    weights = bytearray((adapter / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (adapter / WEIGHTS).write_bytes(weights)
    with pytest.raises(TrainingError):
        start_run(campaign, MORE, name="changed", parent=adapter)


@pytest.mark.parametrize(
    "option",
    [{"alpha_pattern": {"q_proj": 99}}, {"peft_type": "LOHA"}, {"r": "?"}],
)
def test_an_adapter_that_is_no_plain_lora_is_refused(
    option: dict[str, object], campaign: Workspace, adapter: Path
) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **option}))
    with pytest.raises(TrainingError):
        start_run(campaign, MORE, name="strange", parent=adapter)


@pytest.mark.parametrize("option", ["use_rslora", "use_dora"])
def test_an_adapter_keeps_its_kind(option: str, campaign: Workspace, adapter: Path, tmp_path: Path) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), option: True}))
    settings = read_parent(adapter).settings(MORE)
    trainer = ModelTrainer(settings, tmp_path)
    assert getattr(settings, option)
    assert getattr(trainer.setup_lora_config(), option)


@pytest.mark.parametrize("option", [{"r": 8}, {"target_modules": ["q_proj"]}])
def test_weights_that_do_not_fit_their_configuration_are_refused(
    option: dict[str, object], campaign: Workspace, adapter: Path, rows: list[TrainingRow], tmp_path: Path
) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **option}))
    trainer = ModelTrainer(read_parent(adapter).settings(MORE), tmp_path)
    trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    with pytest.raises(TrainingError):
        trainer.train(rows, parent=adapter)


def test_weights_that_are_no_safetensors_are_refused(
    campaign: Workspace, adapter: Path, rows: list[TrainingRow], tmp_path: Path
) -> None:
    (adapter / WEIGHTS).write_bytes(b"\x80\x04K\x01.")  # a pickle
    sign(adapter)
    trainer = ModelTrainer(read_parent(adapter).settings(MORE), tmp_path)
    trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    with pytest.raises(TrainingError):
        trainer.train(rows, parent=adapter)
