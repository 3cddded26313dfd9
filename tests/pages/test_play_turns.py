"""What can be done with a turn on the page: told again, edited as a branch, reworded, taken back, own dice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from studio.play import (
    ChatMessage,
    ChatSession,
    PlaySettings,
    Sampling,
    TurnRecord,
    list_sessions,
    load_session,
    new_session,
    save_session,
)
from studio.scenarios import MarkdownParser
from studio.workspace import Workspace
from tests.pages.visit import Visit

ADA = "## Ada\n- Player Character\n- Skills: Stealth +7\n"
SHEET = f"<SYSTEM>\n# Role\nYou are the Dungeon Master.\n\n# Party\n\n{ADA}</SYSTEM>\n"
ASKS = 'root ::= "Hush.\\n[roll: stealth, advantage]"'
SaveChat = Callable[..., ChatSession]


@pytest.fixture
def save_chat(workspace: Workspace) -> SaveChat:
    """Save a session of so many played turns: `save_chat(2, grammar=...)`; its id is "one"."""

    def save(turns: int, **settings: object) -> ChatSession:
        session = new_session(
            MarkdownParser().parse_text(SHEET),
            session_id="one",
            created=datetime.now(UTC),
            settings=PlaySettings.model_validate({"sampling": Sampling(max_tokens=6), "rolls_per_turn": 1, **settings}),
            title="Evening",
        )
        for number in range(1, turns + 1):
            session.turns.append(TurnRecord(first_message=len(session.messages), start=session.counters))
            session.messages.append(ChatMessage(role="user", content=f"I do <b>{number}</b>."))
            session.messages.append(ChatMessage(role="assistant", content=f"So it is: {number}."))
        save_session(workspace, session)
        return session

    return save


def said(workspace: Workspace, chat: str = "one") -> list[str]:
    return [one.content for one in load_session(workspace, chat).messages[1:]]


def test_a_turn_is_told_again_and_one_leafs_between_the_tellings(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(1)
    visit = Visit("play", chat="one").click("again")
    told = said(workspace)
    assert told[0] == "I do <b>1</b>."
    assert told[1] != "So it is: 1."
    assert "2/2" in visit.words
    assert visit.app.button(key="leaf_on").disabled
    visit.click("leaf_back")
    assert said(workspace)[1] == "So it is: 1."
    assert "1/2" in visit.words
    visit.click("leaf_on")
    assert said(workspace) == told
    visit.click("more")  # six tokens are no whole reply
    assert said(workspace)[1].startswith(told[1])
    assert len(said(workspace)[1]) > len(told[1])


def test_an_edited_line_opens_a_branch_with_its_answer_and_both_lead_to_each_other(
    workspace: Workspace, save_chat: SaveChat
) -> None:
    save_chat(2)
    visit = Visit("play", chat="one").click("edit_1")
    visit.choose("text_area", "line_words", "I run <i>away</i>.").click("line_play")
    other = str(visit.address["chat"])
    assert other != "one"
    assert said(workspace)[:1] == ["I do <b>1</b>."]
    assert said(workspace, other)[0] == "I run <i>away</i>."
    assert len(said(workspace, other)) == 2
    assert visit.title == "Evening (branch)"
    assert visit.click("go_one").title == "Evening"
    assert visit.click(f"go_{other}").title == "Evening (branch)"


def test_one_goes_on_from_an_earlier_turn_in_a_branch(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(3)
    visit = Visit("play", chat="one").click("branch_1")
    assert said(workspace, str(visit.address["chat"])) == ["I do <b>1</b>.", "So it is: 1."]
    assert len(said(workspace)) == 6
    assert len(list_sessions(workspace)) == 2


def test_a_reply_is_put_in_other_words_and_back(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(1)
    visit = (
        Visit("play", chat="one").click("words_1").choose("text_area", "reply_words_2", "Not so.").click("reply_keep")
    )
    assert said(workspace)[1] == "Not so."
    assert "your words" in visit.words
    visit.click("words_1").click("reply_original")
    assert load_session(workspace, "one").messages[2].original is None
    assert said(workspace)[1] == "So it is: 1."


def test_a_turn_is_taken_back_and_brought_back(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(2)
    visit = Visit("play", chat="one").click("undo")
    assert said(workspace) == ["I do <b>1</b>.", "So it is: 1."]
    visit.click("redo")
    assert len(said(workspace)) == 4
    assert not visit.has("redo")


def test_own_dice_are_entered_on_the_page(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(0, grammar=ASKS, speaking_as="Ada", sampling=Sampling(max_tokens=60))
    visit = Visit("play", chat="one").choose("toggle", "own_dice_one", True)
    visit.app.chat_input[0].set_value("I hide.")
    visit.run()
    assert "two d20 (the higher one counts) + 7 (skill)" in visit.words
    assert visit.app.chat_input[0].disabled
    visit = Visit("play", chat="one")
    die = visit.app.number_input(key="die_3_0_0")
    assert (die.min, die.max) == (1, 20)
    die.set_value(4)
    assert any("A die is missing." in one for one in visit.click("dice_mine").errors)
    for number, face in enumerate((4, 18)):
        visit.app.number_input(key=f"die_3_0_{number}").set_value(face)
    visit.click("dice_mine")
    assert visit.errors == []
    assert said(workspace)[2] == "stealth: 18 (advantage: 4, 18) + 7(skill) = *25*"
    assert 'class="die d20 out"' in visit.words
    visit.app.chat_input[0].set_value("I hide again.")
    visit.run().click("dice_studio")
    assert said(workspace)[6].startswith("stealth: ")
    assert load_session(workspace, "one").pending == []


def test_a_long_story_shows_its_end_and_more_when_asked(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(60)
    visit = Visit("play", chat="one")
    assert "So it is: 60." in visit.words
    assert "So it is: 40." not in visit.words
    visit.click("earlier")
    assert "So it is: 40." in visit.words
    assert "So it is: 10." not in visit.words
    assert "I do &lt;b&gt;40&lt;/b&gt;." in visit.words


def test_the_dm_answers_a_line_that_waits(workspace: Workspace, save_chat: SaveChat) -> None:
    session = save_chat(1)
    session.messages.append(ChatMessage(role="user", content="And now?"))
    save_session(workspace, session)
    Visit("play", chat="one").click("dm_on")
    assert len(said(workspace)) == 4
    assert len(load_session(workspace, "one").turns) == 2
