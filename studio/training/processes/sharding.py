"""FSDP: the base model split between the GPUs of a run, for one that is too large for each of them.

accelerate shards on GPUs only; on the processor it would silently train without, so there it is not asked to. What the
model writes for held-out turns, and keeping the adapter of the best step, need the whole model in one process between
steps and are left out. None of it has run on two GPUs yet: see docs/training.md.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.distributed.tensor import DTensor

from studio.config import TrainingConfig
from studio.training.processes.group import processes


def is_sharded(config: TrainingConfig, device: str) -> bool:
    """Whether the base model is split: where it is asked for, several processes train, and each has a GPU."""
    return config.distributed == "fsdp" and processes() > 1 and device != "cpu"


def sharding_told(config: TrainingConfig, device: str) -> str:
    """What the person who watches should know of it; empty where nothing was asked for."""
    if config.distributed != "fsdp":
        return ""
    if is_sharded(config, device):
        return (
            "The base model is split between the GPUs (fsdp), so the model writes no samples while it trains, and the "
            "last adapter counts, not the best one."
        )
    where = "one process trains" if processes() == 1 else "training runs on the processor"
    return f"The base model is not split (fsdp), for {where}; every process holds all of it."


def sharding_arguments(sharded: bool) -> dict[str, Any]:
    """The arguments of transformers' TrainingArguments for FSDP2 layer by layer; the adapter is saved as a whole."""
    if not sharded:
        return {}
    settings = {
        "version": 2,
        "reshard_after_forward": True,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "state_dict_type": "FULL_STATE_DICT",
        "cpu_ram_efficient_loading": False,
    }
    return {"fsdp": True, "fsdp_config": settings}


def make_whole(model: nn.Module) -> None:
    """Put the adapter's weights, of which each process has a part, together in every process. All must call it."""
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            if weight.requires_grad and isinstance(weight, DTensor):
                setattr(module, name, nn.Parameter(weight.full_tensor().detach()))
