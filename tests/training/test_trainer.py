"""`ModelTrainer` from Python alone, by the names of the design."""

from __future__ import annotations

import json
import math
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel

from studio.bases import BaseModel
from studio.config import TrainingConfig, load_presets
from studio.dataset import ProcessedDataset, TrainingRow
from studio.errors import TrainingError
from studio.jobs import EvaluationEvent, StepEvent, Worker, of_type, read_events
from studio.training import ModelTrainer, Run
from studio.training.reporter import Reporter
from studio.training.steps import optimizer_steps
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS

PRESETS = load_presets(Workspace.find())


def make(campaign: Workspace, folder: Path, **changes: Any) -> ModelTrainer:
    trainer = ModelTrainer(TrainingConfig.model_validate({**SETTINGS.model_dump(), **changes}), folder)
    trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    return trainer


def test_the_whole_way_from_python(campaign: Workspace, dataset: ProcessedDataset, tmp_path: Path) -> None:
    trainer = ModelTrainer(SETTINGS, tmp_path)
    base = trainer.load_base_model(campaign.base_dir / SETTINGS.base_model / "hf")
    before = trainer.evaluate(base, dataset)
    lora = trainer.setup_lora_config()
    assert isinstance(lora, LoraConfig)
    assert (lora.r, lora.lora_alpha, lora.lora_dropout, lora.target_modules) == (4, 8, 0.1, "all-linear")
    model = trainer.train(dataset)
    after = trainer.evaluate(model, dataset)
    assert after < before
    saved = trainer.save_checkpoint(2, model)
    fresh = ModelTrainer(SETTINGS, tmp_path / "again")
    loaded = PeftModel.from_pretrained(fresh.load_base_model(campaign.base_dir / SETTINGS.base_model), saved)
    assert fresh.evaluate(loaded, dataset) == pytest.approx(after, rel=1e-6)


def test_only_the_adapter_is_trained_and_it_is_kept_in_float32(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path, max_steps=2)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    model = trainer.train(rows)
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert trained
    assert all("lora_" in name and value.dtype == torch.float32 for name, value in trained.items())
    after = model.unload().state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_same_settings_and_rows_give_the_same_adapter(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    results = [make(campaign, tmp_path / name, max_steps=3).train(rows) for name in ("one", "two")]
    one, two = ({n: p for n, p in m.named_parameters() if p.requires_grad} for m in results)
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_an_adapter_carries_no_path_of_this_machine(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path, max_steps=1)
    saved = trainer.save_checkpoint(1, trainer.train(rows))
    assert {path.name for path in saved.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads((saved / "adapter_config.json").read_text())["base_model_name_or_path"] == ""


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_runs(preset: str, campaign: Workspace, dataset: ProcessedDataset, tmp_path: Path) -> None:
    config = PRESETS[preset].training
    shortened = config.model_copy(update={"base_model": SETTINGS.base_model, "max_steps": 2})
    trainer = ModelTrainer(shortened, tmp_path)
    base = trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    before = trainer.evaluate(base, list(dataset.rows("train")))
    assert trainer.evaluate(trainer.train(dataset, dataset), list(dataset.rows("train"))) < before


@pytest.mark.parametrize(
    ("changes", "rows", "steps"),
    [
        ({"epochs": 4}, 10, 20),
        ({"epochs": 4}, 11, 24),
        ({"epochs": 0.5}, 10, 3),
        ({"epochs": 1, "batch_size": 4}, 10, 2),
        ({"epochs": 4, "max_steps": 7}, 10, 7),
        ({"epochs": 1, "max_steps": 700}, 10, 5),
        ({"epochs": 0.01}, 1, 1),
    ],
)
def test_a_run_takes_the_steps_its_epochs_need_and_max_steps_at_most(
    changes: dict[str, float], rows: int, steps: int
) -> None:
    config = TrainingConfig.model_validate({"gradient_accumulation_steps": 2, **changes})
    assert optimizer_steps(config, rows) == steps


@pytest.mark.parametrize("modules", [["no_such_layer"], ["q_proj", "lm_head"], ["embed_tokens"]])
def test_layers_that_cannot_be_trained_are_refused(
    modules: list[str], campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError) as caught:
        make(campaign, tmp_path, target_modules=modules).train(rows)
    assert modules[-1] in caught.value.why
    assert caught.value.next_step


def test_training_without_a_model_or_without_rows_is_refused(campaign: Workspace, tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        ModelTrainer(SETTINGS, tmp_path).train([])
    with pytest.raises(TrainingError):
        make(campaign, tmp_path).train([])


@pytest.mark.parametrize("damage", ["gone", "truncated", "no config"])
def test_a_damaged_base_model_is_a_clear_error(damage: str, tiny_llama: BaseModel, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama.hf, tmp_path / "hf"))
    match damage:
        case "gone":
            shutil.rmtree(folder)
        case "truncated":
            weights = folder / "model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-1000])
        case "no config":
            (folder / "config.json").unlink()
    with pytest.raises(TrainingError):
        ModelTrainer(SETTINGS, tmp_path).load_base_model(folder)


def test_steps_and_evaluations_are_reported_with_true_figures(
    campaign: Workspace, dataset: ProcessedDataset, worker: Worker, tmp_path: Path
) -> None:
    ticks = iter(range(10_000))
    trainer = make(campaign, tmp_path, max_steps=6, eval_steps=3)
    model = trainer.train(dataset, dataset, callbacks=[Reporter(worker, trainer, clock=lambda: float(next(ticks)))])
    events = read_events(worker.directory / "events.jsonl").events
    steps, evaluations = of_type(events, StepEvent), of_type(events, EvaluationEvent)
    assert [one.step for one in steps] == [1, 2, 3, 4, 5, 6]
    assert {one.total_steps for one in steps} == {6}
    assert [round(one.epoch, 3) for one in steps] == [0.4, 0.8, 1, 1.4, 1.8, 2]
    assert steps[-1].tokens_seen == 2 * dataset.manifest.counts["train"].tokens
    per_step = [after - before for before, after in pairwise([0, *(one.tokens_seen for one in steps)])]
    assert [one.tokens_per_second for one in steps] == per_step  # each step took one tick of the clock
    assert all(one.grad_norm > 0 and one.learning_rate >= 0 and one.memory_bytes > 10**8 for one in steps)
    assert [one.step for one in evaluations] == [3, 6]
    assert {one.trained_tokens for one in evaluations} == {dataset.manifest.counts["validation"].trained_tokens}
    assert evaluations[-1].loss == pytest.approx(trainer.evaluate(model, dataset), rel=1e-6)
    assert evaluations[-1].perplexity == pytest.approx(math.exp(evaluations[-1].loss))


def test_the_last_evaluation_of_a_run_is_that_of_its_adapter(
    finished: Run, campaign: Workspace, dataset: ProcessedDataset, tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path)
    model = PeftModel.from_pretrained(trainer.model, finished.adapter)
    last = of_type(finished.job.events().events, EvaluationEvent)[-1]
    assert last.loss == pytest.approx(trainer.evaluate(model, dataset), rel=1e-6)


def test_a_loss_that_is_no_number_ends_the_run_with_advice(
    campaign: Workspace, rows: list[TrainingRow], worker: Worker, tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path, warmup_steps=0)
    trainer.config = trainer.config.model_copy(update={"learning_rate": 1e30})  # no settings file may say so
    with pytest.raises(TrainingError) as caught:
        trainer.train(rows, callbacks=[Reporter(worker, trainer)])
    assert "learning rate" in caught.value.why
    losses = [one.loss for one in of_type(read_events(worker.directory / "events.jsonl").events, StepEvent)]
    assert len(losses) > 1
    assert [math.isfinite(loss) for loss in losses] == [True] * (len(losses) - 1) + [False]


def test_a_base_model_that_gives_no_numbers_is_called_damaged(
    campaign: Workspace, rows: list[TrainingRow], worker: Worker, tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path)
    trainer.model.model.layers[1].mlp.up_proj.weight.data[5, 7] = float("nan")
    with pytest.raises(TrainingError) as caught:
        trainer.train(rows, callbacks=[Reporter(worker, trainer)])
    assert "learning rate" not in caught.value.why


def test_a_run_keeps_to_its_memory_limit(
    campaign: Workspace, rows: list[TrainingRow], worker: Worker, tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path, memory_limit_gb=0.1)
    with pytest.raises(TrainingError) as caught:
        trainer.train(rows, callbacks=[Reporter(worker, trainer)])
    assert "memory_limit_gb" in caught.value.what


@pytest.mark.slow
def test_smollm2_learns_one_scene_by_heart(smollm2: BaseModel, rows: list[TrainingRow], tmp_path: Path) -> None:
    """The tiny Llama has SmolLM2's tokenizer, so its rows are SmolLM2's rows."""
    scene = rows[:1]
    trainer = ModelTrainer(TrainingConfig(max_steps=16, epochs=100, learning_rate=2e-3, warmup_steps=0), tmp_path)
    assert trainer.evaluate(trainer.load_base_model(smollm2.directory), scene) > 2
    assert trainer.evaluate(trainer.train(scene), scene) < 0.1


@pytest.mark.slow
def test_a_run_that_only_gets_worse_is_given_up(
    smollm2: BaseModel, rows: list[TrainingRow], worker: Worker, tmp_path: Path
) -> None:
    config = TrainingConfig(max_steps=60, epochs=100, learning_rate=0.1, warmup_steps=0)
    trainer = ModelTrainer(config, tmp_path)
    trainer.load_base_model(smollm2.directory)
    with pytest.raises(TrainingError) as caught:
        trainer.train(rows[:1], callbacks=[Reporter(worker, trainer)])
    assert "learning rate" in caught.value.why
    losses = [one.loss for one in of_type(read_events(worker.directory / "events.jsonl").events, StepEvent)]
    assert min(losses[-5:]) > losses[0] + 3
