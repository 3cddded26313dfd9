"""What the play page says: which file a session goes on with, the live turn, its notes and its figures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.errors import PlayError
from studio.play import (
    ChatMessage,
    ModelStamp,
    NoteEvent,
    PlaySettings,
    RollEvent,
    TokenEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
    new_session,
)
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.ui.live_turn import LiveTurn, session_html, statistics_sentence, turn_notes
from studio.ui.playable import Playable, find_playable, first_pair, list_choices, list_playable, played_with
from studio.ui.sampling import VOICES
from studio.ui.tables import new_table, same_table
from studio.workspace import Workspace, atomic_write, sha256_file
from tests.ui.html_check import Reading

VOCABULARY = load_vocabulary()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def stamp(path: str, sha256: str = "0" * 64) -> ModelStamp:
    return ModelStamp(path=path, sha256=sha256, context_tokens=2048)


@pytest.fixture
def files(empty_workspace: Workspace) -> list[Playable]:
    """Three files, two of them of one name."""
    for folder, name in (("a", "same"), ("b", "same"), ("b", "other")):
        atomic_write(empty_workspace.gguf_dir / folder / f"{name}.gguf", f"{folder} {name}")
    return list_playable(empty_workspace)


def test_a_file_is_found_by_its_id_and_a_missing_one_is_told(empty_workspace: Workspace, files: list[Playable]) -> None:
    assert {one.id for one in files} == {"gguf/a/same.gguf", "gguf/b/same.gguf", "gguf/b/other.gguf"}
    assert find_playable(empty_workspace, "gguf/a/same.gguf").path.read_text() == "a same"
    with pytest.raises(PlayError):
        find_playable(empty_workspace, "../../etc/passwd")


def test_a_session_goes_on_with_the_file_it_was_played_with(files: list[Playable]) -> None:
    for one in files:
        chosen = played_with(files, stamp(one.path.name, sha256_file(one.path)))
        assert chosen is not None
        assert chosen.path == one.path


@pytest.fixture
def checkpoints(empty_workspace: Workspace, files: list[Playable]) -> list[Path]:
    """Adapters of two runs, of which one, called as the files' folder, was made a file."""
    found = [empty_workspace.checkpoints_dir / name for name in ("a/adapter", "c/adapter", "c/checkpoint-40")]
    for folder in found:
        atomic_write(folder / "adapter_model.safetensors", b"weights")
        atomic_write(folder / "adapter_config.json", b"{}")
    return found


def test_adapters_are_offered_where_there_is_no_file_of_them(
    empty_workspace: Workspace, checkpoints: list[Path]
) -> None:
    offered = {one.id: one for one in list_choices(empty_workspace) if one.is_adapter}
    assert {one.path for one in offered.values()} == set(checkpoints[1:])
    chosen = offered["checkpoints/c/checkpoint-40"]
    assert (chosen.title, chosen.bytes) == ("c, checkpoint 40 (not yet a file)", 7)
    assert find_playable(empty_workspace, chosen.id) == chosen
    assert not any(one.is_adapter for one in list_playable(empty_workspace))


def test_a_session_goes_on_with_the_adapter_it_was_played_with(
    empty_workspace: Workspace, checkpoints: list[Path]
) -> None:
    files = list_choices(empty_workspace)
    with_adapter = stamp("base.gguf").model_copy(update={"adapter": "c/checkpoint-40"})
    chosen = played_with(files, with_adapter)
    assert chosen is not None
    assert chosen.path == checkpoints[2]
    assert played_with(files, with_adapter.model_copy(update={"adapter": "c/checkpoint-41"})) is None


def test_a_file_that_was_made_anew_under_its_name_is_taken(files: list[Playable]) -> None:
    chosen = played_with(files, stamp("other.gguf", "f" * 64))
    assert chosen is not None
    assert chosen.id == "gguf/b/other.gguf"


def test_a_file_that_is_gone_is_no_file(files: list[Playable]) -> None:
    assert played_with(files, stamp("none.gguf")) is None
    assert played_with(files, None) is None
    for one in files:
        one.path.unlink()
    assert played_with(files, stamp("same.gguf")) is None


def test_a_turn_in_the_making_grows_by_its_events() -> None:
    turn = LiveTurn(VOCABULARY, "I <look>.", "Ada")
    assert "cursor" in turn.html(writing=True)
    turn.take(TokenEvent(text="Hu"))
    turn.take(TokenEvent(text="sh. [roll: perception]"))
    assert turn.take(RollEvent(directive="[roll: perception]", text="perception: 12 = *12*", rolls=[]))
    reading = Reading(turn.html(writing=True))
    reading.assert_harmless()
    turns = [one.removeprefix("turn ") for one in reading.classes() if one.startswith("turn ")]
    assert turns == ["user", "dm", "dice", "dm"]
    assert "I <look>." in reading.text
    turn.take(TurnEndEvent(reason="end_of_turn", statistics=TurnStatistics()))
    assert "cursor" not in turn.html(writing=False)


def test_notes_of_a_turn_are_told_once_each() -> None:
    window = WindowEvent(hidden=1, newly_hidden=1, prompt_tokens=2000, context_tokens=2048)
    note = NoteEvent(code="cut_short", text="The reply was cut.")
    notes = turn_notes([TokenEvent(text="a"), note, note, window])
    assert notes[0] == "The reply was cut."
    assert notes[1:] == [
        "The conversation is longer than the model's window of 2,048 tokens: it no longer sees the first 1 message."
    ]


def test_figures_of_a_turn_in_a_sentence() -> None:
    figures = TurnStatistics(
        generations=1, n_generated=41, n_evaluated=1200, n_reused=30, ttft_seconds=0.52, decode_seconds=2.0, rolls=1
    )
    assert statistics_sentence(figures) == (
        "first word after 0.5 s · 20 tokens/s · 41 tokens written · 1,200 prompt tokens read, 30 reused · 1 roll"
    )


def test_a_saved_session_leaves_its_system_text_out() -> None:
    session = new_session("You are SECRET.", session_id="one", created=NOW)
    session.messages.append(ChatMessage(role="user", content="Hello."))
    reading = Reading(session_html(session, VOCABULARY))
    assert "SECRET" not in reading.text
    assert "Hello." in reading.text


def test_starting_again_keeps_scene_dice_and_voice_and_forgets_the_talk() -> None:
    scenario = MarkdownParser().parse_text("---\ntitle: Inn\n---\n<SYSTEM>\n# Role\nYou lead.\n</SYSTEM>\n")
    settings = PlaySettings(speaking_as="Ada", sampling=VOICES["bold"].sampling)
    first = new_table(scenario, NOW, "abc", settings=settings, seed=11)
    first.messages.append(ChatMessage(role="user", content="Hello."))
    again = same_table(first, NOW, "def")
    assert (first.id, again.id) == ("20260102-030405-abc", "20260102-030405-def")
    assert (again.title, again.seed, again.settings) == ("Inn", 11, first.settings)
    assert [one.role for one in again.messages] == ["system"]
    assert again.turns == []


def test_the_newest_of_ones_own_is_compared_with_a_base_first() -> None:
    mine = [Playable(f"gguf/bard/{name}.gguf", name, Path(name), 1, is_base=False) for name in ("new", "old")]
    bases = [Playable(f"base/{name}.gguf", name, Path(name), 1, is_base=True) for name in ("small", "large")]
    assert first_pair([*mine, *bases]) == ["gguf/bard/new.gguf", "base/small.gguf"]
    assert first_pair(bases) == ["base/small.gguf", "base/large.gguf"]
    assert first_pair(mine) == ["gguf/bard/new.gguf", "gguf/bard/old.gguf"]
    assert first_pair(mine[:1]) == ["gguf/bard/new.gguf"]
