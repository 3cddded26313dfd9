"""Cutting a conversation that is too long into windows, each with the system block in front.

A cut is only ever made before a player's turn, so a request, its result and the narration of it stay together. What
came before a window can be told at the end of its system block (`Recap`); nothing is ever put between the turns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

from studio.bases import ConversationRenderer, RenderedConversation
from studio.scenarios import Message
from studio.scenarios.recap import with_recap

Recap = Callable[[int], str]
"""What came before the turn of that index, as text; empty for nothing to tell."""


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


def cut_conversation(
    messages: Sequence[Message], renderer: ConversationRenderer, limit: int, *, recap: Recap | None = None
) -> Cut:
    """Windows of at most `limit` tokens that together hold every exchange that fits, each as long as can be.

    Renders about twice per window, however many exchanges there are.

    Raises:
        DatasetError: the conversation cannot be rendered.
    """
    scene = _Scene(messages, renderer, limit, recap)
    if len(scene.whole.ids) <= limit:
        return Cut(windows=[Window(range(len(scene.turns)), scene.whole)])
    cut, first = Cut(), 0
    while first < len(scene.exchanges):
        last, rendered = scene.longest_from(first)
        span = range(scene.exchanges[first].start, scene.exchanges[last - 1].stop)
        if len(rendered.ids) <= limit:
            cut.windows.append(Window(span, rendered))
        else:
            cut.too_long.append((span, len(rendered.ids)))
        first = last
    return cut


def pair_windows(
    messages: Sequence[Message], renderer: ConversationRenderer, limit: int, *, recap: Recap | None = None
) -> Cut:
    """One window for every DM turn: as many whole exchanges before it as fit, and loss on that turn alone.

    Raises:
        DatasetError: the conversation cannot be rendered.
    """
    scene, cut = _Scene(messages, renderer, limit, recap), Cut()
    for number, exchange in enumerate(scene.exchanges):
        for turn in (turn for turn in exchange if scene.turns[turn].role == "assistant"):
            first, rendered = scene.longest_until(turn + 1, number)
            if len(rendered.ids) <= limit:
                cut.windows.append(Window(range(scene.exchanges[first].start, turn + 1), _only_last(rendered)))
            else:
                cut.too_long.append((range(turn, turn + 1), len(rendered.ids)))
    return cut


def exchanges_of(turns: Sequence[Message]) -> list[range]:
    """Runs of turns that belong together; each but the first begins with a player's turn."""
    starts = [i for i, turn in enumerate(turns) if i == 0 or (turn.role == "user" and turns[i - 1].role != "user")]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(turns)], strict=True)]


class _Scene:
    """A conversation rendered once, from whose spans the length of any part of it can be guessed."""

    def __init__(
        self, messages: Sequence[Message], renderer: ConversationRenderer, limit: int, recap: Recap | None
    ) -> None:
        self.head = list(messages[:1]) if messages and messages[0].role == "system" else []
        self.turns = list(messages[len(self.head) :])
        self.exchanges = exchanges_of(self.turns)
        self.whole = renderer.render(messages)
        self._renderer, self._limit, self._recap = renderer, limit, recap

    @cached_property
    def _tokens(self) -> list[int]:
        return _tokens_of_messages(self.whole, [*self.head, *self.turns])

    @cached_property
    def _before(self) -> list[int]:
        """Tokens of all turns before each turn, and of all turns."""
        return [0, *accumulate(self._tokens[len(self.head) :])]

    @cached_property
    def _ends(self) -> list[int]:
        """Tokens of all turns up to the end of each exchange."""
        return [self._before[one.stop] for one in self.exchanges]

    @property
    def _head_tokens(self) -> int:
        return sum(self._tokens[: len(self.head)])

    def longest_from(self, first: int) -> tuple[int, RenderedConversation]:
        """The end of the longest run of exchanges from `first` that fits, at least one, and how it is rendered."""

        def render(last: int) -> RenderedConversation:
            return self._render(first, self.exchanges[last - 1].stop)

        start = self.exchanges[first].start
        room = self._limit - self._head_tokens - self._recap_tokens(start)
        last = max(bisect_right(self._ends, self._before[start] + room), first + 1)
        best = render(last)
        while len(best.ids) > self._limit and last > first + 1:
            last -= 1
            best = render(last)
        while last < len(self.exchanges) and len(best.ids) <= self._limit:
            longer = render(last + 1)
            if len(longer.ids) > self._limit:
                break
            last, best = last + 1, longer
        return last, best

    def longest_until(self, end: int, number: int) -> tuple[int, RenderedConversation]:
        """The first exchange of the longest run up to turn `end` that fits, `number` at the latest; and the run."""
        first = next((one for one in range(number) if self._guess(one, end) <= self._limit), number)
        best = self._render(first, end)
        while len(best.ids) > self._limit and first < number:
            first += 1
            best = self._render(first, end)
        while first > 0 and len(best.ids) <= self._limit:
            longer = self._render(first - 1, end)
            if len(longer.ids) > self._limit:
                break
            first, best = first - 1, longer
        return first, best

    def _guess(self, first: int, end: int) -> int:
        start = self.exchanges[first].start
        return self._head_tokens + self._recap_tokens(start) + self._before[end] - self._before[start]

    def _render(self, first: int, end: int) -> RenderedConversation:
        """A recap that leaves no room for a single exchange is left out."""
        start = self.exchanges[first].start
        turns, told = self.turns[start:end], self._told(start)
        if told:
            before = with_recap(self.head[0].content if self.head else "", told)
            rendered = self._renderer.render([Message("system", before), *turns])
            if len(rendered.ids) <= self._limit or end > self.exchanges[first].stop:
                return rendered
        return self._renderer.render(self.head + turns)

    def _told(self, start: int) -> str:
        return self._recap(start) if self._recap and start else ""

    def _recap_tokens(self, start: int) -> int:
        told = self._told(start)
        return len(self._renderer.tokenizer.encode(told, add_special_tokens=False).ids) + 1 if told else 0


def _tokens_of_messages(rendered: RenderedConversation, messages: Sequence[Message]) -> list[int]:
    """Tokens of every message; where a template joins two in one turn, shared out by their length."""
    tokens = [0] * len(messages)
    for span in rendered.spans:
        letters = sum(len(messages[one].content) for one in span.messages) or 1
        for one in span.messages:
            tokens[one] = round(len(span.tokens) * len(messages[one].content) / letters)
        if len(span.messages) == 1:
            tokens[span.messages.start] = len(span.tokens)
    return tokens


def _only_last(rendered: RenderedConversation) -> RenderedConversation:
    trained = rendered.spans[-1].trained
    return replace(rendered, mask=[index in trained for index in range(len(rendered.ids))])
