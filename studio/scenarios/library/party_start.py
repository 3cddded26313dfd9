"""A character to begin with: the numbers that the SRD gives a class at a level, each of which the author may change.

Class facts come from the package dndwright (MIT; content of the System Reference Document 5.2.1, CC-BY-4.0). Which
abilities are best after the class's own is a choice of ours: the standard array, constitution and dexterity first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from studio.scenarios.models import Attack, Character, Gauge, Progress
from studio.scenarios.srd import load_srd
from studio.scenarios.vocabulary import ABILITIES, Vocabulary

LEVELS = range(1, 21)
_SCORES = (17, 15, 13, 12, 10, 8)
"""The standard array 15, 14, 13, 12, 10, 8 with a background's +2 and +1 on the first two."""
_RAISES = ((4, 0), (8, 0), (12, 1), (16, 1), (19, 0))
"""Level at which a score rises by 2 (at 19 by 1, which no modifier shows), and whose: the best or the second best."""
_REST = ("constitution", "dexterity", "wisdom", "charisma", "strength", "intelligence")
_ARMORLESS = {"barbarian": "constitution", "monk": "wisdom"}
_CHOOSE = re.compile(r"Choose (?:any )?(\d)(?: skills)?:?([^(]*)")
_COUNTED = re.compile(r"(\d+) (.+?)s?")
_LEFT_OUT = re.compile(r"of your choice|chosen", re.IGNORECASE)


def classes() -> tuple[str, ...]:
    """The classes of the SRD by their names, `Barbarian` first."""
    return tuple(_classes())


def proficiency(level: int) -> int:
    """The proficiency bonus of a level."""
    return 2 + (min(max(level, 1), 20) - 1) // 4


def experience_of(level: int) -> Progress:
    """The experience at which a level begins, and the one at which it ends; nothing for a level that does not exist."""
    table = load_srd().experience
    return Progress(current=table.get(level), next_level=table.get(level + 1))


def starting_character(
    name: str, character_type: str, class_name: str, level: int, vocabulary: Vocabulary
) -> Character:
    """A character of an SRD class with sensible numbers; one without class or of another has experience alone.

    Args:
        class_name: as written; `Dwarf Fighter` is a fighter.
        level: 1 to 20; others are taken as the nearest of them.
    """
    level = min(max(level, LEVELS[0]), LEVELS[-1])
    made = Character(
        name=name,
        character_type=character_type,
        class_name=class_name,
        level=level,
        experience=experience_of(level),
    )
    facts = _classes().get((load_srd().class_of(class_name) or "").capitalize())
    if facts is None:
        return made
    modifiers = _modifiers(facts, level)
    gear = _gear(facts["starting_equipment"])
    hit_points = _hit_points(facts, modifiers["constitution"], level)
    update: dict[str, Any] = {
        "health": Gauge(current=hit_points, max=hit_points),
        "armor_class": _armor_class(facts["name"].lower(), gear, modifiers),
        "stats": _stats(facts, modifiers, level, vocabulary),
        "attacks": _attacks(gear, modifiers, level),
        "inventory": gear,
    }
    return made.model_copy(update=update | _magic(facts, modifiers, level))


@lru_cache(maxsize=1)
def _classes() -> Mapping[str, dict[str, Any]]:
    from dndwright.content import load_content

    return {one["name"]: one for one in load_content("classes")}


@lru_cache(maxsize=1)
def _equipment() -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The weapons and the armor, by name."""
    from dndwright.content import load_content

    weapons, armor = ({one["name"]: one for one in load_content(part)} for part in ("weapons", "armor"))
    return weapons, armor


def _modifiers(facts: Mapping[str, Any], level: int) -> dict[str, int]:
    """Ability -> modifier. The scores go to the class's own abilities first."""
    own = re.findall(r"[a-z]+", facts["primary_ability"].lower().partition(" or ")[0])
    first = [one for one in own if one in ABILITIES]
    order = [*first, *(one for one in _REST if one not in first)]
    scores = list(_SCORES)
    for at, place in _RAISES:
        if level >= at:
            scores[place] = min(20, scores[place] + 2)
    found = {ability: (score - 10) // 2 for ability, score in zip(order, scores, strict=True)}
    return {ability: found[ability] for ability in ABILITIES}


def _hit_points(facts: Mapping[str, Any], constitution: int, level: int) -> int:
    """The whole die at level 1, its rounded average from then on, and constitution each time."""
    die = int(facts["hit_die"].lstrip("d"))
    return max(level, die + constitution + (level - 1) * (die // 2 + 1 + constitution))


def _stats(facts: Mapping[str, Any], modifiers: dict[str, int], level: int, vocabulary: Vocabulary) -> dict[str, int]:
    bonus = proficiency(level)
    skills = {name: modifiers[ability] + bonus for name, ability in _skills(facts, modifiers, vocabulary)}
    saves = {f"{one.lower()}_save": modifiers[one.lower()] + bonus for one in facts["saving_throws"]}
    return modifiers | skills | saves


def _skills(facts: Mapping[str, Any], modifiers: dict[str, int], vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """The skills of the class that its abilities serve best, with those abilities; as many as it may choose."""
    match = _CHOOSE.search(facts["skill_proficiencies"])
    named = re.split(r",\s*(?:or\s+)?|\s+or\s+", match[2].strip()) if match else []
    tools = [tool for one in named if (tool := vocabulary.find(one)) and tool.kind == "skill"]
    choice = tools or [tool for tool in vocabulary.tools if tool.kind == "skill"]
    # Of two that are as good, perception comes first: no other skill is rolled as often.
    ranked = sorted(choice, key=lambda tool: (-modifiers.get(tool.ability, 0), tool.name != "perception"))
    return [(tool.name, tool.ability) for tool in ranked[: int(match[1]) if match else 2] if tool.ability in modifiers]


def _gear(written: str) -> list[str]:
    """The first choice of a class's equipment: `Choose A or B: (A) Greataxe, 4 Handaxes, and 15 GP; or (B) 75 GP`."""
    first = written.partition("(A)")[2].partition(";")[0].replace("\xad ", "").replace("’", "'")
    pieces = [one.strip().removeprefix("and ") for one in re.split(r",(?![^(]*\))", first)]
    return [_item(one) for one in pieces if one and not _LEFT_OUT.search(one)]


def _item(written: str) -> str:
    gold = written.removesuffix(" GP")
    if gold != written:
        return f"{gold} gold pieces"
    counted = _COUNTED.fullmatch(written)
    return f"{counted[2]} x{counted[1]}" if counted else written


def _attacks(gear: Sequence[str], modifiers: Mapping[str, int], level: int) -> list[Attack]:
    weapons, _ = _equipment()
    found = [weapons[name] for item in gear if (name := re.sub(r" x\d+$", "", item)) in weapons]
    return [_attack(one, modifiers, proficiency(level)) for one in found]


def _attack(weapon: Mapping[str, Any], modifiers: Mapping[str, int], bonus: int) -> Attack:
    """Strength in the hand, dexterity from afar, the better of both for a finesse weapon."""
    able = "dexterity" if weapon["kind"] == "Ranged" else "strength"
    modifier = (
        max(modifiers["strength"], modifiers["dexterity"]) if "Finesse" in weapon["properties"] else modifiers[able]
    )
    return Attack(
        name=weapon["name"],
        bonus=modifier + bonus,
        damage=weapon["damage_dice"] + (f"{modifier:+d}" if modifier else ""),
    )


def _armor_class(class_name: str, gear: Sequence[str], modifiers: Mapping[str, int]) -> int:
    _, armor = _equipment()
    dexterity, shield = modifiers["dexterity"], 2 if "Shield" in gear else 0
    worn = next((armor[one] for one in gear if one in armor and one != "Shield"), None)
    if worn is None:
        return 10 + dexterity + shield + modifiers.get(_ARMORLESS.get(class_name, ""), 0)
    cap = worn["dex_cap"]
    added = min(dexterity, int(cap)) if str(cap).isdecimal() else dexterity
    return int(worn["base_ac"]) + (added if worn["adds_dex"] else 0) + shield


def _magic(facts: Mapping[str, Any], modifiers: Mapping[str, int], level: int) -> dict[str, Any]:
    """Spell save DC and slots; nothing for a class that casts nothing."""
    slots = load_srd().slots.get(facts["name"].lower(), {}).get(level, {})
    if not facts["spellcasting"] or not slots:
        return {}
    ability = facts["spellcasting"]["ability"].lower()
    return {"spell_save_dc": 8 + modifiers[ability] + proficiency(level), "spell_slots": dict(slots)}
