"""Answers a roll directive: whose sheet, which bonus, what dice, and the result line exactly as in training."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from studio.play.turns.dice import DiceBox, DiceError, Throw, read_dice, sides_of, throw_of
from studio.scenarios import (
    Character,
    Directive,
    Mode,
    SystemContext,
    Tool,
    acting_character,
    bonus_for,
    dice_for,
    find_attack,
    format_result,
)


class Roll(BaseModel):
    """One result line and the numbers in it."""

    model_config = ConfigDict(extra="forbid")

    tool_name: str
    line: str
    dice: tuple[int, ...]
    mode: Mode | None = None
    pair: tuple[int, int] | None = None
    bonus: int | None = None
    label: str = ""
    total: int
    character: str = Field("", description="Whose sheet gave the bonus; empty when nobody's.")


class PlannedRoll(BaseModel):
    """One throw that was asked for: which dice, and what is added to them."""

    model_config = ConfigDict(extra="forbid")

    tool_name: str
    expression: str = Field(description="The dice, such as 2d6+3.")
    mode: Mode | None = None
    bonus: int | None = None
    label: str = ""
    character: str = Field("", description="Whose sheet gave the bonus; empty when nobody's.")
    actor: str = Field("", description="Named in the result line, because more than one rolls.")

    @property
    def sides(self) -> tuple[int, ...]:
        """How many sides each die to throw has, in order."""
        return sides_of(self.expression, self.mode)

    @property
    def wanted(self) -> str:
        """What somebody is asked to throw: `Sarah, stealth: two d20 (the higher one counts) + 7 (skill)`."""
        who = f"{self.actor or self.character}, " if self.actor or self.character else ""
        added = f" {'-' if self.bonus < 0 else '+'} {abs(self.bonus)} ({self.label})" if self.bonus is not None else ""
        return f"{who}{self.tool_name.replace('_', ' ')}: {self._dice}{added}"

    @property
    def _dice(self) -> str:
        if self.mode is not None and self.sides == (20, 20):
            return f"two d20 (the {'higher' if self.mode == 'advantage' else 'lower'} one counts)"
        counts = {sides: self.sides.count(sides) for sides in dict.fromkeys(self.sides)}
        return " and ".join(f"{'' if number == 1 else number}d{sides}" for sides, number in counts.items())

    def settled(self, throw: Throw) -> Roll:
        """The roll, now that the dice have fallen."""
        return Roll(
            tool_name=self.tool_name,
            line=format_result(
                self.tool_name, throw.dice, self.bonus, self.label, actor=self.actor or None, mode=throw.mode,
                pair=throw.pair,
            ),
            dice=throw.dice,
            mode=throw.mode,
            pair=throw.pair,
            bonus=self.bonus,
            label=self.label,
            total=sum(throw.dice) + (self.bonus or 0),
            character=self.character,
        )  # fmt: skip


class RollRequest(BaseModel):
    """A directive of which it is known who rolls what, before any die is thrown."""

    model_config = ConfigDict(extra="forbid")

    directive: str
    rolls: list[PlannedRoll] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @property
    def has_dice(self) -> bool:
        """Whether there is anything to throw."""
        return any(one.sides for one in self.rolls)


class Answer(BaseModel):
    """The answer to one directive: a result line for everybody who rolls, and what a person should know about it."""

    model_config = ConfigDict(extra="forbid")

    rolls: list[Roll] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @property
    def text(self) -> str:
        """The lines, as a TOOLCALL turn holds them."""
        return "\n".join(one.line for one in self.rolls)


def plan(directive: Directive, context: SystemContext, *, speaking_as: str = "", player_text: str = "") -> RollRequest:
    """Who rolls which dice for a valid roll directive. Initiative without `who` is rolled by all, the acting one first.

    Raises:
        DiceError: it asks for no roll, or its dice cannot be thrown.
    """
    if directive.tool is None or not directive.tool.rolls:
        raise DiceError(f"{directive.written!r} asks for no roll.")
    who = directive.arguments.get("who", "")
    character, note = acting_character(context, who=who, speaking_as=speaking_as, player_text=player_text)
    request = RollRequest(directive=directive.written, notes=[note] if note else [])
    rollers = [(character, "")]
    if directive.tool.kind == "initiative" and not who:
        rollers += [(one, one.name) for one in context.party if one is not character]
    request.rolls = [_planned(directive, directive.tool, one, actor, request.notes) for one, actor in rollers]
    return request


def answer(
    directive: Directive, context: SystemContext, box: DiceBox, *, speaking_as: str = "", player_text: str = ""
) -> Answer:
    """Roll what a valid roll directive asks for. Raises `DiceError` as `plan`."""
    request = plan(directive, context, speaking_as=speaking_as, player_text=player_text)
    return Answer(rolls=[thrown(one, box) for one in request.rolls], notes=request.notes)


def thrown(planned: PlannedRoll, box: DiceBox) -> Roll:
    """The roll with dice of the studio. Raises `DiceError`."""
    return planned.settled(box.throw(planned.expression, planned.mode))


def entered(planned: PlannedRoll, faces: Sequence[int]) -> Roll:
    """The roll with dice that somebody threw at the table.

    Raises:
        DiceError: a die is missing or too many, or shows what it has no face for.
    """
    return planned.settled(throw_of(planned.expression, faces, planned.mode))


def _planned(
    directive: Directive, tool: Tool, character: Character | None, actor: str, notes: list[str]
) -> PlannedRoll:
    arguments = directive.arguments
    expression = dice_for(character, tool, arguments)
    has_dice = bool(sides_of(expression))
    bonus, label = _bonus(tool, character, arguments, read_dice(expression)[1] if has_dice else None, notes)
    return PlannedRoll(
        tool_name=tool.name,
        expression=expression,
        mode=_mode(arguments),
        bonus=bonus,
        label=label,
        character=character.name if character else "",
        actor=actor,
    )


def _bonus(
    tool: Tool, character: Character | None, arguments: dict[str, str], added: int | None, notes: list[str]
) -> tuple[int | None, str]:
    if tool.kind == "damage":
        if not arguments.get("dice") and not (character and find_attack(character, arguments.get("weapon", ""))):
            notes.append("No dice are given and the sheet has no such weapon, so the damage is 1d4.")
        return added, tool.label
    bonus, label = bonus_for(character, tool, arguments)
    if character is not None and not _is_on_sheet(character, tool, arguments):
        notes.append(f"{character.name}'s sheet says nothing about {tool.spoken}, so the bonus is 0.")
    return bonus, label


def _is_on_sheet(character: Character, tool: Tool, arguments: dict[str, str]) -> bool:
    if tool.kind == "attack":
        return find_attack(character, arguments.get("weapon", "")) is not None
    known = tool.name in character.stats or tool.ability in character.stats
    return known or tool.name in character.proficient


def _mode(arguments: dict[str, str]) -> Mode | None:
    modes: Sequence[Mode] = ("advantage", "disadvantage")
    return next((mode for mode in modes if mode in arguments), None)
