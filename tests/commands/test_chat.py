"""`chat`: a script gives the same transcript every time, a terminal session is kept, mistakes are told at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.play import Transcript, list_sessions
from studio.workspace import Workspace
from tests.commands.running import Outcome, Studio, finished

Play = Callable[..., Outcome]
SCENARIO = """---
title: The Cellar
---

<SYSTEM>
# Role
You are the DM.

# Party

## Sarah
- Player Character
- Rogue
- Skills: Stealth +7
</SYSTEM>
"""
BASE = "smollm2-135m-instruct"
FEW = ("--max-tokens", "8")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.txt"
    path.write_text("# two lines\nI look around.\n\nSarah: I sneak along the wall.\n")
    path.with_name("cellar.md").write_text(SCENARIO)
    return path


@pytest.fixture
def play(studio: Studio, workspace: Workspace, script: Path) -> Play:
    """`chat` with the real SmolLM2 and the script."""

    def run(*arguments: object) -> Outcome:
        chosen = ("chat", BASE, "--scenario", script.with_name("cellar.md"), "--script", script, *FEW)
        return studio("--workspace", workspace.root, *chosen, *arguments)

    return run


@pytest.mark.slow
def test_the_same_seed_gives_the_same_transcript_and_another_seed_another(play: Play) -> None:
    first, again, other = play("--seed", "3"), play("--seed", "3"), play("--seed", "4")
    assert (first.status, first.out) == (0, again.out)
    assert first.out.splitlines()[4:] != other.out.splitlines()[4:]
    assert first.out.startswith("# The Cellar\n")
    assert "Playing: 2 of 2 lines" in first.err


def test_out_writes_the_transcript_that_is_printed(play: Play, tmp_path: Path) -> None:
    outcome = play("--out", tmp_path / "new" / "page.md")
    assert outcome.status == 0
    assert (tmp_path / "new" / "page.md").read_text() == outcome.out
    assert "**Player:** Sarah: I sneak along the wall.\n\n**DM:** " in outcome.out


def test_json_is_the_whole_transcript_with_the_files_hash(play: Play, smollm2: BaseModel) -> None:
    outcome = play("--json", "--temperature", "0", "--speaking-as", "Chris", "--context", "512", "--valid-requests")
    transcript = Transcript.model_validate(outcome.document)
    assert outcome.err == ""
    assert [turn.player for turn in transcript.turns] == ["I look around.", "Sarah: I sneak along the wall."]
    assert transcript.model.sha256 == smollm2.manifest.files["base.gguf"].sha256
    assert transcript.model.context_tokens == 512
    assert (transcript.settings.sampling.temperature, transcript.settings.speaking_as) == (0, "Chris")
    assert transcript.settings.valid_requests


def test_a_session_in_the_terminal_is_shown_and_kept(workspace: Workspace, smollm2: BaseModel) -> None:
    outcome = finished("--workspace", workspace.root, "chat", BASE, *FEW, text="I look around.\n/quit\nNever said.\n")
    assert outcome.status == 0
    assert smollm2.manifest.files["base.gguf"].sha256[:12] in outcome.err
    assert "tokens/s" in outcome.out
    (session,) = list_sessions(workspace)
    assert session.turns == 1


def test_a_model_that_is_not_there_is_answered_with_those_that_are(
    studio: Studio, workspace: Workspace, script: Path
) -> None:
    outcome = studio("--workspace", workspace.root, "chat", "merlin", "--script", script)
    assert (outcome.status, outcome.out) == (1, "")
    assert f"There is no model called 'merlin'. Models here: {BASE}." in outcome.err


def test_a_script_or_scenario_that_is_not_there_is_named(play: Play, tmp_path: Path) -> None:
    for option in ("--script", "--scenario"):
        outcome = play(option, tmp_path / "gone.txt")
        assert (outcome.status, outcome.out) == (1, "")
        assert "gone.txt: " in outcome.err


def test_a_script_without_a_line_and_one_that_is_no_text_are_refused(play: Play, script: Path) -> None:
    script.write_text("# only a title\n\n")
    assert "no player line" in play().err
    script.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in play().err


@pytest.mark.parametrize("option", ["--json", "--out=page.md"])
def test_what_needs_a_script_says_so(studio: Studio, workspace: Workspace, option: str) -> None:
    outcome = studio("--workspace", workspace.root, "chat", BASE, option)
    assert outcome.status == 2
    assert f"{option.partition('=')[0]} needs --script." in outcome.err


@pytest.mark.parametrize(
    "option", ["--temperature=9", "--max-tokens=0", "--seed=-1", "--seed=4294967296", "--context=0"]
)
def test_a_number_out_of_range_is_wrong_usage(play: Play, option: str) -> None:
    outcome = play(option)
    assert (outcome.status, outcome.out) == (2, "")


def test_a_file_that_is_no_model_is_a_sentence(studio: Studio, workspace: Workspace, script: Path) -> None:
    wrong = script.with_name("wrong.gguf")
    wrong.write_bytes(b"GGUF but not really")
    outcome = studio("--workspace", workspace.root, "chat", wrong, "--script", script)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith("chat: ")
