"""Text -> tree: which stretch of a scenario file is front matter, a block, a comment or something else.

The tree is lossless: its leaves are slices of the text that touch each other and cover all of it, so printing it
(`printing.py`) gives the same characters back, whatever the file holds. Meaning is added elsewhere (`meaning.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from studio.scenarios.grammar import BLOCK_OF_SPELLING, BOM, FRONT_MATTER_CLOSE, FRONT_MATTER_OPEN, TAG, BlockKind

NodeKind = Literal["bom", "front_matter", "block", "comment", "gap", "stray_close"]


@dataclass(slots=True)
class Node:
    """A stretch of the text; offsets in characters, end exclusive.

    For a block: `start..body_start` is the opening tag, `body_start..body_end` its content, `body_end..end` the closing
    tag, empty when it is missing. For other kinds the body is what lies between the marks.
    """

    kind: NodeKind
    start: int
    end: int
    body_start: int
    body_end: int
    block: BlockKind | None = None
    closed_as: BlockKind | None = None

    @property
    def is_closed(self) -> bool:
        """Whether a block has its closing tag."""
        return self.end > self.body_end


@dataclass(slots=True)
class Tree:
    """A text and its nodes in order."""

    text: str
    nodes: list[Node]

    def body(self, node: Node) -> str:
        """The content of a node, as written."""
        return self.text[node.body_start : node.body_end]

    @property
    def system(self) -> Node | None:
        """The first SYSTEM block, or None."""
        return next((node for node in self.nodes if node.block == "SYSTEM"), None)

    @property
    def turns(self) -> list[Node]:
        """The User, DM and TOOLCALL blocks, in order."""
        return [node for node in self.nodes if node.block is not None and node.block != "SYSTEM"]


def parse_tree(text: str) -> Tree:
    """The tree of any text. Never raises; time is linear in the text."""
    return Tree(text, _Builder(text).build())


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes: list[Node] = []
        self._open: Node | None = None
        self._position = 0
        self._comments_end = True

    def build(self) -> list[Node]:
        self._read_head()
        match = TAG.search(self._text, self._position)
        while match is not None:
            match = TAG.search(self._text, self._take(match))
        self._finish(len(self._text), len(self._text))
        return self._nodes

    def _read_head(self) -> None:
        if self._text.startswith(BOM):
            self._add("bom", len(BOM))
        opening = FRONT_MATTER_OPEN.match(self._text, self._position)
        if opening is None:
            return
        tag = TAG.search(self._text, opening.end())
        closing = FRONT_MATTER_CLOSE.search(self._text, opening.end(), tag.start() if tag else len(self._text))
        if closing is not None:
            node = Node("front_matter", opening.start(), closing.end(), opening.end(), closing.start())
            self._nodes.append(node)
            self._position = closing.end()

    def _take(self, match: re.Match[str]) -> int:
        """Act on one tag; returns where to search on."""
        if match[2] is None:
            return self._comment(match)
        block = BLOCK_OF_SPELLING[match[2].lower()]
        if not match[1]:
            self._finish(match.start(), match.start())
            self._open = Node("block", match.start(), match.end(), match.end(), match.end(), block)
        elif self._open is not None:
            self._open.closed_as = block
            self._finish(match.start(), match.end())
        else:
            self._finish(match.start(), match.start())
            self._nodes.append(Node("stray_close", match.start(), match.end(), match.start(), match.end(), block))
        self._position = match.end()
        return self._position

    def _comment(self, match: re.Match[str]) -> int:
        """A comment counts between blocks only; inside one it is part of the content."""
        if self._open is not None or not self._comments_end:
            return match.end()
        close = self._text.find("-->", match.end())
        if close < 0:
            self._comments_end = False
            return match.end()
        self._finish(match.start(), match.start())
        self._nodes.append(Node("comment", match.start(), close + 3, match.end(), close))
        self._position = close + 3
        return self._position

    def _finish(self, body_end: int, end: int) -> None:
        """Close what is open at `body_end`; a gap when nothing is."""
        if self._open is not None:
            self._open.body_end, self._open.end = body_end, end
            self._nodes.append(self._open)
            self._open = None
        elif body_end > self._position:
            self._add("gap", body_end)
        self._position = end

    def _add(self, kind: NodeKind, end: int) -> None:
        self._nodes.append(Node(kind, self._position, end, self._position, end))
        self._position = end
