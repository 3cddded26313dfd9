"""The lines of one character sheet, changed one at a time: a value, an item of a list, a new line, a removed line.

Works on offsets into the whole file; what is not part of the line concerned keeps every byte. What the values mean is
the business of `party.py`, which also checks the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.scenarios.sheet import Bullet, Sheet, field_of, split_list

LABELS = {
    "type": "",
    "class": "",
    "level": "",
    "health": "Health",
    "experience": "Exp",
    "armor_class": "Armor Class",
    "abilities": "Abilities",
    "skills": "Skills",
    "saves": "Saves",
    "initiative": "Initiative",
    "attacks": "Attacks",
    "inventory": "Inventory",
    "spells": "Spells",
    "spell_save_dc": "Spell Save DC",
    "spell_slots": "Spell Slots",
}
"""Fields in the order of a sheet, and the key that a new line gets; empty for lines without a key."""
LEVEL = re.compile(r"((?:level|lvl)\s*:?\s*)(\d{1,3})", re.IGNORECASE)
Items = list[tuple[str, list[str]]]
"""The lists of a sheet: the field of each line, and its items."""
_RANK = {name: position for position, name in enumerate(LABELS)}
_NEWLINE = re.compile(r"\r\n|\n|\r")
_PAIR = re.compile(r"[-−–]?[\d,]{1,9}(?:\s*/\s*[\d,]{1,9})?")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `start..end` by `text`."""

    start: int
    end: int
    text: str


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text after the edits, which must not overlap."""
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def newline_of(text: str) -> str:
    """The line end that a text uses: its first one, LF when it has none."""
    match = _NEWLINE.search(text)
    return match[0] if match else "\n"


def line_start(text: str, position: int) -> int:
    """Where the line of `position` begins."""
    return max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1


def line_end(text: str, position: int) -> int:
    """Where the line of `position` ends, its line end not included."""
    match = _NEWLINE.search(text, position)
    return match.start() if match else len(text)


def after_line(text: str, position: int) -> int:
    """Where the line after the one of `position` begins."""
    match = _NEWLINE.search(text, position)
    return match.end() if match else len(text)


class SheetLines:
    """The lines of one sheet, and the edits that change them."""

    def __init__(self, text: str, sheet: Sheet) -> None:
        self._text = text
        self._sheet = sheet

    def bullets(self, *fields: str) -> list[Bullet]:
        """The lines that set one of the fields, in order; those without a key count by what they were read as."""
        return [one for one in self._sheet.bullets if self._field(one) in fields]

    def set_value(self, field: str, value: str) -> list[Edit]:
        """One line for `field` with that value. Words after a number (`18/18 (wounded)`) stay."""
        found = self.bullets(field)
        if not found:
            return [self._insert(field, value)]
        bullet = found[-1]
        if field == "level" and (level := LEVEL.fullmatch(self._text[bullet.start : bullet.end])):
            return [Edit(bullet.start + level.start(2), bullet.end, value.rsplit(" ", 1)[-1])]
        number = (
            _PAIR.match(bullet.value) if field in ("health", "experience", "armor_class", "spell_save_dc") else None
        )
        end = bullet.value_start + number.end() if number else bullet.end
        return [Edit(bullet.value_start, end, value)]

    def remove(self, field: str) -> list[Edit]:
        """No line for `field`."""
        return [self._drop(bullet) for bullet in self.bullets(field)]

    def set_items(self, fields: Sequence[str], own: str, change: Callable[[Items], list[list[str]]]) -> list[Edit]:
        """Change the lists of the lines of `fields`.

        Args:
            own: the field whose line is made when none of that field is there.
            change: gets field and items of each line (the line of `own` last if it must be made) and returns the new
                items of each; a line without items is removed.
        """
        bullets = self.bullets(*fields)
        now = [(self._field(one), split_list(one.value)) for one in bullets]
        if not any(field == own for field, _ in now):
            now.append((own, []))
        edits = []
        for position, ((_, items), wanted) in enumerate(zip(now, change(now), strict=True)):
            if wanted == items:
                continue
            if position == len(bullets):
                edits.append(self._insert(own, ", ".join(wanted)))
            elif wanted:
                bullet = bullets[position]
                gap = " " if bullet.value_start == bullet.end and not bullet.value else ""
                edits.append(Edit(bullet.value_start, bullet.end, gap + ", ".join(wanted)))
            else:
                edits.append(self._drop(bullets[position]))
        return edits

    def _field(self, bullet: Bullet) -> str:
        if bullet.key:
            return field_of(bullet.key)
        if LEVEL.fullmatch(bullet.value):
            return "level"
        character = self._sheet.character
        if bullet.value == character.character_type:
            return "type"
        return "class" if bullet.value == character.class_name else ""

    def _insert(self, field: str, value: str) -> Edit:
        """A new line below the last one that stands before it on a sheet."""
        before = [one for one in self._sheet.bullets if _RANK.get(self._field(one), len(_RANK)) <= _RANK[field]]
        anchor = before[-1].end if before else self._sheet.end
        neighbour = before[-1] if before else next(iter(self._sheet.bullets), None)
        mark = self._text[line_start(self._text, neighbour.start) : neighbour.start] if neighbour else "- "
        label = f"{LABELS[field]}: " if LABELS[field] else ""
        end = line_end(self._text, anchor)
        return Edit(end, end, f"{newline_of(self._text)}{mark}{label}{value}")

    def _drop(self, bullet: Bullet) -> Edit:
        return Edit(line_start(self._text, bullet.start), after_line(self._text, bullet.end), "")
