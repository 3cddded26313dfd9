"""How the parts of a party are written: stats and attacks as items of a list, where a sheet begins and ends, mentions.

Pure functions for `party.py`, which checks what comes out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from studio.scenarios.library.sheet_lines import Edit, Items, after_line, line_start, newline_of
from studio.scenarios.models import Attack, Character
from studio.scenarios.reading import Reading, Turn
from studio.scenarios.sheet import Sheet, acting_name, stat_name
from studio.scenarios.vocabulary import ABILITIES, Vocabulary, normalize

_STAT = re.compile(r"(.{1,60}?)(\s*:?\s*)([+\-−–]\s*\d{1,3})")
_ATTACK = re.compile(r"(.{1,80}?)\s+([+\-−–]\d{1,3})(?:\s*\(([^()]{1,40})\))?")
_NEWLINE_AHEAD = re.compile(r"[ \t]*(?:\r\n|\n|\r)")
_MINUS = {ord("−"): "-", ord("–"): "-"}
_SMALL_WORDS = {"of", "the", "and"}


def stat_field(key: str) -> str:
    """The line that a canonical stat belongs to; empty for initiative, which has a line of its own."""
    if key in ABILITIES:
        return "abilities"
    if key == "initiative":
        return ""
    return "saves" if key.endswith("_save") else "skills"


def canonical_stat(written: str, field: str, vocabulary: Vocabulary) -> str:
    """The canonical name of a stat as it is written on the line of `field`."""
    key = stat_name(written, vocabulary) or normalize(written)
    return f"{key}_save" if field == "saves" and not key.endswith("_save") else key


def spoken_stat(key: str, field: str) -> str:
    """A canonical name as sheets write it: `Str`, `Sleight of Hand`, `Dexterity` for a save."""
    if field == "abilities":
        return key[:3].capitalize()
    words = key.removesuffix("_save").split("_") if field == "saves" else key.split("_")
    return " ".join(word if word in _SMALL_WORDS else word.capitalize() for word in words)


def as_read(character: Character, vocabulary: Vocabulary) -> Character:
    """A character in the words that a sheet is read in: canonical stats, damage without blanks, a maximum."""
    stats = {}
    for key, bonus in character.stats.items():
        field = stat_field(key)
        stats[canonical_stat(key.removesuffix("_save"), field, vocabulary) if field else key] = bonus
    attacks = [
        one.model_copy(update={"damage": one.damage.replace(" ", "").translate(_MINUS)}) for one in character.attacks
    ]
    health = character.health
    if health.max is None:
        health = health.model_copy(update={"max": health.current})
    return character.model_copy(update={"stats": stats, "attacks": attacks, "health": health})


def pair_text(first: int | None, second: int | None = None) -> str:
    """`17/21`, or the first number alone; empty when there is none."""
    return "" if first is None else str(first) if second is None else f"{first}/{second}"


def slots_text(slots: Mapping[int, int]) -> str:
    """`1st x4, 2nd x2`."""
    return ", ".join(f"{ordinal(level)} x{count}" for level, count in slots.items())


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `4th`: a level from 1 to 9 as sheets write it."""
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"


def restate(items: Sequence[str], line: str, field: str, left: dict[str, int], vocabulary: Vocabulary) -> list[str]:
    """The items of one line with the numbers of `left`, which loses those that were found; others of `field` go."""
    return [new for item in items if (new := _restated(item, line, field, left, vocabulary))]


def _restated(item: str, line: str, field: str, left: dict[str, int], vocabulary: Vocabulary) -> str:
    match = _STAT.fullmatch(item)
    key = canonical_stat(match[1], line, vocabulary) if match else ""
    if match is None or stat_field(key) != field:
        return item
    if key not in left:
        return ""
    bonus = left.pop(key)
    return item if _number(match[3]) == bonus else f"{match[1]}{match[2]}{bonus:+d}"


def attack_key(item: str) -> tuple[str, int, str] | None:
    """Name, bonus and damage of an item that is an attack, None for any other."""
    match = _ATTACK.fullmatch(item)
    return (match[1], _number(match[2]), (match[3] or "").replace(" ", "").translate(_MINUS)) if match else None


def attack_text(attack: Attack) -> str:
    """`Shortsword +5 (1d6+3)`."""
    return f"{attack.name} {attack.bonus:+d}{f' ({attack.damage})' if attack.damage else ''}"


def list_change(wanted: Sequence[str]) -> Callable[[Items], list[list[str]]]:
    """Turns the lists of several lines into `wanted`, leaving every item where it stands when the order allows it."""

    def change(lines: Items) -> list[list[str]]:
        left = Counter(wanted)
        kept: list[list[str]] = []
        for _, items in lines:
            kept.append([])
            for item in items:
                if left[item] > 0:
                    left[item] -= 1
                    kept[-1].append(item)
        for item in wanted[len([one for items in kept for one in items]) :]:
            kept[-1].append(item)
        flat = [item for items in kept for item in items]
        return kept if flat == list(wanted) else [list(wanted), *([] for _ in lines[1:])]

    return change


def mentions(reading: Reading, old: str, new: str) -> list[Edit]:
    """The edits that rename somebody in the turns: `Name:` at the start, `who=Name`, `(Name)` of a result line."""
    return [edit for turn in reading.turns for edit in _mentions(turn, old, new)]


def _mentions(turn: Turn, old: str, new: str) -> Iterator[Edit]:
    name = re.escape(old)
    if turn.speaker == "User" and acting_name(turn.content, [old]):
        match = re.search(name, turn.content, re.IGNORECASE)
        yield from _edit(turn.start, match, new)
    for directive in turn.directives if turn.speaker == "DM" else []:
        if directive.arguments.get("who", "").casefold() == old.casefold():
            match = re.search(rf"\bwho\s*=\s*({name})", directive.written, re.IGNORECASE)
            yield from _edit(turn.start + directive.start, match, new)
    for line in turn.results:
        if (line.actor or "").casefold() == old.casefold():
            match = re.search(rf"\(\s*({name})\s*\)", turn.content[line.start : line.end], re.IGNORECASE)
            yield from _edit(turn.start + line.start, match, new)


def _edit(offset: int, match: re.Match[str] | None, new: str) -> Iterator[Edit]:
    if match is not None:
        start, end = match.span(match.re.groups)
        yield Edit(offset + start, offset + end, new)


def name_edit(text: str, sheet: Sheet, new_name: str) -> Edit:
    """The edit that puts another name into the heading of a sheet, or the first one."""
    if sheet.character.name:
        start = text.find(sheet.character.name, sheet.start, sheet.end)
        return Edit(start, start + len(sheet.character.name), new_name)
    marks = len(text[sheet.start : sheet.end]) - len(text[sheet.start : sheet.end].lstrip(" #"))
    return Edit(sheet.start, sheet.start + marks, f"## {new_name}")


def copy_of(reading: Reading, sheet: Sheet, new_name: str) -> Edit:
    """The edit that puts a copy of a sheet, under another name, below it."""
    text, newline = reading.text, newline_of(reading.text)
    start = line_start(text, sheet.start)
    later = [one.start for one in reading.sections if one.start > sheet.start and one.level <= 2]
    ends = later[0] if later else reading.tree.system.body_end if reading.tree.system else len(text)
    at = len(text[:ends].rstrip())
    named = name_edit(text, sheet, new_name)
    block = text[start : named.start] + named.text + text[named.end : at]
    return Edit(at, at, newline * 2 + block + ("" if _NEWLINE_AHEAD.match(text, at) else newline))


def place_for(reading: Reading, block: str, newline: str) -> Edit:
    """Where and how a new sheet is put in: at the end of the Party section, which is made when it is missing."""
    text, node = reading.text, reading.tree.system
    if node is None:
        head = [one for one in reading.tree.nodes[:2] if one.kind in ("bom", "front_matter")]
        at = head[-1].end if head else 0
        gap = newline if head and head[-1].kind == "front_matter" else ""
        return Edit(at, at, gap + newline.join(["<SYSTEM>", "# Party", "", block, "</SYSTEM>", "", ""]))
    parties = [one.start for one in reading.sections if one.level == 1 and one.title.casefold() == "party"]
    later = [one.start for one in reading.sections if one.level == 1 and parties and one.start > parties[-1]]
    at = len(text[: later[0] if later else node.body_end].rstrip())
    lines = ["", "", block] if parties else ["", "", "# Party", "", block]
    return Edit(at, at, newline.join(lines) + ("" if _NEWLINE_AHEAD.match(text, at) else newline))


def stretch_of(reading: Reading, sheet: Sheet) -> tuple[int, int]:
    """A sheet with its heading and, so that no hole stays, the blank lines on one side of it."""
    text = reading.text
    start = line_start(text, sheet.start)
    later = [one.start for one in reading.sections if one.start > sheet.start and one.level <= 2]
    if later:
        return start, line_start(text, later[0])
    body_end = reading.tree.system.body_end if reading.tree.system else len(text)
    last, before = len(text[:body_end].rstrip()), len(text[:start].rstrip())
    return max(after_line(text, before), 0), min(after_line(text, last), body_end)


def _number(written: str) -> int:
    return int(re.sub(r"\s", "", written).translate(_MINUS))
