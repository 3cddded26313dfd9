"""What came before a window, told in words that the scene itself holds: the rolls, and the last exchange.

Extractive and deterministic: every sentence is quoted from the scenario, no model writes anything. A recap is told from
the turns alone, so its reader sees who did what and what is still open, and it never grows with the scene.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.scenarios import Message, Vocabulary, find_directives, load_vocabulary, parse_result_lines

TITLE = "# Recap"
MARK = "(Earlier turns of this scene, shortened by the studio.)"
_ROLLS = 3
_LETTERS = 240
_SENTENCE = re.compile(r"(?<=[.!?\"”])\s+")
_REQUEST = re.compile(r"\[[^\[\]\n]*\]")
_VERDICT = re.compile(r"\*(SUCCESS|FAILED)\*")
_FIGHT = {"begin_combat": True, "end_combat": False}


class SceneRecap:
    """Recaps of one conversation: call it with the index of a window's first turn (system block not counted)."""

    def __init__(self, messages: Sequence[Message], vocabulary: Vocabulary | None = None) -> None:
        self._turns = [one for one in messages if one.role != "system"]
        self._vocabulary = vocabulary or load_vocabulary()

    def __call__(self, first: int) -> str:
        """The recap of all turns before `first`; empty when there are none."""
        before = self._turns[:first]
        if not before:
            return ""
        lines = [self._fight(before), self._rolls(before), _player(before), _answer(before)]
        return "\n".join([TITLE, MARK, *(f"- {line}" for line in lines if line)])

    def _fight(self, turns: Sequence[Message]) -> str:
        """Whether a fight is going on."""
        for turn in (one for one in reversed(turns) if one.role == "assistant"):
            for directive in reversed(find_directives(turn.content, self._vocabulary)):
                if directive.tool_name in _FIGHT:
                    return "The party is in combat." if _FIGHT[directive.tool_name] else ""
        return ""

    def _rolls(self, turns: Sequence[Message]) -> str:
        """The newest rolls with their totals, and what the Dungeon Master made of them."""
        found: list[str] = []
        for index in reversed(range(len(turns))):
            if turns[index].role == "tool" and len(found) < _ROLLS:
                found.insert(0, self._roll(turns[index], turns[index + 1 : index + 2]))
        return f"Last rolls: {'; '.join(found)}." if found else ""

    def _roll(self, result: Message, told: Sequence[Message]) -> str:
        lines = parse_result_lines(result.content, self._vocabulary)
        totals = ", ".join(f"{line.name} {line.total}" for line in lines) or result.content
        verdict = _VERDICT.search(told[0].content) if told else None
        return f"{totals} ({verdict.group(1)})" if verdict else totals


def _player(turns: Sequence[Message]) -> str:
    said = next((one.content for one in reversed(turns) if one.role == "user"), "")
    return f"The player said: {_end_of(said)}" if said else ""


def _answer(turns: Sequence[Message]) -> str:
    """The end of the last answer: where the outcome is left open."""
    told = next((one.content for one in reversed(turns) if one.role == "assistant"), "")
    return f"The Dungeon Master answered: {_end_of(told)}" if told else ""


def _end_of(text: str) -> str:
    """Whole sentences from the end of a text, on one line, without requests; a longer last one loses its beginning."""
    sentences = _SENTENCE.split(" ".join(_REQUEST.sub(" ", text).split()))
    kept = sentences[-1]
    for sentence in reversed(sentences[:-1]):
        if len(sentence) + 1 + len(kept) > _LETTERS:
            break
        kept = f"{sentence} {kept}"
    return kept if len(kept) <= _LETTERS else f"... {kept[-_LETTERS:].partition(' ')[2]}"
