"""Strong random LoRA adapters in PEFT's form, written without PEFT or torch in a few milliseconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from studio.bases import BaseModel
from studio.config import TrainingConfig, save_settings
from studio.conversion.formats.safetensors_file import read_index
from studio.workspace import Workspace

STRENGTH = 1.0  # of a layer's own size: enough to change what the model says
MODULES = ("0.self_attn.q_proj", "0.self_attn.k_proj", "1.mlp.up_proj", "2.self_attn.o_proj")


def write_adapter(
    folder: Path, base: BaseModel, *, modules: tuple[str, ...] = MODULES, rank: int = 4, alpha: float = 8, seed: int = 5
) -> Path:
    """An adapter on the layers whose names end so; the same arguments give the same bytes."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, stored in sorted(read_index(base.hf).items()):
        module = name.removesuffix(".weight")
        if not module.endswith(modules):
            continue
        rows, columns = stored.shape
        a = random.standard_normal((rank, columns), np.float32)
        b = random.standard_normal((rows, rank), np.float32)
        update = alpha / rank * np.sqrt(np.sum((b.T @ b) * (a @ a.T)))  # Frobenius norm of alpha / rank * B A
        strength = STRENGTH * np.linalg.norm(stored.read()) / update
        weights[f"base_model.model.{module}.lora_A.weight"] = a
        weights[f"base_model.model.{module}.lora_B.weight"] = b * np.float32(strength)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": alpha}
    names = sorted({one.rpartition(".")[2] for one in modules})
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": names}))
    return folder


def put_checkpoint(workspace: Workspace, base: BaseModel, run: str = "tavern", step: int = 40, seed: int = 5) -> Path:
    """A checkpoint of a training that is not finished: an adapter without provenance, the settings one folder above."""
    folder = write_adapter(workspace.checkpoints_dir / run / f"checkpoint-{step}", base, seed=seed)
    save_settings(TrainingConfig(base_model=base.name), folder.parent / "config.yaml")
    return folder
