"""Play: the table, real turns with the real SmolLM2, and sessions that are taken up again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.play import (
    ChatMessage,
    ChatSession,
    ModelStamp,
    PlaySettings,
    Sampling,
    list_sessions,
    load_session,
    new_session,
    save_session,
)
from studio.scenarios import MarkdownParser
from studio.workspace import Workspace, atomic_write
from tests.adapters import put_checkpoint
from tests.pages.visit import Visit

BASE_FILE = "base/smollm2-135m-instruct/base.gguf"
SHEET = "<SYSTEM>\n# Role\nYou are the Dungeon Master.\n\n# Location\nA *quiet* tavern.\n</SYSTEM>\n"
SaveChat = Callable[..., ChatSession]


@pytest.fixture
def save_chat(empty_workspace: Workspace) -> SaveChat:
    """Save a session with short replies: `save_chat("one", ("user", "Hello."), ("assistant", "Hail."))`."""

    def save(name: str, *said: tuple[str, str], stamp: ModelStamp | None = None, max_tokens: int = 8) -> ChatSession:
        session = new_session(
            MarkdownParser().parse_text(SHEET),
            session_id=name,
            created=datetime.now(UTC),
            settings=PlaySettings(sampling=Sampling(max_tokens=max_tokens), speaking_as="Ada"),
            title=f"Evening *{name}*",
        )
        session.messages += [ChatMessage.model_validate({"role": role, "content": text}) for role, text in said]
        session.model = stamp
        save_session(empty_workspace, session)
        return session

    return save


def test_without_a_model_the_page_leads_to_setup(scenarios: Path) -> None:
    visit = Visit("play")
    assert "No model to play with yet" in visit.words
    assert visit.click("empty_casino").title == "Setup"


def test_without_a_scene_nobody_can_sit_down(workspace: Workspace) -> None:
    visit = Visit("play")
    assert visit.app.button(key="play_start").disabled


def test_the_table_is_set_with_model_scene_speaker_and_voice(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("play", model=BASE_FILE).choose("selectbox", "play_scene", "combat/tavern-brawl")
    speakers = visit.app.selectbox(key="play_speaker").options
    visit.choose("selectbox", "play_speaker", speakers[1]).choose("segmented_control", "play_voice", "bold")
    visit.choose("number_input", "play_seed", 11).click("play_start")
    session = load_session(workspace, visit.address["chat"])
    assert visit.address["model"] == BASE_FILE
    assert (session.seed, session.settings.speaking_as) == (11, speakers[1])
    assert session.settings.sampling.temperature == 1.0
    assert "You speak first" in visit.words
    assert "b179c9523d0e6a0f" in visit.words  # the file that is loaded, by its hash


@pytest.mark.slow
def test_a_turn_with_the_real_model_is_shown_kept_and_measured(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat("one")
    visit = Visit("play", chat="one")
    visit.app.chat_input[0].set_value("I <b>look</b> around.")
    visit.run()
    session = load_session(workspace, "one")
    assert [one.role for one in session.messages] == ["system", "user", "assistant"]
    assert session.messages[1].content == "I <b>look</b> around."
    assert session.messages[2].content
    assert "I &lt;b&gt;look&lt;/b&gt; around." in visit.words
    assert [one.events[-1].reason for one in session.turns] == ["length"]
    assert "tokens/s" in visit.words
    assert visit.toasts == []
    visit.app.chat_input[0].set_value("And then?")
    visit.run()
    assert len(load_session(workspace, "one").turns) == 2


def test_a_saved_session_shows_its_bubbles_dice_and_location(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat(
        "one", ("user", "I listen."), ("assistant", "Hush. [roll: perception]"), ("tool", "perception: 12 = *12*")
    )
    visit = Visit("play", chat="one")
    assert visit.title == "Evening *one*"
    assert "A *quiet* tavern." in visit.words
    assert '<div class="who">Ada</div>' in visit.words
    assert 'class="chip ask"' in visit.words
    assert "<b>12</b>" in visit.words


def test_starting_again_keeps_the_former_session(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat("one", ("user", "I listen."), ("assistant", "Hush."))
    visit = Visit("play", chat="one").click("restart")
    assert visit.address["chat"] != "one"
    assert "You speak first" in visit.words
    assert len(load_session(workspace, "one").messages) == 3
    assert visit.click("leave").address == {}


def test_earlier_sessions_are_listed_opened_and_deleted(workspace: Workspace, save_chat: SaveChat) -> None:
    save_chat("one", ("user", "I listen."), ("assistant", "Hush."))
    save_chat("two")
    atomic_write(workspace.state_dir / "chats" / "torn.json", "{")
    visit = Visit("play")
    assert "Evening *one*" in visit.words
    visit.click("forget_two")
    assert len(list_sessions(workspace)) == 2
    visit.click("forget_now")
    assert [one.id for one in list_sessions(workspace)] == ["one"]
    assert visit.click("row_chat_one").title == "Evening *one*"


@pytest.mark.parametrize("name", ["no-such", "../../etc/passwd", "a\x00b", "torn"])
def test_a_session_that_cannot_be_opened_shows_an_error_and_the_way_back(workspace: Workspace, name: str) -> None:
    atomic_write(workspace.state_dir / "chats" / "torn.json", "{")
    visit = Visit("play", chat=name)
    assert len(visit.errors) == 1
    assert visit.click("leave").address == {}


def test_a_model_that_the_address_names_and_that_is_not_there_is_told(
    workspace: Workspace, save_chat: SaveChat
) -> None:
    save_chat("one", ("user", "I listen."), ("assistant", "Hush."))
    visit = Visit("play", chat="one", model="gguf/none/none.gguf")
    assert len(visit.errors) == 1
    assert "Hush." in visit.words
    assert not visit.app.chat_input


def test_a_session_whose_file_is_gone_goes_on_with_another_and_says_so(
    workspace: Workspace, save_chat: SaveChat
) -> None:
    save_chat("one", stamp=ModelStamp(path="mine.Q8_0.gguf", sha256="0" * 64, context_tokens=2048))
    visit = Visit("play", chat="one")
    assert any("mine.Q8_0.gguf" in one.value.replace("\\", "") for one in visit.app.info)
    assert "b179c9523d0e6a0f" in visit.words


@pytest.mark.slow
def test_a_checkpoint_of_a_training_can_be_played_before_there_is_a_file(
    workspace: Workspace, smollm2: BaseModel, save_chat: SaveChat
) -> None:
    put_checkpoint(workspace, smollm2)
    save_chat("one")
    visit = Visit("play", chat="one", model="checkpoints/tavern/checkpoint-40")
    assert "tavern, checkpoint 40 (not yet a file)" in visit.words
    visit.app.chat_input[0].set_value("I look around.")
    visit.run()
    stamp = load_session(workspace, "one").model
    assert stamp is not None
    assert stamp.adapter == "tavern/checkpoint-40"
    assert stamp.sha256[:16] in visit.words
    assert stamp.adapter_sha256[:16] in visit.words
    assert "tavern, checkpoint 40" in Visit("play", chat="one").words


def test_a_file_that_is_no_model_takes_nothing_down(workspace: Workspace, save_chat: SaveChat) -> None:
    atomic_write(workspace.gguf_dir / "mine" / "torn.gguf", b"GGUF\x03\x00\x00\x00 and then nothing")
    save_chat("one", ("user", "I listen."), ("assistant", "Hush."))
    visit = Visit("play", chat="one", model="gguf/mine/torn.gguf")
    assert len(visit.errors) == 1
    assert "Hush." in visit.words
    assert Visit("play", chat="one", model=BASE_FILE).errors == []


def test_a_vocabulary_that_cannot_be_read_is_told(workspace: Workspace, scenarios: Path, save_chat: SaveChat) -> None:
    save_chat("one", ("user", "I listen."), ("assistant", "Hush."))
    atomic_write(workspace.config_dir / "tools.yaml", "tools: [unclosed")
    assert any("tools.yaml" in one for one in Visit("play").errors)
    assert any("tools.yaml" in one for one in Visit("play", chat="one").errors)


def test_a_scene_in_another_encoding_can_be_played(workspace: Workspace) -> None:
    atomic_write(workspace.scenarios_dir / "mixed" / "old.md", SHEET.replace("quiet", "düster").encode("cp1252"))
    visit = Visit("play").click("play_start")
    assert visit.errors == []
    assert "You speak first" in visit.words


def test_the_party_panel_says_how_everybody_is_after_what_was_said(save_chat: SaveChat, workspace: Workspace) -> None:
    """`save_chat`'s scene has no party; here are two, one of them with a name that is markup."""
    bram = "## Bram\n- Player Character\n- Health: 20/20\n- Inventory: Rope x2\n"
    sheet = f"# Party\n\n{bram}\n## <b>Odra</b>\n- Health: 5/12\n"
    session = save_chat("hurt", ("user", "Bram: I duck."), ("assistant", "Too late. [hit points: -20] [begin combat]"))
    session.system = MarkdownParser().parse_text(f"<SYSTEM>\n{sheet}</SYSTEM>\n").system_context
    session.settings.speaking_as = ""
    save_session(workspace, session)
    visit = Visit("play", chat="hurt")
    assert "In combat · hurt: Bram, " in visit.words
    panel = next(one.value for one in visit.app.get("html") if 'class="member"' in one.value)
    assert "0/20" in panel
    assert '<span class="mark">down</span>' in panel
    assert "Rope x2" in panel
    assert "<b>Odra" not in panel
    assert "&lt;b&gt;Odra" in panel
