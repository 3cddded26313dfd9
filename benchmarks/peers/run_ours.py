"""The studio's `ModelTrainer`."""

from __future__ import annotations

from pathlib import Path

from transformers import TrainerCallback

from benchmarks.peers.exchange import ACCUMULATION, ALPHA, EPOCHS, LEARNING_RATE, RANK, SEED, answer, clock_of, request
from studio.config import TrainingConfig
from studio.dataset import TrainingRow
from studio.training import ModelTrainer
from studio.training.adapter_files import save_adapter


def main() -> None:
    asked = request()
    rows = [
        TrainingRow(
            source="", scenario_type="", turns=(0, 1), input_ids=row["input_ids"],
            loss_mask=[label >= 0 for label in row["labels"]],
        )
        for row in asked["rows"]
    ]  # fmt: skip
    config = TrainingConfig(
        epochs=EPOCHS, lora_rank=RANK, lora_alpha=ALPHA, learning_rate=LEARNING_RATE, seed=SEED, warmup_steps=0,
        gradient_accumulation_steps=ACCUMULATION, checkpoint_steps=10_000, checkpoint_minutes=0,
    )  # fmt: skip
    clock = clock_of(TrainerCallback)
    trainer = ModelTrainer(config, Path(asked["folder"]), lambda _: None)
    trainer.load_base_model(Path(asked["hf"]))
    save_adapter(trainer.train(rows, callbacks=[clock]), Path(asked["folder"], "adapter"))
    answer(asked, clock)


if __name__ == "__main__":
    main()
