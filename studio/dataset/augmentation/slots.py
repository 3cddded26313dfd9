"""Paraphrase slots `{a|b|c}` that authors write into turns: every reading of a scenario takes one of the words.

A slot stands in a User or DM turn, outside code, and may hold other slots; an option may be empty: `{very |}dark`.
A model must never see the braces, so whoever turns a file into messages (training, playground, evaluation, export)
expands first; with `seed=None` every slot becomes its first option, which is what previews and checks should show.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from studio.dataset.augmentation.text import Edit, applied, generator
from studio.scenarios import Vocabulary, parse_tree
from studio.scenarios.markdown import code_ranges

_INNERMOST = re.compile(r"\{([^{}|]{0,400}\|[^{}]{0,2000})\}")
_DEEPEST = 4
"""Levels of slots inside slots that are expanded."""


class ParaphraseSlots:
    """The operation: every slot takes one of its options by chance."""

    name = "paraphrase slots"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text without slots, None when it has none."""
        return expand_slots(text, seed) if has_slots(text) else None


def has_slots(text: str) -> bool:
    """Whether a turn of a scenario text holds a slot that is not expanded yet."""
    return "|" in text and "{" in text and bool(_slots(text))


def expand_slots(text: str, seed: int | None = None) -> str:
    """A scenario text with one option in the place of every slot: by chance, or the first one without a seed.

    The same text and seed give the same words. A text without slots comes back as it is.
    """
    chance = None if seed is None else generator(seed, ParaphraseSlots.name)
    for _ in range(_DEEPEST):
        found = _slots(text) if has_slots(text) else []
        if not found:
            break
        edits = []
        for match in found:
            options = match[1].split("|")
            edits.append(Edit(match.start(), match.end(), chance.choice(options) if chance else options[0]))
        text = applied(text, edits) or text
    return text


def _slots(text: str) -> list[re.Match[str]]:
    """The slots of all turns that hold no other slot, in order."""
    found = []
    for node in parse_tree(text).turns:
        if node.block == "TOOLCALL":
            continue
        code = code_ranges(text[node.body_start : node.body_end])
        matches = _INNERMOST.finditer(text, node.body_start, node.body_end)
        found += [one for one in matches if not _inside(one.start() - node.body_start, code)]
    return found


def _inside(offset: int, ranges: list[tuple[int, int]]) -> bool:
    position = bisect_right(ranges, (offset, len(ranges) + offset)) - 1
    return position >= 0 and ranges[position][0] <= offset < ranges[position][1]
