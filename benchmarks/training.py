"""Training against trl's SFTTrainer with its own defaults: the same base, rows and LoRA; padding is not counted.

Both sides run whole optimizer steps of one row each in this process; loading is not counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Ratio, interleaved
from studio.bases import BaseModel, get_base
from studio.config import TrainingConfig
from studio.dataset import TrainingDataProcessor, TrainingRow
from studio.workspace import PROJECT_ROOT, Workspace

ROUNDS = 3
ROW_TOKENS = 1024
STEPS = 2


def main() -> list[Ratio]:
    workspace = Workspace.find(PROJECT_ROOT)
    base = get_base(workspace, "smollm2-135m-instruct")
    dataset = TrainingDataProcessor.configured(workspace, base, ROW_TOKENS).process_scenarios(workspace.scenarios_dir)
    rows = list(dataset.rows("train"))[:STEPS]
    tokens = sum(len(row.input_ids) for row in rows)
    ratio = interleaved(
        "training SmolLM2, LoRA r=16 on all linear layers", "tokens/s", "trl with its CPU defaults",
        lambda: tokens / ours(base, rows), lambda: tokens / plain_trl(base, rows), rounds=ROUNDS,
    )  # fmt: skip
    return [ratio]


class Clock:
    """Seconds from the start of training to its end."""

    def __init__(self) -> None:
        from transformers import TrainerCallback

        clock = self

        class _Callback(TrainerCallback):  # type: ignore[misc]
            def on_train_begin(self, *_: Any, **__: Any) -> None:
                clock.started = time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                clock.seconds = time.perf_counter() - clock.started

        self.started = self.seconds = 0.0
        self.callback = _Callback()


def ours(base: BaseModel, rows: list[TrainingRow]) -> float:
    from studio.training import ModelTrainer

    clock = Clock()
    config = TrainingConfig(gradient_accumulation_steps=1, max_steps=STEPS, checkpoint_steps=1000)
    with tempfile.TemporaryDirectory() as folder:
        trainer = ModelTrainer(config, Path(folder), lambda _: None)
        trainer.load_base_model(base.hf)
        trainer.train(rows, callbacks=[clock.callback])
    return clock.seconds


def plain_trl(base: BaseModel, rows: list[TrainingRow]) -> float:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    clock = Clock()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(base.hf / "tokenizer.json"), eos_token="<|im_end|>")
    tokenizer.pad_token = "<|im_end|>"
    data = Dataset.from_list([{"input_ids": row.input_ids, "assistant_masks": row.loss_mask} for row in rows])
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder, use_cpu=True, per_device_train_batch_size=1, max_steps=STEPS, max_length=None,
            assistant_only_loss=False, report_to=[], disable_tqdm=True, save_strategy="no", logging_strategy="no",
        )  # fmt: skip
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(base.hf), args=arguments, train_dataset=data,
            processing_class=tokenizer, peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
            callbacks=[clock.callback],
        )  # fmt: skip
        trainer.train()
    return clock.seconds
