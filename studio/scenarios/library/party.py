"""Forms that write the markdown of the party: a change touches the lines concerned and leaves every other byte alone.

After each change the text is read again: when the character did not become what was asked, or anything else changed
its meaning (a tag in an item's name, a comma, a heading), the change is refused and the text stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from studio.scenarios.library.errors import PartyError
from studio.scenarios.library.party_text import (
    attack_key,
    attack_text,
    canonical_stat,
    list_change,
    mentions,
    place_for,
    restate,
    spoken_stat,
    stat_field,
    stretch_of,
)
from studio.scenarios.library.sheet_lines import Edit, Items, SheetLines, apply, newline_of
from studio.scenarios.models import Attack, Character, Gauge, Progress
from studio.scenarios.reading import Reading
from studio.scenarios.sheet import Sheet
from studio.scenarios.vocabulary import Vocabulary, load_vocabulary

_STAT_FIELDS = ("abilities", "skills", "saves")


class PartyEditor:
    """Changes the party of one text. `text` is the text with the changes made so far.

    Every method raises `PartyError` when there is no such character or the change cannot be written down.
    """

    def __init__(self, text: str, vocabulary: Vocabulary | None = None) -> None:
        self.text = text
        self._vocabulary = vocabulary or load_vocabulary()

    @property
    def party(self) -> list[Character]:
        """The characters as they are read now."""
        return [one.model_copy(deep=True) for one in Reading(self.text, self._vocabulary).party]

    def set_type(self, name: str, character_type: str) -> None:
        """`Player Character`, or what kind of NPC; empty removes the line."""
        change = {"character_type": character_type}
        try:
            self._set_value(name, "type", character_type, change)
        except PartyError:  # words that say nothing about who plays are read as a class unless there is a key
            self._set_value(name, "type", f"Type: {character_type}", change)

    def set_class(self, name: str, class_name: str) -> None:
        """`Dwarf Fighter` or the like; empty removes the line."""
        self._set_value(name, "class", class_name, {"class_name": class_name})

    def set_level(self, name: str, level: int) -> None:
        """The level, as `- Level 3`."""
        keyed = any(one.key for one in self._lines(name).bullets("level")[-1:])
        self._set_value(name, "level", str(level) if keyed else f"Level {level}", {"level": level})

    def set_health(self, name: str, current: int, maximum: int) -> None:
        """Hit points now and at most."""
        self._set_value(name, "health", f"{current}/{maximum}", {"health": Gauge(current=current, max=maximum)})

    def set_experience(self, name: str, current: int, next_level: int | None = None) -> None:
        """Experience points so far, and the total that the next level needs."""
        value = str(current) if next_level is None else f"{current}/{next_level}"
        self._set_value(name, "experience", value, {"experience": Progress(current=current, next_level=next_level)})

    def set_armor_class(self, name: str, armor_class: int) -> None:
        """The armor class."""
        self._set_value(name, "armor_class", str(armor_class), {"armor_class": armor_class})

    def set_abilities(self, name: str, bonuses: Mapping[str, int]) -> None:
        """All ability modifiers: name -> modifier; those left out go."""
        self._set_stats(name, "abilities", bonuses)

    def set_skills(self, name: str, bonuses: Mapping[str, int]) -> None:
        """All skills of the sheet, homebrew ones too: name -> bonus; those left out go."""
        self._set_stats(name, "skills", bonuses)

    def set_saves(self, name: str, bonuses: Mapping[str, int]) -> None:
        """All saving throws of the sheet: ability -> bonus; those left out go."""
        self._set_stats(name, "saves", bonuses)

    def set_attacks(self, name: str, attacks: Sequence[Attack]) -> None:
        """All attacks of the sheet; items of the line that are no attack stay."""
        wanted = [one.model_copy(update={"damage": one.damage.replace(" ", "")}) for one in attacks]

        def change(lines: Items) -> list[list[str]]:
            written = {attack_key(item): item for _, items in lines for item in items}
            other = [[item for item in items if attack_key(item) is None] for _, items in lines]
            kept = [written.get((one.name, one.bonus, one.damage), attack_text(one)) for one in wanted]
            return [[*kept, *other[0]], *other[1:]]

        self._set_items(name, ("attacks",), change, {"attacks": wanted})

    def set_inventory(self, name: str, items: Sequence[str]) -> None:
        """Everything that the character carries."""
        self._set_items(name, ("inventory",), list_change(items), {"inventory": list(items)})

    def set_spells(self, name: str, spells: Sequence[str]) -> None:
        """Every spell of the character, cantrips too."""
        self._set_items(name, ("spells",), list_change(spells), {"spells": list(spells)})

    def rename(self, name: str, new_name: str, *, in_conversation: bool = True) -> None:
        """Another name for a character: in the heading, and in `Name:`, `who=` and result lines unless told not to."""
        reading, sheet = self._reading(), self._sheet(name)
        old = sheet.character.name
        self._refuse_namesake(new_name, but=old)
        at = self.text.find(old, sheet.start, sheet.end)
        edits = [Edit(at, at + len(old), new_name)]
        if in_conversation:
            edits += mentions(reading, old, new_name)
        expected = self.party
        expected[self._position(sheet)].name = new_name
        self._accept(apply(self.text, edits), expected, same_words=False)

    def add(self, character: Character) -> None:
        """A new character at the end of the party; the Party section and the SYSTEM block are made when missing."""
        self._refuse_namesake(character.name)
        former = self.text
        place = place_for(self._reading(), f"## {character.name}", newline_of(self.text))
        self._accept(apply(self.text, [place]), [*self.party, Character(name=character.name)])
        try:
            self._set_all(character.name, character)
        except PartyError:
            self.text = former
            raise

    def remove(self, name: str) -> None:
        """Take a character out of the party; turns that speak of them stay as they are."""
        sheet, expected = self._sheet(name), self.party
        del expected[self._position(sheet)]
        self._accept(apply(self.text, [Edit(*stretch_of(self._reading(), sheet), "")]), expected)

    def set_character(self, name: str, character: Character) -> None:
        """Make a sheet say what a form says, as few lines changed as possible.

        Level, health, experience and armor class that are None stay as they are; so do notes, initiative and spell
        slots, which no form shows.
        """
        former = self.text
        try:
            self._set_all(name, character)
        except PartyError:
            self.text = former
            raise

    def _set_all(self, name: str, wanted: Character) -> None:
        now = self._sheet(name).character
        if wanted.name != now.name:
            self.rename(name, wanted.name)
        name = wanted.name
        if wanted.character_type != now.character_type:
            self.set_type(name, wanted.character_type)
        if wanted.class_name != now.class_name:
            self.set_class(name, wanted.class_name)
        self._set_numbers(now, wanted)
        for field in _STAT_FIELDS:
            self._set_stats(
                name, field, {key: bonus for key, bonus in wanted.stats.items() if stat_field(key) == field}
            )
        self.set_attacks(name, wanted.attacks)
        self.set_inventory(name, wanted.inventory)
        self.set_spells(name, wanted.spells)

    def _set_numbers(self, now: Character, wanted: Character) -> None:
        name, health, experience = wanted.name, wanted.health, wanted.experience
        if wanted.level not in (now.level, None):
            self.set_level(name, wanted.level or 0)
        if health != now.health and health.current is not None:
            self.set_health(name, health.current, health.current if health.max is None else health.max)
        if experience != now.experience and experience.current is not None:
            self.set_experience(name, experience.current, experience.next_level)
        if wanted.armor_class not in (now.armor_class, None):
            self.set_armor_class(name, wanted.armor_class or 0)

    def _set_value(self, name: str, field: str, value: str, change: Mapping[str, object]) -> None:
        lines = self._lines(name)
        self._change(name, lines.set_value(field, value) if value.strip() else lines.remove(field), change)

    def _set_items(
        self,
        name: str,
        fields: Sequence[str],
        change: Callable[[Items], list[list[str]]],
        meaning: Mapping[str, object],
        own: str = "",
    ) -> None:
        self._change(name, self._lines(name).set_items(fields, own or fields[0], change), meaning)

    def _set_stats(self, name: str, field: str, bonuses: Mapping[str, int]) -> None:
        wanted = {canonical_stat(key, field, self._vocabulary): bonus for key, bonus in bonuses.items()}

        def change(lines: Items) -> list[list[str]]:
            left = dict(wanted)
            changed = [restate(items, line, field, left, self._vocabulary) for line, items in lines]
            home = next(position for position, (line, _) in enumerate(lines) if line == field)
            changed[home] += [f"{spoken_stat(key, field)} {bonus:+d}" for key, bonus in left.items()]
            return changed

        others = {key: one for key, one in self._sheet(name).character.stats.items() if stat_field(key) != field}
        self._set_items(name, _STAT_FIELDS, change, {"stats": others | wanted}, field)

    def _change(self, name: str, edits: list[Edit], change: Mapping[str, object]) -> None:
        """Apply edits to one sheet and check that the character reads back with `change`."""
        expected, position = self.party, self._position(self._sheet(name))
        expected[position] = expected[position].model_copy(update=dict(change))
        self._accept(apply(self.text, edits), expected)

    def _accept(self, text: str, party: list[Character], *, same_words: bool = True) -> None:
        """Take over a text that reads back as meant and differs in nothing else; refuse any other."""
        before, after = self._reading(), Reading(text, self._vocabulary)
        sections = all(after.section(one) == before.section(one) for one in ("role", "world", "location"))
        turns = [[(one.speaker, one.content if same_words else "") for one in side.turns] for side in (before, after)]
        stray = [sum(one.kind == "stray_close" for one in side.tree.nodes) for side in (before, after)]
        if after.party != party or not sections or turns[0] != turns[1] or stray[0] != stray[1]:
            raise PartyError(
                "That cannot be written on the sheet.",
                why="It would not be read back as meant: a comma, a bracket, a tag or a line break is in the way.",
                next_step="Use plain words and numbers, or edit the text itself.",
            )
        self.text = text

    def _reading(self) -> Reading:
        return Reading(self.text, self._vocabulary)

    def _lines(self, name: str) -> SheetLines:
        return SheetLines(self.text, self._sheet(name))

    def _sheet(self, name: str) -> Sheet:
        wanted = name.strip().casefold()
        found = next((one for one in self._reading().sheets if one.character.name.strip().casefold() == wanted), None)
        if found is None:
            raise PartyError(f"{name!r} is not in the party.", next_step="Choose a character from the list.")
        return found

    def _position(self, sheet: Sheet) -> int:
        return next(number for number, one in enumerate(self._reading().sheets) if one.start == sheet.start)

    def _refuse_namesake(self, name: str, but: str = "") -> None:
        taken = {one.name.casefold() for one in self.party} - {but.casefold()}
        if name.strip().casefold() in taken:
            raise PartyError(f"There is a {name.strip()!r} in the party already.", next_step="Choose another name.")
