"""Dice lines of bots and virtual tables -> result lines, when every number is there: `1d20 (12) + 5 = 17`.

Read: plain `1d20+5 = 17`; Avrae's `1d20 (12) + 5 = 17` and `2d20kh1 (~~3~~, 15) + 5 = 20`; Roll20's `rolling 1d20+5 =
(12)+5 = 17`, on one line or over three. The line, or the one above it, must say what was rolled. A sum of several dice
without the dice, a die that cannot show its number and a sum that does not add up are no results: they stay text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.scenarios import Mode, Tool, Vocabulary, format_directive, format_result

_LONGEST = 400
_BONUS = r"((?:\s*[+\-−–]\s*\d{1,3}(?![\dd])){0,4})"
_FACES = r"[(\[]\s*([\d~*_,+\s]{1,80})\s*[)\]]"
_ROLL = re.compile(
    rf"(?<![\w.])(\d{{0,2}})d(\d{{1,4}})(k[hl]1?)?\s*(?:{_FACES})?{_BONUS}"
    rf"\s*(?:[:=→]\s*)?(?:{_FACES}{_BONUS})?\s*=\s*[`*_]*(-?\d{{1,5}})[`*_]*(?!\d)",
    re.IGNORECASE,
)
_ANY_DICE = re.compile(r"(?<!\w)\d{0,2}d\d{1,4}(?!\w)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_TERM = re.compile(r"([+\-−–])\s*(\d+)")
_ACTOR = re.compile(r"[*_]{0,3}([^\W\d_][\w '’-]{0,40}?)[*_]{0,3}\s+(?:makes|make|attacks|rolls|rolled|casts)\b")
_HEADER = re.compile(r"[*_]{0,3}[^\W\d_][\w '’-]{0,40}?[*_]{0,3} (?:makes|rolls) an? [\w ]{2,40}[!.:]?[*_]{0,3}")
"""A bot's sentence that says no more than the result line does."""
_LONGEST_NAME = 4
"""Words."""


@dataclass(frozen=True, slots=True)
class DiceLine:
    """A complete roll: its request, its result line, and who had which bonus.

    `replaces_above`: the line above is a bot's sentence of which nothing is lost when it goes.
    """

    tool: Tool
    who: str | None
    bonus: int
    request: str
    result: str
    replaces_above: bool = False


def holds_dice(text: str) -> bool:
    """Whether a line speaks of dice, complete or not."""
    return len(text) <= _LONGEST and _ANY_DICE.search(text) is not None


def read_dice(text: str, above: str, actor: str | None, vocabulary: Vocabulary) -> DiceLine | None:
    """The roll of a line, None when a number or the name of the roll is missing.

    Args:
        text: the line.
        above: the line before it, which may say what is rolled and by whom.
        actor: who rolled, when neither line says it.
    """
    match = _ROLL.search(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    label, above = text[: match.start()], above[:_LONGEST]
    tool = _tool(label, vocabulary) or _tool(above, vocabulary)
    roll = _numbers(match)
    if tool is None or roll is None or (tool.dice == "1d20" and (roll.sides != 20 or len(roll.dice) != 1)):
        return None
    named = _ACTOR.match(label.strip()) or _ACTOR.match(above.strip())
    who = named[1].strip() if named else actor
    arguments = {"who": who} if who else {}
    if tool.kind == "damage":
        sign = f"{roll.bonus:+d}" if roll.bonus else ""
        arguments = {"dice": f"{len(roll.dice)}d{roll.sides}{sign}", **arguments}
    if roll.mode:
        arguments[roll.mode] = "true"
    bonus = roll.bonus if tool.dice or roll.bonus else None
    line = format_result(tool.name, roll.dice, bonus, tool.label, actor=who, mode=roll.mode, pair=roll.pair)
    says_it_all = _tool(above, vocabulary) is tool and _HEADER.fullmatch(above.strip()) is not None
    return DiceLine(tool, who, roll.bonus, format_directive(tool, arguments), line, says_it_all)


@dataclass(frozen=True, slots=True)
class _Numbers:
    sides: int
    dice: list[int]
    bonus: int
    mode: Mode | None = None
    pair: tuple[int, int] | None = None


def _numbers(match: re.Match[str]) -> _Numbers | None:
    count, sides, keep, faces, bonus, more_faces, more_bonus, total = match.groups()
    number, size = int(count or 1), int(sides)
    amount = _sum(bonus)
    if more_faces is not None and bonus and _sum(more_bonus) != amount:
        return None
    amount = amount if bonus or more_bonus is None else _sum(more_bonus)
    shown = faces or more_faces
    thrown = [int(one) for one in re.findall(r"\d+", shown)] if shown else []
    if not thrown and number == 1:
        thrown = [int(total) - amount]
    if len(thrown) != number or not thrown or any(not 1 <= die <= size for die in thrown):
        return None
    roll = _kept(keep.lower(), thrown, size, amount) if keep else _Numbers(size, thrown, amount)
    return roll if roll and sum(roll.dice) + roll.bonus == int(total) else None


def _kept(keep: str, thrown: list[int], size: int, amount: int) -> _Numbers | None:
    if len(thrown) != 2:
        return None
    high = keep.startswith("kh")
    mode: Mode = "advantage" if high else "disadvantage"
    return _Numbers(size, [max(thrown) if high else min(thrown)], amount, mode, (thrown[0], thrown[1]))


def _sum(terms: str | None) -> int:
    return sum(int(number) * (1 if sign == "+" else -1) for sign, number in _TERM.findall(terms or ""))


def _tool(label: str, vocabulary: Vocabulary) -> Tool | None:
    """The roll that the words of a label name: the longest run of words wins, then the last."""
    words = _WORD.findall(label)[-12:]
    for length in range(_LONGEST_NAME, 0, -1):
        for start in range(len(words) - length, -1, -1):
            tool = vocabulary.find(" ".join(words[start : start + length]))
            if tool is not None:
                return tool if tool.rolls else None
    return None
