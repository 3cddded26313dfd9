"""Forms that write the markdown of the party: a change touches the lines concerned and leaves every other byte alone.

After each change the text is read again: when the character did not become what was asked, or anything else changed
its meaning (a tag in an item's name, a comma, a heading), the change is refused and the text stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from studio.scenarios.library.errors import PartyError
from studio.scenarios.library.party_text import (
    as_read,
    attack_key,
    attack_text,
    canonical_stat,
    copy_of,
    list_change,
    mentions,
    name_edit,
    pair_text,
    place_for,
    restate,
    slots_text,
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
_SECTIONS = ("role", "world", "location")
Who = str | int
"""Whom a change is about: a name, or the place in the party from 0 where two share a name or one has none."""


class PartyEditor:
    """Changes the party of one text. `text` is the text with the changes made so far.

    Every method raises `PartyError` when there is no such character or the change cannot be written down.
    """

    def __init__(self, text: str, vocabulary: Vocabulary | None = None) -> None:
        self._vocabulary = vocabulary or load_vocabulary()
        self._reading = Reading(text, self._vocabulary)

    @property
    def text(self) -> str:
        """The text with the changes made so far."""
        return self._reading.text

    @property
    def party(self) -> list[Character]:
        """The characters as they are read now."""
        return [one.model_copy(deep=True) for one in self._reading.party]

    def set_type(self, who: Who, character_type: str) -> None:
        """`Player Character`, or what kind of NPC; empty removes the line."""
        self._set_words(who, "type", "Type", character_type, {"character_type": character_type})

    def set_class(self, who: Who, class_name: str) -> None:
        """`Dwarf Fighter` or the like; empty removes the line."""
        self._set_words(who, "class", "Class", class_name, {"class_name": class_name})

    def set_level(self, who: Who, level: int | None) -> None:
        """The level, as `- Level 3`; None removes the line."""
        keyed = any(one.key for one in self._lines(who).bullets("level")[-1:])
        written = "" if level is None else str(level) if keyed else f"Level {level}"
        self._set_value(who, "level", written, {"level": level})

    def set_health(self, who: Who, current: int | None, maximum: int | None) -> None:
        """Hit points now and at most; None for both removes the line."""
        health = Gauge(current=current, max=current if maximum is None else maximum)
        self._set_value(who, "health", pair_text(current, health.max), {"health": health})

    def set_experience(self, who: Who, current: int | None, next_level: int | None = None) -> None:
        """Experience points so far, and the total that the next level needs; None for both removes the line."""
        experience = Progress(current=current, next_level=next_level)
        self._set_value(who, "experience", pair_text(current, next_level), {"experience": experience})

    def set_armor_class(self, who: Who, armor_class: int | None) -> None:
        """The armor class; None removes the line."""
        self._set_value(who, "armor_class", pair_text(armor_class), {"armor_class": armor_class})

    def set_spell_save_dc(self, who: Who, difficulty: int | None) -> None:
        """What others must reach against a spell; None removes the line."""
        self._set_value(who, "spell_save_dc", pair_text(difficulty), {"spell_save_dc": difficulty})

    def set_spell_slots(self, who: Who, slots: Mapping[int, int]) -> None:
        """All spell slots: slot level -> slots; none removes the line."""
        self._set_value(who, "spell_slots", slots_text(slots), {"spell_slots": dict(slots)})

    def set_initiative(self, who: Who, bonus: int | None) -> None:
        """The bonus on initiative; None removes the line, and rolls take the Dexterity modifier."""
        others = {key: one for key, one in self._sheet(who).character.stats.items() if key != "initiative"}
        stats = others if bonus is None else others | {"initiative": bonus}
        self._set_value(who, "initiative", "" if bonus is None else f"{bonus:+d}", {"stats": stats})

    def set_abilities(self, who: Who, bonuses: Mapping[str, int]) -> None:
        """All ability modifiers: name -> modifier; those left out go."""
        self._set_stats(who, "abilities", bonuses)

    def set_skills(self, who: Who, bonuses: Mapping[str, int]) -> None:
        """All skills of the sheet, homebrew ones too: name -> bonus; those left out go."""
        self._set_stats(who, "skills", bonuses)

    def set_saves(self, who: Who, bonuses: Mapping[str, int]) -> None:
        """All saving throws of the sheet: ability -> bonus; those left out go."""
        self._set_stats(who, "saves", bonuses)

    def set_attacks(self, who: Who, attacks: Sequence[Attack]) -> None:
        """All attacks of the sheet; items of the line that are no attack stay."""
        wanted = [one.model_copy(update={"damage": one.damage.replace(" ", "")}) for one in attacks]

        def change(lines: Items) -> list[list[str]]:
            written = {attack_key(item): item for _, items in lines for item in items}
            other = [[item for item in items if attack_key(item) is None] for _, items in lines]
            kept = [written.get((one.name, one.bonus, one.damage), attack_text(one)) for one in wanted]
            return [[*kept, *other[0]], *other[1:]]

        self._set_items(who, ("attacks",), change, {"attacks": wanted})

    def set_inventory(self, who: Who, items: Sequence[str]) -> None:
        """Everything that the character carries."""
        self._set_items(who, ("inventory",), list_change(items), {"inventory": list(items)})

    def set_spells(self, who: Who, spells: Sequence[str]) -> None:
        """Every spell of the character, cantrips too."""
        self._set_items(who, ("spells",), list_change(spells), {"spells": list(spells)})

    def rename(self, who: Who, new_name: str, *, in_conversation: bool = True) -> None:
        """Another name for a character: in the heading, and in `Name:`, `who=` and result lines unless told not to.

        The turns of two who share a name belong to the first of them, as rolls do.
        """
        reading, sheet, position = self._reading, self._sheet(who), self._position(who)
        self._check_name(new_name, but=position)
        old = sheet.character.name
        edits = [name_edit(self.text, sheet, new_name)]
        if in_conversation and old and self._position(old) == position:
            edits += mentions(reading, old, new_name)
        expected = list(reading.party)
        expected[position] = expected[position].model_copy(update={"name": new_name})
        self._accept(apply(self.text, edits), expected, "name", same_words=False)

    def add(self, character: Character) -> None:
        """A new character at the end of the party; the Party section and the SYSTEM block are made when missing.

        Everything but the notes is written.
        """
        self._check_name(character.name)
        place = place_for(self._reading, f"## {character.name}", newline_of(self.text))
        with self._undone_when_refused():
            party = self._reading.party
            self._accept(apply(self.text, [place]), [*party, Character(name=character.name)], "name")
            self._set_all(len(party), character)

    def duplicate(self, who: Who, new_name: str) -> None:
        """A copy of a character with every line of the sheet, right below, under another name."""
        self._check_name(new_name)
        sheet, position = self._sheet(who), self._position(who)
        expected = list(self._reading.party)
        expected.insert(position + 1, sheet.character.model_copy(update={"name": new_name}))
        self._accept(apply(self.text, [copy_of(self._reading, sheet, new_name)]), expected, "name")

    def remove(self, who: Who) -> None:
        """Take a character out of the party; turns that speak of them stay as they are."""
        sheet, expected = self._sheet(who), list(self._reading.party)
        del expected[self._position(who)]
        self._accept(apply(self.text, [Edit(*stretch_of(self._reading, sheet), "")]), expected, "sheet")

    def set_character(self, who: Who, character: Character) -> None:
        """Make a sheet say what `character` says, as few lines changed as possible; None and empty lists remove lines.

        Notes stay as they are.
        """
        with self._undone_when_refused():
            self._set_all(self._position(who), character)

    def _set_all(self, position: int, wanted: Character) -> None:
        now = self._sheet(position).character
        wanted = as_read(wanted, self._vocabulary)
        if wanted.name != now.name:
            self.rename(position, wanted.name)
        if wanted.character_type != now.character_type:
            self.set_type(position, wanted.character_type)
        if wanted.class_name != now.class_name:
            self.set_class(position, wanted.class_name)
        self._set_numbers(position, now, wanted)
        self._set_all_stats(position, now, wanted)
        self.set_attacks(position, wanted.attacks)
        self.set_inventory(position, wanted.inventory)
        self.set_spells(position, wanted.spells)
        written = self._sheet(position).character
        if written.model_copy(update={"notes": wanted.notes}) != wanted:
            raise _refusal("sheet")

    def _set_numbers(self, position: int, now: Character, wanted: Character) -> None:
        if wanted.level != now.level:
            self.set_level(position, wanted.level)
        if wanted.health != now.health:
            self.set_health(position, wanted.health.current, wanted.health.max)
        if wanted.experience != now.experience:
            self.set_experience(position, wanted.experience.current, wanted.experience.next_level)
        if wanted.armor_class != now.armor_class:
            self.set_armor_class(position, wanted.armor_class)
        if wanted.spell_save_dc != now.spell_save_dc:
            self.set_spell_save_dc(position, wanted.spell_save_dc)
        if wanted.spell_slots != now.spell_slots:
            self.set_spell_slots(position, wanted.spell_slots)

    def _set_all_stats(self, position: int, now: Character, wanted: Character) -> None:
        for field in _STAT_FIELDS:
            bonuses = {key: bonus for key, bonus in wanted.stats.items() if stat_field(key) == field}
            self._set_stats(position, field, bonuses)
        if wanted.stats.get("initiative") != now.stats.get("initiative"):
            self.set_initiative(position, wanted.stats.get("initiative"))

    def _set_words(self, who: Who, field: str, key: str, words: str, change: Mapping[str, object]) -> None:
        try:
            self._set_value(who, field, words, change)
        except PartyError:  # a line without a key is read by what it says: "Ally of Kings" as a class needs the key
            self._set_value(who, field, f"{key}: {words}", change)

    def _set_value(self, who: Who, field: str, value: str, change: Mapping[str, object]) -> None:
        lines = self._lines(who)
        edits = lines.set_value(field, value) if value.strip() else lines.remove(field)
        self._change(who, edits, field, change)

    def _set_items(
        self,
        who: Who,
        fields: Sequence[str],
        change: Callable[[Items], list[list[str]]],
        meaning: Mapping[str, object],
        own: str = "",
    ) -> None:
        field = own or fields[0]
        self._change(who, self._lines(who).set_items(fields, field, change), field, meaning)

    def _set_stats(self, who: Who, field: str, bonuses: Mapping[str, int]) -> None:
        wanted = {canonical_stat(key, field, self._vocabulary): bonus for key, bonus in bonuses.items()}

        def change(lines: Items) -> list[list[str]]:
            left = dict(wanted)
            changed = [restate(items, line, field, left, self._vocabulary) for line, items in lines]
            home = next(position for position, (line, _) in enumerate(lines) if line == field)
            changed[home] += [f"{spoken_stat(key, field)} {bonus:+d}" for key, bonus in left.items()]
            return changed

        others = {key: one for key, one in self._sheet(who).character.stats.items() if stat_field(key) != field}
        self._set_items(who, _STAT_FIELDS, change, {"stats": others | wanted}, field)

    def _change(self, who: Who, edits: list[Edit], field: str, change: Mapping[str, object]) -> None:
        """Apply edits to one sheet and check that the character reads back with `change`."""
        expected, position = list(self._reading.party), self._position(who)
        expected[position] = expected[position].model_copy(update=dict(change))
        self._accept(apply(self.text, edits), expected, field)

    def _accept(self, text: str, party: list[Character], field: str, *, same_words: bool = True) -> None:
        """Take over a text that reads back as meant and differs in nothing else; refuse any other."""
        before, after = self._reading, Reading(text, self._vocabulary)
        sections = all(after.section(one) == before.section(one) for one in _SECTIONS)
        if after.party != party or not sections or _outside(after, same_words) != _outside(before, same_words):
            raise _refusal(field)
        self._reading = after

    @contextmanager
    def _undone_when_refused(self) -> Iterator[None]:
        former = self._reading
        try:
            yield
        except PartyError:
            self._reading = former
            raise

    def _lines(self, who: Who) -> SheetLines:
        return SheetLines(self.text, self._sheet(who))

    def _sheet(self, who: Who) -> Sheet:
        return self._reading.sheets[self._position(who)]

    def _position(self, who: Who) -> int:
        party = self._reading.party
        if isinstance(who, int):
            found = who if 0 <= who < len(party) else None
        else:
            wanted = who.strip().casefold()
            found = next((place for place, one in enumerate(party) if one.name.strip().casefold() == wanted), None)
        if found is None:
            raise PartyError(f"{who!r} is not in the party.", next_step="Choose a character from the list.")
        return found

    def _check_name(self, name: str, but: int | None = None) -> None:
        if not name.strip():
            raise PartyError("The character has no name.", next_step="Write a name: nobody can act without one.")
        taken = {one.name.casefold() for place, one in enumerate(self._reading.party) if place != but}
        if name.strip().casefold() in taken:
            raise PartyError(f"There is a {name.strip()!r} in the party already.", next_step="Choose another name.")


def _outside(reading: Reading, words: bool) -> tuple[list[tuple[object, str]], int]:
    """The turns, with their words or without, and the closing tags that close nothing."""
    text = reading.text
    turns: list[tuple[object, str]] = [
        (node.block, text[node.body_start : node.body_end] if words else "") for node in reading.tree.turns
    ]
    return turns, sum(node.kind == "stray_close" for node in reading.tree.nodes)


def _refusal(field: str) -> PartyError:
    return PartyError(
        f"The {field.replace('_', ' ')} cannot be written on the sheet like this.",
        why="It would not be read back as meant: a comma, a bracket, a tag or a line break is in the way.",
        next_step="Use plain words and numbers, or edit the text itself.",
    )
