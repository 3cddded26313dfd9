"""`augment`: variations are proposed, listed, looked at and decided about, and nothing is hidden."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.workspace import PROJECT_ROOT, Workspace
from tests.commands.running import Outcome, Studio

BRAWL = "combat/tavern-brawl.md"


@pytest.fixture
def campaign(empty_workspace: Workspace) -> Workspace:
    """A workspace with three shipped scenarios."""
    shutil.copytree(PROJECT_ROOT / "data" / "scenarios" / "combat", empty_workspace.scenarios_dir / "combat")
    return empty_workspace


def augment(studio: Studio, campaign: Workspace, *arguments: object) -> Outcome:
    return studio("--workspace", campaign.root, "augment", *arguments)


def states(studio: Studio, campaign: Workspace) -> dict[str, str]:
    return {one["name"]: one["status"] for one in augment(studio, campaign, "--list", "--json").document}


def test_variations_are_proposed_looked_at_and_decided_about(studio: Studio, campaign: Workspace) -> None:
    made = augment(studio, campaign, "--operations=entity renaming,difficulty", "--copies=2", "--seed=3", "--json")
    assert made.status == 0
    names = [one["name"] for one in made.document["made"]]
    assert made.document["new"] == len(names) >= 6
    assert set(states(studio, campaign).values()) == {"proposed"}
    diff = augment(studio, campaign, "--diff", names[0])
    assert (diff.status, diff.out.splitlines()[1]) == (0, f"+++ {names[0]}")
    assert augment(studio, campaign, "--accept", names[0], names[1]).status == 0
    assert augment(studio, campaign, "--reject", "all").status == 0
    found = states(studio, campaign)
    assert {name for name, state in found.items() if state == "accepted"} == set(names[:2])
    assert {name for name, state in found.items() if state == "rejected"} == set(names[2:])


def test_what_is_not_made_is_told_with_its_reason(studio: Studio, campaign: Workspace) -> None:
    outcome = augment(studio, campaign, campaign.scenarios_dir / BRAWL, "--operations=party_order,re-rolled_dice")
    assert outcome.status == 0
    assert "party order: not made of 1. There is nothing in this scenario" in outcome.out
    assert "1 proposed, 1 not made." in outcome.out


def test_a_scenario_with_an_error_is_named_and_the_others_are_varied(studio: Studio, campaign: Workspace) -> None:
    path = campaign.scenarios_dir / BRAWL
    path.write_text(path.read_text(encoding="utf-8").replace("= *15*", "= *99*", 1), encoding="utf-8")
    outcome = augment(studio, campaign, "--operations=difficulty")
    assert outcome.status == 1
    assert f"{BRAWL}: nothing made. It has an error in line" in outcome.out
    assert len(states(studio, campaign)) == 2


def test_a_changed_scenario_is_told_and_its_variations_are_made_again(studio: Studio, campaign: Workspace) -> None:
    augment(studio, campaign, "--operations=entity renaming")
    augment(studio, campaign, "--accept", "all")
    path = campaign.scenarios_dir / BRAWL
    path.write_text(path.read_text(encoding="utf-8").replace("</DM>", " So it goes.</DM>", 1), encoding="utf-8")
    (changed,) = [one for one in augment(studio, campaign, "--list", "--json").document if one["scenario"] == "changed"]
    assert changed["parent"] == BRAWL
    assert augment(studio, campaign, "--again", "all").status == 0
    assert states(studio, campaign)[changed["name"]] == "proposed"
    assert all(one["scenario"] == "current" for one in augment(studio, campaign, "--list", "--json").document)


@pytest.mark.parametrize(
    "wrong",
    [["--operations=invented prose"], ["--operations=,"], ["--copies=0"], ["--seed=-1"], ["--list", "--diff=x"]],
)
def test_wrong_usage_has_its_own_status(studio: Studio, campaign: Workspace, wrong: list[str]) -> None:
    outcome = augment(studio, campaign, *wrong)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err


@pytest.mark.parametrize("wrong", [["--accept=nothing.md"], ["--diff=nothing.md"], ["nowhere.md"]])
def test_a_name_that_there_is_none_of_is_told(studio: Studio, campaign: Workspace, wrong: list[str]) -> None:
    outcome = augment(studio, campaign, *wrong)
    assert outcome.status == 1
    assert "There is no" in outcome.err


def test_held_out_scenarios_are_not_varied(studio: Studio, campaign: Workspace) -> None:
    kept = campaign.validation_dir / "kept.md"
    kept.parent.mkdir(parents=True)
    shutil.copy(campaign.scenarios_dir / BRAWL, kept)
    assert augment(studio, campaign, kept).status == 1
    assert states(studio, campaign) == {}


def test_an_empty_workspace_says_what_to_do(studio: Studio, tmp_path: Path) -> None:
    outcome = studio("--workspace", tmp_path, "augment")
    assert outcome.status == 1
    assert "Write one" in outcome.err
    assert "no variations yet" in studio("--workspace", tmp_path, "augment", "--list").out
