"""Every family of base models trains, saves its adapter and reads it back, with tied and with untied embeddings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.scenes import write_scenes
from studio.bases import BaseModel
from studio.config import TrainingConfig
from studio.dataset import TrainingDataProcessor, TrainingRow
from studio.training import ModelTrainer
from studio.training.provenance import WEIGHTS_FILE
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS

FAMILIES = ["tiny_llama", "tiny_qwen2", "tiny_qwen3", "tiny_gemma3"]
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_saves_and_reloads(
    family: str, tied: bool, rows: list[TrainingRow], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The rows are SmolLM2's; for a random model one token is as good as another."""
    tiny: BaseModel = request.getfixturevalue(family)
    folder = tiny.hf if tied else untied(tiny, tmp_path / "hf")
    trainer = ModelTrainer(SETTINGS.model_copy(update={"max_steps": 2, "warmup_steps": 0}), tmp_path)
    base = trainer.load_base_model(folder)
    shares = base.get_input_embeddings().weight.data_ptr() == base.get_output_embeddings().weight.data_ptr()
    assert shares == tied
    two = rows[:2]
    before = trainer.evaluate(base, two)
    model = trainer.train(two)
    assert trainer.evaluate(model, two) < before

    saved = trainer.save_checkpoint(1, model)
    weights = load_file(saved / WEIGHTS_FILE)
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in weights} == LAYERS
    assert len(weights) == 2 * len(LAYERS) * base.config.num_hidden_layers
    again = ModelTrainer(SETTINGS, tmp_path).load_base_model(folder)
    assert torch.equal(logits(PeftModel.from_pretrained(again, saved), rows), logits(model, rows))


@pytest.mark.slow
def test_gemma3_270m_trains_and_its_adapter_reloads(
    gemma3: BaseModel, empty_workspace: Workspace, tmp_path: Path
) -> None:
    processor = TrainingDataProcessor(empty_workspace, gemma3, max_seq_length=128)
    rows = list(processor.process_scenarios(write_scenes(tmp_path / "scenes")).rows("train"))[:2]
    assert rows
    config = TrainingConfig(base_model=gemma3.name, max_steps=2, warmup_steps=0, learning_rate=1e-3, max_seq_length=128)
    trainer = ModelTrainer(config, tmp_path)
    before = trainer.evaluate(trainer.load_base_model(gemma3.directory), rows)
    model = trainer.train(rows)
    after = trainer.evaluate(model, rows)
    assert after < before - 0.1
    saved = trainer.save_checkpoint(1, model)
    again = PeftModel.from_pretrained(model.unload(), saved)
    assert trainer.evaluate(again, rows) == pytest.approx(after, rel=1e-6)


def untied(tiny: BaseModel, folder: Path) -> Path:
    """A random model of the same shape with an output matrix of its own."""
    config = AutoConfig.from_pretrained(tiny.hf)
    config.tie_word_embeddings = False
    torch.manual_seed(3)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    shutil.copyfile(tiny.hf / "tokenizer.json", folder / "tokenizer.json")
    return folder


def logits(model: Any, rows: list[TrainingRow]) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([rows[0].input_ids])).logits
