"""The party as its forms show it: a character as rows of plain values and back, hints, choices, whose line is wrong.

Pure functions: what is asked and drawn is the business of the page, what is written that of `PartyEditor`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from studio.scenarios import (
    ABILITIES,
    Attack,
    Character,
    Diagnostic,
    Gauge,
    MarkdownParser,
    Progress,
    Vocabulary,
    parse_tree,
)
from studio.scenarios.library import PartyError
from studio.scenarios.library.party_start import proficiency
from studio.scenarios.library.party_text import canonical_stat, slots_text, stat_field
from studio.scenarios.reading import Reading
from studio.scenarios.sheet import split_list
from studio.scenarios.srd import Spell, fold, load_srd

KINDS = ("Player Character", "NPC Companion", "NPC Ally", "NPC", "Monster")
"""Who may play a character; any other words may be typed."""
_SHEET_CODE = re.compile(r"R\d{3}|S019|S02[0-3]")
_SLOT = re.compile(r"(?:level\s*)?([1-9])(?:st|nd|rd|th)?\s*:?\s*[x×]?\s*(\d{1,2})", re.IGNORECASE)


@dataclass(frozen=True)
class StatRow:
    """One skill or save of the form; an empty bonus takes it off the sheet."""

    key: str
    bonus: int | None = None


@dataclass(frozen=True)
class AttackRow:
    """One attack of the form; a row without a name is none."""

    name: str = ""
    bonus: int | None = None
    damage: str = ""


@dataclass(frozen=True)
class SheetRows:
    """A character as the form holds it: text as typed, None where nothing is said."""

    name: str = ""
    kind: str = ""
    class_name: str = ""
    level: int | None = None
    armor_class: int | None = None
    initiative: int | None = None
    health_now: int | None = None
    health_max: int | None = None
    experience: int | None = None
    next_level: int | None = None
    abilities: tuple[int | None, ...] = (None,) * len(ABILITIES)
    stats: tuple[StatRow, ...] = ()
    attacks: tuple[AttackRow, ...] = ()
    inventory: str = ""
    spells: tuple[str, ...] = ()
    spell_save_dc: int | None = None
    spell_slots: str = ""
    origin: Character = field(default_factory=lambda: Character(name=""), compare=False, repr=False)
    """What the form was opened with; values that no row shows, and rows that did not change, come from it."""


_ROWS = tuple(one.name for one in fields(SheetRows) if one.compare)
_SPOKEN = {
    "kind": "who plays",
    "class_name": "class",
    "health_now": "hit points",
    "health_max": "most hit points",
    "stats": "skills and saves",
}


def rows_of(character: Character) -> SheetRows:
    """The form of a character."""
    stats = character.stats
    return SheetRows(
        name=character.name,
        kind=character.character_type,
        class_name=character.class_name,
        level=character.level,
        armor_class=character.armor_class,
        initiative=stats.get("initiative"),
        health_now=character.health.current,
        health_max=character.health.max,
        experience=character.experience.current,
        next_level=character.experience.next_level,
        abilities=tuple(stats.get(one) for one in ABILITIES),
        stats=tuple(StatRow(key, bonus) for key, bonus in stats.items() if stat_field(key) in ("skills", "saves")),
        attacks=tuple(AttackRow(one.name, one.bonus, one.damage) for one in character.attacks),
        inventory="\n".join(character.inventory),
        spells=tuple(dict.fromkeys(character.spells)),
        spell_save_dc=character.spell_save_dc,
        spell_slots=slots_text(character.spell_slots),
        origin=character,
    )


def character_of(rows: SheetRows) -> Character:
    """The character that a form describes.

    Raises:
        PartyError: there is no name, a pair lacks its first number, an attack has no name, or slots cannot be read.
    """
    origin, before = rows.origin, rows_of(rows.origin)
    if not rows.name.strip():
        raise PartyError("The character has no name.", next_step="Write one at the top of the form.")
    return origin.model_copy(
        update={
            "name": rows.name.strip(),
            "character_type": rows.kind.strip(),
            "class_name": rows.class_name.strip(),
            "level": rows.level,
            "armor_class": rows.armor_class,
            "health": _health(rows),
            "experience": _experience(rows),
            "stats": _stats(rows),
            "attacks": origin.attacks if rows.attacks == before.attacks else _attacks(rows.attacks),
            "inventory": origin.inventory if rows.inventory == before.inventory else lines(rows.inventory),
            "spells": origin.spells if rows.spells == before.spells else lines("\n".join(rows.spells)),
            "spell_save_dc": rows.spell_save_dc,
            "spell_slots": origin.spell_slots if rows.spell_slots == before.spell_slots else _slots(rows.spell_slots),
        }
    )  # fmt: skip


def lines(written: str) -> list[str]:
    """The items of a text field: one a line, and those that commas part."""
    return [item for line in written.split("\n") for item in split_list(line)]


def same_sheet(one: Character, other: Character) -> bool:
    """Whether two characters look the same in the form."""
    return rows_of(one) == rows_of(other)


def changed_rows(one: SheetRows, other: SheetRows) -> list[str]:
    """Which rows of two forms differ, in a reader's words."""
    return [_SPOKEN.get(row, row.replace("_", " ")) for row in _ROWS if getattr(one, row) != getattr(other, row)]


def merged(mine: SheetRows, now: Character) -> SheetRows:
    """The form with what changed in the text meanwhile, except where the form was changed too."""
    before, after = rows_of(mine.origin), rows_of(now)
    return replace(after, **{row: getattr(mine, row) for row in _ROWS if getattr(mine, row) != getattr(before, row)})


def place_of(party: Sequence[Character], position: int, name: str) -> int | None:
    """Where the character of an open form stands now: at its place, or wherever its name went; None when gone."""
    if position < len(party) and party[position].name == name:
        return position
    return next((place for place, one in enumerate(party) if one.name == name), None)


def with_stats(rows: SheetRows, added: Sequence[str], vocabulary: Vocabulary) -> SheetRows:
    """The form with more skills and saves, each with the bonus that a proficient character has."""
    known = {one.key for one in rows.stats}
    new = [key for one in added if (key := stat_key(one, vocabulary)) not in known]
    level = rows.level or 1
    more = [StatRow(key, (governing(key, rows.abilities, vocabulary) or 0) + proficiency(level)) for key in new]
    return replace(rows, stats=(*rows.stats, *more))


def stat_key(written: str, vocabulary: Vocabulary) -> str:
    """The canonical name of a skill or save as the form calls it (`Dexterity save`), homebrew ones too."""
    saves = written.strip().casefold().endswith(" save")
    return canonical_stat(written.strip()[:-5] if saves else written, "saves" if saves else "skills", vocabulary)


def spoken(key: str) -> str:
    """A canonical name for a label: `Sleight of hand`, `Dexterity save`."""
    return key.replace("_", " ").capitalize()


def stat_choices(rows: SheetRows, vocabulary: Vocabulary) -> list[str]:
    """The skills and saves that an ability governs and that are not on the sheet yet."""
    known = {one.key for one in rows.stats}
    governed = [tool for tool in vocabulary.tools if tool.kind in ("skill", "save") and tool.ability]
    return [spoken(tool.name) for tool in governed if tool.name not in known]


def governing(key: str, abilities: Sequence[int | None], vocabulary: Vocabulary) -> int | None:
    """The modifier of the ability that governs a stat; None when the sheet does not say or nothing governs it."""
    tool = vocabulary.by_name.get(key)
    ability = tool.ability if tool else ""
    return abilities[ABILITIES.index(ability)] if ability in ABILITIES else None


def stat_hint(key: str, rows: SheetRows, vocabulary: Vocabulary) -> str:
    """What the rules suggest for a bonus: `Dex +3, proficient +5, expert +7`; empty when the ability is not known."""
    modifier = governing(key, rows.abilities, vocabulary)
    if modifier is None:
        return ""
    bonus = proficiency(rows.level or 1)
    tool = vocabulary.by_name[key]
    said = f"{tool.ability[:3].capitalize()} {modifier:+d}, proficient {modifier + bonus:+d}"
    return said if key.endswith("_save") else f"{said}, expert {modifier + 2 * bonus:+d}"


def spell_choices(class_name: str, level: int | None) -> list[str]:
    """The spells of the SRD: first those that the class can cast at the level, then its others, then the rest."""
    srd = load_srd()
    known = srd.class_of(class_name)
    highest = srd.highest_spell(known, level) if known and level else 9

    def rank(spell: Spell) -> tuple[bool, bool, int, str]:
        return known is not None and known not in spell.classes, spell.level > highest, spell.level, spell.name

    return [one.name for one in sorted(srd.spells.values(), key=rank)]


def spell_label(name: str) -> str:
    """A spell with its level for the list of choices: `Fireball (3)`; one that the SRD does not have as it is."""
    spell = load_srd().spells.get(fold(name))
    return name if spell is None else f"{name} ({spell.level or 'cantrip'})"


def summary(character: Character) -> str:
    """`Dwarf Fighter · level 3 · 17/21 hp · AC 14`, without what the sheet does not say."""
    health = character.health
    parts = [
        character.class_name,
        "" if character.level is None else f"level {character.level}",
        "" if health.current is None else f"{health.current}/{health.max} hp",
        "" if character.armor_class is None else f"AC {character.armor_class}",
    ]
    return " · ".join(short(part) for part in parts if part)


def short(text: str, most: int = 60) -> str:
    """Text that fits a card: cut with three dots."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def free_name(name: str, party: Sequence[Character]) -> str:
    """A name for a copy: `Thorin 2`, or the next number that is free."""
    taken = {one.name.casefold() for one in party}
    base = re.sub(r" \d+$", "", name) or "Somebody"
    return next(one for number in range(2, len(party) + 3) if (one := f"{base} {number}").casefold() not in taken)


def sheet_problems(text: str, vocabulary: Vocabulary) -> list[list[Diagnostic]]:
    """What is wrong with each sheet of the party, in its order. Reads no further than the SYSTEM block."""
    system = parse_tree(text).system
    if system is None:
        return []
    head = text[: system.end]
    starts = [sheet.start for sheet in Reading(head, vocabulary).sheets]
    found: list[list[Diagnostic]] = [[] for _ in starts]
    for one in MarkdownParser(vocabulary).validate_format(head).diagnostics:
        place = sum(start <= one.span.start for start in starts) - 1
        if place >= 0 and _SHEET_CODE.fullmatch(one.code):
            found[place].append(one)
    return found


def _health(rows: SheetRows) -> Gauge:
    """Hit points; the side that is empty is as the other."""
    now, most = rows.health_now, rows.health_max
    return Gauge(current=most if now is None else now, max=now if most is None else most)


def _experience(rows: SheetRows) -> Progress:
    if rows.experience is None and rows.next_level is not None:
        raise PartyError(
            "The experience so far is missing.",
            why="What the next level needs stands behind it on the sheet.",
            next_step="Write how much the character has, 0 for none.",
        )
    return Progress(current=rows.experience, next_level=rows.next_level)


def _stats(rows: SheetRows) -> dict[str, int]:
    named = [*zip(ABILITIES, rows.abilities, strict=True), *((one.key, one.bonus) for one in rows.stats)]
    named.append(("initiative", rows.initiative))
    return {key: bonus for key, bonus in named if bonus is not None}


def _attacks(rows: Sequence[AttackRow]) -> list[Attack]:
    for one in rows:
        if not one.name.strip() and (one.bonus is not None or one.damage.strip()):
            raise PartyError(
                "An attack has no name.",
                why="A roll finds an attack by its name.",
                next_step="Name it, or empty the whole row.",
            )
    return [
        Attack(name=one.name.strip(), bonus=one.bonus or 0, damage=one.damage.strip())
        for one in rows
        if one.name.strip()
    ]


def _slots(written: str) -> dict[int, int]:
    found = {}
    for item in lines(written):
        match = _SLOT.fullmatch(item)
        if match is None:
            raise PartyError(
                f"The spell slots {item[:60]!r} cannot be read.",
                why="Each level stands with its number of slots.",
                next_step="Write them like 1st x4, 2nd x2.",
            )
        found[int(match[1])] = int(match[2])
    return found
