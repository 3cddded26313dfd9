"""Side by side on the page: choosing models, one line for all, one that cannot be loaded, and keeping one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.play import PlaySettings, Sampling, load_session, save_session
from studio.play.watching.monitor import MonitorLog
from studio.ui.tables import compared_tables
from studio.workspace import Workspace, atomic_write
from tests.adapters import put_checkpoint
from tests.pages.visit import Visit

BASE = "base/smollm2-135m-instruct/base.gguf"
TORN = "gguf/mine/torn.gguf"
HASH = "b179c9523d0e6a0f"


@pytest.fixture
def compared(workspace: Workspace) -> list[str]:
    """A comparison of SmolLM2 with a file that is no model; the ids of its sessions."""
    atomic_write(workspace.gguf_dir / "mine" / "torn.gguf", b"GGUF\x03\x00\x00\x00 and then nothing")
    settings = PlaySettings(sampling=Sampling(max_tokens=8))
    scene = "You are the Dungeon Master in <b>Ravenrock</b>."
    tables = compared_tables(scene, datetime.now(UTC), "abc", settings=settings, seed=3, playables=[TORN, BASE])
    for one in tables:
        save_session(workspace, one)
    return [one.id for one in tables]


def say(visit: Visit, line: str) -> Visit:
    visit.app.chat_input[0].set_value(line)
    return visit.run()


def test_without_a_model_there_is_nothing_to_compare(scenarios: Path) -> None:
    assert "No model to play with yet" in Visit("play", view="compare").words


def test_two_models_sit_down_in_the_same_scene_with_the_same_seed(
    workspace: Workspace, smollm2: BaseModel, scenarios: Path
) -> None:
    put_checkpoint(workspace, smollm2)
    visit = Visit("play", view="compare").choose("selectbox", "compare_scene", "combat/tavern-brawl")
    visit.choose("multiselect", "compare_models", [BASE])
    assert visit.app.button(key="compare_start").disabled
    visit.choose("multiselect", "compare_models", [BASE, "checkpoints/tavern/checkpoint-40"])
    visit.choose("number_input", "compare_seed", 11).click("compare_start")
    tables = [load_session(workspace, one) for one in visit.address["compare"].split(",")]
    assert [one.playable for one in tables] == [BASE, "checkpoints/tavern/checkpoint-40"]
    assert {(one.seed, one.group != "", one.title) for one in tables} == {(11, True, "Tavern Brawl")}
    assert len({one.group for one in tables}) == 1
    assert visit.words.count(HASH) == 2  # the file of both, by its hash, and the adapter's own beside it
    assert "adapter SHA-256" in visit.words


def test_a_line_goes_to_all_and_the_one_that_cannot_be_loaded_says_so(
    workspace: Workspace, compared: list[str]
) -> None:
    visit = say(Visit("play", compare=",".join(compared)), "I <i>look</i> around.")
    assert len(visit.errors) == 2  # in its column, and after the line that it did not answer
    torn, base = (load_session(workspace, one) for one in compared)
    assert torn.turns == []
    assert [one.role for one in base.messages] == ["system", "user", "assistant"]
    assert [one.session for one in MonitorLog.of(workspace).records()] == [compared[1]]
    again = Visit("play", compare=",".join(compared))
    assert HASH in again.words
    assert "I &lt;i&gt;look&lt;/i&gt; around." in again.words
    assert "No answer yet." in again.words
    assert again.has("compare_catch_up")


def test_one_is_kept_and_goes_on_as_an_ordinary_session(workspace: Workspace, compared: list[str]) -> None:
    visit = Visit("play", compare=",".join(compared)).click(f"keep_{compared[1]}")
    assert visit.address == {"chat": compared[1], "model": BASE}
    assert "Ravenrock" in visit.title
    assert visit.app.chat_input


def test_sessions_that_are_gone_are_told_and_the_others_shown(workspace: Workspace, compared: list[str]) -> None:
    visit = Visit("play", compare=f"no-such,../../etc/passwd,{compared[1]}")
    assert len(visit.errors) == 2
    assert HASH in visit.words
    lost = Visit("play", compare="no-such")
    assert len(lost.errors) == 1
    assert lost.click("leave").address == {}
