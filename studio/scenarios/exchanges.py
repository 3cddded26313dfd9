"""Which line answers which request: a DM turn, the TOOLCALL turns after it, and the DM turn that tells the outcome."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from studio.scenarios.directives import Directive
from studio.scenarios.results import ResultLine
from studio.scenarios.sheet import prefix_of

if TYPE_CHECKING:
    from studio.scenarios.reading import Turn

_LOOK_AHEAD = 32
OUTCOME = re.compile(
    r"(\*{0,3})\b(success|succeeded|succeeds|failed|failure|fail|fails)\b([!.:]?)(\*{0,3})", re.IGNORECASE
)


@dataclass(slots=True)
class Answered:
    """A request, the line that answers it, and the TOOLCALL turn that holds the line."""

    directive: Directive
    line: ResultLine
    turn: Turn


@dataclass(slots=True)
class Exchange:
    """What one DM turn asked for. `asked` is None for answers that nothing asked for.

    `speaker_name` is who spoke to the DM (`Sarah: I sneak ahead`), when the User turn says it.
    """

    asked: Turn | None
    speaker_name: str | None = None
    answers: list[Turn] = field(default_factory=list)
    pairs: list[Answered] = field(default_factory=list)
    unanswered: list[Directive] = field(default_factory=list)
    stray: list[tuple[Turn, ResultLine]] = field(default_factory=list)
    outcome: Turn | None = None
    is_last: bool = False
    _waiting: dict[str, deque[Directive]] = field(default_factory=dict)
    _everyone: Directive | None = None
    _actors: set[str | None] = field(default_factory=set)

    @classmethod
    def of(cls, turn: Turn, speaker_name: str | None) -> Exchange:
        """The exchange that a DM turn opens."""
        exchange = cls(turn, speaker_name)
        for one in turn.directives:
            if one.tool is not None:
                exchange._waiting.setdefault(one.tool.name, deque()).append(one)
        return exchange

    def answer(self, turn: Turn) -> None:
        """Take in a TOOLCALL turn: each line answers the first request of its name, or nothing."""
        self.answers.append(turn)
        for line in turn.results:
            directive = self._take(line) if line.tool is not None else None
            if directive is None:
                self.stray.append((turn, line))
            else:
                self.pairs.append(Answered(directive, line, turn))

    def close(self) -> None:
        """No more answers: what is still waiting stays unanswered."""
        left = (one for waiting in self._waiting.values() for one in waiting)
        self.unanswered = sorted(left, key=lambda one: one.start)

    def _take(self, line: ResultLine) -> Directive | None:
        waiting = self._waiting.get(line.tool_name or "")
        directive: Directive | None = None
        if waiting:
            directive = _for_actor(waiting, line.actor)
            if directive.tool_name == "initiative" and "who" not in directive.arguments:
                self._everyone = directive
        elif line.tool_name == "initiative" and line.actor not in self._actors:
            directive = self._everyone  # `[roll: initiative]` asks everyone: each further actor answers it too
        else:
            return None
        self._actors.add(line.actor)
        return directive

    def actor(self, pair: Answered) -> str | None:
        """Who rolls: the line says it, else the request's `who`, else whoever spoke; None when nobody is named."""
        return pair.line.actor or pair.directive.arguments.get("who") or self.speaker_name


def pair_exchanges(turns: Sequence[Turn], names: Sequence[str]) -> list[Exchange]:
    """The exchanges of a conversation, in order. DM turns without requests and without answers have none."""
    exchanges: list[Exchange] = []
    by_name = {name.casefold(): name for name in names}
    current, speaker_name = Exchange(None), None
    for turn in turns:
        if turn.speaker == "User":
            speaker_name = by_name.get(prefix_of(turn.content))
            _close(current, None, exchanges)
            current = Exchange(None, speaker_name)
        elif turn.speaker == "DM":
            _close(current, turn, exchanges)
            current = Exchange.of(turn, speaker_name)
        else:
            current.answer(turn)
    current.is_last = not current.answers
    _close(current, None, exchanges)
    return exchanges


def read_outcome(content: str) -> re.Match[str] | None:
    """The outcome word that a turn begins with, however it is written, or None."""
    match = OUTCOME.match(content)
    return match if match and (match[1] or match[2].isupper()) else None


def is_success(match: re.Match[str]) -> bool:
    """Whether an outcome word says success."""
    return match[2].lower().startswith("succe")


def _close(exchange: Exchange, outcome: Turn | None, exchanges: list[Exchange]) -> None:
    exchange.close()
    if exchange.answers or exchange.unanswered:
        exchange.outcome = outcome if exchange.answers else None
        exchanges.append(exchange)


def _for_actor(waiting: deque[Directive], actor: str | None) -> Directive:
    """Takes the first request, or among the next few the one whose `who` is the line's actor."""
    wanted = actor.casefold() if actor else ""
    few = [one.arguments.get("who", "").casefold() for one in islice(waiting, _LOOK_AHEAD)]
    position = few.index(wanted) if wanted and wanted in few else 0
    directive = waiting[position]
    del waiting[position]
    return directive
