"""The best adapter of a run and its early end, decided by the losses on held-out scenarios."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import TrainerControl, TrainerState

from studio.bases import get_base
from studio.config import TrainingConfig, save_settings
from studio.dataset import ProcessedDataset, TrainingRow
from studio.jobs import EvaluationEvent, Worker, latest_by_step, of_type, read_events
from studio.training import ModelTrainer, Provenance, Run
from studio.training.best import BEST_DIR, BestAdapter, Measured, best_of, evaluations_since_best, measured_losses
from studio.training.provenance import WEIGHTS_FILE
from studio.training.worker import main
from studio.workspace import Workspace, sha256_file
from tests.training.conftest import SETTINGS

PROVENANCE = Provenance(base="b", base_sha256="0", dataset_fingerprint="1", config_sha256="2", run="r")


@given(st.lists(st.floats(0.1, 9) | st.just(math.nan) | st.just(math.inf), max_size=12))
def test_the_best_evaluation_is_the_first_of_the_lowest_and_the_rest_is_counted(losses: list[float]) -> None:
    history: list[dict[str, Any]] = [{"loss": 1.0, "step": 1}]
    history += [{"eval_loss": loss, "step": step} for step, loss in enumerate(losses)]
    found = measured_losses(history)
    assert [one.step for one in found] == list(range(len(losses)))
    numbers = [loss for loss in losses if math.isfinite(loss)]
    best = best_of(found)
    assert best == (Measured(losses.index(min(numbers)), min(numbers)) if numbers else None)
    assert evaluations_since_best(found) == (len(losses) - 1 - best.step if best else len(losses))


def evaluate(keeper: BestAdapter, model: Any, losses: list[float]) -> TrainerControl:
    """Let the keeper see the last of these losses, one per step."""
    control = TrainerControl()
    state = TrainerState(log_history=[{"eval_loss": loss, "step": step} for step, loss in enumerate(losses)])
    keeper.on_evaluate(None, state, control, model=model)
    return control


def test_patience_ends_a_run_that_gets_no_better_and_0_never_does(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    trainer = ModelTrainer(SETTINGS.model_copy(update={"max_steps": 1}), tmp_path)
    trainer.load_base_model(get_base(campaign, SETTINGS.base_model).hf)
    model = trainer.train(rows)
    said: list[str] = []
    patient, endless = (BestAdapter(tmp_path / str(n), PROVENANCE, n, said.append) for n in (2, 0))
    course = [3.0, 2.5, 2.6, 2.5]
    ends = [evaluate(patient, model, course[:n]).should_training_stop for n in range(1, 5)]
    assert ends == [False, False, False, True]
    assert len(said) == 1
    assert not any(evaluate(endless, model, course[:n]).should_training_stop for n in range(1, 5))
    kept = Provenance.read(tmp_path / "2" / BEST_DIR)
    assert (kept.step, kept.held_out_loss) == (1, 2.5)
    assert kept.adapter_sha256 == sha256_file(tmp_path / "2" / BEST_DIR / WEIGHTS_FILE)


def run_here(worker: Worker, workspace: Workspace, **changes: Any) -> Run:
    """A whole run in this process: what the job's process does, without its start."""
    config = TrainingConfig.model_validate({**SETTINGS.model_dump(), "checkpoint_steps": 100, **changes})
    save_settings(config, worker.directory / "config.yaml")
    main(worker, {"workspace": str(workspace.root), "scenarios": str(workspace.scenarios_dir)})
    run = Run(worker.directory)
    assert run.adapter
    return run


def evaluations_of(run: Run) -> list[EvaluationEvent]:
    return latest_by_step(of_type(read_events(run.directory / "events.jsonl").events, EvaluationEvent))


def held_out_loss(workspace: Workspace, run: Run) -> float:
    """The loss of the adapter that the run left, measured anew."""
    trainer = ModelTrainer(SETTINGS, run.directory / "again")
    base = trainer.load_base_model(get_base(workspace, SETTINGS.base_model).hf)
    return trainer.evaluate(
        PeftModel.from_pretrained(base, run.adapter), ProcessedDataset.load(dataset_of(workspace, run))
    )


def dataset_of(workspace: Workspace, run: Run) -> Path:
    return workspace.processed_dir / ProcessedDataset.load(run.directory).fingerprint


def test_a_run_leaves_the_adapter_of_its_lowest_held_out_loss_and_ends_early(
    campaign: Workspace, worker: Worker
) -> None:
    """Far too large steps: the held-out loss rises again."""
    run = run_here(worker, campaign, learning_rate=1e-1, eval_steps=4, early_stopping_patience=2, sample_turns=0)
    evaluations = evaluations_of(run)
    best = min(evaluations, key=lambda one: one.loss)
    assert evaluations[-1].step == best.step + 2 * 4 < SETTINGS.max_steps
    assert run.adapter
    kept = Provenance.read(run.adapter)
    assert (kept.step, kept.held_out_loss) == (best.step, pytest.approx(best.loss))
    assert kept.adapter_sha256 == sha256_file(run.adapter / WEIGHTS_FILE)
    assert held_out_loss(campaign, run) == pytest.approx(best.loss, rel=1e-3)


def test_with_keep_best_off_the_last_adapter_counts(campaign: Workspace, worker: Worker) -> None:
    run = run_here(worker, campaign, max_steps=6, checkpoint_steps=6, eval_steps=2, keep_best=False, learning_rate=5e-2)
    assert run.adapter
    last = load_file(run.directory / "checkpoint-6" / WEIGHTS_FILE)
    assert all((last[name] == value).all() for name, value in load_file(run.adapter / WEIGHTS_FILE).items())
    assert Provenance.read(run.adapter).step == 0
    assert not (run.directory / BEST_DIR).exists()
