"""The operation that reads the paraphrase slots `{a|b|c}` of a scenario file by chance, and the same without chance.

What a slot is, and which stand open, is said by the scenario language (`studio/scenarios/slots.py`). Here they are
taken out of the text of a file, so that what is left is a file like any other, without braces.
"""

from __future__ import annotations

from collections.abc import Iterator

from studio.dataset.augmentation.text import Edit, applied
from studio.scenarios import Vocabulary, parse_tree
from studio.scenarios.otherwise import find_otherwise
from studio.scenarios.slots import Choice, has


class ParaphraseSlots:
    """The operation: every slot takes one of its options by chance."""

    name = "paraphrase slots"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text without slots, None when it has none."""
        return expand_slots(text, seed) if has_slots(text) else None


def has_slots(text: str) -> bool:
    """Whether a turn of a scenario text, or an alternative to one, holds a slot that is not expanded yet."""
    return "{" in text and any(has(text[start:end]) for start, end in (*_open_turns(text), *_alternatives(text)))


def expand_slots(text: str, seed: int | None = None) -> str:
    """A scenario text with one option in the place of every slot: by chance, or the first one without a seed.

    The same text and seed give the same words, and in the turns the words that `to_messages` gives for them. A text
    without slots comes back as it is.
    """
    if "{" not in text:
        return text
    turns, alternatives = Choice(seed), Choice(seed)
    edits = [Edit(start, end, turns.words(text[start:end])) for start, end in _open_turns(text)]
    edits += [Edit(start, end, alternatives.words(text[start:end])) for start, end in _alternatives(text)]
    return applied(text, edits) or text


def _open_turns(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of players and DM stand; the dice and the SYSTEM block leave no choice."""
    tree = parse_tree(text)
    for node in tree.turns:
        if node.block != "TOOLCALL":
            body = tree.body(node)
            before = len(body) - len(body.lstrip())
            yield node.body_start + before, node.body_start + max(before, len(body.rstrip()))


def _alternatives(text: str) -> Iterator[tuple[int, int]]:
    return ((one.start, one.end) for one in find_otherwise(parse_tree(text)))
