"""`types`: sizes, memory and fit of every type before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.workspace import Workspace
from tests.adapters import put_checkpoint
from tests.commands.running import Studio


@pytest.fixture
def run(workspace: Workspace, smollm2: BaseModel) -> Path:
    """A finished run, `tavern`."""
    folder = put_checkpoint(workspace, smollm2).parent
    put_checkpoint(workspace, smollm2, step=41, seed=6).rename(folder / "adapter")
    return folder


def test_every_type_is_told_with_the_recommended_one(studio: Studio, workspace: Workspace, run: Path) -> None:
    outcome = studio("--workspace", workspace.root, "types", "tavern", "--json")
    assert outcome.status == 0
    found = {one["type"]: one for one in outcome.document["types"]}
    assert len(found) == 32
    assert outcome.document["recommended"] == "Q8_0"
    assert found["Q8_0"]["size"] == pytest.approx(144_811_360, rel=1e-3)
    assert found["Q8_0"]["memory"]["8192"] > found["Q8_0"]["memory"]["2048"] > found["Q8_0"]["size"]
    assert (found["Q8_0"]["fits"], found["F32"]["fits"]) == (True, False)
    assert (found["Q8_0"]["path"], found["Q8_0"]["kl"], found["Q8_0"]["expected_tokens_per_second"]) == (None,) * 3


def test_the_short_list_is_a_table_with_a_sentence(studio: Studio, workspace: Workspace, run: Path) -> None:
    said = studio("--workspace", workspace.root, "types", "tavern", "--short", "--profile", "server").out
    assert "recommended" in said
    assert "Q8_0 suits Server" in said
    assert "IQ1_S" not in said
    assert studio("--workspace", workspace.root, "types", "nobody").status == 1
