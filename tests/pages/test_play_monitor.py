"""The model is watched: a host that is killed in mid-reply costs no word, and the rules go on with another model."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime

import pytest

from pages.parts.play_hosts import host_pool
from studio.bases import BaseModel
from studio.play import ChatMessage, ChatSession, PlaySettings, Sampling, load_session, new_session, save_session
from studio.play.watching.monitor import MonitorLog, Switched, TurnLost, TurnPlayed
from studio.workspace import Workspace, atomic_write
from tests.pages.visit import Visit

BASE_FILE = "base/smollm2-135m-instruct/base.gguf"
BARD = "gguf/bard/bard.gguf"
RULES = """
switching:
  fallbacks: [{of: "bard*", to: "smollm2*"}]
  rules: [{kind: crashes, at_least: 1, turns: 10}]
"""


@pytest.fixture
def bard(workspace: Workspace, smollm2: BaseModel) -> str:
    """A model of one's own, which gives way to the base after one crash."""
    file = workspace.root / "models" / BARD
    file.parent.mkdir(parents=True)
    file.hardlink_to(smollm2.directory / "base.gguf")
    atomic_write(workspace.config_dir / "play_rules.yaml", RULES)
    return BARD


def table(workspace: Workspace, model: str, max_tokens: int) -> ChatSession:
    session = new_session(
        "You are the Dungeon Master. The inn is quiet.",
        session_id="inn",
        created=datetime.now(UTC),
        settings=PlaySettings(sampling=Sampling(max_tokens=max_tokens)),
    )
    session.messages += [ChatMessage(role="user", content="Hello."), ChatMessage(role="assistant", content="Hail!")]
    session.playable = model
    save_session(workspace, session)
    return session


def say(visit: Visit, text: str) -> Visit:
    visit.app.chat_input[0].set_value(text)
    return visit.run()


def kill_in_mid_reply() -> None:
    """As soon as a host has been busy with one reply for a while."""
    seen, deadline = 0, time.monotonic() + 60
    while seen < 15 and time.monotonic() < deadline:
        busy = [one for one in host_pool().loaded() if one.state == "replying"]
        seen = seen + 1 if busy else 0
        time.sleep(0.02)
    for one in host_pool().loaded():
        os.kill(one.process, signal.SIGKILL)


@pytest.mark.slow
def test_a_host_killed_in_mid_reply_leaves_a_usable_page_and_another_model_answers(
    workspace: Workspace, bard: str
) -> None:
    before = table(workspace, bard, max_tokens=400)
    visit = Visit("play", chat="inn", model=bard)
    killer = threading.Thread(target=kill_in_mid_reply)
    killer.start()
    say(visit, "I greet the <b>landlord</b>.")
    killer.join()
    assert "stopped working" in visit.errors[0]
    assert "I greet the &lt;b&gt;landlord&lt;/b&gt;." in visit.words
    session = load_session(workspace, "inn")
    assert session.messages == before.messages
    assert session.playable == visit.address["model"] == BASE_FILE

    session.settings.sampling = Sampling(max_tokens=8)
    save_session(workspace, session)
    visit.click("send_again")
    session = load_session(workspace, "inn")
    assert [one.role for one in session.messages[-2:]] == ["user", "assistant"]
    assert session.messages[-2].content == "I greet the <b>landlord</b>."
    assert session.model is not None
    assert session.model.path == "base.gguf"
    assert "The studio went on with" in visit.words
    assert [type(one) for one in MonitorLog.of(workspace).records()] == [TurnLost, Switched, TurnPlayed]

    visit.click("switch_back")
    assert load_session(workspace, "inn").playable == visit.address["model"] == bard
    assert not visit.has("switch_back")


@pytest.mark.slow
def test_the_panel_shows_figures_hash_memory_and_state_of_what_is_loaded(workspace: Workspace) -> None:
    table(workspace, BASE_FILE, max_tokens=8)
    visit = say(Visit("play", chat="inn"), "I sit down.")
    for words in ("at this table", "first word", "tokens/s", "1 turn", "Loaded now", "b179c9523d0e", "ready"):
        assert words in visit.words
    assert not visit.has("switch_back")
