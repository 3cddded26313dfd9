"""The few held-out turns that a model in training is asked for at every evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.bases import get_base
from studio.dataset import ProcessedDataset
from studio.jobs import EvaluationEvent, SampleEvent, latest_by_step, of_type
from studio.metrics import scenario_cases
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.training import ModelTrainer, Run
from studio.training.batches import as_features, collate
from studio.training.held_out_turns import NEW_TOKENS, choose, held_out_turns
from studio.training.loss import trained_token_loss
from studio.workspace import PROJECT_ROOT, Workspace
from tests.training.conftest import SETTINGS


def test_turns_are_chosen_from_every_scenario_half_of_them_asking_for_dice() -> None:
    vocabulary = load_vocabulary(PROJECT_ROOT / "config" / "tools.yaml")
    files = sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))[:4]
    cases = scenario_cases([MarkdownParser(vocabulary).parse_scenario(path) for path in files], vocabulary)
    chosen = choose(cases, 8)
    assert len(chosen) == len({one.key for one in chosen}) == 8
    assert [bool(one.expected) for one in chosen] == [True, False] * 4
    assert len({one.scenario for one in chosen}) == 4
    assert len(choose(cases, 10_000)) == len(cases) > 8
    assert choose([], 4) == choose(cases, 0) == []


def test_every_evaluation_of_a_run_says_how_many_turns_asked_rightly_and_shows_them(finished: Run) -> None:
    events = finished.job.events().events
    evaluations = latest_by_step(of_type(events, EvaluationEvent))
    samples = [one for one in events if isinstance(one, SampleEvent)]
    assert [one.calls_turns for one in evaluations] == [2] * len(evaluations)
    assert all(one.calls_right in (0.0, 0.5, 1.0) for one in evaluations)
    assert [one.step for one in samples] == [one.step for one in evaluations for _ in range(2)]
    assert {one.prompt for one in samples} == {"I search the well.", "perception: 10 + 5(skill) = *15*"}


def test_a_model_that_knows_the_scene_asks_rightly_and_its_reply_ends_with_the_request(
    campaign: Workspace, dataset: ProcessedDataset, tmp_path: Path
) -> None:
    base = get_base(campaign, SETTINGS.base_model)
    trainer = ModelTrainer(SETTINGS, tmp_path)
    trainer.dtype = torch.float32
    model = trainer.load_base_model(base.hf)
    learn_by_heart(model, dataset)
    said: list[SampleEvent] = []
    turns = held_out_turns(campaign, base, dataset, campaign.scenarios_dir, 6, said.append)
    assert turns is not None
    assert turns(model.train(), 60) == {"calls_right": 1.0, "calls_turns": 2}
    assert model.training
    asking, telling = said
    assert asking.text == "You look around in the well.\n\n[roll: perception]"
    assert telling.text == "*SUCCESS* A bucket of gold coins hangs in the dark."
    assert all(len(turns.renderer.tokenizer.encode(one.text).ids) <= NEW_TOKENS for one in said)


def learn_by_heart(model: Any, dataset: ProcessedDataset) -> None:
    """All weights, not an adapter alone: the tiny model is random, and it must know the held-out row."""
    batch = collate([*as_features(dataset, "validation")])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(300):
        loss, count = trained_token_loss(model, batch)
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss / count < 0.01:
            return
    pytest.fail(f"The tiny model did not learn one row by heart: {float(loss / count):.2f} nats per token.")


@pytest.mark.parametrize("count", [0, 6])
def test_there_is_nothing_to_ask_where_nothing_is_held_out_or_wanted(
    count: int, campaign: Workspace, dataset: ProcessedDataset
) -> None:
    base = get_base(campaign, SETTINGS.base_model)
    elsewhere = Workspace(campaign.root / "nowhere") if count else campaign
    assert held_out_turns(elsewhere, base, dataset, campaign.scenarios_dir, count, lambda _: None) is None
