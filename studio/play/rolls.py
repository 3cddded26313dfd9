"""Answers a roll directive: whose sheet, which bonus, what dice, and the result line exactly as in training."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from studio.play.dice import DiceBox, DiceError, Throw
from studio.scenarios import (
    Character,
    Directive,
    Mode,
    SystemContext,
    Tool,
    acting_name,
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


class Answer(BaseModel):
    """The answer to one directive: a result line for everybody who rolls, and what a person should know about it."""

    model_config = ConfigDict(extra="forbid")

    rolls: list[Roll] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @property
    def text(self) -> str:
        """The lines, as a TOOLCALL turn holds them."""
        return "\n".join(one.line for one in self.rolls)


def acting_character(
    context: SystemContext, *, who: str = "", speaking_as: str = "", player_text: str = ""
) -> tuple[Character | None, str]:
    """Who acts, and a note when the one who was named has no sheet.

    In this order: the directive's `who`, the character that the player chose, the `Name:` that her turn begins with,
    the first player character, the first of the party.
    """
    for name in (who, speaking_as):
        if name:
            found = context.character(name)
            return found, "" if found else f"{name} has no sheet, so the roll has no bonus."
    prefix = acting_name(player_text, [one.name for one in context.party])
    if prefix is not None:
        return context.character(prefix), ""
    players = [one for one in context.party if one.is_player] or context.party
    return (players[0], "") if players else (None, "There is no party, so the roll has no bonus.")


def answer(
    directive: Directive, context: SystemContext, box: DiceBox, *, speaking_as: str = "", player_text: str = ""
) -> Answer:
    """Roll what a valid roll directive asks for. Initiative without `who` is rolled by all, the acting one first.

    Raises:
        DiceError: its dice cannot be thrown.
    """
    if directive.tool is None or not directive.tool.rolls:
        raise DiceError(f"{directive.written!r} asks for no roll.")
    who = directive.arguments.get("who", "")
    character, note = acting_character(context, who=who, speaking_as=speaking_as, player_text=player_text)
    result = Answer(notes=[note] if note else [])
    result.rolls.append(_roll(directive, character, box, result.notes))
    if directive.tool.kind == "initiative" and not who:
        others = [one for one in context.party if one is not character]
        result.rolls.extend(_roll(directive, one, box, result.notes, actor=one.name) for one in others)
    return result


def _roll(
    directive: Directive, character: Character | None, box: DiceBox, notes: list[str], actor: str | None = None
) -> Roll:
    tool, arguments = directive.tool, directive.arguments
    if tool is None:
        raise DiceError(f"{directive.written!r} asks for no roll.")
    throw = box.throw(dice_for(character, tool, arguments), _mode(arguments))
    bonus, label = _bonus(tool, character, arguments, throw, notes)
    line = format_result(tool.name, throw.dice, bonus, label, actor=actor, mode=throw.mode, pair=throw.pair)
    return Roll(
        tool_name=tool.name,
        line=line,
        dice=throw.dice,
        mode=throw.mode,
        pair=throw.pair,
        bonus=bonus,
        label=label,
        total=sum(throw.dice) + (bonus or 0),
        character=character.name if character else "",
    )


def _bonus(
    tool: Tool, character: Character | None, arguments: dict[str, str], throw: Throw, notes: list[str]
) -> tuple[int | None, str]:
    if tool.kind == "damage":
        if not arguments.get("dice") and not (character and find_attack(character, arguments.get("weapon", ""))):
            notes.append("No dice are given and the sheet has no such weapon, so the damage is 1d4.")
        return throw.bonus, tool.label
    bonus, label = bonus_for(character, tool, arguments)
    if character is not None and not _is_on_sheet(character, tool, arguments):
        notes.append(f"{character.name}'s sheet says nothing about {tool.spoken}, so the bonus is 0.")
    return bonus, label


def _is_on_sheet(character: Character, tool: Tool, arguments: dict[str, str]) -> bool:
    if tool.kind == "attack":
        return find_attack(character, arguments.get("weapon", "")) is not None
    return tool.name in character.stats or tool.ability in character.stats


def _mode(arguments: dict[str, str]) -> Mode | None:
    modes: Sequence[Mode] = ("advantage", "disadvantage")
    return next((mode for mode in modes if mode in arguments), None)
