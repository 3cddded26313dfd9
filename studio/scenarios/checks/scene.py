"""How the turns of a conversation hang together, looked up by the T checks: who answers whom, and what comes next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from studio.scenarios.directives import Directive, directives_in_code
from studio.scenarios.exchanges import Answered, Exchange, is_success, read_outcome
from studio.scenarios.models import Character
from studio.scenarios.reading import Reading, Turn
from studio.scenarios.results import Mode, ResultLine, format_result
from studio.scenarios.sheet import bonus_for, dice_for
from studio.scenarios.vocabulary import Tool

_DICE_TERM = re.compile(r"([+-]?)\s*(\d{0,3})d(\d{1,4})|([+-]?)\s*(\d{1,4})", re.IGNORECASE)
_TAKE_TEN, _SIDES, _MOST_DICE = 10, 20, 40


@dataclass(slots=True)
class Scene:
    """The exchanges of one reading, by turn and by line. Turns and lines are told apart by identity."""

    reading: Reading
    exchanges: dict[int, Exchange] = field(default_factory=dict)
    """id of a DM turn -> what it asked for."""
    pairs: dict[int, tuple[Exchange, Answered]] = field(default_factory=dict)
    """id of a result line -> the request that it answers."""
    answering: dict[int, Exchange] = field(default_factory=dict)
    """id of a TOOLCALL turn -> the exchange that it is part of."""
    following: dict[int, Turn] = field(default_factory=dict)
    """id of a turn -> the turn after it."""

    @classmethod
    def of(cls, reading: Reading) -> Scene:
        """The scene of a reading."""
        scene = cls(reading)
        for exchange in reading.exchanges:
            if exchange.asked is not None:
                scene.exchanges[id(exchange.asked)] = exchange
            scene.answering.update((id(turn), exchange) for turn in exchange.answers)
            scene.pairs.update((id(pair.line), (exchange, pair)) for pair in exchange.pairs)
        scene.following = {id(one): after for one, after in zip(reading.turns, reading.turns[1:], strict=False)}
        return scene

    def unanswered(self, exchange: Exchange) -> list[Directive]:
        """The rolls that nothing answers; the ones of the very last turn may stay open."""
        open_ones = [] if exchange.asked is None or exchange.is_last else exchange.unanswered
        return [one for one in open_ones if one.tool is not None and one.tool.needs_answer]

    def unheard(self, exchange: Exchange | None) -> int:
        """Requests of a turn that the engine does not see: unknown ones, and those inside code."""
        if exchange is None or exchange.asked is None:
            return 0
        asked = exchange.asked
        quoted = directives_in_code(asked.content, self.reading.vocabulary) if "`" in asked.content else []
        return sum(one.tool is None for one in asked.directives) + len(quoted)

    def stray_tool(self, turn: Turn) -> Tool | None:
        """What the dice after this DM turn answer without being asked; None when it is nothing or several things."""
        exchange = self.exchanges.get(id(turn))
        stray = exchange.stray if exchange is not None else []
        return stray[0][1].tool if len(stray) == 1 else None

    def verdict_told(self, exchange: Exchange) -> bool | None:
        """Whether the DM turn that follows tells a success; None when it tells neither."""
        told = exchange.outcome or (self.following.get(id(exchange.asked)) if exchange.asked is not None else None)
        word = read_outcome(told.content) if told is not None and told.speaker == "DM" else None
        return None if word is None else is_success(word)

    def member(self, name: str | None) -> Character | None:
        """The character of the party with this name, or None."""
        wanted = (name or "").strip().casefold()
        return next((one for one in self.reading.party if wanted and one.name.casefold() == wanted), None)

    def answer_for(self, exchange: Exchange, directive: Directive) -> str:
        """Lines that answer a request: a ten on the die, or what the outcome that is told needs; average damage."""
        return "\n".join(self._lines(exchange, directive))

    def _lines(self, exchange: Exchange, directive: Directive) -> Iterator[str]:
        tool, who = directive.tool, directive.arguments.get("who")
        if tool is None:
            return
        party = self.reading.party
        first = self.member(who or exchange.speaker_name) or (None if who or not party else party[0])
        again = sum(one.tool_name == tool.name for one in exchange.asked.directives) > 1 if exchange.asked else False
        yield self._line(exchange, directive, tool, first, who if again else None)
        if tool.kind == "initiative" and who is None:
            yield from (self._line(exchange, directive, tool, one, one.name) for one in party if one is not first)

    def _line(
        self, exchange: Exchange, directive: Directive, tool: Tool, who: Character | None, actor: str | None
    ) -> str:
        bonus, label = bonus_for(who, tool, directive.arguments)
        if not tool.dice:
            dice, extra = _average(dice_for(who, tool, directive.arguments))
            return format_result(tool.name, dice, extra or None, label, actor=actor)
        die = _die_for(directive, bonus, self.verdict_told(exchange) if tool.has_outcome else None)
        modes: tuple[Mode, ...] = ("advantage", "disadvantage")
        mode = next((one for one in modes if one in directive.arguments), None)
        other = max(1, die - 4) if mode == "advantage" else min(_SIDES, die + 4)
        return format_result(
            tool.name, [die], bonus, label, actor=actor, mode=mode, pair=(die, other) if mode else None
        )


def rewritten(line: ResultLine, **changes: object) -> str | None:
    """The canonical line with some parts replaced and the total made right; None when it cannot be written."""
    parts = {name: getattr(line, name) for name in ResultLine.__dataclass_fields__} | changes
    changed = ResultLine(**parts)
    return ResultLine(**{**parts, "total": changed.expected_total, "problems": ()}).canonical


def _die_for(directive: Directive, bonus: int, success: bool | None) -> int:
    difficulty = directive.arguments.get("dc", "")
    if success is None or not difficulty.isdecimal():
        return _TAKE_TEN
    needed = int(difficulty) - bonus
    die = max(_TAKE_TEN, needed) if success else min(_TAKE_TEN, needed - 1)
    return die if 1 <= die <= _SIDES else _TAKE_TEN


def _average(expression: str) -> tuple[list[int], int]:
    """Each die at its average, and the fixed number; a bare number is one die that shows it."""
    dice: list[int] = []
    extra = 0
    for _, count, sides, sign, number in _DICE_TERM.findall(expression):
        if sides:
            dice += [(int(sides) + 1) // 2] * min(int(count or 1), _MOST_DICE)
        else:
            extra += int(sign + number)
    return (dice, extra) if dice else ([extra], 0)
