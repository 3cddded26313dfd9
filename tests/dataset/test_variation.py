"""Variants keep the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.dataset import TrainingDataProcessor
from studio.dataset.augmentation import reordered
from studio.scenarios import MarkdownParser, TrainingScenario
from studio.workspace import PROJECT_ROOT, Workspace

SEED_EXAMPLE = PROJECT_ROOT / "tests" / "scenarios" / "seed_example.md"
SHIPPED = sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))


def parsed(path: Path) -> TrainingScenario:
    return MarkdownParser().parse_scenario(path)


def as_file(scenario: TrainingScenario) -> str:
    turns = "\n\n".join(f"<{turn.speaker}>{turn.content}</{turn.speaker}>" for turn in scenario.conversation)
    return f"<SYSTEM>\n{scenario.system_context.text}\n</SYSTEM>\n\n{turns}\n"


def test_a_variant_is_the_same_play_with_the_party_in_another_order() -> None:
    scenario = parsed(SEED_EXAMPLE)
    variant = reordered(scenario, 7)
    assert variant
    assert [one.name for one in variant.system_context.party] == ["Chris", "Thorin", "Sarah"]
    assert variant.conversation == scenario.conversation
    assert variant.metadata["augmentation"] == {"parent": "seed_example.md", "operations": ["party order"], "seed": 7}
    assert sorted(variant.system_context.text.split()) == sorted(scenario.system_context.text.split())


@pytest.mark.parametrize("path", [SEED_EXAMPLE, *SHIPPED], ids=lambda path: path.stem)
def test_a_variant_reads_back_as_it_says_and_gains_no_problem(path: Path) -> None:
    scenario = parsed(path)
    if variant := reordered(scenario, 3):
        again = MarkdownParser().parse_text(as_file(variant))
        assert again.system_context.party == variant.system_context.party
        assert [one.code for one in again.diagnostics if one.severity == "error"] == []
        assert again.system_context.party[0] == scenario.system_context.party[0]
    else:
        several = any(turn.speaker == "TOOLCALL" and "\n" in turn.content.strip() for turn in scenario.conversation)
        assert several or len(scenario.system_context.party) < 3 or not scenario.system_context.party[0].is_player


def test_augmenting_keeps_every_scenario(workspace: Workspace, smollm2: BaseModel) -> None:
    scenarios = [parsed(SEED_EXAMPLE), parsed(SHIPPED[0])]
    made = TrainingDataProcessor(workspace, smollm2, 1024).augment_data(scenarios, seed=7)
    assert [one for one in made if "augmentation" not in one.metadata] == scenarios
    assert made == TrainingDataProcessor(workspace, smollm2, 1024).augment_data(scenarios, seed=7)
