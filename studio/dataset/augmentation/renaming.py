"""Entity renaming: characters, places and things get other names, everywhere in the file and everywhere the same.

Left alone: code, addresses (URLs), the `author` of the front matter, and phrases of the rules that hold a name
("Melf's Acid Arrow"). Pronouns stay, and so do nicknames that nobody listed; the reviewer sees both in the diff.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from studio.dataset.augmentation.lexicon import game_phrases
from studio.dataset.augmentation.naming import new_names
from studio.dataset.augmentation.text import Edit, applied, generator, read
from studio.scenarios import Vocabulary
from studio.scenarios.markdown import code_ranges
from studio.scenarios.reading import Reading
from studio.scenarios.sheet import prefix_of

_URL = re.compile(r"(?:https?://|www\.)[^\s<>()]+|(?<=\]\()[^()\n]+(?=\))", re.IGNORECASE)
_AUTHOR = re.compile(r"^author[ \t]*:[^\r\n]*", re.MULTILINE | re.IGNORECASE)
_POSSESSIVE = re.compile(r"(['’])(?=[ \t\n]+[a-z])")
Stretch = tuple[int, int]


class EntityRenaming:
    """The operation: other names, same story."""

    name = "entity renaming"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The renamed text; None when it has no name that can be changed safely."""
        reading = read(text, vocabulary)
        return renamed(text, reading, self.mapping(text, seed, vocabulary))

    def mapping(self, text: str, seed: int, vocabulary: Vocabulary) -> dict[str, str]:
        """Old name -> new name, as `apply` uses it: whole names, and the parts of names of several words."""
        return new_names(read(text, vocabulary), generator(seed, self.name))


def renamed(text: str, reading: Reading, names: Mapping[str, str]) -> str | None:
    """The text with every name of the mapping exchanged, in the case in which it stands there; None for no change."""
    if not names:
        return None
    choices = "|".join(re.escape(one) for one in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"(?<![^\W_])(?:{choices})(?![^\W_])", re.IGNORECASE)
    folded = {old.casefold(): (old, new) for old, new in names.items()}
    left_alone = _Stretches([*_untouched(reading), *_phrases(reading.text, names)])
    any_case = _Stretches(_structural(reading))
    edits = []
    for match in pattern.finditer(reading.text):
        old, new = folded[match[0].casefold()]
        styled = _in_case(match[0], old, new, lower=match.start() in any_case)
        if styled is not None and match.start() not in left_alone:
            edits.append(_edit(reading.text, match, styled))
    return applied(text, edits)


def _in_case(written: str, old: str, new: str, *, lower: bool) -> str | None:
    """The new name as the old one is written: as a name, in capitals, or, where only a name can stand, small."""
    if written == old:
        return new
    if written.isupper():
        return new.upper()
    return (new.lower() if written.islower() else new) if lower else None


def _edit(text: str, match: re.Match[str], new: str) -> Edit:
    """`Joss' cloak` -> `Tobry's cloak`: no new name ends in s."""
    possessive = _POSSESSIVE.match(text, match.end()) if match[0][-1] in "sS" else None
    if possessive is None:
        return Edit(match.start(), match.end(), new)
    return Edit(match.start(), possessive.end(), f"{new}{possessive[1]}{'S' if match[0].isupper() else 's'}")


def _untouched(reading: Reading) -> Iterator[Stretch]:
    """Code, addresses, tags, and the author."""
    for node in reading.tree.nodes:
        body = reading.tree.body(node)
        if node.kind == "front_matter":
            yield from ((node.body_start + one.start(), node.body_start + one.end()) for one in _AUTHOR.finditer(body))
        else:
            yield from ((node.body_start + start, node.body_start + end) for start, end in code_ranges(body))
        if node.kind == "block":
            yield node.start, node.body_start
            yield node.body_end, node.end
    yield from (match.span() for match in _URL.finditer(reading.text))


def _phrases(text: str, names: Mapping[str, str]) -> Iterator[Stretch]:
    """Where the text says a phrase of the rules that holds one of the names."""
    folded = {name.casefold() for name in names}
    for phrase in game_phrases():
        words = {word.removesuffix("'s") for word in phrase.split()}
        if not folded.isdisjoint(words):
            wanted = re.escape(phrase).replace("'", "['’]")
            yield from (match.span() for match in re.finditer(rf"\b{wanted}\b", text, re.IGNORECASE))


def _structural(reading: Reading) -> Iterator[Stretch]:
    """Where a name counts in any case: requests, who rolled, who speaks, headings, front matter."""
    for sheet in reading.sheets:
        yield sheet.start, sheet.end
    for node in reading.tree.nodes:
        if node.kind == "front_matter":
            yield node.body_start, node.body_end
    for turn in reading.turns:
        if turn.speaker == "User":
            yield turn.start, turn.start + len(prefix_of(turn.content))
        yield from ((turn.start + one.start, turn.start + one.end) for one in turn.directives)
        yield from ((turn.start + one.start, turn.start + one.end) for one in turn.results)


class _Stretches:
    """Stretches of a text, asked for by offset."""

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        merged: list[list[int]] = []
        for start, end in sorted(stretches):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        self._starts = [start for start, _ in merged]
        self._stops = [end for _, end in merged]

    def __contains__(self, offset: int) -> bool:
        position = bisect_right(self._starts, offset) - 1
        return position >= 0 and offset < self._stops[position]
