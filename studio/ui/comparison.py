"""Models side by side as HTML: a line of the player's above what each of them made of it. No text in it is markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from studio.play import ChatSession, PlayEvent, RollEvent, TokenEvent, TurnEndEvent, TurnStatistics
from studio.play.comparison import ComparedTurn, SeatBegins, SeatFailed, difference, turn_of
from studio.play.turns.events import RecapProgressEvent, WindowEvent
from studio.scenarios import Vocabulary
from studio.ui.story import Speaker, turn_html
from studio.ui.wording import count

_SPEAKERS: dict[str, Speaker] = {"user": "User", "assistant": "DM", "tool": "TOOLCALL"}
_NOT_MINE = (WindowEvent, RecapProgressEvent)


@dataclass
class LiveColumn:
    """One model while a line is answered."""

    state: str = "waits"
    pieces: list[tuple[Speaker, str]] = field(default_factory=list)
    writing: bool = False

    def take(self, event: PlayEvent | SeatBegins | SeatFailed) -> bool:
        """Take one event; True when the picture changed in a way that should be shown at once."""
        if isinstance(event, TokenEvent):
            self._add(event.text)
            return False
        if isinstance(event, SeatBegins):
            self.state, self.writing, self.pieces = "reads", True, []
        elif isinstance(event, SeatFailed):
            self.state, self.writing = f"could not answer: {event.error.what}", False
        elif isinstance(event, RollEvent):
            self.pieces.append(("TOOLCALL", event.text))
        elif isinstance(event, TurnEndEvent):
            self.state, self.writing = "has answered", False
        return not isinstance(event, _NOT_MINE)

    def _add(self, text: str) -> None:
        self.state = "is writing"
        if self.pieces and self.pieces[-1][0] == "DM":
            self.pieces[-1] = ("DM", self.pieces[-1][1] + text)
        else:
            self.pieces.append(("DM", text))


def told_turns(sessions: Sequence[ChatSession]) -> list[list[ComparedTurn | None]]:
    """What each made of each line, None where it has not answered (yet)."""
    played = [[turn_of(one, number) for number in range(len(one.turns))] for one in sessions]
    longest = max(map(len, played), default=0)
    return [[one[number] if number < len(one) else None for one in played] for number in range(longest)]


def compared_html(turns: Sequence[ComparedTurn | None], names: Sequence[str], vocabulary: Vocabulary) -> str:
    """One line of the player's with all answers, the differences marked."""
    line = next((one.player for one in turns if one), "")
    cells = [_cell(name, _said(one, vocabulary), _figures(one)) for name, one in zip(names, turns, strict=True)]
    told = difference(turns, names)
    mark = f'<div class="differs">{_icon("difference")}{escape(told)}</div>' if told else ""
    return f'<div class="compared">{_player(line, vocabulary)}<div class="cells">{"".join(cells)}</div>{mark}</div>'


def live_html(line: str, columns: Sequence[LiveColumn], names: Sequence[str], vocabulary: Vocabulary) -> str:
    """The line that is being answered."""
    cells = [
        _cell(f"{name} {one.state}", _pieces(one.pieces, vocabulary, writing=one.writing), "")
        for name, one in zip(names, columns, strict=True)
    ]
    return f'<div class="compared">{_player(line, vocabulary)}<div class="cells">{"".join(cells)}</div></div>'


def totals(session: ChatSession) -> list[tuple[str, str]]:
    """The figures of a column over all of its turns."""
    turns = [turn_of(session, number).statistics for number in range(len(session.turns))]
    if not turns:
        return []
    speeds = [one.tokens_per_second for one in turns if one.tokens_per_second]
    return [
        ("first word", f"{sum(one.ttft_seconds for one in turns) / len(turns):.1f} s"),
        ("speed", f"{sum(speeds) / len(speeds):.0f} tokens/s" if speeds else ""),
        ("rolls", str(sum(one.rolls for one in turns))),
        ("misspelt requests", str(sum(one.malformed for one in turns))),
    ]


def _player(line: str, vocabulary: Vocabulary) -> str:
    return f'<div class="story">{turn_html("User", line, vocabulary)}</div>' if line else ""


def _cell(name: str, body: str, figures: str) -> str:
    foot = f'<div class="figures">{escape(figures)}</div>' if figures else ""
    return f'<div class="cell"><div class="model">{escape(name)}</div><div class="story">{body}</div>{foot}</div>'


def _said(turn: ComparedTurn | None, vocabulary: Vocabulary) -> str:
    if turn is None:
        return '<p class="silent">No answer yet.</p>'
    return _pieces([(_SPEAKERS[one.role], one.content) for one in turn.said], vocabulary) or '<p class="silent">…</p>'


def _pieces(pieces: Sequence[tuple[Speaker, str]], vocabulary: Vocabulary, *, writing: bool = False) -> str:
    waits = writing and (not pieces or pieces[-1][0] == "TOOLCALL")
    shown: list[tuple[Speaker, str]] = [*pieces, ("DM", "")] if waits else list(pieces)
    return "".join(
        turn_html(speaker, text, vocabulary, writing=writing and number == len(shown) and speaker == "DM")
        for number, (speaker, text) in enumerate(shown, start=1)
    )


def _figures(turn: ComparedTurn | None) -> str:
    if turn is None:
        return ""
    figures: TurnStatistics = turn.statistics
    parts = [
        f"first word after {figures.ttft_seconds:.1f} s",
        f"{figures.tokens_per_second:.0f} tokens/s",
        count(figures.rolls, "roll"),
    ]
    if figures.malformed:
        parts.append(count(figures.malformed, "misspelt request"))
    return " · ".join(parts)


def _icon(name: str) -> str:
    return f'<span class="icon" aria-hidden="true">{name}</span>'
