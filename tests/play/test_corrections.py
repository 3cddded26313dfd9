"""A bad reply put right: in the exact form of training, valid, from where it was said, and waiting for a person."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.errors import PlayError
from studio.play import ChatMessage, ChatSession, ModelHost, Sampling
from studio.play.teaching.corrections import (
    corrected_roll,
    correction,
    read_request,
    request_text,
    rewritten,
    throw,
    words_before,
    words_without_requests,
)
from studio.play.teaching.drafting import draft_reply
from studio.scenarios import MarkdownParser, Vocabulary, parse_result_lines
from studio.scenarios.review import waits_for_review
from studio.workspace import Workspace
from tests.play.played import HIDES, ROLLED, played

MALFORMED = [("user", "I look."), ("assistant", "Dark. [roll: nonsense]")]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("stealth", "[roll: stealth]"),
        ("[roll: sneak, DC 14]", "[roll: stealth, dc=14]"),
        ("begin combat", "[begin combat]"),
        ("roll: attack, target=the goblin, advantage", "[roll: attack, target=the goblin, advantage]"),
        ("hit points: -6, who=Thorin", "[hit points: -6, who=Thorin]"),
    ],
)
def test_a_request_is_read_by_the_parser_of_the_linter(written: str, read: str, vocabulary: Vocabulary) -> None:
    assert read_request(written, vocabulary).canonical == read


@pytest.mark.parametrize(
    "written", ["", "luck", "stealth, dc=high", "stealth] [roll: arcana", "sneak\nquietly", "hit points"]
)
def test_what_is_no_request_is_refused_with_a_next_step(written: str, vocabulary: Vocabulary) -> None:
    with pytest.raises(PlayError) as caught:
        read_request(written, vocabulary)
    assert caught.value.next_step


def test_a_request_is_put_together_from_fields_and_empty_ones_are_left_away(vocabulary: Vocabulary) -> None:
    tool = vocabulary.by_name["attack"]
    fields = {"target": "the thin man, left", "weapon": " ", "dc": "13"}
    assert request_text(tool, fields, vocabulary) == '[roll: attack, target="the thin man, left", dc=13]'


def test_should_have_rolled_becomes_a_valid_scenario_with_the_dice_of_the_sheets(
    empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    session = played(ROLLED, HIDES)
    request = read_request("stealth, dc=14", vocabulary)
    words = words_before(session, 1, vocabulary)
    assert words == "Nobody sees you. The room goes quiet."
    fallen = throw(session, 1, request)
    line = parse_result_lines(fallen.text, vocabulary)[0]
    assert (line.valid, line.bonus) == (True, 7)  # Sarah's
    assert fallen.verdict == ("*SUCCESS*" if (line.total or 0) >= 14 else "*FAILED*")
    instead = corrected_roll(words, request, fallen, "The board creaks under you.")
    made = correction(
        empty_workspace, session, 1, instead, vocabulary, kind="should have rolled", scenario_type="combat"
    )
    assert made.valid, [one.message for one in made.errors]
    scenario = MarkdownParser(vocabulary).parse_text(made.text)
    assert [one.content for one in scenario.conversation] == [
        *(said for _, said in ROLLED),
        "I hide behind the bar.",
        "Nobody sees you. The room goes quiet.\n\n[roll: stealth, dc=14]",
        fallen.text,
        f"{fallen.verdict} The board creaks under you.",
    ]
    assert scenario.system_context == session.system
    assert waits_for_review(scenario.metadata)
    said = scenario.metadata["correction"]
    assert (said["session"], said["turn"], said["model_sha256"], said["run"]) == ("evening", 2, "ab" * 32, "tavern")
    assert (scenario.scenario_type, scenario.metadata["tags"]) == ("combat", ["correction"])


def test_the_same_dice_fall_again_and_other_dice_can_be_asked_for(vocabulary: Vocabulary) -> None:
    session, request = played(HIDES, ROLLED), read_request("stealth", vocabulary)
    assert throw(session, 0, request) == throw(session, 0, request)
    assert len({throw(session, turn, request, attempt).text for turn in (0, 1) for attempt in range(9)}) > 5


def test_without_a_difficulty_a_person_says_how_it_went(empty_workspace: Workspace, vocabulary: Vocabulary) -> None:
    session, request = played(HIDES), read_request("stealth", vocabulary)
    fallen = throw(session, 0, request)
    assert (fallen.verdict, fallen.needs_verdict) == ("", True)
    assert corrected_roll("You duck.", request, fallen, "Seen!", "*FAILED*")[-1].content == "*FAILED* Seen!"
    open_end = corrected_roll("You duck.", request)
    assert [one.role for one in open_end] == ["assistant"]
    assert correction(empty_workspace, session, 0, open_end, vocabulary, kind="should have rolled").valid


def test_should_not_have_rolled_keeps_the_words_and_drops_request_and_dice(
    empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    session = played(ROLLED)
    words = words_without_requests(session, 0, vocabulary)
    assert words == "Hush."
    instead = [ChatMessage(role="assistant", content=f"{words} Nothing stirs.")]
    made = correction(empty_workspace, session, 0, instead, vocabulary, kind="should not have rolled")
    assert made.valid
    assert "perception" not in made.text.partition("</SYSTEM>")[2]


def test_rewriting_changes_the_words_and_leaves_the_dice_as_they_fell(
    empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    session = played(ROLLED)
    instead = rewritten(session, 0, ["You hold your breath.\n\n[roll: perception]", "*SUCCESS* A ledger, they say."])
    assert [one.role for one in instead] == ["assistant", "tool", "assistant"]
    assert correction(empty_workspace, session, 0, instead, vocabulary, kind="rewritten").valid
    spoilt = rewritten(session, 0, ["You hold your breath.", "*SUCCESS* A ledger, they say."])
    assert spoilt[1].content == "perception: 12 + 5(skill) = *17*"
    assert session.messages[2].content == "Hush.\n\n[roll: perception]"  # the session itself stays


def test_a_wrong_outcome_is_told_before_anything_is_saved(empty_workspace: Workspace, vocabulary: Vocabulary) -> None:
    session, request = played(HIDES), read_request("stealth, dc=40", vocabulary)
    instead = corrected_roll("You duck.", request, throw(session, 0, request), "*SUCCESS* Nobody sees you.")
    made = correction(empty_workspace, session, 0, instead, vocabulary, kind="should have rolled")
    assert [one.code for one in made.errors] == ["T008"]


@pytest.mark.parametrize(("keep", "begins"), [(None, "I listen."), (1, "I look."), (0, "I hide behind the bar.")])
def test_earlier_turns_are_kept_as_far_as_wanted_and_mended(
    keep: int | None, begins: str, empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    session = played(ROLLED, MALFORMED, HIDES)
    instead = [ChatMessage(role="assistant", content="You duck.")]
    made = correction(empty_workspace, session, 2, instead, vocabulary, kind="rewritten", keep=keep)
    assert made.valid
    assert MarkdownParser(vocabulary).parse_text(made.text).conversation[0].content == begins
    assert bool(made.notes) == (keep != 0)


@pytest.mark.slow
def test_the_model_drafts_how_it_went_and_begins_as_the_dice_say(
    host: ModelHost, vocabulary: Vocabulary, make_session: Callable[..., ChatSession]
) -> None:
    session = make_session(sampling=Sampling(temperature=0, max_tokens=12))
    before = session.model_copy(deep=True)
    messages = [*session.messages, ChatMessage(role="user", content="I hide.")]
    draft = draft_reply(session, messages, host, vocabulary, begins_with="*FAILED*")
    assert draft.startswith("*FAILED* ")
    assert len(draft) > len("*FAILED* ")
    assert session == before
