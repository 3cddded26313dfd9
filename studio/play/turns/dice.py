"""Dice thrown by `d20` from a random generator of the caller's, within limits.

`d20` takes its randomness from Python's global generator; the three small subclasses below give it one of its own, so
that two sessions never disturb each other and a session can be replayed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import d20
from d20 import diceast
from d20.expression import Literal as Face

from studio.errors import PlayError
from studio.scenarios import Mode

MAX_DICE = 50
MAX_SIDES = 1000
_TERM = re.compile(r"([+-]?)(\d{0,3})d(\d{1,5})|([+-]?)(\d{1,5})")


class DiceError(PlayError):
    """An expression that is no dice, or too many of them."""


@dataclass(frozen=True)
class Throw:
    """Dice as they fell. `bonus` is None when the expression has no number of its own."""

    dice: tuple[int, ...]
    bonus: int | None = None
    mode: Mode | None = None
    pair: tuple[int, int] | None = None


class _Context(d20.RollContext):  # type: ignore[misc]
    def __init__(self, generator: random.Random) -> None:
        super().__init__(max_rolls=MAX_DICE)
        self.generator = generator


class _Die(d20.Die):  # type: ignore[misc]
    __slots__ = ()

    def _add_roll(self) -> None:
        self._context.count_roll()
        self.values.append(Face(self._context.generator.randrange(self.size) + 1))


class _Dice(d20.Dice):  # type: ignore[misc]
    __slots__ = ()

    @classmethod
    def new(cls, num: int, size: int, context: _Context | None = None) -> _Dice:
        return cls(num, size, [_Die.new(size, context=context) for _ in range(num)], context=context)


class _Roller(d20.Roller):  # type: ignore[misc]
    def _eval_dice(self, node: diceast.Dice) -> _Dice:
        return _Dice.new(node.num, node.size, context=self.context)


class DiceBox:
    """Throws dice with `generator`; the same generator state gives the same dice."""

    def __init__(self, generator: random.Random) -> None:
        self._roller = _Roller(_Context(generator))

    def throw(self, expression: str, mode: Mode | None = None) -> Throw:
        """Throw `2d6+3` or the like. `mode` counts for a single d20 only.

        Raises:
            DiceError: not dice, dice that are subtracted, or more than the limits allow.
        """
        faces = [self._face(sides) for sides in sides_of(expression, mode)]
        return throw_of(expression, faces, mode)

    def _face(self, sides: int) -> int:
        rolled = self._roller.roll(f"1d{sides}")
        return int(rolled.expr.roll.values[0].number)


def sides_of(expression: str, mode: Mode | None = None) -> tuple[int, ...]:
    """How many sides each die of a throw has, in order: two d20 where the better or the worse one counts.

    Raises:
        DiceError: as `read_dice`.
    """
    groups, _ = read_dice(expression)
    if _is_pair(groups, mode):
        return (20, 20)
    return tuple(sides for count, sides in groups for _ in range(count))


def throw_of(expression: str, faces: Sequence[int], mode: Mode | None = None) -> Throw:
    """The throw whose dice, in the order of `sides_of`, fell on `faces`.

    Raises:
        DiceError: as `read_dice`; a die is missing or too many, or shows what it has no face for.
    """
    _check_faces(sides_of(expression, mode), faces)
    groups, bonus = read_dice(expression)
    if mode is not None and _is_pair(groups, mode):
        kept = max(faces) if mode == "advantage" else min(faces)
        return Throw((kept,), bonus, mode, (faces[0], faces[1]))
    return Throw(tuple(faces), bonus) if faces else Throw((bonus or 0,))


def _is_pair(groups: list[tuple[int, int]], mode: Mode | None) -> bool:
    return mode is not None and groups == [(1, 20)]


def _check_faces(sides: Sequence[int], faces: Sequence[int]) -> None:
    if len(sides) != len(faces):
        raise DiceError(
            f"{len(faces)} numbers were given for {len(sides)} dice.", next_step="Give one number for each die."
        )
    for most, face in zip(sides, faces, strict=True):
        if not 1 <= face <= most:
            raise DiceError(f"A d{most} has no {face}.", next_step=f"Give what it shows: a number from 1 to {most}.")


def read_dice(expression: str) -> tuple[list[tuple[int, int]], int | None]:
    """`2d6+1d4+3` -> ([(2, 6), (1, 4)], 3): groups of count and sides, and the number added, None when there is none.

    Raises:
        DiceError: not dice, dice that are subtracted, or more than the limits allow.
    """
    text = re.sub(r"\s*([+−–-])\s*", r"\1", expression.strip().lower()).replace("−", "-").replace("–", "-")
    groups: list[tuple[int, int]] = []
    bonus: int | None = None
    position = 0
    while position < len(text) and (term := _TERM.match(text, position)):
        if position and not (term[1] or term[4]):
            break
        if term[3] is None:
            bonus = (bonus or 0) + int(term[4] + term[5])
        elif term[1] == "-":
            raise DiceError(f"{expression!r} subtracts dice.", next_step="Add dice and subtract numbers only.")
        else:
            groups.append((int(term[2] or 1), int(term[3])))
        position = term.end()
    if not text or position < len(text):
        raise DiceError(f"{expression!r} is not dice.", next_step="Write them as 2d6+3.")
    _check_limits(expression, groups)
    return groups, bonus


def _check_limits(expression: str, groups: list[tuple[int, int]]) -> None:
    if sum(count for count, _ in groups) > MAX_DICE or any(not 1 <= sides <= MAX_SIDES for _, sides in groups):
        raise DiceError(
            f"{expression!r} is more than the table holds.",
            next_step=f"Throw at most {MAX_DICE} dice of 1 to {MAX_SIDES} sides.",
        )
