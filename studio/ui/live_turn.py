"""A turn in the making, as bubbles: takes the playground's events one by one and gives HTML at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from studio.play import (
    ChatMessage,
    ChatSession,
    NoteEvent,
    PlayEvent,
    ReadingEvent,
    RecapProgressEvent,
    RollEvent,
    TokenEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)
from studio.scenarios import Vocabulary
from studio.ui.story import Speaker, turn_html
from studio.ui.wording import count

_SPEAKERS: dict[str, Speaker] = {"user": "User", "assistant": "DM", "tool": "TOOLCALL"}


@dataclass
class LiveTurn:
    """What has been said so far in one player turn.

    `player` is None where the DM goes on without a new line of hers; `pieces` may begin with what it has said before.
    """

    vocabulary: Vocabulary
    player: str | None
    player_name: str = ""
    pieces: list[tuple[Speaker, str]] = field(default_factory=list)
    statistics: TurnStatistics | None = None
    waits_for: str = ""

    def take(self, event: PlayEvent) -> bool:
        """Take one event; True when the picture changed in a way that should be shown at once."""
        if isinstance(event, TokenEvent):
            self.waits_for = ""
            self._add_text(event.text)
            return False
        if isinstance(event, ReadingEvent | RecapProgressEvent):
            self.waits_for = _waiting(event) or self.waits_for
            return True
        if isinstance(event, RollEvent):
            self._add_results(event.text)
        elif isinstance(event, TurnEndEvent):
            self.statistics = event.statistics
        return True

    def html(self, *, writing: bool) -> str:
        """The turn as bubbles."""
        bubbles = []
        if self.player is not None:
            bubbles.append(turn_html("User", self.player, self.vocabulary, name=self.player_name))
        waits = writing and (not self.pieces or self.pieces[-1][0] == "TOOLCALL")
        shown = [*self.pieces, ("DM", "")] if waits else self.pieces
        for number, (speaker, text) in enumerate(shown, start=1):
            last = writing and number == len(shown)
            bubbles.append(turn_html(speaker, text, self.vocabulary, writing=last and speaker == "DM"))
        if writing and self.waits_for:
            bubbles.append(f'<div class="waits">{escape(self.waits_for)}</div>')
        return f'<div class="story">{"".join(bubbles)}</div>'

    def _add_results(self, lines: str) -> None:
        """Results of several requests of one reply are one turn, as in the conversation."""
        if self.pieces and self.pieces[-1][0] == "TOOLCALL":
            lines = f"{self.pieces.pop()[1]}\n{lines}"
        self.pieces.append(("TOOLCALL", lines))

    def _add_text(self, text: str) -> None:
        if self.pieces and self.pieces[-1][0] == "DM":
            self.pieces[-1] = ("DM", self.pieces[-1][1] + text)
        else:
            self.pieces.append(("DM", text))


def session_html(session: ChatSession, vocabulary: Vocabulary, start: int = 0, end: int | None = None) -> str:
    """What was said in a session, the system text left out: all of it, or the messages from `start` to before `end`."""
    name = session.settings.speaking_as
    said = [one for one in session.messages[start:end] if one.role in _SPEAKERS]
    return f'<div class="story">{"".join(_bubble(one, vocabulary, name) for one in said)}</div>'


def said_text(messages: Sequence[ChatMessage], player: str = "") -> str:
    """Messages as plain text to take along, each with its speaker; the system text is left out."""
    names = {"user": player or "Player", "assistant": "Dungeon Master", "tool": "Dice"}
    return "\n\n".join(f"{names[one.role]}: {one.content}" for one in messages if one.role in names)


def _waiting(event: ReadingEvent | RecapProgressEvent) -> str:
    """What takes so long; empty when it is not known."""
    if isinstance(event, RecapProgressEvent):
        return "The oldest turns leave the model's window; it sums them up."
    if not event.total:
        return ""
    return f"The model reads the conversation: {event.done:,} of {count(event.total, 'token')}."


def turn_notes(events: Sequence[PlayEvent]) -> list[str]:
    """What a person should know about a turn, sentence by sentence."""
    notes = []
    for event in events:
        if isinstance(event, NoteEvent):
            notes.append(event.text)
        elif isinstance(event, WindowEvent):
            notes.append(window_sentence(event))
    return list(dict.fromkeys(notes))


def statistics_sentence(figures: TurnStatistics) -> str:
    """One line of figures: time to first token, speed, and how much of the prompt had to be read."""
    parts = [
        f"first word after {figures.ttft_seconds:.1f} s",
        f"{figures.tokens_per_second:.0f} tokens/s",
        f"{count(figures.n_generated, 'token')} written",
        f"{count(figures.n_evaluated, 'prompt token')} read, {figures.n_reused:,} reused",
        count(figures.rolls, "roll"),
    ]
    return " · ".join(parts)


def window_sentence(event: WindowEvent) -> str:
    """What the model no longer sees."""
    return (
        f"The conversation is longer than the model's window of {event.context_tokens:,} tokens: "
        f"it no longer sees the first {count(event.hidden, 'message')}."
    )


def _bubble(message: ChatMessage, vocabulary: Vocabulary, name: str) -> str:
    speaker = _SPEAKERS[message.role]
    name = name if speaker == "User" else "Dungeon Master (your words)" if message.original is not None else ""
    return turn_html(speaker, message.content, vocabulary, name=name)
