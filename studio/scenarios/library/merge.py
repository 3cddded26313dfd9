"""Three-way merge of texts by lines: two people changed one text, and both changes are wanted.

Changes that touch the same lines, or lines side by side, are a conflict that a person must settle; nothing is guessed.
Lines are aligned by their longest common subsequence (rapidfuzz), whose time is bounded by the product of the line
counts; texts beyond `MAX_LINES` are not merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

MAX_LINES = 20_000
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Hunk:
    """A stretch that both sides changed in different ways. Each text is what stands there in that version."""

    base: str
    mine: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Merge:
    """The outcome: pieces of text in order, a `Hunk` wherever a person must choose."""

    pieces: tuple[str | Hunk, ...]

    @property
    def conflicts(self) -> tuple[Hunk, ...]:
        """The stretches that need a decision."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Hunk))

    @property
    def clean(self) -> bool:
        """Whether both changes fit together without a decision."""
        return not self.conflicts

    @property
    def text(self) -> str | None:
        """The merged text when the merge is clean."""
        return "".join(str(piece) for piece in self.pieces) if self.clean else None

    def resolved(self, choices: Sequence[str]) -> str:
        """The text with the conflicts replaced by `choices`, in order.

        Raises:
            ValueError: another number of choices than conflicts.
        """
        if len(choices) != len(self.conflicts):
            raise ValueError(f"{len(self.conflicts)} conflicts need as many choices, not {len(choices)}")
        chosen = iter(choices)
        return "".join(next(chosen) if isinstance(piece, Hunk) else piece for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class _Change:
    """Lines `start..end` of the base become `lines`."""

    start: int
    end: int
    lines: tuple[str, ...]


def split_lines(text: str) -> list[str]:
    """The lines with their ends (LF, CR LF, CR); joined they are the text again."""
    return _LINE.findall(text)


def merge_texts(base: str, mine: str, theirs: str) -> Merge | None:
    """Both changes of `base` in one text; None when a text has more than `MAX_LINES` lines."""
    lines = split_lines(base)
    sides = split_lines(mine), split_lines(theirs)
    if max(len(lines), *map(len, sides)) > MAX_LINES:
        return None
    return Merge(tuple(_joined(_pieces(lines, _changes(lines, sides[0]), _changes(lines, sides[1])))))


def _changes(base: list[str], side: list[str]) -> list[_Change]:
    """The changes in order; a deletion beside an insertion is one change."""
    changes: list[_Change] = []
    for code in LCSseq.opcodes(base, side):
        if code.tag == "equal":
            continue
        lines = tuple(side[code.dest_start : code.dest_end])
        if changes and changes[-1].end == code.src_start:
            last = changes.pop()
            changes.append(_Change(last.start, code.src_end, last.lines + lines))
        else:
            changes.append(_Change(code.src_start, code.src_end, lines))
    return changes


def _pieces(base: list[str], mine: list[_Change], theirs: list[_Change]) -> Iterator[str | Hunk]:
    position = 0
    for group_mine, group_theirs in _groups(mine, theirs):
        both = group_mine + group_theirs
        start, end = min(one.start for one in both), max(one.end for one in both)
        yield "".join(base[position:start])
        texts = [_apply(base, start, end, group) for group in (group_mine, group_theirs)]
        if not group_theirs or texts[0] == texts[1]:
            yield texts[0]
        elif not group_mine:
            yield texts[1]
        else:
            yield Hunk("".join(base[start:end]), texts[0], texts[1])
        position = end
    yield "".join(base[position:])


def _groups(mine: list[_Change], theirs: list[_Change]) -> Iterator[tuple[list[_Change], list[_Change]]]:
    """Changes of both sides that touch each other, together."""
    ordered = sorted([(one, 0) for one in mine] + [(one, 1) for one in theirs], key=lambda pair: pair[0].start)
    group: tuple[list[_Change], list[_Change]] = ([], [])
    reach = -1
    for change, side in ordered:
        if change.start > reach and reach >= 0:
            yield group
            group = ([], [])
            reach = -1
        group[side].append(change)
        reach = max(reach, change.end)
    if reach >= 0:
        yield group


def _apply(base: list[str], start: int, end: int, changes: list[_Change]) -> str:
    lines: list[str] = []
    for change in changes:
        lines += [*base[start : change.start], *change.lines]
        start = change.end
    return "".join([*lines, *base[start:end]])


def _joined(pieces: Iterator[str | Hunk]) -> Iterator[str | Hunk]:
    text = ""
    for piece in pieces:
        if isinstance(piece, Hunk):
            yield from filter(None, (text,))
            yield piece
            text = ""
        else:
            text += piece
    yield from filter(None, (text,))
