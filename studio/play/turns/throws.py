"""Throws for requests that are planned: dice of the studio from the session's seed, or faces that the player says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studio.play.sessions.session import ChatSession
from studio.play.turns.dice import DiceBox, DiceError
from studio.play.turns.events import RollEvent
from studio.play.turns.rolls import RollRequest, entered, thrown


def throw_all(
    session: ChatSession, requests: Sequence[RollRequest], faces: Sequence[Sequence[int] | None] | None = None
) -> list[RollEvent]:
    """Answer the requests, and count them in the session: the dice of what follows depend on how many there were.

    Args:
        faces: for each roll of each request, in order, what its dice show; None: the studio throws.

    Raises:
        DiceError: a die is missing or too many, or shows what it has no face for.
    """
    wanted = sum(len(one.rolls) for one in requests)
    if faces is not None and len(faces) != wanted:
        raise DiceError(f"{wanted} rolls are asked for and {len(faces)} were given.", next_step="Give one for each.")
    shown = iter(faces if faces is not None else [None] * wanted)
    return [_answered(session, one, shown, requests[:number]) for number, one in enumerate(requests)]


def _answered(
    session: ChatSession, request: RollRequest, shown: Iterator[Sequence[int] | None], before: Sequence[RollRequest]
) -> RollEvent:
    box = DiceBox(session.dice_generator(session.rolls, _asked(session, request, before)))
    session.rolls += 1
    pairs = [(one, next(shown)) for one in request.rolls]
    rolls = [thrown(one, box) if faces is None else entered(one, faces) for one, faces in pairs]
    return RollEvent(
        directive=request.directive,
        text="\n".join(one.line for one in rolls),
        rolls=rolls,
        own_dice=any(faces for _, faces in pairs),
    )


def _asked(session: ChatSession, request: RollRequest, before: Sequence[RollRequest]) -> str:
    """What is asked for, and how often this turn and the requests `before` asked for it already: `stealth/0`."""
    told = [one for one in (session.turns[-1].events if session.turns else []) if isinstance(one, RollEvent)]
    names = [one.rolls[0].tool_name for one in told if one.rolls]
    names += [one.rolls[0].tool_name for one in before if one.rolls]
    name = request.rolls[0].tool_name if request.rolls else ""
    return f"{name}/{names.count(name)}" if name else ""
