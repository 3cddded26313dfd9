"""The scenarios that come with the studio: where they are, how long, that dice are rolled and both outcomes happen.

A turn is one User, DM or TOOLCALL block.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio.scenarios import MarkdownParser, TrainingScenario, load_vocabulary, parse_result_line
from studio.workspace import PROJECT_ROOT

SHIPPED = {
    "combat": {"tavern-brawl", "dragon-encounter", "ambush-scenario"},
    "roleplay": {"merchant-negotiation", "noble-court", "tavern-gossip"},
    "exploration": {"dungeon-discovery", "wilderness-travel", "ancient-ruins"},
    "mixed": {"full-session-1", "campaign-arc"},
}
SCENARIOS = PROJECT_ROOT / "data" / "scenarios"
HELD_OUT = sorted((PROJECT_ROOT / "data" / "validation").glob("*.md"))
FILES = [SCENARIOS / kind / f"{name}.md" for kind, names in SHIPPED.items() for name in sorted(names)]
OUTCOMES = re.compile(r"^\*(SUCCESS|FAILED)\* \S", re.MULTILINE)


@pytest.fixture(params=[*FILES, *HELD_OUT], ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def scenario(path: Path) -> TrainingScenario:
    return MarkdownParser().parse_scenario(path)


def test_the_eleven_are_where_they_belong_and_nothing_else_is() -> None:
    found = {folder.name: {path.stem for path in folder.iterdir()} for folder in SCENARIOS.iterdir()}
    assert found == SHIPPED
    assert len(FILES) == 11
    assert len(HELD_OUT) >= 2


def test_nothing_is_wrong_with_it(scenario: TrainingScenario) -> None:
    assert scenario.diagnostics == []


def test_it_is_of_the_type_that_its_folder_says(path: Path, scenario: TrainingScenario) -> None:
    assert scenario.metadata["scenario_type"] == scenario.scenario_type
    if path in FILES:
        assert scenario.scenario_type == path.parent.name


def test_it_has_12_to_40_turns_and_ends_with_the_dm(scenario: TrainingScenario) -> None:
    speakers = [turn.speaker for turn in scenario.conversation]
    assert 12 <= len(speakers) <= 40
    assert (speakers[0], speakers[-1]) == ("User", "DM")


def test_dice_decide_several_times_and_not_always_the_same_way(scenario: TrainingScenario) -> None:
    calls = [call for turn in scenario.conversation if turn.speaker == "DM" for call in turn.tool_calls]
    told = {match[1] for turn in scenario.conversation for match in OUTCOMES.finditer(turn.content)}
    assert sum(call.result is not None for call in calls) >= 3
    assert len({call.tool_name for call in calls}) >= 3
    assert told == {"SUCCESS", "FAILED"}


def test_every_sum_adds_up_and_every_die_has_the_faces(scenario: TrainingScenario) -> None:
    lines = [
        parse_result_line(line, load_vocabulary())
        for turn in scenario.conversation
        if turn.speaker == "TOOLCALL"
        for line in turn.content.splitlines()
    ]
    assert len(lines) >= 3
    for line in lines:
        assert line.problems == ()
        assert line.total == sum(line.dice) + sum(one.amount for one in line.modifiers)
        assert not line.tool.dice or 1 <= line.dice[0] <= 20


def test_the_party_has_players_with_sheets_that_say_what_they_roll(scenario: TrainingScenario) -> None:
    party = scenario.system_context.party
    assert any(one.is_player for one in party)
    assert all(one.level and one.health.max and one.stats for one in party)


def test_no_held_out_scenario_is_also_trained_on() -> None:
    trained = {path.read_bytes() for path in FILES}
    assert not [path for path in HELD_OUT if path.read_bytes() in trained]
