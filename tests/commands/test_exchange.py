"""`import` and `export`: what they write, what they print, and their exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.workspace import PROJECT_ROOT, Workspace
from tests.commands.running import Studio

GAME = "Anna: A door.\nBen: I open it.\nAnna: It is dark.\nOOC: pizza?\n"
SHIPPED = PROJECT_ROOT / "data" / "scenarios" / "combat"
RECORD = json.dumps({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}]})


@pytest.fixture
def game(tmp_path: Path) -> Path:
    path = tmp_path / "game.txt"
    path.write_text(GAME)
    return path


def test_a_mapping_makes_a_game_a_scenario(studio: Studio, empty_workspace: Workspace, game: Path) -> None:
    where = ("--workspace", empty_workspace.root)
    refused = studio(*where, "import", game)
    assert refused.status == 1
    assert "game.txt:1: rejected. Nobody is the DM." in refused.out
    done = studio(*where, "import", game, "--map", "Anna=DM", "--map", "Ben=Sarah", "--type", "exploration")
    assert (done.status, done.err) == (0, "")
    assert "game.txt:4: note." in done.out
    assert done.out.splitlines()[-1] == "1 imported, 0 rejected."
    assert "Sarah: I open it." in (empty_workspace.scenarios_dir / "exploration" / "game 1.md").read_text()


def test_json_names_every_record(studio: Studio, empty_workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(f"{RECORD}\n{{broken\n")
    outcome = studio("--workspace", empty_workspace.root, "import", path, "--json", "--dry-run")
    assert outcome.status == 1
    assert [(one["line"], one["outcome"]) for one in outcome.document["records"]] == [(1, "valid"), (2, "rejected")]
    assert outcome.document["counts"] == {"valid": 1, "rejected": 1}
    assert not empty_workspace.scenarios_dir.exists()


def test_a_chosen_format_refuses_records_of_another(studio: Studio, empty_workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(RECORD)
    outcome = studio("--workspace", empty_workspace.root, "import", path, "--format", "fireball")
    assert outcome.status == 1
    assert "chat.jsonl:1: rejected." in outcome.out


def test_what_a_file_brings_along_cannot_move_the_cursor(
    studio: Studio, empty_workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "\x1b[2J", "content": "Hi"}]}))
    assert "\x1b" not in studio("--workspace", empty_workspace.root, "import", path).out


@pytest.mark.parametrize("arguments", [["--map", "Anna"], ["--format", "csv"], ["--type", "heist"]])
def test_options_that_make_no_sense_are_wrong_usage(studio: Studio, game: Path, arguments: list[str]) -> None:
    assert studio("import", game, *arguments).status == 2


def test_a_file_that_is_not_there_and_one_without_records_are_said(
    studio: Studio, empty_workspace: Workspace, tmp_path: Path
) -> None:
    where = ("--workspace", empty_workspace.root)
    missing = studio(*where, "import", tmp_path / "nowhere.jsonl")
    assert (missing.status, "nowhere.jsonl" in missing.err) == (1, True)
    (tmp_path / "empty.jsonl").write_text("\n")
    assert studio(*where, "import", tmp_path / "empty.jsonl").status == 1


@pytest.mark.parametrize(("format", "column"), [("messages", "messages"), ("sharegpt", "conversations")])
def test_scenarios_are_exported_line_by_line(
    studio: Studio, empty_workspace: Workspace, tmp_path: Path, format: str, column: str
) -> None:
    output = tmp_path / "deep" / "out.jsonl"
    where = ("--workspace", empty_workspace.root)
    outcome = studio(*where, "export", SHIPPED, "--format", format, "--output", output, "--json")
    assert (outcome.status, outcome.document["written"], outcome.document["left_out"]) == (0, 3, [])
    assert all(column in json.loads(line) for line in output.read_text().splitlines())


def test_an_export_without_scenarios_writes_nothing(studio: Studio, empty_workspace: Workspace, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    outcome = studio("--workspace", empty_workspace.root, "export", "--format", "messages", "--output", output)
    assert outcome.status == 1
    assert outcome.err.startswith("export: ")
    assert not output.exists()
