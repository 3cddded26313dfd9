"""Accepted variations become sources of a dataset: on their scenario's side of the split, or with a reason why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.dataset import SPLITS, ProcessedDataset, Split, TrainingDataProcessor
from studio.dataset.augmentation import OPERATIONS, AugmentationPlan, AugmentationStore
from studio.dataset.sources import Source, list_sources
from studio.dataset.variations import accepted_sources, propose, propose_again, scenario_names, standings
from studio.errors import DatasetError
from studio.workspace import PROJECT_ROOT, Workspace

EVERYTHING = AugmentationPlan(operations=tuple(OPERATIONS))
BRAWL = "combat/tavern-brawl.md"


@pytest.fixture
def campaign(empty_workspace: Workspace) -> Workspace:
    """The shipped scenarios, with nothing in data/validation/."""
    shutil.copytree(PROJECT_ROOT / "data" / "scenarios", empty_workspace.scenarios_dir)
    return empty_workspace


def accepted(workspace: Workspace, plan: AugmentationPlan = EVERYTHING, names: list[str] | None = None) -> list[str]:
    """Propose and accept; the names of what was accepted."""
    made = propose(workspace, names or scenario_names(workspace), plan, 7).made
    store = AugmentationStore(workspace)
    store.decide([one.name for one in made], "accepted")
    return [one.name for one in store.proposals("accepted")]


def sources_of(workspace: Workspace) -> tuple[list[Source], dict[str, str]]:
    """The accepted sources, and the reasons of the others by name."""
    taken, _ = list_sources(workspace.scenarios_dir, workspace.validation_dir)
    found, report = accepted_sources(workspace, taken)
    assert all(row.kind == "variation" for row in report)
    return found, {row.source: row.reason for row in report}


def process(workspace: Workspace, base: BaseModel, **settings: object) -> ProcessedDataset:
    return TrainingDataProcessor(workspace, base, 2048, **settings).process_scenarios(  # type: ignore[arg-type]
        workspace.scenarios_dir
    )


def sides(dataset: ProcessedDataset) -> dict[str, Split]:
    return {row.source: split for split in SPLITS for row in dataset.rows(split)}


def parent_of(workspace: Workspace, source: str) -> str:
    name = source.removeprefix("variations/")
    return next(one.parent for one in AugmentationStore(workspace).proposals() if one.name == name)


def test_what_was_accepted_is_a_source_and_nothing_else_is(campaign: Workspace) -> None:
    made = propose(campaign, scenario_names(campaign), EVERYTHING, 7).made
    store = AugmentationStore(campaign)
    store.decide([made[0].name, made[1].name], "accepted")
    store.reject(made[2].name)
    found, report = sources_of(campaign)
    assert {one.name for one in found} == {f"variations/{one.name}" for one in made[:2]}
    assert report == {}
    for one in found:
        assert one.path.read_text(encoding="utf-8") == store.text(one.name.removeprefix("variations/"))
        assert not one.held_out


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_variation_is_on_the_side_of_its_scenario(
    workspace: Workspace, campaign: Workspace, smollm2: BaseModel, seed: int
) -> None:
    names = accepted(campaign)
    dataset = process(workspace, smollm2, validation_fraction=0.3, test_fraction=0.2, split_seed=seed)
    found = sides(dataset)
    varied = [name for name in found if name.startswith("variations/")]
    assert len(varied) == len(names)
    assert {found[name] for name in varied} >= {"train", "validation"}
    assert all(found[name] == found[parent_of(campaign, name)] for name in varied)


def test_variations_move_no_scenario_to_another_side(
    workspace: Workspace, campaign: Workspace, smollm2: BaseModel
) -> None:
    before = sides(process(workspace, smollm2, validation_fraction=0.3))
    held = next(name for name, split in before.items() if split == "validation")
    accepted(campaign, AugmentationPlan(operations=("entity renaming", "re-rolled dice"), copies=15), [held])
    after = process(workspace, smollm2, validation_fraction=0.3)
    assert {name: split for name, split in sides(after).items() if name in before} == before
    assert after.manifest.counts["validation"].scenarios > len(before)


def test_a_scenario_that_is_nearly_a_held_out_one_takes_its_variations_with_it(
    workspace: Workspace, campaign: Workspace, smollm2: BaseModel
) -> None:
    accepted(campaign)
    workspace.validation_dir.mkdir(parents=True)
    kept = (campaign.scenarios_dir / BRAWL).read_text(encoding="utf-8")
    (workspace.validation_dir / "kept.md").write_text(kept.replace("</DM>", " So it goes.</DM>", 1), encoding="utf-8")
    found = sides(process(workspace, smollm2))
    of_the_brawl = {name: split for name, split in found.items() if "tavern-brawl" in name}
    assert len(of_the_brawl) > 3
    assert set(of_the_brawl.values()) == {"validation"}


def test_a_scenario_that_was_moved_to_the_held_out_ones_takes_no_variation_into_training(
    workspace: Workspace, campaign: Workspace, smollm2: BaseModel
) -> None:
    names = accepted(campaign)
    workspace.validation_dir.mkdir(parents=True)
    (campaign.scenarios_dir / BRAWL).rename(workspace.validation_dir / "brawl.md")
    dataset = process(workspace, smollm2)
    assert not any("tavern-brawl" in name for name in sides(dataset))
    told = {row.source for row in dataset.manifest.report if row.kind == "variation"}
    assert told == {f"variations/{name}" for name in names if "tavern-brawl" in name}


def test_a_changed_scenario_leaves_its_variations_out_until_they_are_made_again(campaign: Workspace) -> None:
    names = [name for name in accepted(campaign) if "tavern-brawl" in name]
    path = campaign.scenarios_dir / BRAWL
    path.write_text(path.read_text(encoding="utf-8").replace("</DM>", " So it goes.</DM>", 1), encoding="utf-8")
    found, report = sources_of(campaign)
    assert set(report) == {f"variations/{name}" for name in names}
    assert not any("tavern-brawl" in one.name for one in found)
    store = AugmentationStore(campaign)
    standing = standings(campaign, store.proposals())
    assert {name for name, state in standing.items() if state == "changed"} == set(names)
    again = propose_again(campaign, names)
    assert (len(again.made), again.refused) == (len(names), [])
    assert set(standings(campaign, store.proposals()).values()) == {"current"}
    talk = {one.name for one in again.made if "no rolls" in one.operations}  # the changed turn is not in it
    assert {one.name for one in again.made if one.status == "accepted"} == talk
    assert again.new == len(names) - len(talk) > 0
    assert "So it goes." in store.text(names[0])
    store.accept(names[0])
    assert f"variations/{names[0]}" in {one.name for one in sources_of(campaign)[0]}


def test_what_cannot_be_made_again_is_told(campaign: Workspace) -> None:
    first, *_ = accepted(campaign)
    parent = next(one.parent for one in AugmentationStore(campaign).proposals() if one.name == first)
    (campaign.scenarios_dir / parent).write_text("Nothing that is a scenario.", encoding="utf-8")
    again = propose_again(campaign, [first])
    assert (again.made, [one.parent for one in again.refused]) == ([], [parent])
    with pytest.raises(DatasetError):
        propose_again(campaign, ["combat/none.md"])


def test_a_deleted_scenario_leaves_its_variations_out(campaign: Workspace) -> None:
    names = [name for name in accepted(campaign) if "tavern-brawl" in name]
    (campaign.scenarios_dir / BRAWL).unlink()
    _, report = sources_of(campaign)
    assert set(report) == {f"variations/{name}" for name in names}
    assert all(BRAWL in reason for reason in report.values())
    one = AugmentationStore(campaign).proposals("accepted")
    assert {standings(campaign, one)[name] for name in names} == {"gone"}


def test_a_file_that_was_edited_after_it_was_accepted_is_not_trained_on(campaign: Workspace) -> None:
    first, second, *_ = accepted(campaign)
    folder = AugmentationStore(campaign).folder / "accepted"
    (folder / first).write_text("Something that nobody reviewed.", encoding="utf-8")
    (folder / second).unlink()
    found, report = sources_of(campaign)
    assert set(report) == {f"variations/{first}", f"variations/{second}"}
    assert not {one.name for one in found} & set(report)


def test_a_damaged_file_is_mended_by_proposing_once_more(campaign: Workspace) -> None:
    first, *_ = accepted(campaign)
    path = AugmentationStore(campaign).folder / "accepted" / first
    whole = path.read_bytes()
    path.write_text("Something that nobody reviewed.", encoding="utf-8")
    accepted(campaign)
    assert path.read_bytes() == whole
    assert sources_of(campaign)[1] == {}


def test_a_text_that_is_a_scenario_already_is_taken_once(campaign: Workspace) -> None:
    first, *_ = accepted(campaign)
    copy = campaign.scenarios_dir / "combat" / "by-hand.md"
    copy.write_bytes((AugmentationStore(campaign).folder / "accepted" / first).read_bytes())
    found, report = sources_of(campaign)
    assert set(report) == {f"variations/{first}"}
    assert "combat/by-hand.md" in report[f"variations/{first}"]
    assert f"variations/{first}" not in {one.name for one in found}


def test_another_folder_than_the_scenarios_has_no_variations_and_says_so(campaign: Workspace) -> None:
    names = accepted(campaign)
    taken, _ = list_sources(campaign.scenarios_dir / "combat", campaign.validation_dir)
    found, report = accepted_sources(campaign, taken)
    assert (found, len(report)) == ([], len(names))


def test_a_broken_list_stops_the_dataset_and_says_what_to_do(campaign: Workspace) -> None:
    accepted(campaign)
    (AugmentationStore(campaign).folder / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError) as raised:
        sources_of(campaign)
    assert raised.value.next_step


def test_held_out_scenarios_and_strange_files_are_never_varied(campaign: Workspace, tmp_path: Path) -> None:
    campaign.validation_dir.mkdir(parents=True)
    kept = campaign.validation_dir / "kept.md"
    shutil.copy(campaign.scenarios_dir / BRAWL, kept)
    assert scenario_names(campaign, [campaign.scenarios_dir / BRAWL]) == [BRAWL]
    assert len(scenario_names(campaign)) == 11
    for path in (kept, tmp_path / "nowhere.md"):
        with pytest.raises(DatasetError) as raised:
            scenario_names(campaign, [path])
        assert raised.value.next_step


def test_the_same_proposal_twice_is_nothing_new_and_changes_no_decision(campaign: Workspace) -> None:
    first = propose(campaign, scenario_names(campaign), EVERYTHING, 7)
    store = AugmentationStore(campaign)
    store.reject(first.made[0].name)
    again = propose(campaign, scenario_names(campaign), EVERYTHING, 7)
    assert (first.new, again.new) == (len(first.made), 0)
    assert len(again.refused) == len(first.refused)
    assert [one.name for one in store.proposals("rejected")] == [first.made[0].name]


def test_a_scenario_that_is_wrong_or_missing_is_told_and_the_others_are_varied(campaign: Workspace) -> None:
    path = campaign.scenarios_dir / BRAWL
    path.write_text(path.read_text(encoding="utf-8").replace("= *15*", "= *99*", 1), encoding="utf-8")
    done = propose(campaign, [*scenario_names(campaign), "combat/none.md"], EVERYTHING, 7)
    assert {one.parent for one in done.unfit} == {BRAWL, "combat/none.md"}
    assert len({one.parent for one in done.made}) == 10


def test_a_decision_about_many_is_taken_back_as_one(campaign: Workspace) -> None:
    made = propose(campaign, scenario_names(campaign), EVERYTHING, 7).made
    store = AugmentationStore(campaign)
    store.reject(made[0].name)
    before = store.decide([one.name for one in made], "accepted")
    assert len(store.proposals("accepted")) == len(before) == len(made)
    assert store.restore(before) == len(made)
    assert [one.name for one in store.proposals("rejected")] == [made[0].name]
    assert len(store.proposals("proposed")) == len(made) - 1
    assert all(store.text(one.name) for one in made)
