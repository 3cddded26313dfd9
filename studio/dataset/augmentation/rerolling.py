"""Re-rolled dice: every roll whose story allows it is thrown again, fairly, and its sum is made right.

When a throw changes the verdict, the author's alternative turn is told (`alternatives.py`); where there is none the
dice are thrown until the verdict is the one that is told. A roll whose numbers the story says aloud stays, and so does
damage once anybody keeps count of hit points.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

from studio.dataset.augmentation.alternatives import alternatives_to, exchanged
from studio.dataset.augmentation.rolls import Roll, SeededDice, acting, dice_terms, rolls_in
from studio.dataset.augmentation.text import Edit, applied, generator, mentions, read, story_of
from studio.scenarios import Vocabulary, dice_for
from studio.scenarios.exchanges import Exchange
from studio.scenarios.library import Dice
from studio.scenarios.reading import Reading, Turn

_TRIES = 60
_HIT_POINTS = re.compile(r"hit points?|\bhp\b|health", re.IGNORECASE)


class RerolledDice:
    """The operation: other dice, the same story or the author's other one.

    Args:
        dice: makes what throws, from a seeded source of chance.
    """

    name = "re-rolled dice"

    def __init__(self, dice: Callable[[random.Random], Dice] = SeededDice) -> None:
        self._dice = dice

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text with other dice; None when no roll can be thrown again."""
        reading = read(text, vocabulary)
        chance = generator(seed, self.name)
        throws = _Throws(reading, self._dice(chance), chance)
        return applied(text, [edit for exchange in reading.exchanges for edit in throws.edits(exchange)])


class _Throws:
    """The throws of one text."""

    def __init__(self, reading: Reading, dice: Dice, chance: random.Random) -> None:
        self._reading, self._dice, self._chance = reading, dice, chance
        self._number = {id(turn): number for number, turn in enumerate(reading.turns)}

    def edits(self, exchange: Exchange) -> Iterator[Edit]:
        rolls = rolls_in(exchange)
        order = [roll for roll in rolls if roll.tool.kind == "initiative"]
        if len(order) > 1:
            yield from self._initiative(order)
        for roll in rolls:
            if roll.tool.kind == "damage":
                yield from self._damage(roll)
            elif roll.tool.has_outcome:
                yield from self._check(roll)

    def _check(self, roll: Roll) -> Iterator[Edit]:
        outcome = roll.exchange.outcome
        if roll.is_natural or not roll.agrees or outcome is None or self._is_said(roll, [outcome]):
            return
        others = alternatives_to(self._reading, outcome) if roll.alone and roll.needed is not None else []
        for _ in range(_TRIES):
            thrown = self._dice.throw("1d20", roll.line.mode)
            total = sum(thrown.dice) + roll.line.bonus
            if not roll.allows(thrown.dice[0]):
                continue
            edit = roll.rewrite(dice=thrown.dice, mode=thrown.mode, pair=thrown.pair)
            fitting = [one for one in others if roll.needed is not None and one.success == (total >= roll.needed)]
            if edit is not None and roll.keeps(total):
                yield edit
                return
            if edit is not None and fitting and roll.told is not None:
                yield edit
                yield from exchanged(self._reading, outcome, self._chance.choice(fitting))
                return

    def _damage(self, roll: Roll) -> Iterator[Edit]:
        """The same number of dice of the same kinds; a critical hit has twice as many."""
        later = self._after(roll)
        books = any(_HIT_POINTS.search(turn.content) for turn in later)
        actor = acting(self._reading, roll)
        arguments = roll.pair.directive.arguments
        known = "dice" in arguments or (actor is not None and bool(actor.attacks))
        sides = dice_terms(dice_for(actor, roll.tool, arguments)) if known else None
        shown = roll.line.dice
        if (
            books
            or not sides
            or mentions(story_of(later), roll.total)
            or len(shown) % len(sides)
            or len(shown) > 2 * len(sides)
        ):
            return
        if len(shown) > len(sides) and len(set(sides)) > 1:
            return
        kinds = (sides * 2)[: len(shown)]
        if all(die <= size for die, size in zip(shown, kinds, strict=True)):
            dice = tuple(self._dice.throw(f"1d{size}").dice[0] for size in kinds)
            yield from self._written(roll.rewrite(dice=dice))

    def _initiative(self, rolls: Sequence[Roll]) -> Iterator[Edit]:
        """Who is before whom stays as it was; a single line stays, for nobody wrote down the others."""
        before = _ranks([roll.total for roll in rolls])
        outcome = rolls[0].exchange.outcome
        if outcome is not None and any(self._is_said(roll, [outcome]) for roll in rolls):
            return
        for _ in range(_TRIES):
            thrown = [self._dice.throw("1d20", roll.line.mode) for roll in rolls]
            totals = [sum(one.dice) + roll.line.bonus for one, roll in zip(thrown, rolls, strict=True)]
            if _ranks(totals) == before:
                for one, roll in zip(thrown, rolls, strict=True):
                    yield from self._written(roll.rewrite(dice=one.dice, mode=one.mode, pair=one.pair))
                return

    def _is_said(self, roll: Roll, turns: Sequence[Turn]) -> bool:
        story = story_of(turns)
        return any(mentions(story, number) for number in {roll.total, *roll.line.dice})

    def _after(self, roll: Roll) -> list[Turn]:
        return self._reading.turns[self._number[id(roll.pair.turn)] + 1 :]

    @staticmethod
    def _written(edit: Edit | None) -> Iterator[Edit]:
        if edit is not None:
            yield edit


def _ranks(totals: Sequence[int]) -> list[int]:
    """Each total's place from the highest, equal ones sharing a place."""
    return [sum(other > total for other in totals) for total in totals]
