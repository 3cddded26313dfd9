"""Negative cases: scenes in which nobody asks for dice, cut out of scenes in which somebody does.

A scene is a row of exchanges, each beginning with a player's turn. Those with a roll are dropped whole; what is kept is
one unbroken run, the opening one where it has no roll, else the longest, so that as little as possible refers to what
is gone. Nothing is written that the author did not write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from studio.dataset.augmentation.text import Edit, applied, read
from studio.scenarios import Vocabulary
from studio.scenarios.reading import Reading, Turn


@dataclass(slots=True)
class _Beat:
    """A player's turn and everything up to the next one."""

    turns: list[Turn] = field(default_factory=list)

    @property
    def rolls(self) -> bool:
        """Whether dice are asked for or thrown."""
        asked = any(one.tool is None or one.tool.rolls for turn in self.turns for one in turn.directives)
        return asked or any(turn.speaker == "TOOLCALL" for turn in self.turns)


class NoRolls:
    """The operation: the exchanges of a scene that need no dice. There is one such copy, whatever the seed."""

    name = "no rolls"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text without its rolls; None when it has none, or nothing but rolls."""
        reading = read(text, vocabulary)
        beats = _beats(reading)
        kept = _quiet_run(beats)
        if not kept or len(kept) == len(beats):
            return None
        wanted = {id(turn) for beat in kept for turn in beat.turns}
        return applied(text, list(_dropped(reading, wanted)))


def _beats(reading: Reading) -> list[_Beat]:
    beats: list[_Beat] = []
    for turn in reading.turns:
        if not beats or (turn.speaker == "User" and beats[-1].turns[-1].speaker != "User"):
            beats.append(_Beat())
        beats[-1].turns.append(turn)
    return beats


def _quiet_run(beats: list[_Beat]) -> list[_Beat]:
    """The opening beats without rolls, else the longest such run. It ends with the DM."""
    runs = [list(run) for rolls, run in groupby(beats, key=lambda one: one.rolls) if not rolls]
    if not runs:
        return []
    best = runs[0] if not beats[0].rolls else max(runs, key=len)
    while best and best[-1].turns[-1].speaker != "DM":
        best.pop()
    return best if any(turn.speaker == "User" for beat in best for turn in beat.turns) else []


def _dropped(reading: Reading, wanted: set[int]) -> list[Edit]:
    """Every other turn goes, with the space and the comments between it and the next turn."""
    starts = [turn.node.start for turn in reading.turns]
    ends = [*starts[1:], len(reading.text)]
    return [
        Edit(start, end, "")
        for turn, start, end in zip(reading.turns, starts, ends, strict=True)
        if id(turn) not in wanted
    ]
