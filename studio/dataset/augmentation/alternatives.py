"""Which author-marked alternatives (`studio/scenarios/otherwise.py`) may be told in the place of a turn, and the edits.

A product that takes the alternative keeps the former turn in the comment, so nothing is lost. The alternative must make
the same requests as the turn that it stands for, because what comes after both is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.dataset.augmentation.text import Edit
from studio.scenarios import Vocabulary, find_directives
from studio.scenarios.reading import Reading, Turn


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
    return [
        Alternative(one.start, one.end, one.success)
        for one in reading.otherwise
        if one.told is turn.node
        and one.success is not None
        and _requests(reading.text[one.start : one.end], reading.vocabulary) == wanted
    ]


def exchanged(reading: Reading, turn: Turn, other: Alternative) -> tuple[Edit, Edit]:
    """The edits that tell the alternative and keep the former turn in its comment."""
    told = reading.text[turn.node.body_start : turn.node.body_end]
    return (
        Edit(turn.node.body_start, turn.node.body_end, reading.text[other.start : other.end]),
        Edit(other.start, other.end, told),
    )


def _requests(text: str, vocabulary: Vocabulary) -> list[str]:
    return [one.canonical for one in find_directives(text, vocabulary)]
