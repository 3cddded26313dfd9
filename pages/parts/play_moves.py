"""What the player has chosen to do at the table, from the click to the turn that it starts.

A move is kept in the session of the browser tab as a name and numbers; it is taken once, when the page is drawn again.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from pages.parts.layout import vocabulary
from studio.play import ChatSession, ModelHost, PlayEvent, enter_rolls, go_on, play_turn, story_turns, tell_again
from studio.ui.live_turn import LiveTurn

MoveKind = Literal["say", "again", "on", "rolls"]
Faces = list[tuple[int, ...] | None]
_MOVE = "move_at_the_table"


@dataclass(frozen=True)
class Move:
    """Say something, have it told again, let the DM go on, or say what one's dice show."""

    kind: MoveKind
    said: str = ""
    faces: tuple[tuple[int, ...] | None, ...] = ()


def choose(kind: MoveKind, faces: Faces | None = None, said: str = "") -> None:
    """Remember a move for when the page is drawn."""
    st.session_state[_MOVE] = (kind, faces or [], said)


def chosen() -> Move | None:
    """The move that was chosen, once."""
    kind, faces, said = st.session_state.pop(_MOVE, (None, [], ""))
    return Move(kind, said, tuple(faces)) if kind else None


def told_until(session: ChatSession, move: Move | None) -> int:
    """How many messages stand as they are while the move is made."""
    said = session.messages
    if move is None or move.kind in ("say", "rolls") or not said:
        return len(said)
    if move.kind == "on":
        return len(said) - (said[-1].role == "assistant")
    start = story_turns(session)[-1].start
    return start + (said[start].role == "user")


def begun_turn(session: ChatSession, move: Move) -> LiveTurn:
    """The turn in the making, with what the DM has begun to say."""
    live = LiveTurn(vocabulary(), move.said if move.kind == "say" else None, session.settings.speaking_as)
    if move.kind == "on" and session.messages and session.messages[-1].role == "assistant":
        live.pieces.append(("DM", session.messages[-1].content))
    return live


def events_of(session: ChatSession, move: Move, host: ModelHost) -> Generator[PlayEvent, None, None]:
    """What happens when the move is made. Raises `PlayError`."""
    match move.kind:
        case "say":
            return play_turn(session, move.said, host, vocabulary())
        case "again":
            return tell_again(session, host, vocabulary())
        case "on":
            return go_on(session, host, vocabulary())
        case "rolls":
            return enter_rolls(session, move.faces, host, vocabulary())
