"""Character sheets: the bullets of a `## Name` section read into a `Character`, and the bonus a roll takes from it.

The numbers of a sheet are taken as written; nothing is computed from class and level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from studio.scenarios.models import Attack, Character, Gauge, Progress
from studio.scenarios.vocabulary import ABILITIES, Tool, Vocabulary, normalize

_BULLET = re.compile(r"(?<![^\r\n])[ \t]*[-*+•][ \t]+([^\r\n]*)")
_LEVEL = re.compile(r"(?:level|lvl)\s*:?\s*(\d{1,3})", re.IGNORECASE)
_PAIR = re.compile(r"([-−–]?\d{1,7})(?![\d])(?:\s*/\s*(\d{1,7}))?")
_STAT = re.compile(r"(.{1,60}?)\s*:?\s*([+\-−–])\s*(\d{1,3})")
_ATTACK = re.compile(r"(.{1,80}?)\s+([+\-−–]\d{1,3})(?:\s*\(([^()]{1,40})\))?")
_SLOTS = re.compile(r"(?:level\s*)?([1-9])(?:st|nd|rd|th)?(?:[ -]level)?\s*:?\s*(?:x|×)?\s*(\d{1,2})", re.IGNORECASE)
_SHORT = {ability[:3]: ability for ability in ABILITIES}
_PREFIX = re.compile(r"\s*(?:\*\*)?([^\W\d_][^\n:*]{0,60}?)(?:\*\*)?\s*:")
_NPC = re.compile(r"\b(?:npc|companion|ally|hireling|familiar|monster|enemy|villain|guest)\b", re.IGNORECASE)
_LONGEST = 200
"""Characters of one skill or attack; longer text is none, and patterns would take long to say so."""
_MINUS = {ord("−"): "-", ord("–"): "-"}
_PLAYER = {"player character", "pc", "player"}


@dataclass(frozen=True, slots=True)
class Bullet:
    """One `- key: value` line of a sheet; a line without a key has its whole text as value.

    Offsets are into the whole file. `understood` is False when the key is known and its value could not be read.
    """

    key: str
    field: str
    """The canonical field that the key means, empty for none."""
    value: str
    start: int
    end: int
    value_start: int
    understood: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """A character and where each line of the sheet stands."""

    character: Character
    start: int
    end: int
    """The heading with the name."""
    bullets: tuple[Bullet, ...]

    def bullet(self, *fields: str) -> Bullet | None:
        """The first line that sets one of these fields (canonical names such as `health`), or None."""
        return next((one for one in self.bullets if one.field in fields), None)


def read_sheet(name: str, heading: tuple[int, int], text: str, start: int, end: int, vocabulary: Vocabulary) -> Sheet:
    """The sheet below one `## Name` heading: the bullets in `text[start:end]`.

    Bullets that mean nothing to the studio are kept in the character's `notes`.
    """
    character = Character(name=name.strip())
    bullets = [_read_bullet(character, match, vocabulary) for match in _BULLET.finditer(text, start, end)]
    return Sheet(character, heading[0], heading[1], tuple(bullets))


def field_of(key: str) -> str:
    """The canonical field that a key of a sheet means (`HP` -> `health`), or an empty string."""
    return _FIELDS.get(normalize(key), "")


def known_keys() -> tuple[str, ...]:
    """Every key that sheets may use, as people write them."""
    return tuple(key.replace("_", " ").capitalize() for key in _FIELDS)


def split_list(text: str) -> list[str]:
    """The items of `a, b (c, d), e`: commas inside brackets do not separate."""
    if "(" not in text:
        return [item for piece in text.split(",") if (item := piece.strip())]
    items, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        depth = max(0, depth + (letter == "(") - (letter == ")"))
        if letter == "," and depth == 0:
            items.append(text[start:position])
            start = position + 1
    return [item.strip() for item in (*items, text[start:]) if item.strip()]


def bonus_for(character: Character | None, tool: Tool, arguments: dict[str, str]) -> tuple[int, str]:
    """The bonus that `character` adds to a roll of `tool`, and the word in brackets after it.

    A skill or save that is not on the sheet takes its governing ability, and the proficiency bonus where the sheet says
    so; without them, or without a character, it is 0.
    Damage takes the modifier of the `dice` argument, else of the weapon on the sheet.
    """
    if tool.kind == "damage":
        return _modifier(dice_for(character, tool, arguments)), tool.label
    if character is None:
        return 0, tool.label
    if tool.kind == "attack":
        attack = find_attack(character, arguments.get("weapon", ""))
        return (attack.bonus if attack else 0), tool.label
    if tool.name in character.stats:
        return character.stats[tool.name], tool.label
    proficiency = character.proficiency if tool.name in character.proficient else 0
    return character.stats.get(tool.ability, 0) + proficiency, tool.label


def dice_for(character: Character | None, tool: Tool, arguments: dict[str, str]) -> str:
    """The dice expression of a roll: the `dice` argument, else the tool's own, else the weapon's, else `1d4`."""
    attack = find_attack(character, arguments.get("weapon", "")) if character and tool.kind == "damage" else None
    return arguments.get("dice") or tool.dice or (attack.damage if attack else "") or "1d4"


def find_attack(character: Character, weapon: str) -> Attack | None:
    """The attack of that name (either name may contain the other), or the first when none is asked for."""
    if not weapon:
        return character.attacks[0] if character.attacks else None
    wanted = weapon.casefold()
    exact = [one for one in character.attacks if one.name.casefold() == wanted]
    partly = [one for one in character.attacks if wanted in one.name.casefold() or one.name.casefold() in wanted]
    return next(iter(exact + partly), None)


def acting_name(turn: str, names: Sequence[str]) -> str | None:
    """Who speaks in a User turn that begins with `Name:`, or None when it begins otherwise."""
    wanted = prefix_of(turn)
    return next((name for name in names if wanted and name.casefold() == wanted), None)


def prefix_of(turn: str) -> str:
    """The words before the first colon of a turn, in lower case; empty when it does not begin like `Name:`."""
    prefix = _PREFIX.match(turn)
    return prefix[1].strip().casefold() if prefix else ""


def attack_modifiers(character: Character, tool: Tool) -> set[int]:
    """What the attacks on the sheet add to a roll of `attack` or of `damage`."""
    if tool.kind == "attack":
        return {one.bonus for one in character.attacks}
    return {_modifier(one.damage) for one in character.attacks}


def own_bonus(character: Character, tool: Tool) -> bool:
    """Whether the sheet says anything about this roll."""
    if tool.kind in ("attack", "damage"):
        return bool(character.attacks)
    known = tool.name in character.stats or tool.ability in character.stats
    return known or tool.name in character.proficient


def stat_name(written: str, vocabulary: Vocabulary) -> str | None:
    """The canonical name of a skill or ability as sheets write it (`Str`, `Sleight of Hand`), or None."""
    short = _SHORT.get(written.strip().rstrip(".").lower())
    tool = None if short else vocabulary.find(written)
    return short or (tool.name if tool and tool.rolls else None)


def _modifier(dice: str) -> int:
    numbers = re.findall(r"([+-])\s*(\d{1,4})(?![\dd])", dice.lower())
    return sum(int(sign + digits) for sign, digits in numbers)


def _read_bullet(character: Character, match: re.Match[str], vocabulary: Vocabulary) -> Bullet:
    written = match[1].rstrip()
    start, end = match.start(1), match.start(1) + len(written)
    key, colon, rest = written.partition(":")
    if not colon:
        understood = _read_keyless(character, written)
        return Bullet("", "", written, start, end, start, understood)
    value = rest.strip()
    value_start = start + len(key) + 1 + len(rest) - len(rest.lstrip())
    field = field_of(key)
    reader = _READERS.get(field)
    if reader is None:
        character.notes.append(written)
    understood = reader is None or reader(character, value, vocabulary)
    return Bullet(key.strip(), field, value, start, end, value_start, understood)


def _read_keyless(character: Character, written: str) -> bool:
    """A bullet without a key says the level, who plays, or what class; the rest are notes."""
    if level := _LEVEL.fullmatch(written):
        character.level = int(level[1])
    elif not character.character_type and (
        written.casefold().replace("-", " ") in _PLAYER or _NPC.search(written) is not None
    ):
        character.character_type = written
    elif not character.class_name:
        character.class_name = written
    else:
        character.notes.append(written)
    return not written.lower().startswith("level ") or level is not None


def _health(character: Character, value: str, _: Vocabulary) -> bool:
    pair = _PAIR.match(value)
    if pair:
        character.health = Gauge(current=_number(pair[1]), max=_number(pair[2] or pair[1]))
    return pair is not None


def _experience(character: Character, value: str, _: Vocabulary) -> bool:
    pair = _PAIR.match(value.replace(",", ""))
    if pair:
        character.experience = Progress(current=_number(pair[1]), next_level=_number(pair[2]) if pair[2] else None)
    return pair is not None


def _number(written: str) -> int:
    return int(written.translate(_MINUS))


def _level(character: Character, value: str, _: Vocabulary) -> bool:
    if readable := value.isdecimal() and len(value) < 4:
        character.level = int(value)
    return readable


def _kind(character: Character, value: str, _: Vocabulary) -> bool:
    character.character_type = value
    return bool(value)


def _class(character: Character, value: str, _: Vocabulary) -> bool:
    character.class_name = value
    return bool(value)


def _inventory(character: Character, value: str, _: Vocabulary) -> bool:
    character.inventory.extend(split_list(value))
    return True


def _spells(character: Character, value: str, _: Vocabulary) -> bool:
    character.spells.extend(split_list(value))
    return True


def _stats(character: Character, value: str, vocabulary: Vocabulary) -> bool:
    items = split_list(value)
    for name, bonus in (signed := list(_signed(items))):
        character.stats[stat_name(name, vocabulary) or normalize(name)] = bonus
    return len(signed) == len(items)


def _saves(character: Character, value: str, vocabulary: Vocabulary) -> bool:
    items = split_list(value)
    for name, bonus in (signed := list(_signed(items))):
        ability = stat_name(name, vocabulary) or normalize(name)
        character.stats[ability if ability.endswith("_save") else f"{ability}_save"] = bonus
    return len(signed) == len(items)


def _signed(items: Sequence[str]) -> Iterator[tuple[str, int]]:
    for item in items:
        if len(item) < _LONGEST and (match := _STAT.fullmatch(item)):
            yield match[1], _number(match[2] + match[3])


def _attacks(character: Character, value: str, _: Vocabulary) -> bool:
    items = split_list(value)
    for match in (matches := [match for item in items if len(item) < _LONGEST and (match := _ATTACK.fullmatch(item))]):
        damage = (match[3] or "").replace(" ", "").translate(_MINUS)
        character.attacks.append(Attack(name=match[1], bonus=_number(match[2]), damage=damage))
    return len(matches) == len(items)


def _initiative(character: Character, value: str, _: Vocabulary) -> bool:
    readable = re.fullmatch(r"[+\-−–]?\s*\d{1,3}", value)
    if readable:
        character.stats["initiative"] = _number(value.replace(" ", ""))
    return readable is not None


def _proficiency(character: Character, value: str, _: Vocabulary) -> bool:
    readable = re.fullmatch(r"\+?\s*\d{1,2}", value)
    if readable:
        character.proficiency = _number(value.replace(" ", ""))
    return readable is not None


def _proficient(character: Character, value: str, vocabulary: Vocabulary) -> bool:
    """Skills and saves by name: `Stealth, Dexterity save`."""
    items = [one for one in split_list(value) if len(one) < _LONGEST]
    tools = [tool for one in items if (tool := vocabulary.find(one)) is not None and tool.rolls]
    character.proficient.extend(tool.name for tool in tools)
    return len(tools) == len(items)


def _armor_class(character: Character, value: str, _: Vocabulary) -> bool:
    number = _PAIR.match(value)
    if number:
        character.armor_class = _number(number[1])
    return number is not None


def _spell_save_dc(character: Character, value: str, _: Vocabulary) -> bool:
    number = _PAIR.match(value)
    if number:
        character.spell_save_dc = _number(number[1])
    return number is not None


def _spell_slots(character: Character, value: str, _: Vocabulary) -> bool:
    items = split_list(value)
    for match in (matches := [match for item in items if (match := _SLOTS.fullmatch(item))]):
        character.spell_slots[int(match[1])] = int(match[2])
    return len(matches) == len(items)


_Reader = Callable[[Character, str, Vocabulary], bool]
_READERS: dict[str, _Reader] = {
    "health": _health,
    "experience": _experience,
    "level": _level,
    "type": _kind,
    "class": _class,
    "inventory": _inventory,
    "spells": _spells,
    "skills": _stats,
    "abilities": _stats,
    "saves": _saves,
    "attacks": _attacks,
    "initiative": _initiative,
    "proficiency": _proficiency,
    "proficient": _proficient,
    "armor_class": _armor_class,
    "spell_save_dc": _spell_save_dc,
    "spell_slots": _spell_slots,
}
_FIELDS: dict[str, str] = {name: name for name in _READERS} | {
    "hit_points": "health",
    "hp": "health",
    "exp": "experience",
    "xp": "experience",
    "lvl": "level",
    "equipment": "inventory",
    "items": "inventory",
    "cantrips": "spells",
    "ability_scores": "abilities",
    "saving_throws": "saves",
    "ac": "armor_class",
    "proficiency_bonus": "proficiency",
    "proficient_in": "proficient",
}
