"""`setup` and `bases`: once is enough, no network afterwards, terms before use, and models of the user's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import BaseModel, get_base
from studio.commands.setup import runtime_concerns
from studio.training import list_runs
from studio.workspace import PROJECT_ROOT, Workspace
from tests.commands.running import UNREACHABLE, Outcome, Studio, finished

BASE = "smollm2-135m-instruct"


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)): (one.st_mtime_ns, one.st_size) for path, one in found.items()}


def test_setup_again_needs_no_network_and_changes_nothing(workspace: Workspace) -> None:
    before = files_of(workspace.root)
    for _ in range(2):
        outcome = finished("--workspace", workspace.root, "setup", "--json", environment=UNREACHABLE)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.document["base"]["name"] == BASE
        assert outcome.document["machine"]["cores"] > 0
    assert files_of(workspace.root) == before


def test_the_first_setup_without_a_network_says_so_and_leaves_no_base(empty_workspace: Workspace) -> None:
    outcome = finished("--workspace", empty_workspace.root, "setup", environment=UNREACHABLE)
    assert (outcome.status, outcome.out) == (1, "")
    assert "Check the network" in outcome.err
    assert [path for path in empty_workspace.base_dir.iterdir() if not path.name.startswith(".")] == []


def test_setup_tells_what_is_ready_and_what_the_machine_has(studio: Studio, workspace: Workspace) -> None:
    outcome = studio("--workspace", workspace.root, "setup")
    assert outcome.status == 0
    assert "SmolLM2 135M Instruct is ready" in outcome.out
    assert "GiB memory free" in outcome.out


def test_setup_measures_how_fast_the_machine_trains(
    studio: Studio, empty_workspace: Workspace, borrow: Callable[[BaseModel], BaseModel], tiny_llama: BaseModel
) -> None:
    borrow(tiny_llama)
    shutil.copytree(PROJECT_ROOT / "data" / "scenarios" / "combat", empty_workspace.scenarios_dir / "combat")
    outcome = studio("--workspace", empty_workspace.root, "setup", "--base", "tiny-llama", "--measure", "--json")
    assert outcome.status == 0
    assert outcome.document["pace"]["tokens_per_second"] > 0
    assert list_runs(empty_workspace) == []


def test_a_base_that_nobody_knows_is_answered_with_the_known_ones(studio: Studio, empty_workspace: Workspace) -> None:
    outcome = studio("--workspace", empty_workspace.root, "setup", "--base", "gpt-9")
    assert (outcome.status, outcome.out) == (1, "")
    assert BASE in outcome.err


def test_the_licence_can_be_read_before_anything_is_imported(studio: Studio, workspace: Workspace) -> None:
    outcome = studio("--workspace", workspace.root, "setup", "--licence")
    assert "Apache License" in outcome.out
    told = studio("--workspace", workspace.root, "setup", "--licence", "--json").document
    assert told == {"name": BASE, "licence": outcome.out.removesuffix("\n")}


def test_terms_are_accepted_by_name_before_a_base_with_terms_is_fetched(
    studio: Studio, empty_workspace: Workspace
) -> None:
    outcome = studio("--workspace", empty_workspace.root, "setup", "--base", "gemma3-270m")
    assert outcome.status == 1
    assert "--accept-licence" in outcome.err
    assert not empty_workspace.root.exists()


def bases_of(studio: Studio, workspace: Workspace) -> dict[str, dict[str, str]]:
    return {entry["name"]: entry for entry in studio("--workspace", workspace.root, "bases", "--json").document}


def test_bases_shows_what_is_ready_and_what_can_be_had(studio: Studio, workspace: Workspace) -> None:
    found = bases_of(studio, workspace)
    assert found[BASE]["state"].startswith("ready, ")
    assert found["gemma3-270m"]["state"] == "can be fetched"
    assert found["qwen3-folder"]["state"] == "bring your own folder"
    assert studio("--workspace", workspace.root, "bases").out.splitlines()[0].split()[:2] == ["NAME", "TITLE"]


def test_a_folder_of_the_users_own_becomes_a_base(
    studio: Studio, empty_workspace: Workspace, tiny_llama: BaseModel
) -> None:
    def take() -> Outcome:
        return studio(
            "--workspace", empty_workspace.root, "setup", "--base", "mine", "--from-folder", tiny_llama.hf, "--json"
        )

    first, second = take(), take()
    assert (first.status, first.document["base"]["name"]) == (0, "mine")
    assert bases_of(studio, empty_workspace)["mine"]["state"].startswith("ready")
    assert "base.gguf" in first.document["base"]["files"]
    assert second.status == 1
    assert "exists already" in second.err


@pytest.mark.parametrize("option", ["--from-gguf", "--from-folder"])
def test_what_is_no_model_is_refused_and_nothing_stays(
    studio: Studio, empty_workspace: Workspace, tmp_path: Path, option: str
) -> None:
    for wrong in (tmp_path / "nowhere", Path(__file__)):
        outcome = studio("--workspace", empty_workspace.root, "setup", "--base", "mine", option, wrong)
        assert outcome.status == 1
        assert outcome.err.splitlines()[-1].startswith("setup: ")
        assert "mine" not in bases_of(studio, empty_workspace)


def test_two_sources_at_once_are_wrong_usage(studio: Studio) -> None:
    assert studio("setup", "--from-gguf", "a.gguf", "--from-folder", "b").status == 2


def test_a_llama_cpp_that_cannot_run_is_told_once_the_model_is_there(workspace: Workspace) -> None:
    base = get_base(workspace, BASE)
    assert runtime_concerns(base) == []
    file = base.directory / "base.gguf"
    file.unlink()  # a hard link of the real one
    file.write_bytes(b"GGUF" + bytes(64))
    [concern] = runtime_concerns(base)
    assert "does not run on this machine" in concern
