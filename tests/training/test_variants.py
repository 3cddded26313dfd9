"""What of LoRA can be turned on: a base in 4 bits (QLoRA), and DoRA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bitsandbytes
import pytest
import torch
from peft import PeftModel

from studio.dataset import TrainingRow
from studio.training.lora_linear import LoraLinear
from studio.workspace import Workspace
from tests.training.test_trainer import make


def linear_layers(model: Any) -> set[type]:
    """Of the base model's attention and feed-forward layers."""
    return {type(one) for name, one in model.named_modules() if name.endswith("_proj")}


@pytest.mark.parametrize("variant", [{"quantize_base": "nf4"}, {"use_dora": True}])
def test_it_learns_and_its_adapter_is_read_back(
    variant: dict[str, Any], campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path, max_steps=6, lora_dropout=0, **variant)
    before = trainer.evaluate(trainer.model, rows)
    model = trainer.train(rows)
    after = trainer.evaluate(model, rows)
    assert after < before - 0.1
    saved = trainer.save_checkpoint(1, model)
    fresh = make(campaign, tmp_path / "again", **variant)
    assert fresh.evaluate(PeftModel.from_pretrained(fresh.model, saved), rows) == pytest.approx(after, rel=1e-5)
    assert json.loads((saved / "adapter_config.json").read_text())["use_dora"] == bool(variant.get("use_dora"))


def test_a_quantized_base_is_held_in_four_bits_and_its_adapter_in_32(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    trainer = make(campaign, tmp_path, max_steps=1, quantize_base="nf4")
    assert linear_layers(trainer.model) == {bitsandbytes.nn.Linear4bit}
    model = trainer.train(rows)
    assert {one.dtype for one in model.parameters() if one.requires_grad} == {torch.float32}
    assert LoraLinear not in linear_layers(model)


def test_without_it_the_layers_are_ours(campaign: Workspace, rows: list[TrainingRow], tmp_path: Path) -> None:
    assert linear_layers(make(campaign, tmp_path, max_steps=1).train(rows)) == {LoraLinear}


def test_the_weights_at_the_start_are_those_of_a_parent_with_dora(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    first = make(campaign, tmp_path, max_steps=2, use_dora=True)
    saved = first.save_checkpoint(1, first.train(rows))
    second = make(campaign, tmp_path / "second", max_steps=1, use_dora=True, learning_rate=1e-30)
    model = second.train(rows, parent=saved)
    assert second.evaluate(model, rows) == pytest.approx(first.evaluate(first.model, rows), rel=1e-5)
