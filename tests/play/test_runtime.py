"""Reply, roll and continuation with the real model; a grammar makes it ask, for the base model never does."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from studio.errors import PlayError
from studio.play import (
    ChatSession,
    DirectiveEvent,
    HostOptions,
    ModelHost,
    NoteEvent,
    PlayEvent,
    PrefillEvent,
    ReadingEvent,
    RollEvent,
    StateEvent,
    TokenEvent,
    TurnEndEvent,
    WindowEvent,
    play_turn,
)
from studio.scenarios import Vocabulary, parse_result_lines

Make = Callable[..., ChatSession]
ASKS = 'root ::= "Roll for it.\\n\\n[Roll: Stealth]\\n" [a-z ]{30}'
FIGHTS = 'root ::= "To arms!\\n[roll: initiative]\\n[begin combat]"'
BABBLES = 'root ::= "[roll: nonsense] [check: luck] [roll: stealth, dc=high] [begin combat] (she waits)"'


def play(session: ChatSession, text: str, host: ModelHost, vocabulary: Vocabulary, **how: object) -> list[PlayEvent]:
    events = play_turn(session, text, host, vocabulary, **how)  # type: ignore[arg-type]
    return [one for one in events if not isinstance(one, ReadingEvent)]


def play_and(session: ChatSession, host: ModelHost, vocabulary: Vocabulary, at_first_token: Callable[[], None]) -> None:
    for event in play_turn(session, "I look around.", host, vocabulary):
        if isinstance(event, TokenEvent):
            at_first_token()
            at_first_token = lambda: None  # noqa: E731


def notes(events: list[PlayEvent]) -> list[str]:
    return [one.code for one in events if isinstance(one, NoteEvent)]


def test_a_turn_without_a_request_is_a_message_and_its_answer(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session()
    events = play(session, "  I look around. ", host, vocabulary)
    assert [one.role for one in session.messages] == ["system", "user", "assistant"]
    assert session.messages[1].content == "I look around."
    assert "".join(one.text for one in events if isinstance(one, TokenEvent)).strip() == session.messages[2].content
    assert isinstance(events[0], PrefillEvent)
    assert isinstance(events[-1], TurnEndEvent)
    assert events[-1].statistics.n_generated > 0
    assert session.model is not None
    assert session.model.sha256 == host.info().sha256


def test_a_request_is_rolled_and_the_model_goes_on_from_the_result(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=40, grammar=ASKS, rolls_per_turn=1)
    events = play(session, "Sarah: I hide.", host, vocabulary)
    rolls = [one for one in events if isinstance(one, RollEvent)]
    assert [one.role for one in session.messages[1:]] == ["user", "assistant", "tool", "assistant"]
    assert session.messages[2].content == "Roll for it.\n\n[Roll: Stealth]"
    assert session.messages[3].content == rolls[0].text
    line = parse_result_lines(rolls[0].text, vocabulary)[0]
    assert line.valid
    assert line.bonus == 7  # Sarah's
    prefills = [one for one in events if isinstance(one, PrefillEvent)]
    assert prefills[1].n_reused >= prefills[0].n_prompt - 1
    assert notes(events) == ["roll_limit"]


def test_the_number_of_rolls_in_a_turn_is_limited(host: ModelHost, vocabulary: Vocabulary, make_session: Make) -> None:
    session = make_session(max_tokens=40, grammar=ASKS, rolls_per_turn=2)
    events = play(session, "Sarah: I hide.", host, vocabulary)
    assert sum(isinstance(one, RollEvent) for one in events) == 2
    assert [one.role for one in session.messages].count("assistant") == 3


def test_a_block_of_requests_is_answered_at_once_and_markers_become_state(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=40, grammar=FIGHTS, rolls_per_turn=1)
    events = play(session, "I draw my knife!", host, vocabulary)
    assert session.messages[2].content == "To arms!\n[roll: initiative]\n[begin combat]"
    assert [one.name for one in parse_result_lines(session.messages[3].content, vocabulary)] == ["initiative"] * 3
    assert next(one.tool_name for one in events if isinstance(one, StateEvent)) == "begin_combat"


def test_what_cannot_be_understood_stays_text_and_is_reported(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=80, grammar=BABBLES)
    events = play(session, "Hm?", host, vocabulary)
    assert [one.valid for one in events if isinstance(one, DirectiveEvent)] == [False, False, False, True]
    assert notes(events) == ["ignored_directive"] * 3
    assert [one.role for one in session.messages] == ["system", "user", "assistant"]
    assert "(she waits)" in session.messages[-1].content
    assert not any(isinstance(one, RollEvent) for one in events)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_session_and_another_seed_another(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    played = []
    for seed in (3, 3, 4):
        session = make_session(max_tokens=30, seed=seed)
        for number, line in enumerate(["I look around.", "I open the door."]):
            play(session, line, host, vocabulary, fresh=number == 0)
        played.append([one.content for one in session.messages])
    assert played[0] == played[1]
    assert played[0] != played[2]


def test_the_second_turn_reuses_what_the_first_put_into_the_cache(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session()
    play(session, "I look around.", host, vocabulary, fresh=True)
    first = session.turns[0].events[0]
    play(session, "I open the door.", host, vocabulary)
    second = session.turns[1].events[0]
    assert isinstance(first, PrefillEvent)
    assert isinstance(second, PrefillEvent)
    assert first.n_reused == 0
    assert second.n_reused >= first.n_prompt


def test_sessions_that_play_at_once_do_not_mix(host: ModelHost, vocabulary: Vocabulary, make_session: Make) -> None:
    letters = "abcd"
    sessions = [make_session(max_tokens=60, grammar=f'root ::= "{letter}"{{12}}') for letter in letters]

    def go_on(session: ChatSession, letter: str) -> None:
        for _ in range(2):
            play(session, f"Say {letter}!", host, vocabulary)

    threads = [threading.Thread(target=go_on, args=pair) for pair in zip(sessions, letters, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session, letter in zip(sessions, letters, strict=True):
        expected = [f"Say {letter}!", letter * 12] * 2
        assert [one.content for one in session.messages[1:]] == expected


def test_a_turn_counts_once_when_its_reader_leaves_at_the_last_event(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session()
    events = play_turn(session, "I look around.", host, vocabulary)
    last = next(event for event in events if isinstance(event, TurnEndEvent))
    events.close()
    assert [one.role for one in session.messages] == ["system", "user", "assistant"]
    assert [turn.events[-1] for turn in session.turns] == [last]


def test_closing_the_stream_keeps_what_was_said(host: ModelHost, vocabulary: Vocabulary, make_session: Make) -> None:
    session = make_session(max_tokens=300)
    events = play_turn(session, "I look around.", host, vocabulary)
    shown = ""
    for event in events:
        shown += event.text if isinstance(event, TokenEvent) else ""
        if len(shown) > 10:
            break
    events.close()
    assert session.messages[-1].role == "assistant"
    assert session.messages[-1].content == shown.strip()
    end = session.turns[-1].events[-1]
    assert isinstance(end, TurnEndEvent)
    assert end.reason == "cancelled"
    assert play(session, "And now?", host, vocabulary)


def test_the_player_can_stop_a_reply(host: ModelHost, vocabulary: Vocabulary, make_session: Make) -> None:
    session = make_session(max_tokens=300)
    events = play(session, "I look around.", host, vocabulary, should_stop=lambda: True)
    assert isinstance(events[-1], TurnEndEvent)
    assert events[-1].reason == "cancelled"
    assert events[-1].statistics.n_generated < 300


def test_a_stop_while_the_model_still_reads_ends_the_reading(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session, line = make_session(max_tokens=8), "I walk on along the river. " * 200
    events = list(play_turn(session, line, host, vocabulary, should_stop=lambda: True))
    assert any(isinstance(one, ReadingEvent) for one in events)
    assert isinstance(end := events[-1], TurnEndEvent)
    assert (end.reason, end.statistics.n_generated) == ("cancelled", 0)
    assert [one.role for one in session.messages] == ["system", "user"]
    assert not any(isinstance(one, ReadingEvent) for one in session.turns[-1].events)


def test_a_host_killed_in_the_middle_leaves_the_session_as_it_was(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=300)
    before = session.model_dump_json()
    process = host.info().process_id
    with pytest.raises(PlayError):
        play_and(session, host, vocabulary, lambda: os.kill(process, signal.SIGKILL))
    assert session.model_dump_json() == before
    assert isinstance(play(session, "I look around.", host, vocabulary)[0], PrefillEvent)


@pytest.mark.slow
def test_old_turns_leave_the_window_and_the_stream_says_so(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=8)
    long_line = "I walk on along the river. " * 60
    windows: list[WindowEvent] = []
    while not windows and len(session.turns) < 8:
        windows += [one for one in play(session, long_line, host, vocabulary) if isinstance(one, WindowEvent)]
    assert windows[0].hidden == session.first_visible - 1 > 0
    assert windows[0].prompt_tokens < windows[0].context_tokens == 2048
    assert session.messages[session.first_visible].role == "user"


def test_a_system_text_larger_than_the_window_is_refused(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(text="<SYSTEM>\n" + "word " * 3000 + "\n</SYSTEM>")
    with pytest.raises(PlayError) as caught:
        play(session, "Hello", host, vocabulary)
    assert caught.value.next_step
    assert HostOptions().context_tokens == 2048
