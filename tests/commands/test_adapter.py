"""Adapters on the command line: written as a file of their own, and played before there is a model file."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.play import Transcript
from studio.workspace import Workspace, sha256_file
from tests.adapters import put_checkpoint
from tests.commands.running import Studio


@pytest.fixture
def run(workspace: Workspace, smollm2: BaseModel) -> Path:
    """A run with a checkpoint; `adapter/` is what it ended with."""
    folder = put_checkpoint(workspace, smollm2).parent
    put_checkpoint(workspace, smollm2, step=41, seed=6).rename(folder / "adapter")
    return folder


def test_convert_lora_writes_a_small_file_and_says_its_size(studio: Studio, workspace: Workspace, run: Path) -> None:
    outcome = studio("--workspace", workspace.root, "convert", "tavern", "--lora", "--json")
    assert outcome.status == 0
    made = workspace.root / outcome.document["lora"]
    assert made == workspace.gguf_dir / "tavern" / "tavern.lora.gguf"
    assert outcome.document["size"] == made.stat().st_size < 1e6
    assert outcome.document["sha256"] == sha256_file(made)
    assert "tavern.lora.gguf (" in studio("--workspace", workspace.root, "convert", "tavern", "--lora").out
    assert "tavern" not in studio("--workspace", workspace.root, "models").out


@pytest.mark.parametrize(
    ("arguments", "status"), [(("tavern", "--type", "Q8_0"), 2), (("nobody",), 1), (("../tavern",), 1)]
)
def test_convert_lora_refuses_what_it_cannot_do(
    studio: Studio, workspace: Workspace, run: Path, arguments: tuple[str, ...], status: int
) -> None:
    assert studio("--workspace", workspace.root, "convert", *arguments, "--lora").status == status
    assert not workspace.gguf_dir.exists()


@pytest.mark.slow
def test_a_checkpoint_is_played_by_its_name(studio: Studio, workspace: Workspace, run: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("I look around.\n")
    few = ("--script", script, "--max-tokens", "8", "--context", "512")
    outcome = studio("--workspace", workspace.root, "chat", "tavern/checkpoint-40", *few, "--json")
    model = Transcript.model_validate(outcome.document).model
    (overlay,) = (workspace.state_dir / "adapters").iterdir()
    assert (model.adapter, model.adapter_sha256) == ("tavern/checkpoint-40", sha256_file(overlay))
    assert model.parents["studio.run"] == "tavern"
