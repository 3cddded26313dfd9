"""How a DM turn reads: repetition, length, faithfulness to the sheets, whose mouth it speaks with, language and role.

These are counts of visible faults by rules, not a judgement of style: a dull turn without faults scores well. The rules
are made to find nothing in carefully written turns, and so they miss what is said in other words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.cases import TurnCase
from studio.metrics.faithfulness import hit_point_faults, item_faults, name_faults
from studio.metrics.language import english_share

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_REQUEST = re.compile(r"\[[^\[\]\n]*\]?")
_SAY = r"(?:say|says|said|reply|ask|shout|answer|whisper|call out|yell|tell (?:him|her|them|it))"
_PLAYER_SPEECH = re.compile(
    rf"[\"“][^\"”\n]+[\"”],? you {_SAY}\b|\byou {_SAY}\b[^.\n]{{0,20}}[,:] ?[\"“]|\byou (?:decide|choose) to\b",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"^\s*(?:<\s*/?\s*(?:user|player|system|toolcall)\s*>|(?:user|player)\s*:)", re.I | re.M)
_OUT_OF_ROLE = re.compile(
    r"\b(?:as an ai\b|(?:an? )?(?:ai )?language model\b|i(?:'m| am) an? (?:ai|assistant)\b"
    r"|i(?:'m| am) sorry, (?:but )?i|i can(?:no|')t (?:assist|help|fulfil)"
    r"|how (?:can|may) i (?:help|assist) you|as (?:the|your) dungeon master\b"
    r"|here(?:'s| is) (?:a|an|the|my) (?:response|reply|story|revised|example)|the user\b|certainly!|let me know if)",
    re.IGNORECASE,
)
_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|you're|you've|you'll)\b", re.IGNORECASE)
SAME_TURN = 90
"""Similarity (percent) at which a turn counts as a copy of an earlier turn, the DM's or the player's."""
NGRAM = 4
MOSTLY = 0.5
"""Share of English words under which a turn counts as written in another language."""


class NarrativeVerdict(BaseModel):
    """The visible properties of one turn's text. Faults are quoted as written."""

    model_config = ConfigDict(frozen=True)

    words: int
    length_ratio: float = Field(description="Words over the author's words; 0 when the author wrote none.")
    repetition: float = Field(description="Share of 4-grams that were there before in the same turn.")
    copies_earlier_turn: bool = False
    misspelled_names: tuple[str, ...] = ()
    foreign_items: tuple[str, ...] = Field((), description="Things ascribed to the player that the sheet has not.")
    wrong_hit_points: tuple[str, ...] = ()
    speaks_for_player: tuple[str, ...] = ()
    english: float | None = Field(None, description="Share of sentences in English; None when there are none to judge.")
    out_of_role: tuple[str, ...] = ()
    second_person: bool = False

    @property
    def faithful(self) -> bool:
        """Names, belongings and hit points agree with the sheets."""
        return not (self.misspelled_names or self.foreign_items or self.wrong_hit_points)

    @property
    def other_language(self) -> bool:
        """Most of what can be judged is not English."""
        return self.english is not None and self.english < MOSTLY

    @property
    def faultless(self) -> bool:
        """Says something new, in English and in the Dungeon Master's role, that agrees with the sheets."""
        strays = self.copies_earlier_turn or self.other_language or self.out_of_role or self.speaks_for_player
        return self.faithful and not strays


def judge_narrative(case: TurnCase, text: str) -> NarrativeVerdict:
    """Look at the prose of one turn. Never raises."""
    prose = _REQUEST.sub(" ", text)
    spoken, authored = words(prose), words(_REQUEST.sub(" ", case.authored))
    return NarrativeVerdict(
        words=len(spoken),
        length_ratio=len(spoken) / len(authored) if authored else 0.0,
        repetition=repetition(spoken),
        copies_earlier_turn=_copies(prose, [one.content for one in case.context if one.role in ("assistant", "user")]),
        misspelled_names=tuple(name_faults(prose, case)),
        foreign_items=tuple(item_faults(prose, case)),
        wrong_hit_points=tuple(hit_point_faults(prose, case)),
        speaks_for_player=tuple(player_speech(text, [one.name for one in case.system.party if one.is_player])),
        english=english_share(prose),
        out_of_role=tuple(match[0] for match in _OUT_OF_ROLE.finditer(prose)),
        second_person=_SECOND_PERSON.search(prose) is not None,
    )


def words(text: str) -> list[str]:
    """The words of a text in lower case, without requests' brackets or marks."""
    return [match[0].lower() for match in _WORD.finditer(text)]


def ngrams(tokens: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Every run of `size` words."""
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


def distinct_n(texts: Sequence[str], size: int) -> float:
    """Distinct-n over all texts together: different n-grams over all n-grams (Li et al., 2016); 0 for no text."""
    counts = Counter(gram for text in texts for gram in ngrams(words(_REQUEST.sub(" ", text)), size))
    total = sum(counts.values())
    return len(counts) / total if total else 0.0


def repetition(tokens: Sequence[str]) -> float:
    """Sequence repetition: one minus the share of different 4-grams (seq-rep-4, Welleck et al., 2020)."""
    grams = ngrams(tokens, NGRAM)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def player_speech(text: str, players: Sequence[str]) -> list[str]:
    """Where a DM turn puts words or decisions into a player's mouth, or writes the player's turn itself."""
    found = [match[0].strip() for pattern in (_SCRIPT, _PLAYER_SPEECH) for match in pattern.finditer(text)]
    names = "|".join(re.escape(name) for name in players if name)
    if names:
        found += [match[0].strip() for match in re.finditer(rf"^\s*(?:\*\*)?(?:{names})(?:\*\*)?\s*:", text, re.M)]
    return found


def _copies(prose: str, earlier: Sequence[str]) -> bool:
    """Whether the prose was told before; a short one ("Yes.") counts only when it is just what was said last.

    Requests are left out on both sides: two attacks on the same goblin are asked for in the same words.
    """
    from rapidfuzz import fuzz

    text, told = prose.strip(), [_REQUEST.sub(" ", before).strip() for before in earlier]
    if not text:
        return False
    if told and text == told[-1]:
        return True
    return any(fuzz.ratio(text, before, score_cutoff=SAME_TURN) >= SAME_TURN for before in told if len(before) > 40)
