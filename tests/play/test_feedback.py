"""Ratings: given, found again under the same words only, and put together over all sessions and models."""

from __future__ import annotations

import json

import pytest

from studio.errors import PlayError
from studio.play import ChatSession, load_session, save_session
from studio.play.teaching.feedback import count_by_model, list_feedback, note_correction, rate, rating_of, unrate
from studio.play.teaching.ratings import FORGOT_A_ROLL, HINTS, TAGS
from studio.workspace import Workspace
from tests.play.played import HIDES, NOON, ROLLED, played


def test_a_rating_is_kept_with_the_session_and_replaced_by_the_next(empty_workspace: Workspace) -> None:
    session = played(HIDES, ROLLED)
    rate(session, 0, good=True, at=NOON)
    rate(session, 0, good=False, at=NOON, tags=[FORGOT_A_ROLL, " my  own\ntag ", ""], note=" Who looked? ")
    save_session(empty_workspace, session)
    found = rating_of(load_session(empty_workspace, "evening"), 0)
    assert found is not None
    assert (found.good, found.tags, found.note) == (False, (FORGOT_A_ROLL, "my own tag"), "Who looked?")
    assert len(session.ratings) == 1
    assert rating_of(session, 1) is None
    unrate(session, 0)
    assert session.ratings == []


def test_other_words_in_the_place_of_the_rated_ones_are_not_rated() -> None:
    session = played(HIDES)
    rate(session, 0, good=False, at=NOON)
    own = session.messages[-1].content
    session.messages[-1].content = "You duck down."
    assert rating_of(session, 0) is None
    session.messages[-1].content = own
    assert rating_of(session, 0) is not None


def test_a_turn_that_the_dungeon_master_opened_is_rated_like_any_other() -> None:
    session = played([("assistant", "It is raining.")], HIDES)
    assert rate(session, 0, good=True, at=NOON).good
    with pytest.raises(PlayError):
        rate(session, 2, good=True, at=NOON)


def test_a_turn_without_a_reply_cannot_be_rated() -> None:
    with pytest.raises(PlayError) as caught:
        rate(played([("user", "Hello?")]), 0, good=False, at=NOON)
    assert caught.value.next_step


def test_feedback_is_counted_by_model_and_a_branch_counts_once(empty_workspace: Workspace) -> None:
    session = played(HIDES, ROLLED)
    rate(session, 0, good=False, at=NOON, tags=["too long"])
    rate(session, 1, good=True, at=NOON)
    other = played(ROLLED, session_id="other")
    other.model = other.model and other.model.model_copy(update={"sha256": "cd" * 32})
    rate(other, 0, good=False, at=NOON, tags=["too long"])
    for one in (session, session.model_copy(update={"id": "branch"}), other):
        save_session(empty_workspace, one)
    listed = list_feedback(empty_workspace)
    assert sorted((one.player, one.rating.good) for one in listed if one.session_id != "other") == [
        ("I hide behind the bar.", False),
        ("I listen.", True),
    ]
    counted = [(one.model_sha256[:2], one.good, one.bad, one.tags["too long"]) for one in count_by_model(listed)]
    assert counted == [("ab", 1, 1, 1), ("cd", 0, 1, 1)]


def test_a_correction_makes_a_reply_bad_and_closes_it() -> None:
    session = played(HIDES)
    rate(session, 0, good=True, at=NOON, note="Hm.")
    note_correction(session, 0, "combat/evening", NOON, tags=[FORGOT_A_ROLL])
    found = rating_of(session, 0)
    assert found is not None
    assert (found.good, found.correction, found.tags, found.note) == (False, "combat/evening", (FORGOT_A_ROLL,), "Hm.")
    assert rate(session, 0, good=False, at=NOON).correction == "combat/evening"


def test_a_session_of_an_older_studio_still_loads() -> None:
    written = json.loads(played(HIDES).model_dump_json())
    del written["ratings"]
    assert ChatSession.model_validate(written).ratings == []


def test_every_tag_says_what_it_means() -> None:
    assert len(HINTS) == len(TAGS)
    assert all(one.hint.endswith(".") and one.words == one.words.lower() for one in TAGS)
