"""Author-marked alternatives: the DM turn of the other verdict, in a comment right below the one that is told.

    <DM>*SUCCESS* You step over the loose stair.</DM>

    <!-- otherwise:
    <DM>*FAILED* The stair groans, and the counting stops.</DM>
    -->

A comment between turns is no part of the scene: the parser, the checks and the model do not see it. A product that
takes the alternative keeps the former turn in the comment, so nothing is lost. The alternative must make the same
requests as the turn that it stands for, because what comes after both is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from studio.dataset.augmentation.text import Edit
from studio.scenarios import Vocabulary, find_directives, is_success, parse_tree, read_outcome
from studio.scenarios.reading import Reading, Turn

_MARK = re.compile(r"\s*otherwise\s*:\s*", re.IGNORECASE)
_LONGEST = 20_000
"""Characters of a comment that is looked into."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A DM turn that an author wrote for the other verdict; offsets of its content into the file."""

    start: int
    end: int
    success: bool


def alternatives_to(reading: Reading, turn: Turn) -> list[Alternative]:
    """The usable alternatives in the comments between a DM turn and the next block."""
    content = reading.text[turn.node.body_start : turn.node.body_end]
    if "-->" in content or "<!--" in content:  # it could not stand in a comment itself
        return []
    wanted = _requests(content, reading.vocabulary)
    found = list(_marked(reading, turn))
    return [one for one in found if _requests(reading.text[one.start : one.end], reading.vocabulary) == wanted]


def exchanged(reading: Reading, turn: Turn, other: Alternative) -> tuple[Edit, Edit]:
    """The edits that tell the alternative and keep the former turn in its comment."""
    told = reading.text[turn.node.body_start : turn.node.body_end]
    return (
        Edit(turn.node.body_start, turn.node.body_end, reading.text[other.start : other.end]),
        Edit(other.start, other.end, told),
    )


def _marked(reading: Reading, turn: Turn) -> Iterator[Alternative]:
    nodes = reading.tree.nodes
    position = next(place for place, node in enumerate(nodes) if node is turn.node)
    for node in nodes[position + 1 :]:
        body = reading.tree.body(node)
        if node.kind == "gap" and not body.strip():
            continue
        if node.kind != "comment":
            return
        mark = _MARK.match(body) if len(body) < _LONGEST else None
        if mark and (found := _only_turn(body[mark.end() :], node.body_start + mark.end())):
            yield found


def _only_turn(text: str, offset: int) -> Alternative | None:
    """The one DM turn that a text holds, with its verdict; None for anything else."""
    tree = parse_tree(text)
    blocks = [node for node in tree.nodes if not (node.kind == "gap" and not tree.body(node).strip())]
    if len(blocks) != 1 or blocks[0].block != "DM" or not blocks[0].is_closed:
        return None
    word = read_outcome(tree.body(blocks[0]).strip())
    if word is None:
        return None
    return Alternative(offset + blocks[0].body_start, offset + blocks[0].body_end, is_success(word))


def _requests(text: str, vocabulary: Vocabulary) -> list[str]:
    return [one.canonical for one in find_directives(text, vocabulary)]
