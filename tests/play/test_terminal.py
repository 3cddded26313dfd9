"""The chat in the terminal: lines, commands and dice of one's own, as somebody types them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.play import ChatMessage, ChatSession, ModelHost, chat_loop
from studio.scenarios import MarkdownParser, Vocabulary

Make = Callable[..., ChatSession]
Type = Callable[..., tuple[str, list[ChatSession]]]
ASKS = 'root ::= "Go.\\n[roll: stealth, advantage]"'


@pytest.fixture
def type_lines(host: ModelHost, vocabulary: Vocabulary) -> Type:
    """Type lines into a chat; what was shown, and the sessions that were kept, as they were each time."""

    def run(session: ChatSession, *lines: str) -> tuple[str, list[ChatSession]]:
        shown: list[str] = []
        kept: list[ChatSession] = []
        waiting = iter(lines)

        def read_line() -> str:
            try:
                return next(waiting)
            except StopIteration:
                raise EOFError from None

        chat_loop(
            session, host, vocabulary, read_line, shown.append,
            after_turn=lambda one: kept.append(one.model_copy(deep=True)),
            clock=lambda: datetime(2026, 1, 3, tzinfo=UTC),
        )  # fmt: skip
        assert not list(waiting) or "/quit" in lines
        return "".join(shown), kept

    return run


def test_lines_are_played_until_the_player_leaves(type_lines: Type, make_session: Make) -> None:
    session = make_session(max_tokens=6)
    session.messages.append(ChatMessage(role="assistant", content="[hit points: -2] [begin combat]"))
    shown, kept = type_lines(session, "", "/party", "I look.", "/quit", "never")
    assert [one.id for one in kept] == ["tavern"]
    assert shown.startswith("  combat: nobody has rolled yet\n  ")
    assert "  Chris: 16/18 hit points\n" in shown
    assert session.messages[-1].content in shown
    assert [one.content for one in session.messages if one.role == "user"] == ["I look."]


def test_a_turn_is_told_again_leafed_taken_back_and_brought_back(type_lines: Type, make_session: Make) -> None:
    session = make_session(max_tokens=6)
    _, kept = type_lines(session, "I look.", "/again", "/again 1", "/undo", "/redo")
    told = [[message.content for message in one.messages[1:]] for one in kept]
    assert told[2] == told[0]
    assert told[3] == []
    assert told[4] == told[2]
    assert len(kept[4].turns[0].alternatives) == 1


def test_an_edited_line_is_played_in_a_branch(type_lines: Type, make_session: Make) -> None:
    session = make_session(max_tokens=6)
    shown, kept = type_lines(session, "I look.", "/edit I listen.", "And then?")
    assert "kept as tavern" in shown
    branch = "20260103-000000-000000-terminal"
    assert [one.id for one in kept] == ["tavern", "tavern", branch, branch]
    assert [one.content for one in kept[3].messages if one.role == "user"] == ["I listen.", "And then?"]
    assert [one.content for one in session.messages if one.role == "user"] == ["I look."]


def test_own_dice_are_asked_for_and_wrong_ones_again(type_lines: Type, make_session: Make) -> None:
    session = make_session(max_tokens=60, grammar=ASKS, rolls_per_turn=1, speaking_as="Sarah")
    session.settings.grammar = 'root ::= "Go.\\n[roll: stealth, advantage]"'
    shown, _ = type_lines(session, "/dice own", "I hide.", "nineteen", "21 3", "4", "/party", "15, 3", "/dice studio")
    assert "Sarah, stealth: two d20 (the higher one counts) + 7 (skill)" in shown
    assert shown.count("What do your dice show") == 5  # asked again after each mistake and after the command
    assert session.messages[3].content == "stealth: 15 (advantage: 15, 3) + 7(skill) = *22*"
    assert session.settings.dice == "studio"


def test_the_studio_throws_for_who_wants_it(type_lines: Type, make_session: Make) -> None:
    session = make_session(max_tokens=60, grammar='root ::= "Go.\\n[roll: stealth]"', rolls_per_turn=1, dice="own")
    type_lines(session, "I hide.", "/roll")
    assert session.messages[3].content.startswith("stealth: ")


def test_the_conversation_is_saved_as_a_scenario_and_nothing_is_overwritten(
    type_lines: Type, make_session: Make, tmp_path: Path
) -> None:
    session = make_session(max_tokens=6)
    file = tmp_path / "evening.md"
    shown, _ = type_lines(
        session, "I look.", f"/save {file}", f"/save {file}", "/save", "/nonsense", "/dice", "/again 9"
    )
    assert [one.speaker for one in MarkdownParser().parse_scenario(file).conversation] == ["User", "DM"]
    assert "There is a file of that name already." in shown
    assert shown.count("/help") == 1
    assert len(session.messages) == 3


def test_help_names_every_command(type_lines: Type, make_session: Make) -> None:
    shown, _ = type_lines(make_session(), "/help")
    for name in ("again", "more", "undo", "redo", "edit", "dice", "party", "save", "quit"):
        assert f"/{name}" in shown
