"""A run goes on as if nothing had happened: after a kill at any moment, and after a power loss."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState

from studio.bases import get_base
from studio.config import TrainingConfig
from studio.dataset import ProcessedDataset
from studio.training import ModelTrainer
from studio.training.best import BestAdapter
from studio.training.checkpoints import MANIFEST_FILE, checkpoints, is_whole, keep_newest, last_whole_checkpoint, seal
from studio.training.saving import TimedSaves
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS
from tests.training.test_best import PROVENANCE

WEIGHTS, STATE, OPTIMIZER = "adapter_model.safetensors", "trainer_state.json", "optimizer.pt"
CONTENT = {WEIGHTS: b"weights" * 50, STATE: b'{"global_step": 2}', OPTIMIZER: b"moments" * 50}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut by one byte": lambda content: content[:-1],
    "cut in half": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "zeros of the right size": lambda content: bytes(len(content)),
    "one bit": lambda content: bytes([content[0] ^ 1, *content[1:]]),
}


def fake_checkpoint(run: Path, step: int) -> Path:
    """A sealed checkpoint of three small files."""
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    seal(folder)
    return folder


@pytest.mark.parametrize("name", [*CONTENT, MANIFEST_FILE])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_power_loss_that_damages_any_file_costs_one_checkpoint(name: str, damage: str, tmp_path: Path) -> None:
    older, newer = (fake_checkpoint(tmp_path, step) for step in (9, 10))
    assert last_whole_checkpoint(tmp_path) == newer
    (newer / name).write_bytes(DAMAGE[damage]((newer / name).read_bytes()))
    assert last_whole_checkpoint(tmp_path) == older
    (newer / name).unlink()
    assert last_whole_checkpoint(tmp_path) == older


@given(st.sampled_from(sorted(CONTENT)), st.data())
def test_any_changed_byte_is_noticed(name: str, data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = fake_checkpoint(Path(folder), 1)
        content = bytearray((checkpoint / name).read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        (checkpoint / name).write_bytes(content)
        assert not is_whole(checkpoint)


@pytest.mark.parametrize("files", [{}, {"../../elsewhere": {"size": 0, "sha256": ""}}])
def test_a_manifest_that_names_no_checkpoint_makes_none(files: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = fake_checkpoint(tmp_path, 1)
    (checkpoint / MANIFEST_FILE).write_text(json.dumps({"files": files}))
    assert not is_whole(checkpoint)


def test_the_oldest_go_when_a_newer_one_is_sealed_and_what_was_never_sealed_goes_too(tmp_path: Path) -> None:
    for step in (2, 4, 10):
        fake_checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-6").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    keep_newest(tmp_path, 2)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-10", "checkpoint-4"]
    assert (tmp_path / "checkpoint-best").is_dir()


def saves(minutes: float, seconds: list[float], by_step: int = 0) -> list[int]:
    """After which steps a run saves whose clock shows `seconds`; every `by_step` steps it does anyhow."""
    clock = iter(seconds)
    now = SimpleNamespace(value=0.0)
    timed, state = TimedSaves(minutes, lambda: now.value), TrainerState()
    timed.on_train_begin(None, state, TrainerControl())
    saved = []
    for step, now.value in enumerate(clock, start=1):
        control = TrainerControl(should_save=bool(by_step) and step % by_step == 0)
        timed.on_step_end(None, state, control)
        if control.should_save:
            saved.append(step)
            timed.on_save(None, state, control)
    return saved


def test_a_checkpoint_is_saved_when_so_much_time_has_passed_since_the_last_one_whoever_asked_for_it() -> None:
    halves = [30.0 * step for step in range(1, 13)]
    assert saves(1, halves) == [2, 4, 6, 8, 10, 12]
    assert saves(1.25, halves) == [3, 6, 9, 12]
    assert saves(1, halves, by_step=3) == [2, 3, 5, 6, 8, 9, 11, 12]
    assert saves(0, [1e9 * step for step in range(1, 13)]) == []
    assert saves(5, list(chain(repeat(299.0, 3), [301.0, 302.0]))) == [4]


def test_a_run_saves_by_time_measures_before_it_saves_and_has_nothing_left_after_its_last_step(
    campaign: Workspace, dataset: ProcessedDataset, tmp_path: Path
) -> None:
    """Three steps are one pass, so a fourth leaves two steps that must not be taken."""
    changes = {"max_steps": 4, "checkpoint_steps": 1000, "checkpoint_minutes": 1e-9, "eval_steps": 0}
    config = TrainingConfig.model_validate({**SETTINGS.model_dump(), **changes, "keep_checkpoints": 2})
    weights = []
    for resume in (None, tmp_path / "checkpoint-4"):
        trainer = ModelTrainer(config, tmp_path)
        trainer.load_base_model(get_base(campaign, SETTINGS.base_model).hf)
        model = trainer.train(dataset, dataset, resume=resume)
        weights.append({name: value for name, value in model.named_parameters() if value.requires_grad})
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-3"]
    histories = [json.loads((path / STATE).read_text())["log_history"] for path in checkpoints(tmp_path)]
    assert [[one["step"] for one in found if "eval_loss" in one] for found in histories] == [[3, 4], [3]]


def test_a_run_that_was_killed_after_its_early_end_does_not_begin_again(tmp_path: Path) -> None:
    course = [3.0, 2.5, 2.6, 2.7]
    state = TrainerState(log_history=[{"eval_loss": loss, "step": step} for step, loss in enumerate(course)])
    for patience, ends in ((2, True), (3, False), (0, False)):
        control = TrainerControl()
        BestAdapter(tmp_path, PROVENANCE, patience, print).on_train_begin(None, state, control)
        assert control.should_training_stop is ends
