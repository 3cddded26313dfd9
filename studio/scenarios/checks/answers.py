"""The T checks on one request and the line that answers it: dice, advantage, modifier, actor."""

from __future__ import annotations

import re

from studio.scenarios.checks import tool_call_codes as codes
from studio.scenarios.checks.report import Report, suggest
from studio.scenarios.exchanges import Answered, Exchange
from studio.scenarios.models import Character
from studio.scenarios.results import ResultProblem
from studio.scenarios.sheet import attack_modifiers, bonus_for, dice_for, own_bonus
from studio.scenarios.vocabulary import Tool

_DICE_TERM = re.compile(r"([+-]?)\s*(\d{0,3})d(\d{1,4})", re.IGNORECASE)


_PARTY = 64
"""Characters that a modifier is looked for on; no table is larger, but a hostile file may be."""


def check_answer(report: Report, exchange: Exchange, pair: Answered) -> None:
    """Everything that request and answer must agree about."""
    tool = pair.directive.tool
    if tool is None or not tool.rolls or ResultProblem.UNREADABLE in pair.line.problems:
        return
    _check_mode(report, pair)
    _check_dice(report, exchange, pair, tool)
    actor = exchange.actor(pair)
    if actor is not None:
        _check_actor(report, pair, actor)
    _check_modifier(report, pair, tool, actor)


def _place(pair: Answered) -> tuple[int, int]:
    return pair.turn.start + pair.line.start, pair.turn.start + pair.line.end


def _check_mode(report: Report, pair: Answered) -> None:
    asked = next((mode for mode in ("advantage", "disadvantage") if mode in pair.directive.arguments), None)
    if asked != pair.line.mode:
        said = f"The request says {asked or 'a plain roll'}, the answer {pair.line.mode or 'a plain roll'}."
        report.add(codes.MODE_DIFFERS, *_place(pair), said)
    if ResultProblem.WRONG_PICK in pair.line.problems and pair.line.pair:
        said = f"{pair.line.mode} of {pair.line.pair[0]} and {pair.line.pair[1]} keeps the other die."
        report.add(codes.WRONG_PICK, *_place(pair), said)


def _check_dice(report: Report, exchange: Exchange, pair: Answered, tool: Tool) -> None:
    if tool.dice:
        shown = [*pair.line.dice, *(pair.line.pair or ())]
        wrong = [die for die in shown if not 1 <= die <= 20]
        if wrong:
            report.add(codes.IMPOSSIBLE_DIE, *_place(pair), f"No twenty-sided die shows {wrong[0]}.")
        elif len(pair.line.dice) != 1:
            report.add(codes.DICE_COUNT, *_place(pair), "One die was expected.")
        return
    expression = pair.directive.arguments.get("dice")
    if expression is None and (actor := _member(report, exchange.actor(pair))) is not None:
        expression = dice_for(actor, tool, pair.directive.arguments) if actor.attacks else None
    if expression is not None:
        _check_damage_dice(report, pair, expression, certain="dice" in pair.directive.arguments)


def _check_damage_dice(report: Report, pair: Answered, expression: str, *, certain: bool) -> None:
    """Several dice may be shown as their sum only when there is one die; a critical hit doubles them."""
    terms = [(int(count or 1), int(sides)) for sign, count, sides in _DICE_TERM.findall(expression) if sign != "-"]
    count, sides = sum(count for count, _ in terms), max((sides for _, sides in terms), default=0)
    dice = pair.line.dice
    if not terms or not certain:
        return
    if any(not 1 <= die <= sides for die in dice if len(dice) >= count):
        report.add(codes.IMPOSSIBLE_DIE, *_place(pair), f"{expression} has no die that shows {max(dice)}.")
    elif len(dice) not in (count, 2 * count) and not _flat_bonus(pair, count):
        report.add(codes.DICE_COUNT, *_place(pair), f"{expression} has {count} dice, the answer shows {len(dice)}.")


def _flat_bonus(pair: Answered, count: int) -> bool:
    """`5 + 2` for 1d6+2: a bonus without its label reads like one more die."""
    return not pair.line.modifiers and len(pair.line.dice) == count + 1


def _member(report: Report, name: str | None) -> Character | None:
    wanted = (name or "").casefold()
    return next((one for one in report.reading.party if one.name.casefold() == wanted), None)


def _check_actor(report: Report, pair: Answered, actor: str) -> None:
    names = [one.name for one in report.reading.party if one.name]
    if not names or _member(report, actor) is not None:
        return
    guess = report.guess(actor, names)
    if guess is None:
        return
    text, (start, end) = report.reading.text, _place(pair)
    at = text.find(actor, start, end)
    fix = suggest(f"Change to {guess}", at, at + len(actor), guess) if at >= 0 else None
    report.add(codes.UNKNOWN_ACTOR, start, end, f"Nobody of the party is called {actor}. Did you mean {guess}?", fix)


def _check_modifier(report: Report, pair: Answered, tool: Tool, actor: str | None) -> None:
    party = report.reading.party[:_PARTY]
    member = _member(report, actor)
    if not party or (actor is not None and member is None) or ResultProblem.WRONG_SUM in pair.line.problems:
        return
    used = sum(one.amount for one in pair.line.modifiers if one.label.casefold() in (tool.label, ""))
    allowed = {bonus for one in party for bonus in _bonuses(one, pair, tool)}
    if used not in allowed:
        listed = ", ".join(f"{bonus:+d}" for bonus in sorted(allowed))
        said = f"{used:+d} is on nobody's sheet for {tool.spoken} (the party has {listed})."
        report.add(codes.NOBODYS_MODIFIER, *_place(pair), said)
    elif member is not None and own_bonus(member, tool) and used not in _bonuses(member, pair, tool):
        own, _ = bonus_for(member, tool, pair.directive.arguments)
        said = f"{member.name}'s own bonus for {tool.spoken} is {own:+d}, not {used:+d}."
        report.add(codes.OTHERS_MODIFIER, *_place(pair), said)


def _bonuses(one: Character, pair: Answered, tool: Tool) -> set[int]:
    """Every bonus that this character may add: without the line on the sheet, the ability's or none."""
    bonus, _ = bonus_for(one, tool, pair.directive.arguments)
    if tool.kind in ("attack", "damage"):
        return {bonus, *attack_modifiers(one, tool)}
    return {bonus}
