"""Paraphrase slots `{a|b|c}`: words that an author leaves open, one of which is read.

A slot stands in a turn, within one paragraph and outside code; it may hold other slots, and an option may be empty:
`{very |}dark`. Braces without a bar are ordinary text. Beside or around square brackets, where a request could be, the
first option is always the one that is read. Finding is linear in the text, and a text without `{` costs nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from studio.scenarios.markdown import code_ranges

_MARKS = re.compile(r"[{}|\[\]]|(?:\r\n|\n|\r)[ \t]*+(?:\r\n|\n|\r)")
_ROUNDS = 4
"""Words that were chosen may close a code span that hid another slot; more often than this nobody means it."""


@dataclass(slots=True)
class Slot:
    """One slot; offsets into the text that was searched, braces included.

    Attributes:
        bars: where the bars between its options stand.
        inside: the slots in its options, in order.
        is_fixed: whether square brackets stand in it or around it, so that it leaves no choice.
        is_open: whether the closing brace is missing; such a one is ordinary text.
    """

    start: int
    end: int = 0
    bars: list[int] = field(default_factory=list)
    inside: list[Slot] = field(default_factory=list)
    is_fixed: bool = False
    is_open: bool = False

    @property
    def options(self) -> list[tuple[int, int]]:
        """Where each option stands."""
        starts = [self.start + 1, *(bar + 1 for bar in self.bars)]
        return list(zip(starts, [*self.bars, self.end - 1], strict=True))


@dataclass(frozen=True, slots=True)
class Braces:
    """The braces of a text: its outermost slots, pairs without a bar, and slots that are never closed."""

    slots: tuple[Slot, ...] = ()
    plain: tuple[Slot, ...] = ()
    open: tuple[Slot, ...] = ()


class Choice:
    """Takes one option of each slot: by chance with a seed, else the first. One `Choice` goes through a whole scenario.

    The same seed and text give the same words on every machine.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._chance = None if seed is None else random.Random(f"{seed}/slots")  # noqa: S311 - variety, not secrets

    def words(self, text: str) -> str:
        """The text of one turn without slots."""
        for _ in range(_ROUNDS):
            slots = find_braces(text).slots
            if not slots:
                break
            text = "".join(self._pieces(text, slots))
        return text

    def option(self, slot: Slot) -> int:
        """Which option of a slot is taken, from 0."""
        return 0 if self._chance is None or slot.is_fixed else self._chance.randrange(len(slot.bars) + 1)

    def _pieces(self, text: str, slots: tuple[Slot, ...]) -> Iterator[str]:
        todo = [(0, len(text), iter(slots))]  # a stack, not recursion: hostile text nests deeper than Python does
        while todo:
            position, end, rest = todo.pop()
            slot = next(rest, None)
            yield text[position : slot.start if slot else end]
            if slot is not None:
                start, stop = slot.options[self.option(slot)]
                todo.append((slot.end, end, rest))
                todo.append((start, stop, iter([one for one in slot.inside if start <= one.start < stop])))


def has(text: str) -> bool:
    """Whether a turn's text holds a slot."""
    return "{" in text and bool(find_braces(text).slots)


def expand(text: str, seed: int | None = None) -> str:
    """A turn's text with one option in the place of every slot: by chance with a seed, else the first."""
    return Choice(seed).words(text) if "{" in text else text


def seed_of(text: str) -> int:
    """The seed with which training reads a scenario, made from its text: the same choice on every machine."""
    return int.from_bytes(sha256(text.encode("utf-8", errors="surrogatepass")).digest()[:8], "big")


def find_braces(text: str) -> Braces:
    """The braces of a text outside code."""
    return _Search(text).run() if "{" in text else Braces()


class _Search:
    """One pass over the marks of a text, with the braces that are open on a stack."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._slots: list[Slot] = []
        self._plain: list[Slot] = []
        self._left_open: list[Slot] = []
        self._stack: list[Slot] = []
        self._brackets = 0

    def run(self) -> Braces:
        code, position = code_ranges(self._text), 0
        for match in _MARKS.finditer(self._text):
            while position < len(code) and code[position][1] <= match.start():
                position += 1
            if position == len(code) or match.start() < code[position][0]:
                self._take(match[0], match.start())
        self._end_paragraph()
        return Braces(tuple(self._slots), tuple(self._plain), tuple(self._left_open))

    def _take(self, mark: str, at: int) -> None:
        if mark == "{":
            self._stack.append(Slot(at, is_fixed=self._brackets > 0))
        elif mark == "|":
            if self._stack:
                self._stack[-1].bars.append(at)
        elif mark == "}":
            if self._stack:
                self._close(self._stack.pop(), at + 1)
        elif mark in "[]":
            self._brackets = max(0, self._brackets + (1 if mark == "[" else -1))
            if self._stack:
                self._stack[-1].is_fixed = True
        else:
            self._end_paragraph()

    def _close(self, slot: Slot, end: int) -> None:
        slot.end = end
        if slot.is_fixed and self._stack:
            self._stack[-1].is_fixed = True
        if slot.bars:
            self._outer.append(slot)
        else:
            self._plain.append(slot)
            self._outer.extend(slot.inside)

    @property
    def _outer(self) -> list[Slot]:
        return self._stack[-1].inside if self._stack else self._slots

    def _end_paragraph(self) -> None:
        """Braces that are still open stay ordinary text; the slots in them are slots all the same."""
        for slot in self._stack:
            self._slots.extend(slot.inside)
            if slot.bars:
                slot.is_open, slot.end = True, slot.start + 1
                self._left_open.append(slot)
        self._stack.clear()
        self._brackets = 0
