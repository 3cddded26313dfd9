"""trl's SFTTrainer: `default` as it comes, or with weights of one type and no gradient checkpointing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import SFTConfig, SFTTrainer

sys.path.insert(0, str(Path(__file__).parent))
from exchange import ACCUMULATION, ALPHA, EPOCHS, LEARNING_RATE, RANK, SEED, TARGETS, answer, clock_of, request

TYPES = {"default": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


def main() -> None:
    asked = request()
    dtype = TYPES[asked["setting"]]
    found_by_hand: dict[str, Any] = {"bf16": False, "gradient_checkpointing": False} if dtype else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(Path(asked["hf"], "tokenizer.json")), eos_token="<|im_end|>")
    tokenizer.pad_token = "<|im_end|>"
    data = Dataset.from_list([{key: row[key] for key in ("input_ids", "labels")} for row in asked["rows"]])
    clock = clock_of(TrainerCallback)
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(asked["hf"], **({"dtype": dtype} if dtype else {})),
        args=SFTConfig(
            output_dir=asked["folder"], use_cpu=True, per_device_train_batch_size=1,
            gradient_accumulation_steps=ACCUMULATION, num_train_epochs=EPOCHS, learning_rate=LEARNING_RATE,
            lr_scheduler_type="cosine", seed=SEED, max_length=None, report_to=[], disable_tqdm=True,
            save_strategy="no", logging_strategy="no", **found_by_hand,
        ),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(TARGETS), task_type="CAUSAL_LM"),
        callbacks=[clock],
    )  # fmt: skip
    trainer.train()
    trainer.model.save_pretrained(Path(asked["folder"], "adapter"))
    answer(asked, clock)


if __name__ == "__main__":
    main()
