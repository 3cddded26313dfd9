"""Dice of the player's own: the turn waits for them, the sums are the studio's, and wrong faces are refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import PlayError
from studio.play import (
    ChatSession,
    DiceAskedEvent,
    DiceError,
    ModelHost,
    RollEvent,
    TurnEndEvent,
    enter_rolls,
    load_session,
    play_turn,
    save_session,
    undo,
)
from studio.play.turns.dice import sides_of, throw_of
from studio.play.turns.rolls import entered, plan
from studio.scenarios import MarkdownParser, Vocabulary, find_directives, load_vocabulary, parse_result_lines
from studio.workspace import Workspace

from .conftest import SCENARIO

Make = Callable[..., ChatSession]
PARTY = MarkdownParser().extract_system_context(SCENARIO)
SNEAKS = 'root ::= "Hush.\\n[roll: stealth, advantage]\\n[roll: initiative]"'


def test_a_turn_waits_for_the_dice_and_a_saved_session_goes_on_with_them(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make, empty_workspace: Workspace
) -> None:
    session = make_session(max_tokens=80, grammar=SNEAKS, rolls_per_turn=2, dice="own", speaking_as="Sarah")
    events = list(play_turn(session, "I sneak.", host, vocabulary))
    assert isinstance(end := events[-1], TurnEndEvent)
    assert end.reason == "waiting_for_dice"
    assert [one.request.directive for one in events if isinstance(one, DiceAskedEvent)] == [
        "[roll: stealth, advantage]",
        "[roll: initiative]",
    ]
    wanted = [(one.actor or one.character, one.sides, one.bonus) for ask in session.pending for one in ask.rolls]
    assert wanted == [("Sarah", (20, 20), 7), ("Sarah", (20,), 3), ("Chris", (20,), 2), ("Thorin", (20,), 0)]
    with pytest.raises(PlayError):
        list(play_turn(session, "I will not wait.", host, vocabulary))
    save_session(empty_workspace, session)
    loaded = load_session(empty_workspace, "tavern")
    before = loaded.model_dump_json()
    with pytest.raises(DiceError, match="A d20 has no 21"):
        list(enter_rolls(loaded, [(21, 2), (5,), (6,), None], host, vocabulary))
    assert loaded.model_dump_json() == before
    went_on = list(enter_rolls(loaded, [(3, 15), (5,), (6,), None], host, vocabulary))
    lines = loaded.messages[3].content.splitlines()
    assert lines[:3] == [
        "stealth: 15 (advantage: 3, 15) + 7(skill) = *22*",
        "initiative: 5 + 3(dexterity) = *8*",
        "initiative (Chris): 6 + 2(dexterity) = *8*",
    ]
    assert all(one.valid for one in parse_result_lines(loaded.messages[3].content, vocabulary))
    assert [one.own_dice for one in went_on if isinstance(one, RollEvent)] == [True, True]
    assert loaded.messages[4].role == "assistant"
    assert (loaded.pending, len(loaded.turns), loaded.rolls) == ([], 1, 2)
    assert isinstance(loaded.turns[0].events[-1], TurnEndEvent)


def test_the_studio_throws_the_same_dice_whether_it_was_asked_at_once_or_later(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    results = []
    for dice in ("studio", "own"):
        session = make_session(max_tokens=80, grammar=SNEAKS, rolls_per_turn=2, dice=dice)
        list(play_turn(session, "I sneak.", host, vocabulary))
        if dice == "own":
            list(enter_rolls(session, [None] * 4, host, vocabulary))
        results.append(session.messages[3].content)
    assert results[0] == results[1]


def test_a_turn_that_waits_can_be_taken_back(host: ModelHost, vocabulary: Vocabulary, make_session: Make) -> None:
    session = make_session(max_tokens=80, grammar=SNEAKS, dice="own")
    list(play_turn(session, "I sneak.", host, vocabulary))
    assert undo(session) == "I sneak."
    assert session.pending == []
    with pytest.raises(PlayError):
        list(enter_rolls(session, [], host, vocabulary))


@given(st.data())
def test_entered_dice_always_give_a_line_that_adds_up(data: st.DataObject) -> None:
    words = st.sampled_from(
        [
            "damage, dice=2d6+1d4-2",
            "attack, weapon=dagger, disadvantage",
            "damage",
            "wisdom_save, advantage",
            "initiative",
        ]
    )
    vocabulary = load_vocabulary()
    request = plan(find_directives(f"[roll: {data.draw(words)}]", vocabulary)[0], PARTY, speaking_as="Sarah")
    for one in request.rolls:
        faces = [data.draw(st.integers(1, sides)) for sides in one.sides]
        (line,) = parse_result_lines(entered(one, faces).line, vocabulary)
        assert line.valid
        assert one.wanted


@pytest.mark.parametrize("faces", [(), (1,), (1, 2, 3), (0, 1), (1, 7), (-1, 2)])
def test_faces_that_a_die_has_not_are_refused(faces: tuple[int, ...]) -> None:
    assert sides_of("2d6+3") == (6, 6)
    with pytest.raises(DiceError) as caught:
        throw_of("2d6+3", faces)
    assert caught.value.next_step
