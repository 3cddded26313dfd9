"""Checks a model's summary against the game: what the state contradicts is set right or left out, and it is said.

Checked are hit points, conditions, and every figure: one that neither the turns nor the state nor the sheets know was
made up, and its sentence goes. So does one that speaks to the player, or most of whose longer words were never said.
Names of the party that are nearly right are written right. Not checked: numbers in words, and whether what is told
happened that way; that no program can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from studio.scenarios import load_srd
from studio.scenarios.game import Game, Said, Standing

_LETTERS = 480
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_REQUEST = re.compile(r"\[[^\[\]\n]*\]?|\*(?:SUCCESS|FAILED)\*")
"""What belongs to play and not to notes."""
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_POINTS = r"(?:hit points?|hp)\b"
_HAS_POINTS = re.compile(
    rf"(?P<before>\b(?:has|have|with|is at|are at|is down to|down to|is now at|now at|now has)\s+(?:only\s+)?)"
    rf"(?P<now>\d{{1,6}})(?:\s*(?:/|of|out of)\s*\d+)?\s*{_POINTS}",
    re.IGNORECASE,
)
_NOW = re.compile(r"\b(?:is|are|remains?|still)\b", re.IGNORECASE)
_TALKS = re.compile(r"^\W*(?:I|You|We)\b|\?$")
_ALIKE = 0.8
_LONG = 5
"""Letters of a word that carries meaning; half of those of a sentence must have been said."""


@dataclass
class Checked:
    """A summary in which nothing contradicts the game, and what was changed to get there."""

    text: str = ""
    corrections: list[str] = field(default_factory=list)


def check_summary(summary: str, game: Game, sheets: str, hidden: Sequence[Said]) -> Checked:
    """What may be kept of a summary.

    Args:
        game: the state after the hidden turns.
        sheets: the system text: its numbers are known.
        hidden: the turns that the summary is about.
    """
    checked, kept = Checked(), list[str]()
    known = _numbers([sheets, *(one.content for one in hidden)]) | _numbers([game.model_dump_json()])
    spoken = _beginnings("\n".join([*(one.name for one in game.party), *(one.content for one in hidden)]))
    for sentence in _sentences(summary):
        told = _points_right(_names_right(sentence, game, checked), game, checked)
        wrong = _invented(told, known) or _not_so(told, game) or _beside_the_point(told, spoken)
        if wrong:
            checked.corrections.append(f"Left out, because {wrong}: {told}")
        elif told not in kept and len(" ".join([*kept, told])) <= _LETTERS:
            kept.append(told)
    checked.text = " ".join(kept)
    return checked


def unnamed(text: str, game: Game, hidden: Sequence[Said]) -> list[str]:
    """Those of the party who are named in the hidden turns and not in a text."""
    said = "\n".join(one.content for one in hidden).casefold()
    return [
        one.name for one in game.party if one.name.casefold() in said and one.name.casefold() not in text.casefold()
    ]


def _sentences(summary: str) -> list[str]:
    """Whole sentences on one line each, without requests; the last one goes when it was cut off."""
    found = _SENTENCE.split(" ".join(_REQUEST.sub(" ", summary).split()))
    return [one for one in found if one and one[-1] in ".!?"]


def _names_right(sentence: str, game: Game, checked: Checked) -> str:
    names = {part for one in game.party for part in _WORD.findall(one.name)}
    for word in set(_WORD.findall(sentence)) - names:
        close = next((one for one in names if word[0].isupper() and _alike(word, one)), "")
        if close:
            sentence = re.sub(rf"\b{re.escape(word)}\b", close, sentence)
            checked.corrections.append(f"{word} is written {close}.")
    return sentence


def _alike(word: str, name: str) -> bool:
    return SequenceMatcher(None, word.casefold(), name.casefold()).ratio() >= _ALIKE


def _points_right(sentence: str, game: Game, checked: Checked) -> str:
    """Hit points that somebody is said to have, as the game counts them."""

    def right(match: re.Match[str]) -> str:
        who = _spoken_of(sentence[: match.start()], game)
        if who is None or who.hit_points is None or int(match["now"]) == who.hit_points:
            return match[0]
        checked.corrections.append(f"{who.name} has {who.hit_points} hit points, not {match['now']}.")
        return f"{match['before']}{who.hit_points} hit points"

    return _HAS_POINTS.sub(right, sentence)


def _spoken_of(words: str, game: Game) -> Standing | None:
    """Whoever of the party was named last in the words."""
    places = [(words.casefold().rfind(one.name.casefold()), one) for one in game.party]
    return max((one for one in places if one[0] >= 0), key=lambda one: one[0], default=(0, None))[1]


def _invented(sentence: str, known: set[str]) -> str:
    unknown = sorted(_numbers([sentence]) - known)
    return f"nobody said {unknown[0]}" if unknown else ""


def _not_so(sentence: str, game: Game) -> str:
    """A condition that somebody is said to be in and is not."""
    who = _spoken_of(sentence, game)
    if who is None or not _NOW.search(sentence):
        return ""
    claimed = [one for one in load_srd().conditions if re.search(rf"\b{one}\b", sentence, re.IGNORECASE)]
    false = [one for one in claimed if not any(one in held for held in who.conditions)]
    return f"{who.name} is not {false[0]}" if false else ""


def _beside_the_point(sentence: str, spoken: set[str]) -> str:
    """Small models go on playing, or talk of anything, when they are asked for a summary."""
    if _TALKS.search(sentence):
        return "it speaks to the player"
    words = _beginnings(sentence)
    return "" if 2 * len(words & spoken) >= len(words) > 0 else "it is not about what was said"


def _beginnings(text: str) -> set[str]:
    """How the longer words of a text begin, so that `goblins` and `goblin` are the same."""
    return {word[:_LONG].casefold() for word in _WORD.findall(text) if len(word) >= _LONG}


def _numbers(texts: Iterable[str]) -> set[str]:
    return {number.lstrip("0") or "0" for text in texts for number in _NUMBER.findall(text.replace(",", ""))}
