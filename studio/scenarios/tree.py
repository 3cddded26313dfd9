"""Text -> tree: which stretch of a scenario file is front matter, a block, a comment or something else.

The tree is lossless: its leaves are slices of the text that touch each other and cover all of it, so printing it
(`printing.py`) gives the same characters back, whatever the file holds. Meaning is added elsewhere (`meaning.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from studio.scenarios.grammar import BLOCK_OF_SPELLING, BOM, FRONT_MATTER_CLOSE, FRONT_MATTER_OPEN, TAG, BlockKind
from studio.scenarios.loose import loose_close, loose_marks

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
        return next((node for node in self.nodes if node.block == "SYSTEM" and node.kind == "block"), None)

    @property
    def turns(self) -> list[Node]:
        """The User, DM and TOOLCALL blocks, in order; a closing tag that closes nothing is none."""
        return [node for node in self.nodes if node.kind == "block" and node.block != "SYSTEM"]


def parse_tree(text: str) -> Tree:
    """The tree of any text. Never raises; time is linear in the text."""
    return Tree(text, _Builder(text).build())


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes: list[Node] = []
        self._open: Node | None = None
        self._position = 0
        """Up to here the nodes are complete, but for the one that is open."""
        self._comments_end = True

    def build(self) -> list[Node]:
        self._read_head()
        for match in TAG.finditer(self._text, self._position):
            if match.start() >= self._position:  # else it stands in a comment
                self._take(match)
        self._read_gap(len(self._text))
        self._leave_open(len(self._text))
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

    def _take(self, match: re.Match[str]) -> None:
        """Act on one tag."""
        slash, name, ending = match.groups()
        if name is None:
            self._comment(match)
            return
        start, end = match.span()
        if not slash and self._text[end - 1] != ">" and start > 0 and self._text[start - 1] not in "\r\n":
            return
        block = BLOCK_OF_SPELLING.get(name) or BLOCK_OF_SPELLING[name.lower()]
        if self._open is None and start > self._position:
            self._read_gap(start)
        current = self._open
        if slash or (current is not None and current.block == block and (ending or self._ends_a_line(start, end))):
            self._close(block, start, end)
            return
        if current is not None:
            self._leave_open(start)
        self._open = Node("block", start, end, end, end, block)
        self._position = end

    def _ends_a_line(self, start: int, end: int) -> bool:
        """Whether a tag ends a line that it does not begin, as a closing tag does whose slash was forgotten."""
        return self._text[end : end + 1] in ("", "\r", "\n") and self._text[start - 1] not in "\r\n"

    def _close(self, block: BlockKind, start: int, end: int) -> None:
        """A closing tag: the end of the open block, or a stray one."""
        if self._open is None:
            self._nodes.append(Node("stray_close", start, end, start, end, block))
        else:
            self._open.closed_as, self._open.body_end, self._open.end = block, start, end
            self._nodes.append(self._open)
            self._open = None
        self._position = end

    def _leave_open(self, end: int) -> None:
        """The open block ends at `end` without its closing tag, or with a misspelled one."""
        node = self._open
        if node is None:
            return
        at = self._text.rfind("<", node.body_start, end)
        close = loose_close(self._text, at, end) if at >= 0 else None
        if close is not None and close.block == node.block:
            self._close(close.block, close.start, close.end)
            if end > self._position:
                self._add("gap", end)
            return
        node.body_end = node.end = self._position = end
        self._nodes.append(node)
        self._open = None

    def _read_gap(self, end: int) -> None:
        """What stands between blocks; a tag of another spelling opens a block all the same."""
        if self._open is not None or end == self._position:
            return
        for mark in () if self._text[self._position : end].isspace() else loose_marks(self._text, self._position, end):
            if mark.closes:
                if self._open is not None and self._open.block == mark.block:
                    self._close(mark.block, mark.start, mark.end)
                continue
            if self._open is not None:
                self._leave_open(mark.start)
            elif mark.start > self._position:
                self._add("gap", mark.start)
            self._open = Node("block", mark.start, mark.end, mark.end, mark.end, mark.block)
            self._position = mark.end
        if self._open is None and end > self._position:
            self._add("gap", end)

    def _comment(self, match: re.Match[str]) -> None:
        """A comment counts between blocks only; inside one it is part of the content."""
        if self._open is not None or not self._comments_end:
            return
        close = self._text.find("-->", match.end())
        if close < 0:
            self._comments_end = False
            return
        self._read_gap(match.start())
        if self._open is None:
            self._nodes.append(Node("comment", match.start(), close + 3, match.end(), close))
            self._position = close + 3

    def _add(self, kind: NodeKind, end: int) -> None:
        self._nodes.append(Node(kind, self._position, end, self._position, end))
        self._position = end
