"""Going back in a conversation: another telling of a turn, other words, a branch, a turn taken back.

Pure: a function changes the session it is given, or makes a new one, and leaves dice, seeds and window as they were at
that point, so that what follows is what would have followed. What is replaced is kept. Files are the caller's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from studio.errors import PlayError
from studio.play.sessions.session import BranchPoint, ChatMessage, ChatSession, Counters, TakenBack, Telling, TurnRecord
from studio.play.turns.events import (
    DirectiveEvent,
    NoteEvent,
    PlayEvent,
    PrefillEvent,
    RollEvent,
    StateEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)

BRANCH_TITLE = " (branch)"


@dataclass(frozen=True)
class StoryTurn:
    """A turn as one reads it.

    Attributes:
        number: from 1.
        start: index of its first message.
        end: index of the first message after it.
        record: its index in the session's turns; None when it was not played here, but came with the scenario.
    """

    number: int
    start: int
    end: int
    record: int | None


def story_turns(session: ChatSession) -> list[StoryTurn]:
    """The conversation in turns; each begins with the player's line, where there is one."""
    messages, records = session.messages, {one.first_message: place for place, one in enumerate(session.turns)}
    starts = {place for place, one in enumerate(messages) if one.role == "user"} | set(records)
    starts |= {session.system_messages} if len(messages) > session.system_messages else set()
    order = sorted(one for one in starts if one < len(messages))
    ends = [*order[1:], len(messages)][: len(order)]
    return [
        StoryTurn(number, start, end, records.get(start))
        for number, (start, end) in enumerate(zip(order, ends, strict=True), start=1)
    ]


def undo(session: ChatSession) -> str:
    """Take the last turn back; gives the player's line. `redo` brings it back until something new is said.

    Raises:
        PlayError: nothing has been played here.
    """
    last = _last_turn(session)
    if last.record is None and session.messages[-1].role != "user":
        raise PlayError(
            "There is no turn to take back.",
            why="What was said so far came with the scenario.",
            next_step="Go on from an earlier turn instead.",
        )
    record = session.turns[-1] if last.record is not None else TurnRecord(first_message=last.start)
    gone = TakenBack(messages=session.messages[last.start :], record=record, after=session.counters)
    _cut(session, last.start)
    session.taken_back.append(gone)
    return gone.messages[0].content if gone.messages[0].role == "user" else ""


def redo(session: ChatSession) -> None:
    """Bring the turn back that was taken back last. Raises `PlayError` when there is none."""
    if not session.taken_back:
        raise PlayError("No turn was taken back.", next_step="Say something.")
    back = session.taken_back.pop()
    session.messages = [*session.messages, *back.messages]
    session.turns = [*session.turns, back.record]
    _set_counters(session, back.after)


def branch(session: ChatSession, message: int, *, session_id: str, created: datetime) -> ChatSession:
    """Another session that shares everything before `message`; each of the two names the other.

    Args:
        message: where a turn begins, or the end of the conversation.

    Raises:
        PlayError: a turn is under way at that point.
    """
    if message != len(session.messages) and all(one.start != message for one in story_turns(session)):
        raise PlayError("A branch begins between two turns.", next_step="Choose the beginning of a turn.")
    other = session.model_copy(deep=True)
    _cut(other, message)
    other.id, other.created = session_id, created
    other.title = session.title.removesuffix(BRANCH_TITLE) + BRANCH_TITLE
    other.branches, other.taken_back, other.group = [], [], ""
    other.ratings = [one for one in other.ratings if one.turn < len(other.turns)]
    other.branched_from = BranchPoint(session=session.id, message=message)
    session.branches = [*session.branches, BranchPoint(session=session_id, message=message)]
    return other


def edit_line(session: ChatSession, message: int, text: str, *, session_id: str, created: datetime) -> ChatSession:
    """A branch in which the player says something else at `message`; it waits for the DM to answer (`go_on`).

    Raises:
        PlayError: that is no line of the player, or the new one is empty.
    """
    if session.messages[message].role != "user" or not text.strip():
        raise PlayError("This line cannot be played.", next_step="Choose a line of the player and write another one.")
    other = branch(session, message, session_id=session_id, created=created)
    other.messages = [*other.messages, ChatMessage(role="user", content=text.strip())]
    return other


def edit_reply(session: ChatSession, message: int, text: str) -> None:
    """Put other words in the DM's mouth, for play to go on with. The model's own are kept, and can be put back so.

    Raises:
        PlayError: that is no reply of the DM, it would be empty, or the player is about to throw its dice.
    """
    said = session.messages[message]
    if said.role != "assistant" or not text.strip():
        raise PlayError("This cannot be kept as a reply.", next_step="Choose a reply of the DM and write its words.")
    if session.pending and message >= session.turns[-1].first_message:
        raise PlayError("This reply waits for dice.", next_step="Throw them first, or let the turn be told again.")
    own = said.content if said.original is None else said.original
    said.content = text.strip()
    said.original = None if said.content == own else own


def leaf(session: ChatSession, place: int) -> None:
    """Let the telling at `place` of the last turn count; the one that counted before is kept at its own place.

    Raises:
        PlayError: there is no such telling.
    """
    record = session.turns[-1] if session.turns else TurnRecord(first_message=0)
    if not 0 <= place <= len(record.alternatives):
        raise PlayError("There is no such telling.", next_step="Let the turn be told again to get another one.")
    _set_aside(session, record)
    chosen = record.alternatives.pop(place)
    record.chosen, record.events, record.pending = place, chosen.events, chosen.pending
    session.messages = [*session.messages, *chosen.messages]
    session.rolls, session.first_visible = chosen.after.rolls, chosen.after.first_visible


def begin_turn(session: ChatSession, player_text: str) -> None:
    """The player speaks: her line and the record of the new turn. Raises `PlayError` when she has dice to throw."""
    _no_dice_wait(session)
    session.turns.append(TurnRecord(first_message=len(session.messages), start=session.counters))
    session.messages.append(ChatMessage(role="user", content=player_text.strip()))


def begin_another_telling(session: ChatSession) -> None:
    """Set the last turn's reply aside: the DM is about to tell it anew, with the same dice and another seed.

    Raises:
        PlayError: there is no reply yet.
    """
    last = _last_turn(session)
    if all(one.role == "user" for one in session.messages[last.start :]):
        raise PlayError("There is no reply that could be told again.", next_step="Let the Dungeon Master answer first.")
    if last.record is None:
        session.turns.append(TurnRecord(first_message=last.start, start=session.counters))
    record = session.turns[-1]
    start = record.start = record.start or _start_of(session, [record])
    _set_aside(session, record)
    record.chosen, record.events, record.pending = len(record.alternatives), [], []
    session.rolls, session.first_visible = start.rolls, start.first_visible


def begin_going_on(session: ChatSession) -> tuple[str, TurnStatistics]:
    """The DM goes on from what stands last: the words that it has begun with, and the figures of the turn so far.

    Raises:
        PlayError: the player has dice to throw, or the DM's words came with the scenario.
    """
    _no_dice_wait(session)
    last = story_turns(session)[-1] if session.messages[session.system_messages :] else None
    if last is None or last.record is None:
        if last is not None and session.messages[-1].role == "assistant":
            raise PlayError("The Dungeon Master has just spoken.", next_step="It is your turn: say what you do.")
        spoken = last is not None and session.messages[-1].role == "user"
        session.turns.append(TurnRecord(first_message=len(session.messages) - spoken, start=session.counters))
        return "", TurnStatistics()
    return _reopened(session, session.turns[-1])


def begin_rolls(session: ChatSession) -> TurnStatistics:
    """The dice have fallen: the turn goes on. The figures of the turn so far. Raises `PlayError` when none are due."""
    if not session.pending:
        raise PlayError("No dice are asked for.", next_step="Say what you do.")
    return _open_end(session.turns[-1])


def _reopened(session: ChatSession, record: TurnRecord) -> tuple[str, TurnStatistics]:
    """What the last reply began with is taken from the conversation; what was understood of it is read again."""
    statistics = _open_end(record)
    if session.messages[-1].role != "assistant":
        return "", statistics
    begun = session.messages.pop().content
    place = max((place for place, one in enumerate(record.events, start=1) if isinstance(one, PrefillEvent)), default=0)
    after = record.events[place:]
    record.events = [*record.events[:place], *(one for one in after if not _is_reading(one))]
    asked = [one for one in after if isinstance(one, DirectiveEvent)]
    statistics.requests -= len(asked)
    statistics.malformed -= sum(not one.valid for one in asked)
    return begun, statistics


def _is_reading(event: PlayEvent) -> bool:
    """Whether an event says how a reply was understood."""
    return isinstance(event, DirectiveEvent | StateEvent | NoteEvent)


def _open_end(record: TurnRecord) -> TurnStatistics:
    """Take the end off the turn; its figures go on."""
    if record.events and isinstance(end := record.events[-1], TurnEndEvent):
        record.events.pop()
        return end.statistics.model_copy()
    return TurnStatistics()


def _last_turn(session: ChatSession) -> StoryTurn:
    turns = story_turns(session)
    if not turns:
        raise PlayError("Nothing has been said yet.", next_step="Say what you do.")
    return turns[-1]


def _no_dice_wait(session: ChatSession) -> None:
    if session.pending:
        raise PlayError(
            "Dice are still to be thrown.",
            why="The Dungeon Master has asked for a roll and waits for its result.",
            next_step="Say what your dice show, or let the studio throw them.",
        )


def _set_aside(session: ChatSession, record: TurnRecord) -> None:
    """The reply of the last turn, out of the conversation and among the alternatives."""
    spoken = record.first_message < len(session.messages) and session.messages[record.first_message].role == "user"
    begins = record.first_message + spoken
    told = Telling(
        messages=session.messages[begins:], events=record.events, pending=record.pending, after=session.counters
    )
    session.messages = session.messages[:begins]
    record.alternatives.insert(record.chosen, told)


def _cut(session: ChatSession, message: int) -> None:
    """Only what was said before `message`, and everything as it was then."""
    gone = [one for one in session.turns if one.first_message >= message]
    if gone:
        _set_counters(session, gone[0].start or _start_of(session, gone))
    session.messages = session.messages[:message]
    session.turns = session.turns[: len(session.turns) - len(gone)]
    session.first_visible = min(session.first_visible, message)


def _set_counters(session: ChatSession, counters: Counters) -> None:
    session.rolls, session.generations = counters.rolls, counters.generations
    session.first_visible = counters.first_visible


def _start_of(session: ChatSession, turns: Sequence[TurnRecord]) -> Counters:
    """How far the session was before its last turns, reckoned from what happened in them."""
    events = [event for one in turns for event in one.events]
    window = next((one for one in events if isinstance(one, WindowEvent)), None)
    first_visible = session.first_visible
    if window is not None:
        first_visible = window.hidden - window.newly_hidden + session.system_messages
    return Counters(
        rolls=max(0, session.rolls - sum(isinstance(one, RollEvent) for one in events)),
        generations=max(0, session.generations - sum(isinstance(one, PrefillEvent) for one in events)),
        first_visible=first_visible,
    )
