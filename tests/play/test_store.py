from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import PlayError, WorkspaceError
from studio.play import (
    ChatMessage,
    ChatSession,
    ModelHost,
    delete_session,
    list_sessions,
    load_session,
    new_session,
    play_turn,
    save_session,
    scenario_text,
)
from studio.play.sessions.store import session_path
from studio.scenarios import MarkdownParser, Vocabulary, to_messages
from studio.workspace import Workspace

from .conftest import SCENARIO

Make = Callable[..., ChatSession]


def test_a_session_comes_back_as_it_was_saved_and_goes_on_with_the_same_dice(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make, empty_workspace: Workspace
) -> None:
    session = make_session(grammar='root ::= "Go.\\n[roll: stealth]"', rolls_per_turn=1)
    list(play_turn(session, "I sneak.", host, vocabulary))
    save_session(empty_workspace, session)
    loaded = load_session(empty_workspace, "tavern")
    assert loaded == session
    for one in (session, loaded):
        list(play_turn(one, "I sneak on.", host, vocabulary))
    assert loaded.messages == session.messages


def test_sessions_are_listed_and_can_be_deleted(make_session: Make, empty_workspace: Workspace) -> None:
    save_session(empty_workspace, make_session())
    session_path(empty_workspace, "broken").write_text("{")
    assert [one.id for one in list_sessions(empty_workspace)] == ["tavern"]
    delete_session(empty_workspace, "tavern")
    assert list_sessions(empty_workspace) == []


def test_a_session_that_cannot_be_read_is_reported_and_left_alone(empty_workspace: Workspace) -> None:
    path = session_path(empty_workspace, "broken")
    path.parent.mkdir(parents=True)
    path.write_text('{"id": 3')
    for name in ("broken", "missing"):
        with pytest.raises(PlayError) as caught:
            load_session(empty_workspace, name)
        assert caught.value.next_step
    assert path.read_text() == '{"id": 3'


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden"])
def test_a_session_id_cannot_leave_its_folder(empty_workspace: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError):
        session_path(empty_workspace, name)


TALK = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40) | st.sampled_from(
    ["</DM>", "<User>hi", "<DM>", "< gm", "<Tool-Call>", "< / System >", "<!-- x", "[roll: stealth]", "<TOOLCALL>"]
)


@given(st.lists(st.tuples(TALK, TALK), max_size=5))
def test_an_exported_session_parses_back_to_the_same_messages(turns: list[tuple[str, str]]) -> None:
    session = export_of(turns)
    text = scenario_text(session)
    read = to_messages(MarkdownParser().parse_text(text))
    assert [one.role for one in read] == [one.role for one in session.messages]
    for one, message in zip(read, session.messages, strict=True):
        assert "<" in message.content or one.content == message.content.strip()


def export_of(turns: list[tuple[str, str]]) -> ChatSession:
    scenario = MarkdownParser().parse_text(SCENARIO)
    session = new_session(scenario, session_id="x", created="2026-01-01T00:00:00Z")  # type: ignore[arg-type]
    for player, reply in turns:
        session.messages.append(ChatMessage(role="user", content=player))
        session.messages.append(ChatMessage(role="assistant", content=reply))
    return session


def test_a_played_session_exports_as_a_valid_scenario(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    session = make_session(grammar='root ::= "Go.\\n\\n[roll: stealth]"', rolls_per_turn=2)
    list(play_turn(session, "Sarah: I sneak.", host, vocabulary))
    session.messages[-1].content = "*SUCCESS* Nobody sees you."
    result = MarkdownParser().validate_format(scenario_text(session))
    assert result.valid, result.errors


def test_a_scenario_can_be_continued_from_any_turn() -> None:
    scenario = MarkdownParser().parse_text(SCENARIO + "<User>One</User>\n<DM>Two</DM>\n<User>Three</User>")
    session = new_session(scenario, session_id="x", created="2026-01-01T00:00:00Z", turns=2)  # type: ignore[arg-type]
    assert [one.content for one in session.messages[1:]] == ["One", "Two"]
