"""Tags as people mistype them: `<Usr>`, `**DM:**`, `[DM]`, `&lt;DM&gt;`, `</DN>`. Looked for outside of blocks only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from studio.scenarios.grammar import BLOCK_OF_SPELLING, LOOSE, LOOSE_CLOSE, BlockKind
from studio.scenarios.spelling import closest

_FILLING = re.compile("[\\s._\u200c-\u200f-]+")
_NAMES = ("system", "user", "player", "dm", "gm", "dungeonmaster", "toolcall", "tool")
_SHORTEST = 3
_ALIKE = 75


class Mark(NamedTuple):
    """Something that was probably meant for a tag."""

    start: int
    end: int
    block: BlockKind
    closes: bool


def loose_marks(text: str, start: int, end: int) -> Iterator[Mark]:
    """What stands for a tag in `text[start:end]`, in order; its beginning counts as the beginning of a line."""
    for match in LOOSE.finditer(text[start:end]):
        slash, tag, _, _, bracket_slash, bracket, *labels = match.groups()
        block = meant_block(tag) if tag else meant_block(bracket or next(filter(None, labels)))
        if block is not None:
            yield Mark(start + match.start(), start + match.end(), block, bool(slash or bracket_slash))


def loose_close(text: str, at: int, end: int) -> Mark | None:
    """The misspelled closing tag that `text[at:end]` is, or None; `at` is the last `<` of a block."""
    match = LOOSE_CLOSE.fullmatch(text, at, end)
    block = meant_block(match[1]) if match else None
    return Mark(at, at + len(text[at:end].rstrip()), block, closes=True) if block else None


@lru_cache(maxsize=4096)
def meant_block(written: str) -> BlockKind | None:
    """The block that a name means: exactly, by its first word, or by being much like it."""
    name, first = _FILLING.sub("", written).lower(), written.split()[0].lower()
    block = BLOCK_OF_SPELLING.get(name) or BLOCK_OF_SPELLING.get(first)
    if block is not None or len(name) < _SHORTEST:
        return block
    guess = closest(name, _NAMES, _ALIKE, folded=True)
    return BLOCK_OF_SPELLING[guess] if guess else None
