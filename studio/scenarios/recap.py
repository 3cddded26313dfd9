"""What came before a window, told in words that the scene itself holds. Training rows and the playground use this form.

Extractive and deterministic: sentences are quoted from the turns, numbers come from the state of the game, no model
writes anything. A recap is told from the turns alone, so its reader sees who did what, what became of the party and
what is still open, and it hardly grows with the scene. What is said of the party is only what the sheets no longer
say: the sheets themselves stand in the system block, which is never hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from studio.scenarios.game import Belonging, Game, Standing, play_out
from studio.scenarios.messages import Message
from studio.scenarios.models import SystemContext
from studio.scenarios.parser import MarkdownParser
from studio.scenarios.results import parse_result_lines
from studio.scenarios.srd import fold
from studio.scenarios.vocabulary import Vocabulary, load_vocabulary

TITLE = "# Recap"
MARK = "(Earlier turns of this scene, shortened by the studio.)"
RECAP_FORM = 2
"""Another number, another text for the same turns: training rows that hold one are made anew."""
_ROLLS = 3
_EARLIER = 4
"""Player turns that are quoted besides the last one."""
_LETTERS = 240
_EARLIER_LETTERS = 90
_SENTENCE = re.compile(r"(?<=[.!?\"”])\s+")
_REQUEST = re.compile(r"\[[^\[\]\n]*\]")
_VERDICT = re.compile(r"\*(SUCCESS|FAILED)\*")


class SceneRecap:
    """Recaps of one conversation: call it with the index of a window's first turn (system block not counted)."""

    def __init__(
        self, messages: Sequence[Message], vocabulary: Vocabulary | None = None, *, speaking_as: str = ""
    ) -> None:
        self._head = next((one.content for one in messages[:1] if one.role == "system"), "")
        self._turns = [one for one in messages if one.role != "system"]
        self._vocabulary = vocabulary or load_vocabulary()
        self._speaking_as = speaking_as

    def __call__(self, first: int) -> str:
        """The recap of all turns before `first`; empty when there are none."""
        return recap_text([*self.facts(first), *self.quotes(first)]) if self._turns[:first] else ""

    def facts(self, first: int) -> list[str]:
        """What the turns before `first` did to the party: a line for each whose sheet is no longer right."""
        return self._states[min(first, len(self._turns))]

    def quotes(self, first: int, *, earlier: bool = True) -> list[str]:
        """The newest rolls of the turns before `first` and who said what last; with `earlier`, what was said before."""
        before = self._turns[:first]
        told = _earlier(before) if earlier else []
        return [one for one in (self._rolls(before), *told, _player(before), _answer(before)) if one]

    @cached_property
    def _states(self) -> list[list[str]]:
        """What there is to say of the party after each number of turns, from none to all."""
        system = MarkdownParser(self._vocabulary).extract_system_context(f"<SYSTEM>\n{self._head}\n</SYSTEM>")
        game = Game.of(system)
        told = play_out(game, system, self._turns, self._vocabulary, speaking_as=self._speaking_as)
        return [state_lines(game, system), *(state_lines(game, system) for _ in told)]

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


def recap_text(lines: Iterable[str]) -> str:
    """Lines in the form of a recap: a title, who made it, and a bullet each."""
    return "\n".join([TITLE, MARK, *(f"- {line}" for line in lines)])


def with_recap(system_text: str, recap: str) -> str:
    """A system message with a recap as its last part; each may be empty."""
    return "\n\n".join(one for one in (system_text, recap) if one)


def state_lines(game: Game, system: SystemContext) -> list[str]:
    """What the sheets no longer say: the fight with its order, and a line for each to whom something happened."""
    order = ", ".join(f"{one.name} {one.total}" for one in game.initiative)
    fight = ["The party is in combat.", *([f"Initiative: {order}."] if order else [])] if game.in_combat else []
    changes = map(_changes, game.party, Game.of(system).party)
    party = [f"{one.name}: {', '.join(told)}." for one, told in zip(game.party, changes, strict=True) if told]
    return [_without_requests(line) for line in [*fight, *party]]


def _changes(now: Standing, then: Standing) -> list[str]:
    """What is different from the sheet, number by number."""
    told = []
    if now.hit_points != then.hit_points:
        most = f"/{now.max_hit_points}" if now.max_hit_points is not None else ""
        told.append(f"{now.hit_points}{most} hit points")
    told += now.conditions
    for level, most_slots in sorted(now.max_slots.items()):
        if (left := now.slots.get(level, 0)) != then.slots.get(level, 0):
            told.append(f"level {level} slots {left}/{most_slots}")
    if now.experience != then.experience:
        told.append(f"{now.experience} experience")
    return told + _items(now.items, then.items)


def _items(now: Sequence[Belonging], then: Sequence[Belonging]) -> list[str]:
    """What is carried otherwise than the sheet says, and what is carried no longer."""
    before = {fold(one.name): one for one in then}
    held = {fold(one.name) for one in now}
    changed = [one for one in now if fold(one.name) not in before or before[fold(one.name)].count != one.count]
    gone = [one for name, one in before.items() if name not in held]
    return [f"has {one.shown}" for one in changed] + [f"no {one.name} left" for one in gone]


def _earlier(turns: Sequence[Message]) -> list[str]:
    """How the player turns before the last one began."""
    said = [one.content for one in turns if one.role == "user"][-_EARLIER - 1 : -1]
    return [f"Earlier the player said: {short}" for one in said if (short := _start_of(one))]


def _player(turns: Sequence[Message]) -> str:
    said = next((one.content for one in reversed(turns) if one.role == "user"), "")
    return f"The player said: {_end_of(said)}" if said else ""


def _answer(turns: Sequence[Message]) -> str:
    """The end of the last answer: where the outcome is left open."""
    told = next((one.content for one in reversed(turns) if one.role == "assistant"), "")
    return f"The Dungeon Master answered: {_end_of(told)}" if told else ""


def _start_of(text: str) -> str:
    """The first sentence of a text; a longer one loses its end."""
    first = _SENTENCE.split(_without_requests(text))[0]
    return (
        first
        if len(first) <= _EARLIER_LETTERS
        else f"{first[:_EARLIER_LETTERS].rpartition(' ')[0] or first[:_EARLIER_LETTERS]} ..."
    )


def _end_of(text: str) -> str:
    """Whole sentences from the end of a text, on one line, without requests; a longer last one loses its beginning."""
    sentences = _SENTENCE.split(_without_requests(text))
    kept = sentences[-1]
    for sentence in reversed(sentences[:-1]):
        if len(sentence) + 1 + len(kept) > _LETTERS:
            break
        kept = f"{sentence} {kept}"
    return kept if len(kept) <= _LETTERS else f"... {kept[-_LETTERS:].partition(' ')[2]}"


def _without_requests(text: str) -> str:
    return " ".join(_REQUEST.sub(" ", text).split())
