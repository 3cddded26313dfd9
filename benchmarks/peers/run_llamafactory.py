"""LLaMA-Factory: `default` as it comes, or without gradient checkpointing and in one type."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from exchange import ACCUMULATION, ALPHA, EPOCHS, LEARNING_RATE, RANK, SEED, TARGETS, answer, clock_of, request
from llamafactory.train.tuner import run_exp
from transformers import TrainerCallback

FOUND_BY_HAND: dict[str, dict[str, Any]] = {
    "default": {},
    "float32": {"disable_gradient_checkpointing": True, "flash_attn": "sdpa", "infer_dtype": "float32"},
    "bfloat16": {"disable_gradient_checkpointing": True, "flash_attn": "sdpa", "bf16": True},
}


def main() -> None:
    asked = request()
    folder = Path(asked["folder"])
    conversations = [{"messages": [_as_turn(one) for one in row["messages"]]} for row in asked["rows"]]
    (folder / "rows.json").write_text(json.dumps(conversations))
    roles = {
        "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
        "system_tag": "system",
    }  # fmt: skip
    described = {"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": roles}
    (folder / "dataset_info.json").write_text(json.dumps({"rows": described}))
    clock = clock_of(TrainerCallback)
    settings = {
        "stage": "sft", "do_train": True, "model_name_or_path": asked["hf"], "finetuning_type": "lora",
        "lora_rank": RANK, "lora_alpha": ALPHA, "lora_target": ",".join(TARGETS), "dataset": "rows",
        "dataset_dir": str(folder), "template": "smollm", "cutoff_len": 2048, "output_dir": str(folder / "adapter"),
        "per_device_train_batch_size": 1, "gradient_accumulation_steps": ACCUMULATION, "num_train_epochs": EPOCHS,
        "learning_rate": LEARNING_RATE, "lr_scheduler_type": "cosine", "seed": SEED, "report_to": "none",
        "save_strategy": "no", "logging_strategy": "no", "use_cpu": True, **FOUND_BY_HAND[asked["setting"]],
    }  # fmt: skip
    run_exp(settings, callbacks=[clock])
    answer(asked, clock)


def _as_turn(message: dict[str, str]) -> dict[str, str]:
    """Its template knows no dice: their results come as the player's, with as many tokens."""
    return {**message, "role": "user"} if message["role"] == "tool" else message


if __name__ == "__main__":
    main()
