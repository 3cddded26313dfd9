"""The T checks on one line of a TOOLCALL turn, alone and against its request: sum, dice, advantage, bonus, actor."""

from __future__ import annotations

import re

from studio.scenarios.checks import tool_call_codes as codes
from studio.scenarios.checks.report import Edit, Report, replace, suggest
from studio.scenarios.checks.requests import guess_tool, swap
from studio.scenarios.checks.scene import Scene, rewritten
from studio.scenarios.exchanges import Answered, Exchange, is_success, read_outcome
from studio.scenarios.models import Character
from studio.scenarios.reading import Turn
from studio.scenarios.results import Modifier, ResultLine, ResultProblem
from studio.scenarios.sheet import attack_modifiers, bonus_for, dice_for, own_bonus
from studio.scenarios.vocabulary import Tool

_DICE_TERM = re.compile(r"([+-]?)\s*(\d{0,3})d(\d{1,4})", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"[+\-−–]?\d+(?=\D*$)")
_ITEM_COUNT = re.compile(r"(?:^|.*\s)[x×]\s*(\d{1,4})$|^(\d{1,4})\s.*", re.IGNORECASE)
_PARTY = 64
"""Characters that a modifier is looked for on; no table is larger, but a hostile file may be."""


def check_line(report: Report, scene: Scene, turn: Turn, line: ResultLine) -> None:
    """What is wrong with a line by itself."""
    start, end = turn.start + line.start, turn.start + line.end
    if ResultProblem.UNREADABLE in line.problems:
        _report_unreadable(report, scene, turn, line)
        return
    if line.tool is None:
        _report_unknown(report, scene, turn, line)
    if line.actor:
        report.check_name(line.actor, start, end)
    if ResultProblem.WRONG_SUM in line.problems:
        _report_sum(report, scene, turn, line)
    elif ResultProblem.NO_TOTAL in line.problems and line.dice:
        fix = replace(f"Add = *{line.expected_total}*", end, end, f" = *{line.expected_total}*")
        if line.written.rstrip(" *").endswith("="):
            fix = replace(f"Write {rewritten(line)}", start, end, rewritten(line) or line.written)
        said = f"The line does not say what it adds up to: end it with = *{line.expected_total}*."
        report.add(codes.RESULT_SPELLING, start, end, said, fix)
    elif line.canonical is not None and line.canonical != line.written:
        said = f"The line is understood; it is always written {line.canonical}."
        report.add(
            codes.RESULT_SPELLING, start, end, said, replace(f"Write {line.canonical}", start, end, line.canonical)
        )


def _report_unreadable(report: Report, scene: Scene, turn: Turn, line: ResultLine) -> None:
    start, end = turn.start + line.start, turn.start + line.end
    exchange = scene.answering.get(id(turn))
    open_ones = scene.unanswered(exchange) if exchange and not report.is_full(codes.UNREADABLE_RESULT) else []
    answer = scene.answer_for(exchange, open_ones[0]) if exchange and len(open_ones) == 1 else ""
    fix = suggest(f"Write an answer to change to your own roll: {answer}", start, end, answer) if answer else None
    example = answer.splitlines()[0] if answer else "stealth: 9 + 7(skill) = *16*"
    said = f"This is no answer that can be read: {line.written[:60]!r}. Write it like {example}"
    report.add(codes.UNREADABLE_RESULT, start, end, said, fix)


def _report_unknown(report: Report, scene: Scene, turn: Turn, line: ResultLine) -> None:
    start, end = turn.start + line.start, turn.start + line.end
    exchange = scene.answering.get(id(turn))
    known = exchange and not report.is_full(codes.UNKNOWN_RESULT)
    open_ones = [one.tool for one in scene.unanswered(exchange) if one.tool] if exchange and known else []
    guess = open_ones[0].name if len(open_ones) == 1 else guess_tool(report, line.name)
    said = f"There is nothing called {line.name[:60]!r} to answer." + (f" Did you mean {guess}?" if guess else "")
    report.add(codes.UNKNOWN_RESULT, start, end, said, swap(report, start, end, line.name, guess))


def _report_sum(report: Report, scene: Scene, turn: Turn, line: ResultLine) -> None:
    start, end, right = turn.start + line.start, turn.start + line.end, line.expected_total
    total = _LAST_NUMBER.search(line.written)
    fix = None
    if total is not None:
        edit = replace if _keeps_verdict(scene, line) else suggest
        fix = edit(f"Change the total to {right}", start + total.start(), start + total.end(), str(right))
    said = f"{line.written.rpartition('=')[0].strip()} makes {right}, not {line.total}."
    report.add(codes.WRONG_SUM, start, end, said, fix)


def _keeps_verdict(scene: Scene, line: ResultLine) -> bool:
    """Whether another total can change nothing: there is no dc, or both totals and the story fall on one side of it."""
    exchange, pair = scene.pairs.get(id(line), (None, None))
    difficulty = pair.directive.arguments.get("dc", "") if pair else ""
    if exchange is None or not difficulty.isdecimal() or line.total is None:
        return True
    needed, word = int(difficulty), read_outcome(exchange.outcome.content) if exchange.outcome else None
    verdicts = {line.total >= needed, line.expected_total >= needed} | ({is_success(word)} if word else set())
    return len(verdicts) == 1


def check_answer(report: Report, scene: Scene, exchange: Exchange, pair: Answered) -> None:
    """Everything that request and answer must agree about."""
    tool = pair.directive.tool
    if tool is None or ResultProblem.UNREADABLE in pair.line.problems:
        return
    if not tool.rolls:
        _check_change(report, pair)
        return
    _check_mode(report, pair)
    _check_dice(report, scene, exchange, pair, tool)
    _check_modifier(report, scene, pair, tool, exchange.actor(pair))


def _place(pair: Answered) -> tuple[int, int]:
    return pair.turn.start + pair.line.start, pair.turn.start + pair.line.end


def _check_change(report: Report, pair: Answered) -> None:
    """`[hit points: -6]` is answered by a line that takes 6 away."""
    wanted = _amount(pair)
    if wanted is None or pair.line.tool is None or pair.line.tool.result != "change" or pair.line.bonus == wanted:
        return
    if pair.line.dice:
        right = rewritten(pair.line, modifiers=(Modifier(wanted, ""),))
        fix = suggest(f"Write {right}", *_place(pair), right) if right else None
        said = f"{pair.directive.written[:80]} changes it by {wanted:+d}, the answer by {pair.line.bonus:+d}."
        report.add(codes.OTHER_CHANGE, *_place(pair), said, fix)


def _amount(pair: Answered) -> int | None:
    given = pair.directive.arguments
    if "amount" in given:
        return int(given["amount"]) if given["amount"].lstrip("+-").isdecimal() else None
    if "level" in given:
        return 1 if given.get("change") == "restore" else -1
    if "item" in given:
        count = _ITEM_COUNT.fullmatch(given["item"])
        return int((count[1] or count[2]) if count else 1) * (1 if given.get("action") == "add" else -1)
    return None


def _check_mode(report: Report, pair: Answered) -> None:
    line = pair.line
    asked = next((mode for mode in ("advantage", "disadvantage") if mode in pair.directive.arguments), None)
    if asked != line.mode:
        said = (
            f"The request asks for {asked or 'a plain roll'}, the answer shows {line.mode or 'one die only'}. "
            "Make both the same."
        )
        fix = None
        if line.mode is not None:
            right = rewritten(line, mode=None, pair=None)
            fix = suggest(f"Write {right}", *_place(pair), right) if right and asked is None else None
        report.add(codes.MODE_DIFFERS, *_place(pair), said, fix)
    if ResultProblem.WRONG_PICK in line.problems and line.pair:
        kept = max(line.pair) if line.mode == "advantage" else min(line.pair)
        right = rewritten(line, dice=(kept,))
        said = f"{line.mode} of {line.pair[0]} and {line.pair[1]} keeps the {kept}."
        said = said[:1].upper() + said[1:]
        report.add(
            codes.WRONG_PICK, *_place(pair), said, suggest(f"Write {right}", *_place(pair), right) if right else None
        )


def _check_dice(report: Report, scene: Scene, exchange: Exchange, pair: Answered, tool: Tool) -> None:
    if tool.dice:
        shown = [*pair.line.dice, *(pair.line.pair or ())]
        wrong = [die for die in shown if not 1 <= die <= 20]
        if wrong:
            report.add(
                codes.IMPOSSIBLE_DIE,
                *_place(pair),
                f"A twenty-sided die shows 1 to 20, not {wrong[0]}. Write the number that was thrown.",
            )
        return
    expression = pair.directive.arguments.get("dice")
    if expression is None and (actor := scene.member(exchange.actor(pair))) is not None:
        expression = dice_for(actor, tool, pair.directive.arguments) if actor.attacks else None
    if expression is not None:
        _check_damage_dice(report, pair, expression, certain="dice" in pair.directive.arguments)


def _check_damage_dice(report: Report, pair: Answered, expression: str, *, certain: bool) -> None:
    """A critical hit doubles the dice."""
    terms = [(int(count or 1), int(sides)) for sign, count, sides in _DICE_TERM.findall(expression) if sign != "-"]
    count, sides = sum(count for count, _ in terms), max((sides for _, sides in terms), default=0)
    dice = pair.line.dice
    if not terms or not certain:
        return
    if any(not 1 <= die <= sides for die in dice if len(dice) >= count):
        said = f"{expression} has no die that shows {max(dice)}: each shows 1 to {sides}. Write what was thrown."
        report.add(codes.IMPOSSIBLE_DIE, *_place(pair), said)
    elif len(dice) not in (count, 2 * count) and not _flat_bonus(pair, count):
        said = (
            f"{expression} has {count} dice ({2 * count} on a critical hit), the answer shows {len(dice)}. "
            "Show each die."
        )
        report.add(codes.DICE_COUNT, *_place(pair), said)


def _flat_bonus(pair: Answered, count: int) -> bool:
    """`5 + 2` for 1d6+2: a bonus without its label reads like one more die."""
    return not pair.line.modifiers and len(pair.line.dice) == count + 1


def _check_modifier(report: Report, scene: Scene, pair: Answered, tool: Tool, actor: str | None) -> None:
    party = report.reading.party[:_PARTY]
    member = scene.member(actor)
    if not party or (actor and member is None) or ResultProblem.WRONG_SUM in pair.line.problems:
        return
    labelled = [one for one in pair.line.modifiers if one.label.casefold() in (tool.label, "")]
    used = sum(one.amount for one in labelled)
    allowed = {bonus for one in party for bonus in _bonuses(one, pair, tool)}
    if used not in allowed:
        known = ", ".join(f"{bonus:+d}" for bonus in sorted(_bonuses(member, pair, tool) if member else allowed))
        whose = f"{member.name} has" if member else "the party has"
        said = f"{used:+d} is on nobody's sheet for {tool.spoken}: {whose} {known}."
        report.add(codes.NOBODYS_MODIFIER, *_place(pair), said, _own_bonus_fix(pair, tool, member, labelled))
    elif member is not None and own_bonus(member, tool) and used not in _bonuses(member, pair, tool):
        own, _ = bonus_for(member, tool, pair.directive.arguments)
        said = f"{member.name}'s own bonus for {tool.spoken} is {own:+d}, not {used:+d}."
        report.add(codes.OTHERS_MODIFIER, *_place(pair), said, _own_bonus_fix(pair, tool, member, labelled))


def _own_bonus_fix(pair: Answered, tool: Tool, member: Character | None, labelled: list[Modifier]) -> Edit | None:
    """The line with the bonus of the one who rolls; it changes the total, so a person has to agree."""
    if member is None:
        return None
    own, _ = bonus_for(member, tool, pair.directive.arguments)
    others = tuple(one for one in pair.line.modifiers if one not in labelled)
    right = rewritten(pair.line, modifiers=(Modifier(own, tool.label), *others))
    return suggest(f"Write {right}", *_place(pair), right) if right else None


def _bonuses(one: Character, pair: Answered, tool: Tool) -> set[int]:
    """Every bonus that this character may add: without the line on the sheet, the ability's or none."""
    bonus, _ = bonus_for(one, tool, pair.directive.arguments)
    if tool.kind in ("attack", "damage"):
        return {bonus, *attack_modifiers(one, tool)}
    return {bonus}
