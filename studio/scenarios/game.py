"""What a conversation has done to the party: hit points, conditions, spell slots, items, experience, initiative.

It is worked out anew from the sheets and the messages, so it is right after an edit, in a branch, and in the middle of
a scenario, and nothing has to be kept beside the conversation. A request that the sheets do not allow changes nothing,
and a note says why; an unknown number stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from studio.scenarios.acting import acting_character
from studio.scenarios.directives import Directive, find_directives
from studio.scenarios.models import Character, SystemContext
from studio.scenarios.results import parse_result_lines
from studio.scenarios.srd import count_of, fold
from studio.scenarios.vocabulary import Vocabulary

_SLOT = re.compile(r"[1-9]")
_COUNTED = re.compile(r"^\d[\d,]*\s+|\s*[x×]\s*\d+\s*$", re.IGNORECASE)


class Said(Protocol):
    """A message of a conversation."""

    @property
    def role(self) -> str:
        """system, user, assistant or tool."""

    @property
    def content(self) -> str:
        """What is said."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Belonging(_Kept):
    """An item as somebody wrote it, and how many there are."""

    name: str
    count: int

    @property
    def shown(self) -> str:
        """Its name with the count there is now: `Health Potion x2`."""
        bare = _COUNTED.sub("", self.name).strip()
        return f"{bare} x{self.count}" if self.count != 1 else bare


class Standing(_Kept):
    """How one of the party is doing now. None where the sheet does not say."""

    name: str
    is_player: bool = False
    hit_points: int | None = None
    max_hit_points: int | None = None
    experience: int | None = None
    next_level: int | None = None
    conditions: list[str] = Field(default_factory=list)
    slots: dict[int, int] = Field(default_factory=dict, description="Spell slot level -> slots left.")
    max_slots: dict[int, int] = Field(default_factory=dict)
    items: list[Belonging] = Field(default_factory=list)

    @classmethod
    def of(cls, sheet: Character) -> Standing:
        """As the sheet says."""
        most = sheet.health.max if sheet.health.max is not None else sheet.health.current
        return cls(
            name=sheet.name,
            is_player=sheet.is_player,
            hit_points=sheet.health.current if sheet.health.current is not None else most,
            max_hit_points=most,
            experience=sheet.experience.current,
            next_level=sheet.experience.next_level,
            slots=dict(sheet.spell_slots),
            max_slots=dict(sheet.spell_slots),
            items=[Belonging(name=one, count=count_of(one)) for one in sheet.inventory],
        )

    @property
    def is_down(self) -> bool:
        """Whether there are no hit points left."""
        return self.hit_points == 0


class Initiative(_Kept):
    """A place in the order of combat."""

    name: str
    total: int


class Change(_Kept):
    """What a request did: result lines as a TOOLCALL turn would have them, and what a person should know."""

    lines: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class Game(_Kept):
    """The party and the combat, if there is one."""

    party: list[Standing] = Field(default_factory=list)
    in_combat: bool = False
    initiative: list[Initiative] = Field(default_factory=list, description="Highest first; ties as they were rolled.")

    @classmethod
    def of(cls, system: SystemContext) -> Game:
        """As the sheets say, before anything has happened."""
        return cls(party=[Standing.of(one) for one in system.party])

    def member(self, name: str) -> Standing | None:
        """The one of that name, in any case."""
        wanted = name.strip().casefold()
        return next((one for one in self.party if one.name.casefold() == wanted), None)

    def apply(self, directive: Directive, actor: str) -> Change:
        """Do what a request without dice asks for; `actor` is whose it is when it says nothing else."""
        tool, arguments = directive.tool, directive.arguments
        if tool is None or not directive.valid or tool.name not in _CHANGES:
            return Change()
        named = arguments.get("who", "")
        who = self.member(named or actor)
        if named and who is None:
            return Change(notes=[f"{named} has no sheet, so {directive.written} changes nothing."])
        return _CHANGES[tool.name](self, who, arguments, bool(named))

    def take_initiative(self, name: str, total: int) -> None:
        """Put one into the order; whoever rolled before is moved."""
        others = [one for one in self.initiative if one.name.casefold() != name.casefold()]
        self.initiative = sorted([*others, Initiative(name=name, total=total)], key=lambda one: -one.total)


def game_after(
    system: SystemContext, messages: Iterable[Said], vocabulary: Vocabulary, *, speaking_as: str = ""
) -> Game:
    """The state after all of the messages.

    Args:
        speaking_as: the character that the player speaks for, where her turns name nobody.
    """
    game = Game.of(system)
    for _ in play_out(game, system, messages, vocabulary, speaking_as=speaking_as):
        pass
    return game


def play_out(
    game: Game, system: SystemContext, messages: Iterable[Said], vocabulary: Vocabulary, *, speaking_as: str = ""
) -> Iterator[Said]:
    """Let the messages happen to `game`, one by one; gives each of them once it has happened."""
    player_text = ""
    for message in messages:
        if message.role == "user":
            player_text = message.content
        elif message.role in ("assistant", "tool"):
            actor, _ = acting_character(system, speaking_as=speaking_as, player_text=player_text)
            name = actor.name if actor else ""
            if message.role == "assistant":
                for directive in find_directives(message.content, vocabulary):
                    game.apply(directive, name)
            else:
                _hear(game, message.content, vocabulary, name)
        yield message


def _hear(game: Game, results: str, vocabulary: Vocabulary, actor: str) -> None:
    """Results that count: initiative. What was answered to a change is what the change did already."""
    for line in parse_result_lines(results, vocabulary):
        if line.tool is not None and line.tool.kind == "initiative" and line.total is not None:
            game.take_initiative(line.actor or actor, line.total)


def _hit_points(_: Game, who: Standing | None, arguments: dict[str, str], __: bool) -> Change:
    amount = _signed(arguments.get("amount", ""))
    if who is None or amount is None:
        return Change()
    if who.hit_points is None:
        return Change(notes=[f"{who.name}'s sheet has no hit points, so nothing is counted."])
    before = who.hit_points
    wanted = before + amount
    who.hit_points = max(0, wanted if who.max_hit_points is None else min(wanted, max(who.max_hit_points, before)))
    notes = [f"{who.name} is down to 0 hit points."] if who.is_down and before else []
    return Change(lines=[_line("hit points", who, before, who.hit_points)], notes=notes)


def _experience(game: Game, who: Standing | None, arguments: dict[str, str], named: bool) -> Change:
    amount = _signed(arguments.get("amount", ""))
    change = Change()
    for one in [who] if named and who else game.party:
        if amount is not None and one.experience is not None:
            before, one.experience = one.experience, max(0, one.experience + amount)
            change.lines.append(_line("experience", one, before, one.experience))
            if one.next_level and before < one.next_level <= one.experience:
                change.notes.append(f"{one.name} has the experience for the next level.")
    return change


def _spell_slot(_: Game, who: Standing | None, arguments: dict[str, str], __: bool) -> Change:
    found = _SLOT.search(arguments.get("level", ""))
    if who is None or found is None:
        return Change()
    level = int(found[0])
    left, most = who.slots.get(level, 0), who.max_slots.get(level, 0)
    if not most:
        return Change(notes=[f"{who.name}'s sheet has no spell slots of level {level}."])
    after = min(most, left + 1) if arguments.get("change") == "restore" else left - 1
    if after < 0:
        return Change(notes=[f"{who.name} has no spell slot of level {level} left."])
    who.slots = {**who.slots, level: after}
    return Change(lines=[_line("spell slot", who, left, after)])


def _inventory(_: Game, who: Standing | None, arguments: dict[str, str], __: bool) -> Change:
    written = arguments.get("item", "")
    item, count = fold(written), count_of(written)
    if who is None or not item:
        return Change()
    held = next((one for one in who.items if fold(one.name) == item), None)
    held = held or next((one for one in who.items if item in fold(one.name) or fold(one.name) in item), None)
    before = held.count if held else 0
    adds = arguments.get("action") == "add"
    if not adds and before < count:
        return Change(notes=[f"{who.name} has {before or 'no'} {item}, so {count} cannot go."])
    after = before + count if adds else before - count
    rest = [one for one in who.items if one is not held]
    who.items = [*rest, Belonging(name=held.name if held else written, count=after)] if after else rest
    return Change(lines=[_line("inventory", who, before, after)])


def _condition(_: Game, who: Standing | None, arguments: dict[str, str], __: bool) -> Change:
    condition = arguments.get("condition", "").strip().lower()
    if who is None or not condition:
        return Change()
    others = [one for one in who.conditions if one != condition]
    who.conditions = others if arguments.get("state") == "end" else [*others, condition]
    return Change(lines=[f"condition ({who.name}): *done*"])


def _rest(game: Game, who: Standing | None, arguments: dict[str, str], named: bool) -> Change:
    """A long rest brings back hit points and slots (SRD 5.1, "Resting"); what a short one does, the table decides."""
    for one in ([who] if named and who else game.party) if arguments.get("rest") == "long" else []:
        one.slots = dict(one.max_slots)
        if not one.is_down:
            one.hit_points = one.max_hit_points
    return Change(lines=["rest: *done*"])


def _begin_combat(game: Game, *_: object) -> Change:
    game.in_combat = True
    return Change(lines=["begin combat: *done*"])


def _end_combat(game: Game, *_: object) -> Change:
    game.in_combat, game.initiative = False, []
    return Change(lines=["end combat: *done*"])


_CHANGES: dict[str, Callable[[Game, Standing | None, dict[str, str], bool], Change]] = {
    "hit_points": _hit_points,
    "experience": _experience,
    "spell_slot": _spell_slot,
    "inventory": _inventory,
    "condition": _condition,
    "rest": _rest,
    "begin_combat": _begin_combat,
    "end_combat": _end_combat,
}


def _signed(written: str) -> int | None:
    try:
        return int(written.replace("−", "-").replace(" ", ""))
    except ValueError:
        return None


def _line(name: str, who: Standing, before: int, after: int) -> str:
    moved = after - before
    return f"{name} ({who.name}): {before} {'-' if moved < 0 else '+'} {abs(moved)} = *{after}*"
