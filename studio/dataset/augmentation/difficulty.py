"""Other difficulties: a `dc=` moves, but never across the total, so that every verdict stays what it is.

Requests that share one difficulty share the new one: the heads of a group check, and all attacks on the same target
with the same dc, which is its armor class. A dc that the story says aloud stays.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from studio.dataset.augmentation.rolls import Roll, rolls_of
from studio.dataset.augmentation.text import Edit, applied, generator, mentions, read, story_of
from studio.scenarios import Vocabulary
from studio.scenarios.directives import Directive
from studio.scenarios.reading import Reading, Turn

_LOWEST, _HIGHEST = 5, 30
"""The difficulty classes of the rules: very easy to nearly impossible."""
_FAR = 4
"""How far a dc may move."""
Key = tuple[object, ...]


class OtherDifficulty:
    """The operation: another dc on the same side of the total."""

    name = "difficulty"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text with other difficulties; None when no dc can move."""
        reading = read(text, vocabulary)
        chance = generator(seed, self.name)
        edits = []
        for key, places in _groups(reading).items():
            choices = _choices(int(str(key[-1])), places.rolls) if not places.is_fixed else []
            if choices:
                new = chance.choice(choices)
                edits += [Edit(start, end, str(new)) for start, end in places.numbers]
        return applied(text, edits)


class _Places:
    """Everything that shares one difficulty."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, int]] = []
        self.rolls: list[Roll] = []
        self.is_fixed = False


def _groups(reading: Reading) -> dict[Key, _Places]:
    answered: dict[int, Roll] = {id(roll.pair.directive): roll for roll in rolls_of(reading)}
    waiting = {id(one) for exchange in reading.exchanges for one in exchange.unanswered}
    groups: dict[Key, _Places] = defaultdict(_Places)
    story = story_of(reading.turns)
    for turn, directive, difficulty in _difficulties(reading):
        group = groups[_key(turn, directive, difficulty)]
        number = _number(turn, directive, difficulty)
        roll = answered.get(id(directive))
        told_otherwise = roll is not None and (roll.is_natural or not roll.agrees)
        unknown = roll is None and id(directive) not in waiting  # answered by a line that cannot be judged
        if number is None or told_otherwise or unknown or mentions(story, difficulty):
            group.is_fixed = True
            continue
        group.numbers.append(number)
        group.rolls += [roll] if roll is not None else []
    return groups


def _difficulties(reading: Reading) -> Iterator[tuple[Turn, Directive, int]]:
    for turn in reading.turns:
        for one in turn.directives if turn.speaker == "DM" else ():
            given = one.arguments.get("dc", "")
            if one.tool is not None and one.tool.name != "death_save" and given.isdecimal() and len(given) < 4:
                yield turn, one, int(given)


def _key(turn: Turn, directive: Directive, difficulty: int) -> Key:
    target = directive.arguments.get("target", "").casefold()
    if directive.tool is not None and directive.tool.kind == "attack" and target:
        return ("attack", target, difficulty)
    return (turn.start, directive.tool_name, difficulty)


def _number(turn: Turn, directive: Directive, difficulty: int) -> tuple[int, int] | None:
    """Where the number stands in the file; None when it cannot be told which one it is."""
    found = list(re.finditer(rf"=\s*\"?({difficulty})(?!\d)", directive.written))
    if len(found) != 1:
        return None
    start = turn.start + directive.start
    return start + found[0].start(1), start + found[0].end(1)


def _choices(difficulty: int, rolls: list[Roll]) -> list[int]:
    """The other difficulties that leave every total on its side."""
    near = range(max(_LOWEST, difficulty - _FAR), min(_HIGHEST, difficulty + _FAR) + 1)
    kept = [all((roll.total >= one) == (roll.total >= difficulty) for roll in rolls) for one in near]
    return [one for one, keeps in zip(near, kept, strict=True) if keeps and one != difficulty]
