"""The table before play: scene, turn, voice, window and dice; and the list of saved sessions, however many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from studio.play import ChatSession, list_sessions, load_session, new_session, save_session
from studio.play.sessions.session import BranchPoint
from studio.workspace import Workspace
from tests.pages.visit import Visit

SaveMany = Callable[..., list[ChatSession]]


@pytest.fixture
def save_many(empty_workspace: Workspace) -> SaveMany:
    """Save so many sessions, the first one oldest."""

    def save(number: int, **fields: str) -> list[ChatSession]:
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        made = []
        for place in range(number):
            session = new_session("You lead.", session_id=f"s{place:04}", created=begin + timedelta(minutes=place))
            session.title = f"Evening {place}"
            for name, value in fields.items():
                setattr(session, name, value)
            save_session(empty_workspace, session)
            made.append(session)
        return made

    return save


def test_a_table_keeps_the_window_the_dice_and_a_voice_of_ones_own(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("play").choose("selectbox", "play_scene", "combat/tavern-brawl")
    visit.choose("segmented_control", "play_voice", "own").choose("slider", "play_own_temperature", 1.25)
    visit.choose("slider", "play_own_max_tokens", 64).choose("toggle", "play_own_dice", True)
    visit.choose("selectbox", "play_window", 4096).choose("selectbox", "play_full", "summarise")
    assert "small models summarise badly" in visit.words
    settings = load_session(workspace, visit.click("play_start").address["chat"]).settings
    assert (settings.sampling.temperature, settings.sampling.max_tokens) == (1.25, 64)
    assert (settings.dice, settings.context_tokens, settings.when_full) == ("own", 4096, "summarise")
    assert "4,096 tokens" in visit.words  # what is loaded


def test_a_larger_window_says_what_it_takes_of_memory(workspace: Workspace, scenarios: Path) -> None:
    labels = Visit("play").app.selectbox(key="play_window").options
    assert len(labels) == 4
    assert all("MB of memory" in one for one in labels)


def test_play_can_begin_after_any_turn_of_a_scene(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("play").choose("selectbox", "play_scene", "combat/tavern-brawl").choose("selectbox", "play_turn", 4)
    session = load_session(workspace, visit.click("play_start").address["chat"])
    assert len(session.messages) == 1 + 4
    assert session.title == "Tavern Brawl"


def test_a_table_can_be_set_with_a_party_alone_or_with_words_of_ones_own(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("play").choose("selectbox", "play_scene", "combat/tavern-brawl")
    visit.choose("segmented_control", "play_kind", "party").click("play_start")
    party = load_session(workspace, visit.address["chat"])
    assert len(party.system.party) > 1
    assert party.system.location == ""
    assert "# Party" in party.messages[0].content
    visit = Visit("play").choose("segmented_control", "play_kind", "own")
    visit.choose("text_area", "play_own_scene", "You lead.\n\n# Party\n\n## Ada <b>\n- Health: 4/9\n").click(
        "play_start"
    )
    own = load_session(workspace, visit.address["chat"])
    assert [one.health.current for one in own.system.party] == [4]
    assert own.messages[0].content.startswith("You lead.")


def test_every_one_of_many_sessions_can_be_found_and_reached(workspace: Workspace, save_many: SaveMany) -> None:
    save_many(60)
    visit = Visit("play")
    assert visit.has("row_chat_s0059")
    assert not visit.has("row_chat_s0000")
    assert visit.choose("number_input", "session_page", 5).has("row_chat_s0000")
    visit.choose("text_input", "session_search", "EVENING s0007")
    assert [one for one in visit.keys if one.startswith("row_chat_")] == ["row_chat_s0007"]
    assert visit.click("row_chat_s0007").title == "Evening 7"


def test_a_session_can_be_given_another_name(workspace: Workspace, save_many: SaveMany) -> None:
    save_many(1)
    visit = Visit("play").click("name_s0000").choose("text_input", "session_title", "  A *dark*   night ")
    visit.click("rename_now")
    assert [one.title for one in list_sessions(workspace)] == ["A *dark* night"]
    assert "A *dark* night" in visit.words
    visit.click("name_s0000").choose("text_input", "session_title", " ").click("rename_now")
    assert len(visit.errors) == 1


def test_the_list_shows_branches_and_comparisons_and_opens_them(workspace: Workspace, save_many: SaveMany) -> None:
    first, second, _ = save_many(3, group="g")
    second.branched_from = BranchPoint(session=first.id, message=1)
    save_session(workspace, second)
    visit = Visit("play")
    assert "a branch of Evening 0" in visit.words
    assert "compared with 2 others" in visit.words
    assert visit.click("group_s0001").address["compare"] == "s0000,s0001,s0002"


def test_the_views_have_addresses_of_their_own(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("play", view="compare")
    assert visit.has("compare_start")
    assert not visit.has("play_start")
    visit.choose("segmented_control", "play_view", "table")
    assert visit.has("play_start")
    assert visit.address["view"] == "table"
    assert Visit("play", view="nonsense").has("play_start")
