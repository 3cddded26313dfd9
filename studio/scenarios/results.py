"""Result lines, the answers in a TOOLCALL turn: `stealth: 15 (advantage: 7, 15) + 7(skill) = *22*`.

One line has a name and an optional actor, and then one of three shapes: a roll (dice, modifiers with a label each and
a starred total), a change (`hit points (Sarah): 17 - 6 = *11*`) or `*done*`. Which one, config/tools.yaml says.
Reading is tolerant and never raises; writing gives the canonical form. Nothing is rolled here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from studio.scenarios.vocabulary import Tool, Vocabulary

Mode = Literal["advantage", "disadvantage"]
_MODES: dict[str, Mode] = {
    "advantage": "advantage",
    "disadvantage": "disadvantage",
    "adv": "advantage",
    "dis": "disadvantage",
}
_LONGEST = 1_000
"""Characters of a line; longer ones are no results, and patterns would take long to say so."""
_HEAD = re.compile(
    r"\s*(?:[-*•][ \t]+)?\*{0,2}([^\W\d][\w '’\-]{0,60}?)\s*(?:\(([^()\n]{1,80})\))?\s*\*{0,2}[:：]\*{0,2}"
)
_TERM = re.compile(r"\s*([+\-−–]?)\s*(\d{1,6})(?:\s*\(([^()\n]{0,80})\))?")
_TOTAL = re.compile(r"\s*=\s*(\*{0,2})\s*([+\-−–]?\d{1,7})\s*(\*{0,2})\s*")
_PAIR = re.compile(r"\s*([^\W\d]+)\s*[:：]?\s*(\d{1,6})\s*(?:[,/&]|and)\s*(\d{1,6})\s*")
_DONE = re.compile(r"\s*\*{0,2}\s*(?:done|ok|okay|yes|noted)\s*[.!]?\s*\*{0,2}\s*", re.IGNORECASE)


class ResultProblem(StrEnum):
    """What can be wrong with a result line by itself."""

    UNREADABLE = "not a result line"
    UNKNOWN_TOOL = "unknown tool"
    NO_TOTAL = "the total is missing"
    WRONG_SUM = "the sum does not add up"
    WRONG_PICK = "the kept die is not the one that advantage or disadvantage keeps"
    NO_STARS = "the total is not written as *total*"


@dataclass(frozen=True, slots=True)
class Modifier:
    """A signed number and the word in brackets after it: `+ 5(skill)`."""

    amount: int
    label: str


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One answer. `start` and `end` are offsets into the text that was read."""

    written: str
    name: str = ""
    tool: Tool | None = None
    actor: str | None = None
    dice: tuple[int, ...] = ()
    mode: Mode | None = None
    pair: tuple[int, int] | None = None
    modifiers: tuple[Modifier, ...] = ()
    total: int | None = None
    problems: tuple[ResultProblem, ...] = ()
    start: int = 0
    end: int = 0

    @property
    def tool_name(self) -> str | None:
        """Canonical name, or None when the vocabulary does not have it."""
        return self.tool.name if self.tool else None

    @property
    def bonus(self) -> int:
        """All modifiers together."""
        return sum(one.amount for one in self.modifiers)

    @property
    def expected_total(self) -> int:
        """What the dice and modifiers add up to."""
        return sum(self.dice) + self.bonus

    @property
    def canonical(self) -> str | None:
        """The line as it should be written; None when the tool is unknown or the parts are not all there."""
        if self.tool is None or ResultProblem.UNREADABLE in self.problems:
            return None
        name = f"{self.tool.name if self.tool.rolls else self.tool.spoken}{f' ({self.actor})' if self.actor else ''}"
        if self.tool.result == "done":
            return f"{name}: *done*"
        if not self.dice or self.total is None:
            return None
        terms = " + ".join(str(die) for die in self.dice)
        if self.mode and self.pair:
            terms += f" ({self.mode}: {self.pair[0]}, {self.pair[1]})"
        for one in self.modifiers or ((Modifier(0, ""),) if self.tool.dice else ()):
            label = one.label or self.tool.label
            terms += f" {'-' if one.amount < 0 else '+'} {abs(one.amount)}{f'({label})' if label else ''}"
        return f"{name}: {terms} = *{self.total}*"

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong with the line by itself."""
        return not self.problems


def parse_result_line(text: str, vocabulary: Vocabulary) -> ResultLine:
    """Read one line. Never raises: `problems` says what is wrong, `UNREADABLE` when it is no result line at all."""
    head = _HEAD.match(text) if len(text) < _LONGEST else None
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if head is None:
        return ResultLine(text, problems=(ResultProblem.UNREADABLE,), start=start, end=end)
    name, actor = head[1].strip(), head[2]
    tool = vocabulary.find(name)
    if tool is not None and tool.result == "done":
        problems = () if _DONE.fullmatch(text, head.end()) else (ResultProblem.UNREADABLE,)
        return ResultLine(text, name, tool, actor.strip() if actor else None, problems=problems, start=start, end=end)
    body = _Body(text, head.end())
    if not body.readable:
        unreadable = (ResultProblem.UNREADABLE,)
        return ResultLine(text, name, tool, actor, problems=unreadable, start=start, end=end)
    if tool is None:
        body.problems.insert(0, ResultProblem.UNKNOWN_TOOL)
    elif (tool.dice or tool.result == "change") and len(body.dice) > 1:
        body.take_for_modifiers()
    return ResultLine(
        text,
        name,
        tool,
        actor.strip() if actor else None,
        tuple(body.dice),
        body.mode,
        body.pair,
        tuple(body.modifiers),
        body.total,
        tuple(body.problems),
        start,
        end,
    )


def parse_result_lines(text: str, vocabulary: Vocabulary) -> list[ResultLine]:
    """Every line of a TOOLCALL turn that is not blank; offsets are into `text`."""
    lines, offset = [], 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            lines.append(_shift(parse_result_line(line, vocabulary), offset))
        offset += len(line)
    return lines


def format_result(
    name: str,
    dice: Sequence[int],
    bonus: int | None,
    label: str,
    *,
    actor: str | None = None,
    mode: Mode | None = None,
    pair: tuple[int, int] | None = None,
) -> str:
    """The canonical line.

    Args:
        name: canonical tool name.
        dice: the dice that count, in order; with advantage or disadvantage the kept one.
        bonus: the modifier, None for a roll that has none (`damage: 5 + 2 = *7*`).
        label: the word in brackets after the bonus.
        actor: who rolled, when it should be said.
        mode: `advantage` or `disadvantage`, together with `pair`, both dice as thrown.
    """
    terms = " + ".join(str(die) for die in dice)
    if mode is not None and pair is not None:
        terms += f" ({mode}: {pair[0]}, {pair[1]})"
    if bonus is not None:
        terms += f" {'-' if bonus < 0 else '+'} {abs(bonus)}({label})"
    total = sum(dice) + (bonus or 0)
    return f"{name}{f' ({actor})' if actor else ''}: {terms} = *{total}*"


def _shift(line: ResultLine, offset: int) -> ResultLine:
    return ResultLine(
        line.written.strip(),
        line.name,
        line.tool,
        line.actor,
        line.dice,
        line.mode,
        line.pair,
        line.modifiers,
        line.total,
        line.problems,
        line.start + offset,
        line.end + offset,
    )


class _Body:
    """The part after the colon: dice, modifiers, total."""

    def __init__(self, text: str, position: int) -> None:
        self.dice: list[int] = []
        self.modifiers: list[Modifier] = []
        self.mode: Mode | None = None
        self.pair: tuple[int, int] | None = None
        self.total: int | None = None
        self.problems: list[ResultProblem] = []
        position = self._terms(text, position)
        self.readable = self._total(text, position) and bool(self.dice)
        if self.readable:
            self._judge()

    def take_for_modifiers(self) -> None:
        """A roll of one die: further plain numbers (`12 + 5`) are modifiers without their label."""
        self.modifiers = [Modifier(amount, "") for amount in self.dice[1:]] + self.modifiers
        del self.dice[1:]

    def _terms(self, text: str, position: int) -> int:
        while (term := _TERM.match(text, position)) is not None:
            amount = int(term[2]) * (-1 if term[1] in ("-", "−", "–") else 1)
            pair = _PAIR.fullmatch(term[3]) if term[3] else None
            if pair and pair[1].lower() in _MODES:
                self.mode, self.pair = _MODES[pair[1].lower()], (int(pair[2]), int(pair[3]))
                self.dice.append(amount)
            elif term[3] is None and term[1] in ("", "+") and not self.modifiers:
                self.dice.append(amount)
            else:
                self.modifiers.append(Modifier(amount, (term[3] or "").strip()))
            position = term.end()
        return position

    def _total(self, text: str, position: int) -> bool:
        match = _TOTAL.match(text, position)
        if match is None:
            self.problems.append(ResultProblem.NO_TOTAL)
            return not text[position:].strip(" \t\r\n=*")
        self.total = int(match[2].replace("−", "-").replace("–", "-"))
        if (match[1], match[3]) != ("*", "*"):
            self.problems.append(ResultProblem.NO_STARS)
        return not text[match.end() :].strip()

    def _judge(self) -> None:
        if self.total is not None and self.total != sum(self.dice) + sum(one.amount for one in self.modifiers):
            self.problems.append(ResultProblem.WRONG_SUM)
        if self.pair is not None and self.dice:
            kept = max(self.pair) if self.mode == "advantage" else min(self.pair)
            if kept not in self.dice:
                self.problems.append(ResultProblem.WRONG_PICK)
