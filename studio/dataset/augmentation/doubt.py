"""Whether a text uses a name as an ordinary word, too: "Will you come?" beside Will, "Mark my words" beside Mark.

A name in doubt is left alone everywhere, because a wrong guess would break a sentence of the author. Certain is only
what the spelling shows; a nickname or a pun is for the reviewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from studio.dataset.augmentation.lexicon import load_lexicon
from studio.scenarios.reading import Reading
from studio.scenarios.sheet import prefix_of

_START = r"(?:^|[.!?…:;(*\"“”‘—–]|--)[ \t]*"
"""Where a word has a capital because a sentence begins."""
_PRONOUN = r"(?:I|you|he|she|it|we|they|my|your|our|their|this|that|these|those)\b"
_SECTIONS = ("world", "location")


class Doubt:
    """The names of one text that are also ordinary words in it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def is_about(self, word: str) -> bool:
        """Whether a capitalised word is, somewhere, more than the name that it seems to be."""
        name = re.escape(word)
        asked = rf"{_START}{name}[ \t]+{_PRONOUN}"
        with_article = rf"\b(?:[Aa]n?|[Tt]he)[ \t]+{name}(?![^\W_])"
        plural = rf"(?<![^\W_]){name}s(?![^\W_'’])"
        patterns = [asked, with_article, plural]
        if word.casefold() in load_lexicon().doubtful:
            shouted = rf"(?<![^\W_]){re.escape(word.upper())}(?![^\W_])"
            patterns += [rf"{_START}{name}[ \t\n]+\w", shouted]
        return re.search("|".join(patterns), self._prose, re.MULTILINE) is not None

    @cached_property
    def _prose(self) -> str:
        """What anybody says, and what notes and alternatives hold, without requests and without `name:` before it."""
        return "\n".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        for title in _SECTIONS:
            yield self._reading.section(title)
        for turn in self._reading.turns:
            position = len(prefix_of(turn.content)) if turn.speaker == "User" else 0
            for one in turn.directives:
                yield turn.content[position : one.start]
                position = one.end
            if turn.speaker != "TOOLCALL":
                yield turn.content[position:]
        for node in self._reading.tree.nodes:
            if node.kind == "comment":
                yield self._reading.tree.body(node)
