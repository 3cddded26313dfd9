"""Author-marked alternatives: the DM turn of the other verdict, in a comment right below the one that is told.

    <DM>*SUCCESS* You step over the loose stair.</DM>

    <!-- otherwise:
    <DM>*FAILED* The stair groans, and the counting stops.</DM>
    -->

A comment between turns is no part of the scene: no model sees it. Augmentation tells it when other dice fall.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from studio.scenarios.exchanges import is_success, read_outcome
from studio.scenarios.tree import Node, Tree, parse_tree

_MARK = re.compile(r"\s{0,200}(otherwise)\b[ \t]{0,20}(:?)\s{0,200}", re.IGNORECASE)
_LONGEST = 20_000
"""Characters of a comment that is looked into."""


class Slip(Enum):
    """Why an alternative cannot be read."""

    NO_COLON = auto()
    NO_TURN = auto()
    NO_OUTCOME = auto()


@dataclass(frozen=True, slots=True)
class Otherwise:
    """One comment that begins with `otherwise:`. Offsets into the file.

    Attributes:
        comment: the comment.
        mark_end: where the word `otherwise` ends.
        told: the turn that it stands behind, whoever speaks; None when it stands behind none.
        start, end: the words of the DM turn in it; empty when it cannot be read.
        success: the verdict that it tells; None when it cannot be read.
        slip: why it cannot be read.
    """

    comment: Node
    mark_end: int
    told: Node | None
    start: int
    end: int
    success: bool | None = None
    slip: Slip | None = None


def find_otherwise(tree: Tree) -> list[Otherwise]:
    """Every alternative of a text, readable or not, in order. Linear in the text."""
    found: list[Otherwise] = []
    told: Node | None = None
    for node in tree.nodes:
        if node.kind == "comment":
            if (one := _read(tree, node, told)) is not None:
                found.append(one)
        elif node.kind == "block":
            told = node if node.block != "SYSTEM" else None
        elif node.kind != "gap" or not tree.text[node.start : node.end].isspace():
            told = None
    return found


def _read(tree: Tree, comment: Node, told: Node | None) -> Otherwise | None:
    """The alternative of a comment; None for a comment that is only a note."""
    if comment.body_end - comment.body_start > _LONGEST:
        return None
    mark = _MARK.match(tree.text, comment.body_start, comment.body_end)
    if mark is None:
        return None
    inside = parse_tree(tree.text[mark.end() : comment.body_end])
    turn, slip = _only_turn(inside)
    if not mark[2]:
        if turn is None:
            return None  # a sentence that begins with the word
        slip = Slip.NO_COLON
    if turn is None or slip is not None:
        return Otherwise(comment, mark.end(1), told, mark.end(), mark.end(), slip=slip)
    word = read_outcome(inside.body(turn).strip())
    start, end = mark.end() + turn.body_start, mark.end() + turn.body_end
    if word is None:
        return Otherwise(comment, mark.end(1), told, start, end, slip=Slip.NO_OUTCOME)
    return Otherwise(comment, mark.end(1), told, start, end, is_success(word))


def _only_turn(tree: Tree) -> tuple[Node | None, Slip | None]:
    """The one DM turn that a text holds; a slip for anything else."""
    blocks = [node for node in tree.nodes if not (node.kind == "gap" and tree.body(node).isspace())]
    if len(blocks) != 1 or blocks[0].block != "DM" or not blocks[0].is_closed:
        return None, Slip.NO_TURN
    return blocks[0], None
