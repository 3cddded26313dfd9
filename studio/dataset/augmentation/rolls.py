"""One answered roll of a scenario and the story that depends on it: which other totals would tell the same story."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from studio.dataset.augmentation.text import Edit
from studio.scenarios import Character, Mode, ResultLine, Tool, is_success, read_outcome
from studio.scenarios.exchanges import Answered, Exchange
from studio.scenarios.reading import Reading

_DEATH_SAVE_DC = 10
_NATURAL = ("attack", "death_save")
"""Rolls for which a natural 1 and a natural 20 mean something of their own."""
_DICE = re.compile(r"(\d{1,2})?d(\d{1,3})([+-]\d{1,3})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SeededThrow:
    """Dice as they fell; see `studio.scenarios.library.Dice`."""

    dice: tuple[int, ...]
    bonus: int | None = None
    mode: Mode | None = None
    pair: tuple[int, int] | None = None


class SeededDice:
    """Dice that fall the same way for the same seed: `NdM+K`, and one die with advantage or disadvantage."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def throw(self, expression: str, mode: Mode | None = None) -> SeededThrow:
        """Throw one kind of dice.

        Raises:
            ValueError: it is no expression such as `2d6+3`, or a mode is given for several dice.
        """
        match = _DICE.fullmatch(expression.replace(" ", ""))
        count, sides = (int(match[1] or 1), int(match[2])) if match else (0, 0)
        if match is None or not count or not sides or (mode and count > 1):
            raise ValueError(f"{expression!r} cannot be thrown")
        bonus = int(match[3]) if match[3] else None
        dice = tuple(self._chance.randint(1, sides) for _ in range(count))
        if mode is None:
            return SeededThrow(dice, bonus)
        pair = (dice[0], self._chance.randint(1, sides))
        return SeededThrow((max(pair) if mode == "advantage" else min(pair),), bonus, mode, pair)


@dataclass(frozen=True, slots=True)
class Roll:
    """A d20 or damage roll, what asked for it, and how the story judges it."""

    exchange: Exchange
    pair: Answered
    tool: Tool
    total: int
    told: bool | None
    """What the DM turn after it says: success, failure, or neither."""
    needed: int | None
    """The dc, where one is given or the rules say it."""
    alone: bool
    """Whether the outcome word is about this roll only."""

    @property
    def line(self) -> ResultLine:
        """The answer."""
        return self.pair.line

    @property
    def start(self) -> int:
        """Where the line begins in the file."""
        return self.pair.turn.start + self.line.start

    @property
    def is_natural(self) -> bool:
        """Whether the die itself decides, whatever the total is."""
        return self._counts_naturals and any(die in (1, 20) for die in self.line.dice)

    @property
    def agrees(self) -> bool:
        """Whether dc, total and outcome word say the same."""
        return self.needed is None or self.told is None or not self.alone or (self.total >= self.needed) == self.told

    def keeps(self, total: int) -> bool:
        """Whether another total surely tells the same story.

        With a dc: the same side of it. Without one the DM decided, so a success may only be higher, a failure lower.
        """
        if total == self.total:
            return True
        if not self.tool.has_outcome or not self.agrees or self.is_natural:
            return False
        if self.needed is not None:
            return (total >= self.needed) == (self.total >= self.needed)
        if self.told is None or not self.alone:
            return False
        return total >= self.total if self.told else total <= self.total

    def allows(self, die: int) -> bool:
        """Whether a die may be shown: of an attack no natural 1 or 20, for which the story would be another."""
        return not (self._counts_naturals and die in (1, 20))

    def rewrite(self, **parts: Any) -> Edit | None:
        """The edit that writes the line with other dice or modifiers and the sum that they make."""
        changed = rewritten(self.line, **parts)
        end = self.pair.turn.start + self.line.end
        return Edit(self.start, end, changed) if changed else None

    @property
    def _counts_naturals(self) -> bool:
        return self.tool.kind in _NATURAL or self.tool.name in _NATURAL


def rolls_of(reading: Reading) -> Iterator[Roll]:
    """Every roll that is asked for, answered and right by itself, in order."""
    for exchange in reading.exchanges:
        yield from rolls_in(exchange)


def rolls_in(exchange: Exchange) -> list[Roll]:
    """The rolls of one exchange."""
    word = read_outcome(exchange.outcome.content) if exchange.outcome else None
    told = None if word is None else is_success(word)
    judged = sum(pair.directive.tool is not None and pair.directive.tool.has_outcome for pair in exchange.pairs)
    found = []
    for pair in exchange.pairs:
        tool, line = pair.directive.tool, pair.line
        if tool is not None and tool.rolls and line.valid and line.total is not None and line.dice:
            needed = _needed(tool, pair.directive.arguments)
            found.append(Roll(exchange, pair, tool, line.total, told, needed, judged == 1))
    return found


def rewritten(line: ResultLine, **parts: Any) -> str | None:
    """The canonical line with some parts replaced and the sum made right; None when it cannot be written."""
    changed = replace(line, problems=(), **parts)
    return replace(changed, total=changed.expected_total).canonical


def acting(reading: Reading, roll: Roll) -> Character | None:
    """Whose roll it is, when the text says so."""
    name = (roll.exchange.actor(roll.pair) or "").casefold()
    return next((one for one in reading.party if name and one.name.casefold() == name), None)


def dice_terms(expression: str) -> list[int] | None:
    """The sides of every die of an expression: `2d6+1d4` -> 6, 6, 4; None for no dice, or dice that are taken away."""
    if re.search(r"-\s*\d*d\d", expression, re.IGNORECASE):
        return None
    found = re.findall(r"(\d{0,2})d(\d{1,3})", expression, re.IGNORECASE)
    sides = [int(size) for count, size in found for _ in range(int(count or 1))]
    return sides if sides and all(sides) else None


def _needed(tool: Tool, arguments: dict[str, str]) -> int | None:
    given = arguments.get("dc", "")
    if given.isdecimal():
        return int(given)
    return _DEATH_SAVE_DC if tool.name == "death_save" else None
