"""What rows begin with alike is computed once, and nothing that is learned changes by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from studio.bases import BaseModel
from studio.dataset import TrainingRow
from studio.training import ModelTrainer
from studio.training.attention import attend
from studio.training.batches import IGNORED, Batch, as_features, collate
from studio.training.beginnings import BEGINNING, beginnings_of, share_beginnings
from studio.training.loss import mean_loss, trained_token_loss
from studio.training.order import EveryRow, GroupedSteps, together
from tests.training.conftest import SETTINGS

FAMILIES = ["tiny_llama", "tiny_qwen2", "tiny_qwen3", "tiny_gemma3"]
HEAD = 300
"""Longer than the window of the tiny Gemma."""


def row(scene: int, ending: int, length: int, trained: int = 12) -> TrainingRow:
    """A row whose first `HEAD` tokens are those of its scene; a stretch behind them is trained."""
    draw = torch.Generator().manual_seed(scene)
    head = torch.randint(5, 4000, (HEAD,), generator=draw).tolist()
    own = torch.randint(5, 4000, (length,), generator=draw.manual_seed(100 * scene + ending)).tolist()
    mask = [False] * (HEAD + 6) + [True] * trained + [False] * (length - 6 - trained)
    return TrainingRow(source="", scenario_type="", turns=(0, 1), input_ids=head + own, loss_mask=mask)


SCENE = [row(1, 1, 40), row(1, 2, 25), row(1, 3, 60)]


def batches(rows: list[TrainingRow], size: int = 1) -> list[Batch]:
    features = [*as_features(rows, "train")]
    return [collate(features[first : first + size]) for first in range(0, len(features), size)]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradients_of_a_step_are_those_of_rows_read_one_by_one(
    family: str, size: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = adapted(request.getfixturevalue(family), tmp_path)
    rows = [*SCENE, row(2, 1, 30), row(2, 2, 50)]
    expected, total = learned(model, batches(rows))
    shared = share_beginnings(batches(rows, size))
    assert any(BEGINNING in batch for batch in shared)
    found, found_total = learned(model, shared)
    assert found_total == pytest.approx(total, rel=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=2e-3, atol=2e-5, msg=name)
    assert max(float(gradient.abs().max()) for gradient in expected.values()) > 1e-3


def test_only_what_differs_is_read_again(tiny_llama: BaseModel, tmp_path: Path) -> None:
    model, read = adapted(tiny_llama, tmp_path), []
    embeddings = model.get_input_embeddings()
    with embeddings.register_forward_hook(lambda _module, given, _output: read.append(given[0].numel())):
        learned(model, share_beginnings(batches(SCENE)))
        assert read == [HEAD, 40, 25, 60]
        read.clear()
        mean_loss(model, batches(SCENE), "cpu")
        assert read == [HEAD, 40, 25, 60]


def test_held_out_rows_that_begin_alike_have_the_loss_they_have_alone(tiny_llama: BaseModel, tmp_path: Path) -> None:
    model = adapted(tiny_llama, tmp_path)
    together_, tokens = mean_loss(model, batches(SCENE), "cpu")
    alone = [mean_loss(model, [one], "cpu") for one in batches(SCENE)]
    assert tokens == sum(count for _, count in alone) == 36
    assert together_ == pytest.approx(sum(loss * count for loss, count in alone) / tokens, rel=1e-6)


def test_rows_share_nothing_that_is_trained() -> None:
    early = TrainingRow(**{**SCENE[1].model_dump(), "loss_mask": [i >= 200 for i in range(HEAD + 25)]})
    one, *_ = share_beginnings(batches([SCENE[0], early]))
    assert one[BEGINNING].length == 199  # the token after those predicts the first that is trained
    again = share_beginnings(batches([SCENE[0], SCENE[0]]))
    assert again[0][BEGINNING].length == HEAD + 5


@pytest.mark.parametrize(
    "rows",
    [[SCENE[0]], [row(1, 1, 30), row(2, 1, 30)], [TrainingRow(**{**one.model_dump(), "input_ids": one.input_ids[280:],
        "loss_mask": one.loss_mask[280:]}) for one in SCENE]],
    ids=["one", "two scenes", "too short"],
)  # fmt: skip
def test_what_does_not_pay_is_left_alone(rows: list[TrainingRow]) -> None:
    assert all(BEGINNING not in batch for batch in share_beginnings(batches(rows)))


def test_neighbours_of_two_scenes_share_with_their_own() -> None:
    rows = [SCENE[0], SCENE[1], row(2, 1, 30), row(3, 1, 30), row(3, 2, 30)]
    found = [batch.get(BEGINNING) for batch in share_beginnings(batches(rows))]
    assert found[0] is found[1] is not None
    assert found[2] is None
    assert found[3] is found[4] is not None


def test_rows_of_a_kind_move_together_and_none_is_lost() -> None:
    kinds = ["a", "b", "a", "c", "b", "a", "a", "a"]
    order = [3, 2, 1, 0, 7, 4, 6, 5]
    moved = together(order, kinds, step=4)
    assert sorted(moved) == sorted(order)
    assert moved == [3, 2, 0, 7, 1, 4, 6, 5]
    assert together([0, 0, 1, 0], ["a", "b"], step=2) == [0, 0, 1, 0]  # a row may come more than once


def test_every_pass_has_an_order_of_its_own_that_a_resumed_run_finds_again() -> None:
    features = as_features([row(scene, ending, 30) for ending in range(3) for scene in range(4)], "train")
    kinds = beginnings_of(features)
    assert kinds[0] == kinds[4] != kinds[1]
    passes = []
    for epoch in (0, 1):
        sampler = GroupedSteps(EveryRow(12, seed=5), kinds, step=3)
        sampler.set_epoch(epoch)
        passes.append(list(sampler))
        assert sorted(passes[-1]) == list(range(12))
        assert all(len({kinds[i] for i in passes[-1][k : k + 3]}) == 1 for k in range(0, 12, 3))
    assert passes[0] != passes[1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 2])
def test_going_on_is_causal_attention_over_all_keys(rows: int, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(rows)
    shapes = [(rows, 70, 9, 64), (rows, 110, 3, 64), (rows, 110, 3, 64)]
    three = [torch.randn(*shape, generator=draw).to(dtype).transpose(1, 2).requires_grad_() for shape in shapes]
    seen = torch.ones(70, 110).tril(40).bool()
    expected = scaled_dot_product_attention(*three, attn_mask=seen, enable_gqa=True)
    found, _ = attend(None, *three, None)
    gradient = torch.randn(expected.shape, generator=draw).to(dtype)
    bound = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]
    torch.testing.assert_close(found.transpose(1, 2), expected, rtol=bound, atol=bound)
    wanted = torch.autograd.grad(expected, three, gradient)
    got = torch.autograd.grad(found.transpose(1, 2), three, gradient)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=bound, atol=bound)


def adapted(base: BaseModel, folder: Path) -> Any:
    """A model whose adapter is no longer zero, so that all of its matrices have a gradient."""
    trainer = ModelTrainer(SETTINGS, folder)
    trainer.load_base_model(base.hf)
    trainer._put_adapter_on(None)
    torch.manual_seed(9)
    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return trainer.model.eval()  # without dropout


def learned(model: Any, step: list[Any]) -> tuple[dict[str, torch.Tensor], float]:
    """The gradients of one optimizer step, and its loss."""
    model.zero_grad()
    sum_ = 0.0
    trained = sum(int((batch["labels"] != IGNORED).sum()) for batch in step)
    for batch in step:
        total, _ = trained_token_loss(model, batch)
        loss = total / trained
        if beginning := batch.get(BEGINNING):
            loss = loss + beginning.carried()
        loss.backward()
        sum_ += float(loss)
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}, sum_
