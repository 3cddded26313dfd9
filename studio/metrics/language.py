"""How much of a text is English: by script and by function words. No language is identified.

Sentences are joined until a piece has a dozen words, because less says little; a piece counts as English when its
letters are Latin and enough of its words are English function words. Names and exclamations have no language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

PIECE_WORDS = 12
SHORTEST = 6
LATIN_SHARE = 0.9
FUNCTION_WORD_SHARE = 0.12
"""Nearly every piece of the shipped scenarios has over 0.15; other languages in Latin script stay at or below 0.1."""
_SENTENCE = re.compile(r"[.!?…。！？\n]+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_AMBIGUOUS = {"de", "con", "un", "co", "me", "no", "he", "in", "was", "so", "etc", "re", "an", "has", "am", "on", "per"}
"""Function words of other languages too."""
_ALSO = {"you're", "it's", "don't", "there's", "that's", "isn't", "you've", "you'll", "didn't", "doesn't", "can't"}


def english_share(text: str) -> float | None:
    """Share of the words that stand in English pieces; None when there is too little text to say."""
    judged = [(_size(piece), _is_english(piece)) for piece in _pieces(text) if _size(piece) >= SHORTEST]
    total = sum(size for size, _ in judged)
    return sum(size for size, english in judged if english) / total if total else None


def _pieces(text: str) -> Iterator[str]:
    """Sentences joined to pieces of a dozen words; a change of script begins a new piece."""
    piece = ""
    for sentence in _SENTENCE.split(text):
        if piece and (_size(piece) >= PIECE_WORDS or _latin(piece) != _latin(sentence)):
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    yield piece


def _size(text: str) -> int:
    """Words; in scripts that put no spaces between them, a word for every two letters."""
    counted = len(_WORD.findall(text))
    return counted if _latin(text) else max(counted, sum(one.isalpha() for one in text) // 2)


def _is_english(piece: str) -> bool:
    if not _latin(piece):
        return False
    found = [one.lower().replace("’", "'") for one in _WORD.findall(piece)]
    return sum(one in _function_words() for one in found) / len(found) >= FUNCTION_WORD_SHARE


def _latin(text: str) -> bool:
    letters = [one for one in text if one.isalpha()]
    latin = sum(one.isascii() or unicodedata.name(one, "").startswith("LATIN") for one in letters)
    return not letters or latin / len(letters) >= LATIN_SHARE


@lru_cache(maxsize=1)
def _function_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return (frozenset(ENGLISH_STOP_WORDS) - _AMBIGUOUS) | _ALSO
