"""Which names a scenario has and what each becomes: party, `entities:` of the front matter, names that recur.

A name is left alone when renaming it could change something else: when it is a word of the game, when two characters
share it, or when the story also uses it as an ordinary word ("Rose" beside "rose", "Will you?" beside Will).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.dataset.augmentation.doubt import Doubt
from studio.dataset.augmentation.lexicon import Lexicon, is_game_word, load_lexicon
from studio.scenarios.entities import listed_entities
from studio.scenarios.reading import Reading
from studio.scenarios.sheet import prefix_of

Kind = Literal["name", "place", "item"]
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PROPER = re.compile(r"[A-Z][^\W\d_]+(?:['’-][^\W\d_]+)*")
_RECURRING = re.compile(r"(?<![^\W_])([A-Z][a-z]{2,})(?![^\W_]|['’-][a-z]{2})")
_LAST_WORD = re.compile(r"([^\W\d_]+)([,;]?)[ \t\n]+$")
_LAST_WORDS = 40
"""Characters before a word that are looked at."""
_ARTICLES = frozenset(
    re.findall(r"\w+", "a an the my your his her its our their this that these those some any no every each another")
)
_PLACED = frozenset(
    re.findall(r"\w+", "in of at near to from toward towards through beyond outside inside between above below")
)
_BEGINNINGS = _PLACED | frozenset(
    re.findall(
        r"\w+", "i and but or so as if when while then only even past behind before after beside by with under over for"
    )
)
"""Words that begin a sentence and are no part of the name behind them."""
_SMALL = frozenset({"of", "the", "and", "in", "at", "by", "to", "from", "de", "van", "von", "la", "le", "for", "on"})
_PLACE_SECTIONS = ("world", "location")
_VOWELS = frozenset("AEIOU")
_LOWER = re.compile(r"(?<![^\W_])[a-z]+(?![^\W_])")
_ANOTHER = re.compile(r"[ \t]+[A-Z][a-z]")


@dataclass(frozen=True, slots=True)
class Entity:
    """Something with a name, as it is written."""

    name: str
    kind: Kind


def entities_of(reading: Reading) -> list[Entity]:
    """Everything in a scenario that may be renamed, the party first, each name once."""
    party = [one.name for one in reading.party]
    single = [name for name in party if name and sum(name.casefold() == one.casefold() for one in party) == 1]
    found = [Entity(name, "name") for name in single]
    found += [Entity(one.name, one.kind) for one in listed_entities(reading.front_matter.values)[0]]
    found += _recurring(reading, {token for one in found for token in _TOKEN.findall(one.name)})
    once = {one.name.casefold(): one for one in reversed(found)}
    taken = {name.casefold() for name in party} - {name.casefold() for name in single}
    return [one for one in found if once[one.name.casefold()] is one and one.name.casefold() not in taken]


def new_names(reading: Reading, chance: random.Random) -> dict[str, str]:
    """Old phrase -> new phrase, for whole names and for the parts of names of several words.

    No new name is another new name, an old one, or any word of the text.
    """
    return _Baptism(reading, chance).names()


class _Baptism:
    """One choice of new names for one text."""

    def __init__(self, reading: Reading, chance: random.Random) -> None:
        self._reading = reading
        self._lexicon: Lexicon = load_lexicon()
        self._chance = chance
        self._ordinary, self._doubt = _ordinary_words(reading), Doubt(reading)
        self._taken = {word.casefold() for word in re.findall(r"[^\W\d_]+", reading.text)}
        self._new: dict[str, str] = {}

    def names(self) -> dict[str, str]:
        """Names of one word first: where a longer one holds such a word, both change alike."""
        for one in sorted(entities_of(self._reading), key=lambda one: one.kind != "name" and len(one.name.split())):
            if one.kind == "name":
                self._person(one.name)
            elif one.name not in self._new:
                self._thing(one)
        return {old: new for old, new in self._new.items() if old != new}

    def _person(self, name: str) -> None:
        """Each word of a name becomes another word everywhere, titles and words of the game stay."""
        own = [word for word in _TOKEN.findall(name) if self._may_change(word)]
        for position, word in enumerate(own):
            if word not in self._new:
                source = self._lexicon.names if position == 0 else self._lexicon.surnames
                self._put(word, self._fresh(source, word))
        if len(_TOKEN.findall(name)) > 1:
            self._put(name, _TOKEN.sub(lambda match: self._new.get(match[0], match[0]), name))

    def _thing(self, one: Entity) -> None:
        """What it is stays (`Crow Bank` is a bank still), what it is called changes."""
        words = _TOKEN.findall(one.name)
        if not words or (len(words) == 1 and not self._may_change(words[0])):
            return
        alone = self._lexicon.places if one.kind == "place" else self._lexicon.items
        if len(words) == 1:
            self._put(one.name, self._fresh(alone, words[0]))
            return
        source = self._lexicon.places if one.kind == "place" else self._lexicon.modifiers
        called = words[1] if words[0].lower() in _SMALL else words[0]
        fresh = self._new.get(called) or self._fresh(source, called)
        if fresh:
            self._put(one.name, _with_head(words, fresh, one.kind))

    def _may_change(self, word: str) -> bool:
        """Whether a word is a name and nothing else in this text."""
        if not _PROPER.fullmatch(word) or len(word) < 3 or is_game_word(word, self._reading.vocabulary):
            return False
        return word.lower() not in self._ordinary and not self._doubt.is_about(word)

    def _fresh(self, source: Sequence[str], old: str) -> str | None:
        """A name that the text does not have; one that begins with a vowel for one that does ("an Odra")."""
        left = [one for one in source if one.casefold() not in self._taken]
        alike = [one for one in left if (one[0] in _VOWELS) == (old[:1] in _VOWELS)]
        if not (alike or left):
            return None
        chosen = self._chance.choice(alike or left)
        self._taken.add(chosen.casefold())
        return chosen

    def _put(self, old: str, new: str | None) -> None:
        if new is not None:
            self._new[old] = new


def _with_head(words: Sequence[str], fresh: str, kind: Kind) -> str:
    """`Crow Bank` -> `Oxmoor Bank`, `Temple of Frost` -> `Temple of Oxmoor`, `Lantern of Tears` -> `Ebon Lantern`."""
    article = f"{words[0]} " if words[0].lower() == "the" else ""
    rest = list(words[1:] if article else words)
    lowered = [word.lower() for word in rest]
    if "of" in lowered[1:]:
        head = " ".join(rest[: lowered.index("of")])
        return article + (f"{head} of {fresh}" if kind == "place" else f"{fresh} {head.split()[-1]}")
    return f"{article}{fresh} {rest[-1]}" if len(rest) > 1 else f"{article}{fresh}"


def _recurring(reading: Reading, known: set[str]) -> list[Entity]:
    """Capitalised words that stand at least twice inside sentences and never look like anything but a name.

    A place is what World or Location put behind "in" or "of", unless a title or a possessive makes it a person.
    """
    seen, elsewhere, places, people = Counter[str](), set[str](), set[str](), set[str]()
    for text, is_setting in _prose(reading):
        for match in _RECURRING.finditer(text):
            word, before = match[1], _LAST_WORD.search(text, max(0, match.start() - _LAST_WORDS), match.start())
            leading = before[1] if before else ""
            if _beside_another(text, match, before) or leading.lower() in _ARTICLES:
                elsewhere.add(word)
            elif before is not None:
                seen[word] += 1
                places.update([word] if is_setting and leading in _PLACED else [])
            if leading in load_lexicon().titles or text[match.end() : match.end() + 2] in ("'s", "’s"):
                people.add(word)
    ordinary, vocabulary = _ordinary_words(reading) | {one.lower() for one in elsewhere | known}, reading.vocabulary
    return [
        Entity(word, "place" if word in places - people else "name")
        for word, count in seen.items()
        if count > 1 and word.lower() not in ordinary and not is_game_word(word, vocabulary)
    ]


def _beside_another(text: str, match: re.Match[str], before: re.Match[str] | None) -> bool:
    """Whether a word is part of a longer name: `Crow Bank` is one thing; `Captain Vane` is a title and a name."""
    after = _ANOTHER.match(text, match.end())
    if after or before is None:
        return after is not None
    leading = before[1]
    if not leading[0].isupper() or before[2] or leading in load_lexicon().titles:
        return False
    return leading.lower() not in _BEGINNINGS


def _prose(reading: Reading) -> Iterator[tuple[str, bool]]:
    """The turns of players and DM, and what the SYSTEM block says of world and place."""
    for title in _PLACE_SECTIONS:
        yield reading.section(title), True
    for turn in reading.turns:
        if turn.speaker != "TOOLCALL":
            yield turn.content, False


def _ordinary_words(reading: Reading) -> set[str]:
    """Every word that the prose writes in lower case; requests and `name:` before a player's words are no prose."""
    words: set[str] = set()
    for title in _PLACE_SECTIONS:
        words.update(_LOWER.findall(reading.section(title)))
    for turn in reading.turns:
        position = len(prefix_of(turn.content)) if turn.speaker == "User" else 0
        for one in turn.directives:
            words.update(_LOWER.findall(turn.content[position : one.start]))
            position = one.end
        if turn.speaker != "TOOLCALL":
            words.update(_LOWER.findall(turn.content[position:]))
    return words
