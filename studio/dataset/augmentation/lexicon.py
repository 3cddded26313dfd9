"""The words of renaming: our own names from config/augmentation.yaml, and the words of the game that are no names."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.config import load_settings
from studio.scenarios import Vocabulary
from studio.scenarios.srd import load_srd
from studio.workspace import PROJECT_ROOT

_NAME = re.compile(r"[A-Z][a-z]+")
_WORD = re.compile(r"[^\W\d_]+")
_CREATURES = ("creatures", "species")
"""Parts of the SRD package that name kinds of beings."""


class Lexicon(BaseModel):
    """The content of config/augmentation.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(min_length=20)
    surnames: tuple[str, ...] = Field(min_length=10)
    places: tuple[str, ...] = Field(min_length=10)
    items: tuple[str, ...] = Field(min_length=10)
    modifiers: tuple[str, ...] = Field(min_length=10)
    titles: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    also_words: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _plain_words(self) -> Self:
        """Requests, sheets and result lines take a new name without quotes, and possessives are always `'s`."""
        everything = [*self.names, *self.surnames, *self.places, *self.items, *self.modifiers]
        wrong = [one for one in everything if not _NAME.fullmatch(one) or one.endswith("s")]
        if wrong:
            raise ValueError(f"not one capitalised word that ends in no s: {', '.join(wrong)}")
        if double := sorted({one for one in everything if everything.count(one) > 1}):
            raise ValueError(f"listed twice: {', '.join(double)}")
        return self

    @cached_property
    def kept(self) -> frozenset[str]:
        """Titles and other words that are never renamed, in lower case."""
        return frozenset(one.lower() for one in (*self.titles, *self.keep))

    @cached_property
    def doubtful(self) -> frozenset[str]:
        """Names that are English words, too, in lower case."""
        return frozenset(one.lower() for one in self.also_words)


def load_lexicon(path: Path | None = None) -> Lexicon:
    """The lists of an augmentation.yaml; the project's own when no path is given (then read once).

    Raises:
        ConfigError: the file is missing, or a name in it cannot be used.
    """
    return _shipped() if path is None else load_settings(Lexicon, path)


@lru_cache(maxsize=1)
def _shipped() -> Lexicon:
    return load_settings(Lexicon, PROJECT_ROOT / "config" / "augmentation.yaml")


@lru_cache(maxsize=1)
def game_phrases() -> frozenset[str]:
    """Spells, items, conditions, classes and beings of the SRD, in lower case with straight quotes."""
    from dndwright.content import load_content

    srd = load_srd()
    beings = {one["name"].lower() for part in _CREATURES for one in load_content(part)}
    return frozenset({*srd.spells, *srd.items, *srd.conditions, *srd.classes, *beings})


@lru_cache(maxsize=1)
def game_words() -> frozenset[str]:
    """The single words of those."""
    return frozenset(word for phrase in game_phrases() for word in _WORD.findall(phrase))


@lru_cache(maxsize=4)
def _spoken(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for name in names for word in _WORD.findall(name.replace("_", " ").lower()))


def vocabulary_words(vocabulary: Vocabulary) -> frozenset[str]:
    """The words of every request, alias and argument."""
    aliases = tuple(alias for tool in vocabulary.tools for alias in (tool.name, *tool.aliases))
    return _spoken((*aliases, *vocabulary.arguments))


def is_game_word(word: str, vocabulary: Vocabulary) -> bool:
    """Whether a word belongs to the rules or the table, and must stay what it is."""
    folded = word.lower()
    return folded in game_words() or folded in vocabulary_words(vocabulary) or folded in load_lexicon().kept
