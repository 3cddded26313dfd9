"""Ratings of replies: given, found again, and put together over all saved sessions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from studio.errors import PlayError
from studio.play.sessions.index import FOLDER
from studio.play.sessions.session import ChatMessage, ChatSession
from studio.play.teaching.ratings import Rating
from studio.workspace import Workspace

_UNRATED = b'"ratings": []'
"""Stands in the file of a session that nobody rated, which then need not be read whole."""


@dataclass(frozen=True)
class Feedback:
    """A rating with the words that it is about, as they stand in a saved session now."""

    session_id: str
    title: str
    player: str
    reply: str
    rating: Rating

    @property
    def is_open(self) -> bool:
        """Whether it is a bad reply that nobody has put right yet."""
        return not self.rating.good and not self.rating.correction


@dataclass
class ModelFeedback:
    """How the replies of one model, told by its hashes, were rated."""

    model: str
    model_sha256: str
    adapter_sha256: str
    good: int = 0
    bad: int = 0
    tags: Counter[str] = field(default_factory=Counter)


def turn_messages(session: ChatSession, turn: int) -> list[ChatMessage]:
    """The Dungeon Master's part of one turn: her words, and the dice between them.

    Raises:
        PlayError: the session has no such turn.
    """
    start, end = turn_span(session, turn)
    return session.messages[start + bool(player_line(session, turn)) : end]


def player_line(session: ChatSession, turn: int) -> str:
    """What the player said in a turn; empty where the DM spoke first. Raises as `turn_messages`."""
    start, end = turn_span(session, turn)
    first = session.messages[start] if start < end else None
    return first.content if first is not None and first.role == "user" else ""


def turn_span(session: ChatSession, turn: int) -> tuple[int, int]:
    """Indices of the first message of a turn and of the first one after it. Raises as `turn_messages`."""
    if not 0 <= turn < len(session.turns):
        raise PlayError("This session has no such turn.", next_step="Load the session again.", where=session.id)
    later = [one.first_message for one in session.turns[turn + 1 :]]
    return session.turns[turn].first_message, min([*later, len(session.messages)])


def reply_words(session: ChatSession, turn: int) -> str:
    """The Dungeon Master's part of a turn as one text, dice included. Raises as `turn_messages`."""
    return "\n\n".join(one.content for one in turn_messages(session, turn))


def reply_hash(session: ChatSession, turn: int) -> str:
    """What a rating knows a reply by. Raises as `turn_messages`."""
    return hashlib.sha256(reply_words(session, turn).encode("utf-8", "surrogatepass")).hexdigest()


def rating_of(session: ChatSession, turn: int) -> Rating | None:
    """The rating of the words that stand in a turn now; None while there is none. Raises as `turn_messages`."""
    words = reply_hash(session, turn)
    return next((one for one in session.ratings if (one.turn, one.reply_sha256) == (turn, words)), None)


def rate(
    session: ChatSession, turn: int, *, good: bool, at: datetime, tags: Sequence[str] = (), note: str = ""
) -> Rating:
    """Rate what stands in a turn, in the place of an earlier rating of it. The session is changed, not saved.

    Raises:
        PlayError: the session has no such turn, or nothing was said in it.
    """
    if not reply_words(session, turn).strip():
        raise PlayError("There is no reply to rate.", next_step="Play the turn first.", where=session.id)
    before, stamp = rating_of(session, turn), session.model
    rating = Rating(
        turn=turn,
        reply_sha256=reply_hash(session, turn),
        good=good,
        tags=tuple(tags),
        note=note,
        at=at,
        model=(stamp.adapter or stamp.path) if stamp else "",
        model_sha256=stamp.sha256 if stamp else "",
        adapter_sha256=stamp.adapter_sha256 if stamp else "",
        correction=before.correction if before else "",
    )
    session.ratings = [*(one for one in session.ratings if one != before), rating]
    return rating


def unrate(session: ChatSession, turn: int) -> None:
    """Take the rating of a turn back. Raises as `turn_messages`."""
    before = rating_of(session, turn)
    session.ratings = [one for one in session.ratings if one != before]


def note_correction(session: ChatSession, turn: int, scenario_id: str, at: datetime, tags: Sequence[str] = ()) -> None:
    """Say that a reply was put right in a scenario: it is bad from now on, with what else was said about it.

    Raises as `rate`.
    """
    before = rating_of(session, turn)
    if before is None or before.good:
        kept = (before.tags if before else (), before.note if before else "")
        before = rate(session, turn, good=False, at=at, tags=tags or kept[0], note=kept[1])
    corrected = before.model_copy(update={"correction": scenario_id})
    session.ratings = [corrected if one == before else one for one in session.ratings]


def list_feedback(workspace: Workspace) -> list[Feedback]:
    """Every rating of words that still stand in a saved session, newest first; branches share theirs."""
    found: dict[tuple[datetime, str, str], Feedback] = {}
    for one in sorted(_everything(workspace), key=lambda one: one.rating.at, reverse=True):
        found.setdefault((one.rating.at, one.rating.reply_sha256, one.rating.speaker), one)
    return list(found.values())


def count_by_model(feedback: Sequence[Feedback]) -> list[ModelFeedback]:
    """The ratings of each model, the one with the most first."""
    models: dict[str, ModelFeedback] = {}
    for rating in (one.rating for one in feedback):
        fresh = ModelFeedback(rating.model, rating.model_sha256, rating.adapter_sha256)
        counted = models.setdefault(rating.speaker, fresh)
        counted.good += rating.good
        counted.bad += not rating.good
        counted.tags.update(rating.tags)
    return sorted(models.values(), key=lambda one: one.good + one.bad, reverse=True)


def _everything(workspace: Workspace) -> Iterator[Feedback]:
    for path in (workspace.state_dir / FOLDER).glob("*.json"):
        try:
            written = path.read_bytes()
            if _UNRATED not in written:
                yield from _of_session(ChatSession.model_validate_json(written))
        except (OSError, ValidationError):  # deleted meanwhile, or not readable
            continue


def _of_session(session: ChatSession) -> Iterator[Feedback]:
    for turn in range(len(session.turns) if session.ratings else 0):
        if (rating := rating_of(session, turn)) is not None:
            yield Feedback(session.id, session.title, player_line(session, turn), reply_words(session, turn), rating)
