"""What the requests of a conversation do to the party."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.scenarios import (
    Character,
    Gauge,
    MarkdownParser,
    Progress,
    SystemContext,
    find_directives,
    load_vocabulary,
    parse_result_line,
    scenario_files,
    to_messages,
)
from studio.scenarios.game import Change, Game, Standing, game_after
from studio.workspace import PROJECT_ROOT

VOCABULARY = load_vocabulary()
SYSTEM = SystemContext(
    party=[
        Character(
            name="Bram",
            character_type="Player Character",
            health=Gauge(current=12, max=20),
            experience=Progress(current=850, next_level=900),
            inventory=["Longsword", "Health Potion x2", "18 gold pieces"],
        ),
        Character(
            name="Nissa",
            character_type="Player Character",
            health=Gauge(current=14, max=14),
            experience=Progress(current=410, next_level=900),
            spell_slots={1: 2},
        ),
        Character(name="Odra", character_type="NPC Companion"),
    ]
)


@dataclass
class Line:
    role: str
    content: str


def after(*replies: str, player: str = "I wait.") -> Game:
    return game_after(SYSTEM, [Line("user", player), *(Line("assistant", one) for one in replies)], VOCABULARY)


def changed(request: str, game: Game | None = None, actor: str = "Bram") -> Change:
    (directive,) = find_directives(request, VOCABULARY)
    return (game or after()).apply(directive, actor)


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        ("[hit points: -6]", "hit points (Bram): 12 - 6 = *6*"),
        ("[hit points: -60]", "hit points (Bram): 12 - 12 = *0*"),
        ("[hit points: +60]", "hit points (Bram): 12 + 8 = *20*"),
        ("[hp: -3, who=Nissa]", "hit points (Nissa): 14 - 3 = *11*"),
        ("[spell slot: 1st, who=Nissa]", "spell slot (Nissa): 2 - 1 = *1*"),
        ("[spell slot: restore 1st, who=Nissa]", "spell slot (Nissa): 2 + 0 = *2*"),
        ("[inventory: remove Health Potion]", "inventory (Bram): 2 - 1 = *1*"),
        ("[inventory: remove health potion x2]", "inventory (Bram): 2 - 2 = *0*"),
        ("[inventory: remove gold pieces x5]", "inventory (Bram): 18 - 5 = *13*"),
        ("[inventory: add Rope]", "inventory (Bram): 0 + 1 = *1*"),
        ("[condition: poisoned, who=Odra]", "condition (Odra): *done*"),
        ("[rest: long]", "rest: *done*"),
        ("[begin combat]", "begin combat: *done*"),
    ],
)
def test_a_change_is_answered_in_the_form_of_the_training_data(request_: str, line: str) -> None:
    assert changed(request_).lines == [line]
    read = parse_result_line(line, VOCABULARY)
    assert read.valid
    assert read.canonical == line


@pytest.mark.parametrize(
    ("request_", "note"),
    [
        ("[spell slot: 1st]", "Bram's sheet has no spell slots of level 1."),
        ("[spell slot: 3rd, who=Nissa]", "Nissa's sheet has no spell slots of level 3."),
        ("[inventory: remove Lute]", "Bram has no lute, so 1 cannot go."),
        ("[inventory: remove Health Potion x3]", "Bram has 2 health potion, so 3 cannot go."),
        ("[hit points: -3, who=Odra]", "Odra's sheet has no hit points, so nothing is counted."),
        ("[hit points: -3, who=Strahd]", "Strahd has no sheet, so [hit points: -3, who=Strahd] changes nothing."),
    ],
)
def test_what_the_sheets_do_not_allow_changes_nothing_and_is_told(request_: str, note: str) -> None:
    game = after()
    before = game.model_copy(deep=True)
    assert changed(request_, game) == Change(notes=[note])
    assert game == before


def test_experience_is_for_all_who_have_a_count_and_the_next_level_is_told() -> None:
    change = changed("[experience: +50]")
    assert change.lines == ["experience (Bram): 850 + 50 = *900*", "experience (Nissa): 410 + 50 = *460*"]
    assert change.notes == ["Bram has the experience for the next level."]
    assert changed("[xp: +50, who=Nissa]").lines == ["experience (Nissa): 410 + 50 = *460*"]


def test_slots_run_out_and_a_long_rest_brings_them_back_with_hit_points() -> None:
    spent = after("[spell slot: 1st, who=Nissa] [spell slot: 1st, who=Nissa] [hit points: -4, who=Nissa]")
    nissa = spent.member("nissa")
    assert nissa is not None
    assert (nissa.slots, nissa.hit_points) == ({1: 0}, 10)
    assert changed("[spell slot: 1st, who=Nissa]", spent).notes == ["Nissa has no spell slot of level 1 left."]
    changed("[rest: short]", spent)
    assert (nissa.slots, nissa.hit_points) == ({1: 0}, 10)
    changed("[rest: long]", spent)
    assert (nissa.slots, nissa.hit_points) == ({1: 2}, 14)


def test_conditions_begin_once_and_end() -> None:
    game = after("[condition: poisoned] [condition: Poisoned] [condition: prone]")
    assert game.party[0].conditions == ["poisoned", "prone"]
    assert after("[condition: poisoned]", "[condition: end poisoned]").party[0].conditions == []


def test_a_request_is_of_whom_the_player_speaks_for() -> None:
    assert [one.hit_points for one in after("[hit points: -1]", player="Nissa: I duck.").party] == [12, 13, None]
    spoken = game_after(
        SYSTEM, [Line("user", "I duck."), Line("assistant", "[hp: -1]")], VOCABULARY, speaking_as="Nissa"
    )
    assert spoken.party[1].hit_points == 13


def test_the_order_of_combat_is_by_initiative_until_it_ends() -> None:
    told = [
        Line("user", "Bram: I draw."),
        Line("assistant", "[roll: initiative]\n\n[begin combat]"),
        Line("tool", "initiative: 11 + 2(dexterity) = *13*\ninitiative (Nissa): 17 + 2(dexterity) = *19*"),
        Line("tool", "initiative (Odra): 11 + 2(dexterity) = *13*"),
    ]
    fight = game_after(SYSTEM, told, VOCABULARY)
    assert fight.in_combat
    assert [(one.name, one.total) for one in fight.initiative] == [("Nissa", 19), ("Bram", 13), ("Odra", 13)]
    over = game_after(SYSTEM, [*told, Line("assistant", "They flee. [end combat]")], VOCABULARY)
    assert (over.in_combat, over.initiative) == (False, [])


def test_every_shipped_scenario_can_be_followed_to_its_end() -> None:
    parser, fights = MarkdownParser(VOCABULARY), 0
    for path in scenario_files([PROJECT_ROOT / "data" / "scenarios"]):
        scenario = parser.parse_scenario(path)
        messages = to_messages(scenario)
        states = [game_after(scenario.system_context, messages[:n], VOCABULARY) for n in range(len(messages) + 1)]
        assert all(len(one.party) == len(scenario.system_context.party) for one in states)
        fights += any(len(one.initiative) > 1 for one in states)
    assert fights > 2


@given(st.lists(st.text(max_size=60) | st.sampled_from([
    "[hit points: -5]", "[hp: +9, who=Nissa]", "[spell slot: 1st, who=Nissa]", "[inventory: add Rope x99]",
    "[inventory: remove Rope]", "[rest: long]", "[xp: -99999]", "[condition: end x]", "[begin combat]",
]), max_size=12))  # fmt: skip
def test_whatever_is_said_the_numbers_stay_within_the_sheet(replies: list[str]) -> None:
    for one in after(*replies).party:
        assert isinstance(one, Standing)
        assert one.hit_points is None or one.max_hit_points is None or 0 <= one.hit_points <= one.max_hit_points
        assert all(0 <= left <= one.max_slots[level] for level, left in one.slots.items())
        assert all(item.count > 0 for item in one.items)
        assert one.experience is None or one.experience >= 0
