"""`compare`: models side by side from a script; a model that is not there keeps its column."""

from __future__ import annotations

from pathlib import Path

from studio.play.comparison_report import Comparison
from studio.workspace import Workspace
from tests.commands.running import Studio, finished

BASE = "smollm2-135m-instruct"


def test_models_are_compared_by_their_hash_and_a_missing_one_says_so(
    studio: Studio, workspace: Workspace, tmp_path: Path
) -> None:
    script, out = tmp_path / "lines.txt", tmp_path / "compared.md"
    script.write_text("# one line\nI look around.\n")
    told = studio(
        "--workspace", workspace.root, "compare", BASE, "no-such", "--script", script, "--max-tokens", "8",
        "--seed", "3", "--out", out, "--json",
    )  # fmt: skip
    assert told.status == 1
    result = Comparison.model_validate_json(told.out)
    base, missing = result.models
    assert (result.seed, len(base.turns), base.error) == (3, 1, "")
    assert base.model is not None
    assert base.model.sha256[:16] in out.read_text()
    assert missing.model is None
    assert "no-such" in missing.error


def test_one_model_alone_and_an_empty_script_are_refused(studio: Studio, workspace: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "lines.txt"
    script.write_text("# nothing\n")
    where = ("--workspace", workspace.root, "compare")
    assert studio(*where, BASE, "--script", script).status == 2
    refused = finished(studio(*where, BASE, BASE, "--script", script), 1)
    assert "no player line" in refused.err
