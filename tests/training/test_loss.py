"""The loss that is trained on: equal to transformers' own, blind to masked tokens, one mean per optimizer step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from studio.dataset import TrainingRow
from studio.training import ModelTrainer
from studio.training.batches import IGNORED, Batch, as_features, collate
from studio.training.loss import mean_loss, trained_token_loss
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS


class Listener(TrainerCallback):
    """Keeps what the trainer logs."""

    def __init__(self) -> None:
        self.logs: list[dict[str, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        self.logs.append(logs)


@pytest.fixture
def trainer(campaign: Workspace, tmp_path: Path) -> ModelTrainer:
    """The tiny model in float32, so that two ways to compute a number can be compared closely."""
    made = ModelTrainer(SETTINGS, tmp_path)
    made.dtype = torch.float32
    made.load_base_model(campaign.base_dir / SETTINGS.base_model)
    return made


@pytest.fixture
def batch(rows: list[TrainingRow]) -> Batch:
    """Three rows of different lengths."""
    return collate([*as_features(rows[:3], "train")])


def reference(model: Any, batch: Batch) -> torch.Tensor:
    """All logits, transformers' own cross-entropy: the mean over trained tokens."""
    return model(**batch).loss


def test_a_batch_is_padded_and_its_padding_carries_no_label(rows: list[TrainingRow], batch: Batch) -> None:
    lengths = [len(row.input_ids) for row in rows[:3]]
    assert len(set(lengths)) > 1
    assert batch["input_ids"].shape == batch["labels"].shape == (3, max(lengths))
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert (batch["labels"] != IGNORED).sum().item() == sum(row.trained_tokens for row in rows[:3])
    assert torch.equal(batch["labels"][batch["labels"] != IGNORED], batch["input_ids"][batch["labels"] != IGNORED])


def test_the_loss_and_its_gradient_equal_transformers_own(trainer: ModelTrainer, batch: Batch) -> None:
    weight = trainer.model.model.layers[0].self_attn.q_proj.weight
    expected = reference(trainer.model, batch)
    (expected_gradient,) = torch.autograd.grad(expected, weight)
    total, count = trained_token_loss(trainer.model, batch)
    (gradient,) = torch.autograd.grad(total / count, weight)
    torch.testing.assert_close(total / count, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_tokens_after_the_last_trained_one_get_no_gradient(trainer: ModelTrainer, batch: Batch) -> None:
    one = {key: value[:1].clone() for key, value in batch.items()}
    trained = int((one["labels"][0] != IGNORED).nonzero()[3])
    one["labels"][0, trained + 1 :] = IGNORED
    embedded: list[torch.Tensor] = []

    def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        embedded.append(output.detach().requires_grad_())
        return embedded[0]

    with trainer.model.get_input_embeddings().register_forward_hook(keep):
        total, count = trained_token_loss(trainer.model, one)
    total.backward()
    assert count == 4
    reached = embedded[0].grad[0].abs().sum(dim=1) > 0
    assert reached[:trained].all()
    assert not reached[trained:].any()


def test_a_batch_without_trained_tokens_has_no_loss_and_no_gradient(trainer: ModelTrainer, batch: Batch) -> None:
    batch["labels"].fill_(IGNORED)
    total, count = trained_token_loss(trainer.model, batch)
    total.backward()
    assert (total.item(), count) == (0.0, 0)
    gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
    assert all(not gradient.any() for gradient in gradients)


def test_the_held_out_loss_is_a_mean_over_tokens_however_rows_are_batched(
    trainer: ModelTrainer, rows: list[TrainingRow]
) -> None:
    features = as_features(rows, "train")
    singly, tokens = mean_loss(trainer.model, [collate([one]) for one in features], "cpu")
    together, _ = mean_loss(trainer.model, [collate([*features])], "cpu")
    assert tokens == sum(sum(row.loss_mask[1:]) for row in rows)
    assert singly == pytest.approx(together, rel=1e-5)
    assert singly == pytest.approx(float(reference(trainer.model, collate([*features]))), rel=1e-5)


@pytest.mark.parametrize(("batch_size", "accumulation"), [(1, 5), (5, 1), (2, 3), (1, 64)])
def test_an_optimizer_step_takes_the_mean_over_all_its_trained_tokens(
    trainer: ModelTrainer, rows: list[TrainingRow], batch_size: int, accumulation: int
) -> None:
    whole = collate([*as_features(rows, "train")])
    expected = float(reference(trainer.model, whole))
    trainer.config = SETTINGS.model_copy(
        update={
            "batch_size": batch_size,
            "gradient_accumulation_steps": accumulation,
            "max_steps": 1,
            "lora_dropout": 0.0,
            "learning_rate": 1e-12,
        }
    )
    listener = Listener()
    model = trainer.train(rows, callbacks=[listener])
    logged = listener.logs[0]
    assert logged["loss"] == pytest.approx(expected, rel=1e-5)
    assert logged["num_input_tokens_seen"] == sum(len(row.input_ids) for row in rows)
    adapter = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(reference(model, whole), adapter)
    assert logged["grad_norm"] == pytest.approx(float(torch.cat([g.flatten() for g in gradients]).norm()), rel=1e-4)
