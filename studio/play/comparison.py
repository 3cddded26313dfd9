"""Two or three models at the same table: the same scene, seed and words, and each a session of its own.

Sessions that are compared share `ChatSession.group`. The dice of a request then follow from the turn and from what is
asked for, so models that ask for the same get the same dice (`ChatSession.dice_generator`). Models speak one after
the other: two that wrote at once would share the processor, and their figures would say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import StudioError
from studio.play.hosts.client import ModelHost
from studio.play.sessions.session import ChatMessage, ChatSession
from studio.play.turns.events import (
    DirectiveEvent,
    NoteEvent,
    PlayEvent,
    RollEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)
from studio.play.turns.runtime import play_turn
from studio.scenarios import Vocabulary

MOST_MODELS = 3


@dataclass(frozen=True)
class Seat:
    """One model of a comparison. `host` is asked for when it is its turn to speak."""

    session: ChatSession
    host: Callable[[], ModelHost]


@dataclass(frozen=True)
class SeatFailed:
    """A model could not speak; the others go on."""

    error: StudioError


@dataclass(frozen=True)
class SeatBegins:
    """It is this model's turn to answer the line; it may have to be loaded first."""

    line: str


class ComparedTurn(BaseModel):
    """What one model made of one line."""

    model_config = ConfigDict(extra="forbid")

    player: str
    said: list[ChatMessage] = Field(default_factory=list, description="The DM's turns and the TOOLCALL turns between.")
    asked: list[str] = Field(default_factory=list, description="What it asked the studio for, by canonical name.")
    rolls: list[RollEvent] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    hidden: int = Field(0, description="Messages that it no longer saw, if that changed in this turn.")
    statistics: TurnStatistics = Field(default_factory=TurnStatistics)


def side_by_side(
    seats: Sequence[Seat], line: str, vocabulary: Vocabulary, *, fresh: bool = False
) -> Generator[tuple[int, PlayEvent | SeatBegins | SeatFailed], None, None]:
    """All answer a line, one after the other; gives the number of the seat with each event.

    A model that did not answer earlier lines, because it failed or was stopped, catches up first. Closing the iterator
    ends the turn of whoever speaks and keeps what was said.

    Args:
        line: what the player says; empty lets those that are behind catch up.
        fresh: read the whole prompt of the first turn, so that the same models say the same again.
    """
    lines = [*max((lines_of(one.session) for one in seats), key=len, default=[]), *([line] if line else [])]
    for number, seat in enumerate(seats):
        try:
            for missed in lines[len(seat.session.turns) :]:
                yield number, SeatBegins(missed)
                first = fresh and not seat.session.turns
                with closing(play_turn(seat.session, missed, seat.host(), vocabulary, fresh=first)) as events:
                    for event in events:
                        yield number, event
        except StudioError as error:
            yield number, SeatFailed(error)


def lines_of(session: ChatSession) -> list[str]:
    """What the player said in the turns that were played."""
    return [turn_of(session, number).player for number in range(len(session.turns))]


def turn_of(session: ChatSession, number: int) -> ComparedTurn:
    """A played turn of a session, counted from 0."""
    record = session.turns[number]
    ends = [one.first_message for one in session.turns[number + 1 : number + 2]] or [len(session.messages)]
    messages, events = session.messages[record.first_message : ends[0]], record.events
    spoken = bool(messages) and messages[0].role == "user"
    return ComparedTurn(
        player=messages[0].content if spoken else "",
        said=messages[int(spoken) :],
        asked=[one.tool_name for one in events if isinstance(one, DirectiveEvent) and one.valid],
        rolls=[one for one in events if isinstance(one, RollEvent)],
        notes=[one.text for one in events if isinstance(one, NoteEvent)],
        hidden=max((one.hidden for one in events if isinstance(one, WindowEvent)), default=0),
        statistics=next((one.statistics for one in events if isinstance(one, TurnEndEvent)), TurnStatistics()),
    )


def difference(turns: Sequence[ComparedTurn | None], names: Sequence[str]) -> str:
    """A sentence when not all of those who answered a line asked for the same, empty when they did.

    Args:
        turns: one for each model, None where it has not answered.
        names: how the models are called, in the same order.
    """
    answered = [(name, one) for name, one in zip(names, turns, strict=True) if one is not None]
    asked = [(name, tuple(dict.fromkeys(one.asked))) for name, one in answered]
    if len({tools for _, tools in asked}) < 2:
        return ""
    return "; ".join(f"{name} asked for {_listed(tools)}" for name, tools in asked) + "."


def _listed(tools: Sequence[str]) -> str:
    return ", ".join(one.replace("_", " ") for one in tools) or "nothing"
