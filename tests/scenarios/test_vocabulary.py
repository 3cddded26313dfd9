"""config/tools.yaml: what a table needs is there, everything has one meaning, and a wrong file is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import ConfigError
from studio.scenarios import ABILITIES, find_directives, load_vocabulary, normalize
from studio.workspace import PROJECT_ROOT

VOCABULARY = load_vocabulary()
SHIPPED = (PROJECT_ROOT / "config" / "tools.yaml").read_text(encoding="utf-8")
GOVERNING = {
    "strength": {"athletics"},
    "dexterity": {"acrobatics", "sleight_of_hand", "stealth"},
    "intelligence": {"arcana", "history", "investigation", "nature", "religion"},
    "wisdom": {"animal_handling", "insight", "medicine", "perception", "survival"},
    "charisma": {"deception", "intimidation", "performance", "persuasion"},
}
"""SRD 5.2.1, "Playing the Game", table of skills."""


def test_the_eighteen_skills_are_governed_as_the_rules_say() -> None:
    skills = [tool for tool in VOCABULARY.tools if tool.kind == "skill"]
    assert len(skills) == 18
    assert {ability: {one.name for one in skills if one.ability == ability} for ability in GOVERNING} == GOVERNING


def test_every_ability_has_its_check_and_its_save() -> None:
    for kind, suffix in (("ability", ""), ("save", "_save")):
        found = {tool.name: tool.ability for tool in VOCABULARY.tools if tool.kind == kind and tool.ability}
        assert found == {ability + suffix: ability for ability in ABILITIES}


def test_what_a_table_needs_besides_is_there() -> None:
    names = {tool.name for tool in VOCABULARY.tools}
    assert {"death_save", "initiative", "attack", "damage", "begin_combat", "end_combat"} < names
    assert {"condition", "spell_slot", "inventory", "hit_points", "experience", "rest"} < names


def test_rolls_take_what_their_dice_need() -> None:
    for tool in VOCABULARY.tools:
        if tool.dice == "1d20":
            assert {"who", "advantage", "disadvantage"} <= set(tool.arguments)
            assert ("dc" in tool.arguments) == tool.has_outcome
            assert tool.needs_answer


@pytest.mark.parametrize("tool", VOCABULARY.tools, ids=lambda tool: tool.name)
def test_every_alias_means_its_tool_and_is_helped_to_the_name(tool: object) -> None:
    for alias in tool.aliases:
        assert VOCABULARY.find(alias.upper()) is tool
        value = {"rest": "short", "hit_points": "-6", "experience": "+6", "spell_slot": "1st"}.get(
            tool.name, "add Rope"
        )
        written = f"[roll: {alias}]" if tool.rolls else f"[{alias}{f': {value}' if tool.value else ''}]"
        (directive,) = find_directives(written, VOCABULARY)
        assert (directive.tool, directive.valid) == (tool, True)
        assert directive.canonical != written


def test_no_two_arguments_share_a_spelling() -> None:
    spellings = [normalize(one) for name, argument in VOCABULARY.arguments.items() for one in (name, *argument.aliases)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("kind: skill, ability: dexterity, aliases: [hide", "kind: skil, ability: dexterity, aliases: [hide", "skil"),
        ("answer: optional, outcome: false, result: done", "answer: maybe, outcome: false, result: done", "answer"),
        ("result: done, arguments: []", "result: sung, arguments: []", "result"),
        ("arguments: [dc, advantage, disadvantage, who]}", "arguments: [luck]}", "luck"),
        ("aliases: [hide, sneak]", "aliases: [hide, spot]", "spot"),
        ("also: {spend: use,", "also: {spend: burn,", "burn"),
        ("example: Sarah}", "example: Sarah, colour: red}", "colour"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, right: str, wrong: str, named: str
) -> None:
    assert right in SHIPPED
    path = tmp_path / "tools.yaml"
    path.write_text(SHIPPED.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=named):
        load_vocabulary(path)
