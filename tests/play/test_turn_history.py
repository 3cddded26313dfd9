"""Another telling, an edited line, a branch, a turn taken back: dice, seeds and window stay right, nothing is lost."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from studio.errors import PlayError
from studio.play import (
    ChatMessage,
    ChatSession,
    ModelHost,
    PrefillEvent,
    RollEvent,
    TokenEvent,
    TurnEndEvent,
    branch,
    edit_line,
    edit_reply,
    go_on,
    leaf,
    load_session,
    play_turn,
    redo,
    save_session,
    story_turns,
    tell_again,
    undo,
)
from studio.play.sessions.session import as_messages
from studio.play.sessions.store import session_path
from studio.play.turns.prompt import PromptRenderer
from studio.scenarios import Vocabulary
from studio.workspace import Workspace, atomic_write

Make = Callable[..., ChatSession]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ASKS = 'root ::= "Roll " [a-z]{6} ".\\n\\n[roll: stealth]"'


def contents(session: ChatSession) -> list[str]:
    return [one.content for one in session.messages[1:]]


def known(session: ChatSession) -> str:
    """A session without what a later action may add about other sessions and undone turns."""
    return session.model_dump_json(exclude={"branches", "taken_back", "generations"})


def rolls_of(session: ChatSession) -> list[tuple[int, ...]]:
    return [one.rolls[0].dice for one in session.turns[-1].events if isinstance(one, RollEvent)]


def reason_of(session: ChatSession) -> str:
    end = session.turns[-1].events[-1]
    assert isinstance(end, TurnEndEvent)
    return end.reason


@pytest.fixture
def played(host: ModelHost, vocabulary: Vocabulary, make_session: Make) -> ChatSession:
    """Two turns with a roll each."""
    session = make_session(max_tokens=60, grammar=ASKS, rolls_per_turn=1, speaking_as="Sarah")
    for line in ("I hide.", "I wait."):
        list(play_turn(session, line, host, vocabulary))
    return session


def test_a_turn_told_again_keeps_its_dice_and_the_former_telling(
    host: ModelHost, vocabulary: Vocabulary, played: ChatSession
) -> None:
    played.settings.sampling = played.settings.sampling.model_copy(
        update={"temperature": 3.0, "min_p": 0.0, "top_p": 1.0, "top_k": 0}
    )
    before, dice, thrown = contents(played), rolls_of(played), played.rolls
    list(tell_again(played, host, vocabulary))
    told = contents(played)
    assert told[: before.index("I wait.") + 1] == before[: before.index("I wait.") + 1]
    assert told != before
    assert rolls_of(played) == dice
    record = played.turns[-1]
    assert (len(played.turns), len(record.alternatives), record.chosen) == (2, 1, 1)
    leaf(played, 0)
    assert (contents(played), played.rolls, record.chosen) == (before, thrown, 0)
    leaf(played, 1)
    assert contents(played) == told
    with pytest.raises(PlayError):
        leaf(played, 2)


def test_what_is_said_next_fixes_the_telling_that_counts(
    host: ModelHost, vocabulary: Vocabulary, played: ChatSession
) -> None:
    list(tell_again(played, host, vocabulary))
    leaf(played, 0)
    chosen = contents(played)
    list(play_turn(played, "And now?", host, vocabulary))
    assert contents(played)[: len(chosen)] == chosen
    assert len(played.turns[1].alternatives) == 1
    with pytest.raises(PlayError):
        leaf(played, 1)


def test_a_turn_taken_back_leaves_the_session_as_it_was_and_returns(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=60, grammar=ASKS, rolls_per_turn=1)
    list(play_turn(session, "I hide.", host, vocabulary))
    first = session.model_dump_json()
    list(play_turn(session, "I wait.", host, vocabulary))
    second = session.model_dump_json()
    assert undo(session) == "I wait."
    assert session.model_dump_json(exclude={"taken_back"}) == ChatSession.model_validate_json(first).model_dump_json(
        exclude={"taken_back"}
    )
    redo(session)
    assert session.model_dump_json() == second
    undo(session)
    undo(session)
    assert (session.rolls, session.generations, session.turns, contents(session)) == (0, 0, [], [])
    with pytest.raises(PlayError):
        undo(session)


def test_an_edited_line_makes_a_branch_that_ends_where_the_other_session_goes_on(
    host: ModelHost, vocabulary: Vocabulary, played: ChatSession, empty_workspace: Workspace
) -> None:
    before, place = known(played), 1 + contents(played).index("I wait.")
    other = edit_line(played, place, " I run! ", session_id="other", created=NOW)
    assert known(played) == before
    assert contents(other) == [*contents(played)[: place - 1], "I run!"]
    assert other.title == f"{played.title} (branch)"
    assert other.branched_from is not None
    assert (other.branched_from.session, other.branched_from.message) == (played.id, place)
    assert [one.session for one in played.branches] == ["other"]
    assert (other.rolls, len(other.turns)) == (1, 1)
    save_session(empty_workspace, other)
    other = load_session(empty_workspace, "other")
    list(go_on(other, host, vocabulary))
    assert [one.role for one in other.messages[place : place + 2]] == ["user", "assistant"]
    assert [turn.start for turn in story_turns(other)] == [1, place]
    assert other.turns[-1].first_message == place
    assert len(load_session(empty_workspace, "other").turns) == 1


def test_going_back_and_saying_the_same_gives_the_same_dice_and_words(
    host: ModelHost, vocabulary: Vocabulary, played: ChatSession
) -> None:
    place = played.turns[1].first_message
    other = branch(played, place, session_id="other", created=NOW)
    list(play_turn(other, "I wait.", host, vocabulary))
    assert rolls_of(other) == rolls_of(played)
    assert other.generations == played.generations
    with pytest.raises(PlayError):
        branch(played, place + 1, session_id="third", created=NOW)


def test_own_words_of_the_dm_are_played_with_and_the_models_are_kept(
    host: ModelHost, vocabulary: Vocabulary, played: ChatSession
) -> None:
    reply = played.messages[-1].content
    edit_reply(played, len(played.messages) - 1, " The door is open. ")
    assert (played.messages[-1].content, played.messages[-1].original) == ("The door is open.", reply)
    edit_reply(played, len(played.messages) - 1, "It is shut.")
    assert played.messages[-1].original == reply
    list(play_turn(played, "And now?", host, vocabulary))
    assert "It is shut." in contents(played)
    edit_reply(played, [one.content for one in played.messages].index("It is shut."), reply)
    assert all(one.original is None for one in played.messages)
    with pytest.raises(PlayError):
        edit_reply(played, 1, "I am the player.")


def test_a_cut_reply_goes_on_from_its_own_words_as_the_same_tokens(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=8)
    list(play_turn(session, "I look around the old tavern.", host, vocabulary))
    begun = session.messages[-1].content
    assert reason_of(session) == "length"
    events = list(go_on(session, host, vocabulary))
    whole = session.messages[-1].content
    assert whole.startswith(begun)
    assert len(whole) > len(begun)
    assert whole == (begun + "".join(one.text for one in events if isinstance(one, TokenEvent))).strip()
    assert (len(session.turns), len(session.messages)) == (1, 3)
    renderer = PromptRenderer.for_file(host.info())
    messages = as_messages(session.messages)
    opened = host.tokenize(renderer.open_reply(messages[:-1], begun))
    answered = host.tokenize(renderer.prompt(messages[:-1]) + renderer.answer(messages[:-1], whole))
    assert answered[: len(opened)] == opened
    prefill = next(one for one in events if isinstance(one, PrefillEvent))
    assert prefill.n_prompt == len(opened)
    assert prefill.n_reused >= len(opened) - 2  # the last token is always evaluated again


def test_a_stopped_request_is_rolled_when_the_dm_goes_on(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=60, grammar=ASKS, rolls_per_turn=1)
    list(play_turn(session, "I hide.", host, vocabulary))
    place = 1 + [one.role for one in session.messages[1:]].index("assistant")
    session.messages = session.messages[: place + 1]
    session.messages[-1].content = "Quick! [roll: stealth] [begin combat]"
    session.turns[-1].events = []
    list(go_on(session, host, vocabulary))
    assert [one.role for one in session.messages[place : place + 3]] == ["assistant", "tool", "assistant"]
    assert session.messages[place].content == "Quick! [roll: stealth] [begin combat]"


def test_a_reply_stopped_before_its_first_word_is_no_telling(
    host: ModelHost, vocabulary: Vocabulary, played: ChatSession
) -> None:
    before = played.model_dump_json()
    events = tell_again(played, host, vocabulary)
    next(events)
    events.close()
    assert played.model_dump_json() == before
    events = play_turn(played, "Long " * 300, host, vocabulary)
    next(events)  # the model reads
    events.close()
    assert contents(played)[-1] == ("Long " * 300).strip()
    assert reason_of(played) == "cancelled"
    list(go_on(played, host, vocabulary))
    assert len(played.turns) == 3
    assert played.messages[-1].role == "assistant"


def test_the_dm_may_speak_first_and_where_a_scenario_breaks_off_and_not_after_itself(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(max_tokens=8)
    list(go_on(session, host, vocabulary))
    assert [one.role for one in session.messages] == ["system", "assistant"]
    session.messages.append(ChatMessage(role="assistant", content="From the scenario."))
    session.turns = []
    session.messages.pop(1)
    with pytest.raises(PlayError):
        list(go_on(session, host, vocabulary))
    list(tell_again(session, host, vocabulary))
    assert session.turns[0].alternatives[0].messages[0].content == "From the scenario."


def test_a_session_of_an_older_studio_loads_and_can_be_taken_back(empty_workspace: Workspace) -> None:
    """As version 0.1.0 wrote it: no counters, no alternatives, no dice setting, no branches."""
    figures = '{"kind": "turn_end", "reason": "end_of_turn", "statistics": {"generations": 1}}'
    prefill = '{"kind": "prefill", "n_prompt": 9, "n_reused": 0, "seconds": 0.1}'
    old = (
        '{"id": "old", "title": "Old", "created": "2026-01-01T00:00:00Z", "seed": 7, "messages": ['
        '{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hail"}], '
        '"settings": {"rolls_per_turn": 2},'
        f'"turns": [{{"first_message": 0, "events": [{prefill}, {figures}]}}], "generations": 1, "rolls": 0}}'
    )
    atomic_write(session_path(empty_workspace, "old"), old)
    session = load_session(empty_workspace, "old")
    assert undo(session) == "Hi"
    assert (session.generations, session.messages) == (0, [])
    redo(session)
    assert (session.generations, len(session.messages)) == (1, 2)
