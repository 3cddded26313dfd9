"""The markdown inside the blocks: headings of a SYSTEM block, and the stretches that are code.

CommonMark is read by markdown-it-py. Text that holds none of the constructs which make a line's meaning depend on other
lines (fences, quotes, indented code, HTML, underlined headings) is read line by line instead, about fifty times faster;
a property test proves that both ways agree. Rendering for the page is not done here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_CONTEXTUAL = re.compile(
    r"\n[ \t]*(?:```|~~~|[<>\t]|=+[ \t]*(?=\n)|-+[ \t]*(?=\n)|(?:[-+*]|\d{1,9}[.)])[ \t]+#)|\n {1,3}#|\n {4}|[\r\x00]"
)
_HEADING_LINE = re.compile(r"^(#{1,6})(?:[ \t]+([^\n]*))?$", re.MULTILINE)
_LARGEST_FOR_COMMONMARK = 400_000
_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r)[ \t]*+(?:\r\n|\n|\r)")
_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and the section below it, up to the next heading of any level. Offsets into the text that was read."""

    level: int
    title: str
    start: int
    end: int
    """End of the heading itself."""
    body_start: int
    body_end: int


def headings(text: str) -> list[Heading]:
    """Every heading of a markdown text, in order. Never raises; linear in the text."""
    plain = len(text) > _LARGEST_FOR_COMMONMARK or _CONTEXTUAL.search(f"\n{text}\n") is None
    marks = list(_plain_headings(text) if plain else _commonmark_headings(text))
    ends = [*(mark[2] for mark in marks[1:]), len(text)][: len(marks)]
    return [
        Heading(level, title, start, end, min(end + 1, body_end), body_end)
        for (level, title, start, end), body_end in zip(marks, ends, strict=True)
    ]


def code_ranges(text: str) -> list[tuple[int, int]]:
    """Offsets of the fenced blocks and code spans of a text, in order. Indented code does not count: prose is."""
    if "`" not in text and "~~~" not in text:
        return []
    fences = list(_fences(text))
    ranges: list[tuple[int, int]] = []
    position = 0
    for start, end in [*fences, (len(text), len(text))]:
        for first, last in _paragraphs(text, position, start):
            ranges.extend(_code_spans(text, first, last))
        if end > start:
            ranges.append((start, end))
        position = end
    return ranges


def _plain_headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    for match in _HEADING_LINE.finditer(text):
        yield len(match[1]), _title(match[2] or "").strip(), match.start(), match.end()


def _title(written: str) -> str:
    """A heading's text without the closing `#` marks."""
    title = written.strip(" \t")
    without = title.rstrip("#")
    return without.rstrip(" \t") if not without or without[-1] in " \t" else title


def _commonmark_headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    starts = _line_starts(text)
    tokens = _block_parser().parse(text.replace("\r\n", " \n").replace("\r", "\n"))
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            first, last = token.map
            end = len(text[starts[first] : starts[last]].rstrip("\r\n")) + starts[first]
            yield int(token.tag[1:]), inline.content.strip(), starts[first], end


def _fences(text: str) -> Iterator[tuple[int, int]]:
    if ("```" not in text and "~~~" not in text) or len(text) > _LARGEST_FOR_COMMONMARK:
        return
    starts = _line_starts(text)
    for token in _block_parser().parse(text.replace("\r\n", " \n").replace("\r", "\n")):
        if token.type == "fence" and token.map:
            yield starts[token.map[0]], starts[token.map[1]]


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Stretches between blank lines: a code span never reaches over one."""
    position = start
    for blank in _BLANK_LINE.finditer(text, start, end):
        yield position, blank.start()
        position = blank.end()
    yield position, end


def _code_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Runs of backticks that pair with the next run of the same length (CommonMark 6.1)."""
    runs = [match.span() for match in _TICKS.finditer(text, start, end)]
    following: dict[int, list[int]] = {}
    for position in range(len(runs) - 1, -1, -1):
        following.setdefault(runs[position][1] - runs[position][0], []).append(position)
    position = 0
    while position < len(runs):
        opened = runs[position]
        later = following[opened[1] - opened[0]]
        while later and later[-1] <= position:
            later.pop()
        if later:
            position = later[-1]
            yield opened[0], runs[position][1]
        position += 1


def _line_starts(text: str) -> list[int]:
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]
    return [*starts, len(text), len(text)]


@lru_cache(maxsize=1)
def _block_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    parser.block.ruler.disable("reference")
    return parser
