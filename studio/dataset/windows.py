"""Cutting a conversation that is too long into windows, each with the system block in front.

A cut is only ever made before a player's turn, so a request, its result and the narration of it stay together. A window
knows nothing of what was said before it: a recap is not written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.bases import ConversationRenderer, RenderedConversation
from studio.scenarios import Message


@dataclass(frozen=True, slots=True)
class Window:
    """Turns of a conversation (from 0, end exclusive, system block not counted) and how they are rendered."""

    turns: range
    rendered: RenderedConversation


@dataclass(slots=True)
class Cut:
    """What became of a conversation: windows to train on, and turns that fit in none, with their length in tokens."""

    windows: list[Window] = field(default_factory=list)
    too_long: list[tuple[range, int]] = field(default_factory=list)


def cut_conversation(messages: Sequence[Message], renderer: ConversationRenderer, limit: int) -> Cut:
    """Windows of at most `limit` tokens that together hold every exchange that fits.

    Raises:
        DatasetError: the conversation cannot be rendered.
    """
    head = list(messages[:1]) if messages and messages[0].role == "system" else []
    turns = list(messages[len(head) :])
    whole = renderer.render(messages)
    if len(whole.ids) <= limit:
        return Cut(windows=[Window(range(len(turns)), whole)])
    exchanges = exchanges_of(turns)
    cut, first = Cut(), 0
    while first < len(exchanges):
        last, rendered = _longest(head, turns, exchanges, first, renderer, limit)
        span = range(exchanges[first].start, exchanges[last - 1].stop)
        if len(rendered.ids) <= limit:
            cut.windows.append(Window(span, rendered))
        else:
            cut.too_long.append((span, len(rendered.ids)))
        first = last
    return cut


def exchanges_of(turns: Sequence[Message]) -> list[range]:
    """Runs of turns that belong together; each but the first begins with a player's turn."""
    starts = [i for i, turn in enumerate(turns) if i == 0 or (turn.role == "user" and turns[i - 1].role != "user")]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(turns)], strict=True)]


def _longest(
    head: list[Message],
    turns: list[Message],
    exchanges: list[range],
    first: int,
    renderer: ConversationRenderer,
    limit: int,
) -> tuple[int, RenderedConversation]:
    """The end of the longest run of exchanges from `first` that fits, at least one, and how it is rendered."""

    def render(last: int) -> RenderedConversation:
        return renderer.render(head + turns[exchanges[first].start : exchanges[last - 1].stop])

    last = first + 1
    best = render(last)
    while last < len(exchanges) and len(best.ids) <= limit:
        longer = render(last + 1)
        if len(longer.ids) > limit:
            break
        last, best = last + 1, longer
    return last, best
