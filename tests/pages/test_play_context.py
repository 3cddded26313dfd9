"""What the model still sees, beside the chat: the window in tokens, the line in the story, the recap, the prompt."""

from __future__ import annotations

from datetime import UTC, datetime

from studio.play import ChatMessage, PlaySettings, new_session, save_session
from studio.play.context.recap import Recap, hash_of
from studio.scenarios.recap import SceneRecap
from studio.workspace import Workspace
from tests.pages.visit import Visit


def long_session(workspace: Workspace, *, hidden: int, when_full: str = "studio") -> None:
    """Three exchanges, so many messages of them hidden, with the studio's recap."""
    session = new_session("You lead <i>them</i>.", session_id="long", created=datetime.now(UTC))
    for number in range(3):
        session.messages.append(ChatMessage(role="user", content=f"I open door {number}."))
        session.messages.append(ChatMessage(role="assistant", content=f"Door {number} creaks."))
    session.settings = PlaySettings.model_validate({"when_full": when_full})
    session.first_visible = 1 + hidden
    told = session.messages[: 1 + hidden]
    text = SceneRecap(session.messages)(hidden)  # type: ignore[arg-type]
    session.recaps = [Recap(text=text, made_by="studio", until=1 + hidden, of=hash_of(told))] if hidden else []
    save_session(workspace, session)


def test_the_panel_counts_the_window_shows_the_recap_and_the_story_marks_where_the_view_begins(
    workspace: Workspace,
) -> None:
    long_session(workspace, hidden=2)
    visit = Visit("play", chat="long")
    words = visit.words
    assert "no longer sees the first 2 messages and reads a recap of them by the studio" in words
    assert words.index("Door 0 creaks.") < words.index("The model sees from here on") < words.index("I open door 1.")
    assert "The player said: I open door 0." in words
    assert 'class="recap"' in words
    visit.click("context_prompt")
    prompt = next(one.value for one in visit.app.code if one.value.startswith("<|im_start|>system"))
    assert "You lead <i>them</i>.\n\n# Recap" in prompt
    assert "I open door 0." not in prompt.partition("<|im_end|>")[2]
    assert prompt.endswith("<|im_start|>assistant")


def test_a_session_that_fits_has_no_line_and_no_recap(workspace: Workspace) -> None:
    long_session(workspace, hidden=0)
    words = Visit("play", chat="long").words
    assert "The model sees the whole conversation" in words
    assert "The model sees from here on" not in words


def test_hidden_turns_that_nobody_tells_of_are_said_to_be_unknown(workspace: Workspace) -> None:
    long_session(workspace, hidden=4, when_full="hide")
    words = Visit("play", chat="long").words
    assert "does not know what is above" in words
    assert "The recap that it reads" not in words
