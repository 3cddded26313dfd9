"""Train, validation, test: by scenario, in the share of each type, and stable when scenarios are added."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.dataset import SPLITS, ProcessedDataset, Split, TrainingDataProcessor
from studio.dataset.splits import Group, SplitRule, assign, position, split_of
from studio.workspace import Workspace
from tests.dataset.stories import story, write_stories


def singles(count: int, kind: str = "combat") -> list[Group]:
    return [Group((f"{kind}/{number}.md",), kind) for number in range(count)]


def process(workspace: Workspace, base: BaseModel, folder: Path, **fractions: float) -> ProcessedDataset:
    return TrainingDataProcessor(workspace, base, 1024, **fractions).process_scenarios(folder)  # type: ignore[arg-type]


def sides(dataset: ProcessedDataset) -> dict[str, Split]:
    return {row.source: split for split in SPLITS for row in dataset.rows(split)}


def test_each_split_gets_its_share_of_every_type() -> None:
    groups = [*singles(4000), *singles(1000, "roleplay")]
    chosen = assign(groups, SplitRule(0.1, 0.2))
    for kind, total in (("combat", 4000), ("roleplay", 1000)):
        counts = Counter(split for name, split in chosen.items() if name.startswith(kind))
        assert 0.08 * total < counts["validation"] < 0.12 * total
        assert 0.17 * total < counts["test"] < 0.23 * total


def test_a_type_that_is_owed_half_a_scenario_has_one_held_out() -> None:
    trained = [Group((name,), "mixed") for name in map("mixed/{}.md".format, range(400)) if position(name) > 0.5][:5]
    assert Counter(assign(trained, SplitRule(0.1)).values()) == {"validation": 1, "train": 4}
    assert Counter(assign(trained[:4], SplitRule(0.1)).values()) == {"train": 4}
    assert Counter(assign(trained, SplitRule(0.0)).values()) == {"train": 5}
    assert Counter(assign(trained, SplitRule(0.1, 0.1)).values()) == {"validation": 1, "test": 1, "train": 3}


@pytest.mark.parametrize("rule", [SplitRule(0.1), SplitRule(0.2, 0.2), SplitRule(0.1, seed=5)])
def test_adding_scenarios_moves_nothing_but_a_stand_in_back_to_training(rule: SplitRule) -> None:
    before: dict[str, Split] = {}
    for count in range(1, 300):
        after = assign(singles(count), rule)
        moved = {name for name in before if before[name] != after[name]}
        if count > 20:  # enough for the hash to hold some out by itself
            assert all(after[name] == rule.of(name) for name in moved)
        before = after


def test_another_seed_gives_another_split_and_the_same_seed_the_same() -> None:
    first, again, other = (assign(singles(200), SplitRule(0.3, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_group_goes_where_its_leader_goes_and_never_apart() -> None:
    held = next(f"{n}.md" for n in range(100) if split_of(f"{n}.md", 0.1) == "validation")
    trained = next(f"{n}.md" for n in range(100) if split_of(f"{n}.md", 0.1) == "train")
    rest = singles(20)
    assert assign([Group((held, trained), "mixed"), *rest], SplitRule(0.1))[trained] == "validation"
    assert assign([Group((trained, held), "mixed"), *rest], SplitRule(0.1))[held] == "train"
    assert assign([Group((trained, held), "mixed", held_out=True), *rest], SplitRule(0.0))[held] == "validation"


def test_most_of_the_scenarios_are_never_held_out_together() -> None:
    held = [f"{n}.md" for n in range(200) if split_of(f"{n}.md", 0.1) == "validation"]
    chosen = assign([Group(tuple(held), "mixed"), *singles(3)], SplitRule(0.1))
    assert {chosen[name] for name in held} == {"train"}


def test_the_test_split_is_empty_unless_asked_for(workspace: Workspace, smollm2: BaseModel) -> None:
    folder = write_stories(workspace.scenarios_dir, 30)
    assert process(workspace, smollm2, folder).manifest.counts["test"].rows == 0
    dataset = process(workspace, smollm2, folder, validation_fraction=0.2, test_fraction=0.2)
    counts = {split: dataset.manifest.counts[split].scenarios for split in SPLITS}
    assert counts == dict(Counter(sides(dataset).values()))
    assert all(counts.values())


def test_a_copy_of_a_held_out_scenario_is_held_out_with_it(workspace: Workspace, smollm2: BaseModel) -> None:
    folder = write_stories(workspace.scenarios_dir, 6)
    workspace.validation_dir.mkdir(parents=True)
    (workspace.validation_dir / "kept.md").write_text(story("kept"))
    (folder / "combat" / "k.md").write_text(story("kept", extra="And so it ends."))
    dataset = process(workspace, smollm2, folder)
    assert sides(dataset)["combat/k.md"] == "validation"
    (row,) = [row for row in dataset.manifest.report if row.source == "combat/k.md"]
    assert row.kind == "near duplicate"
    assert "validation/kept.md" in row.reason
