"""`reports`: versions listed with what became better or worse, for people and for scripts; a gate when asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.cli import main
from studio.conversion.metadata import ADAPTER, BASE_NAME, RUN
from studio.metrics import TurnCase
from studio.scenarios import Vocabulary
from studio.validation import ReportCard
from studio.validation.card import REPORT_FILE, ModelResult
from studio.workspace import Workspace, atomic_write
from tests.validation.conftest import card_of

BASE = "smol"


@pytest.fixture(scope="module")
def measured(held_out: list[TurnCase], vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A base model, a good version, and one that lost half of the turns; each in a report of its own."""
    workspace = Workspace(tmp_path_factory.mktemp("measured"))
    authors = [case.authored for case in held_out]
    for number, (label, lost) in enumerate({BASE: 23, "first.Q8_0": 0, "second.Q8_0": 12}.items()):
        card = card_of(held_out, vocabulary, **{label: ["It rains."] * lost + authors[lost:]})
        keep(workspace, card.model_copy(update={"created": float(number), "models": tuple(map(_named, card.models))}))
    return workspace


def keep(workspace: Workspace, card: ReportCard) -> Path:
    place = workspace.jobs_dir / f"evaluate-{card.created:g}" / REPORT_FILE
    atomic_write(place, card.model_dump_json())
    return place


def _named(result: ModelResult) -> ModelResult:
    label = result.model.label
    origin = {BASE_NAME: BASE, ADAPTER: label, RUN: label.partition(".")[0]}
    changed = {"file": "base.gguf"} if label == BASE else {"parents": origin}
    return result.model_copy(update={"model": result.model.model_copy(update=changed)})


def run(workspace: Workspace, *arguments: str) -> int:
    return main(["--workspace", str(workspace.root), "reports", *arguments])


def test_nothing_measured_says_what_to_do(empty_workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(empty_workspace, "--fail-on-regression") == 0
    assert "evaluate MODEL" in capsys.readouterr().out
    assert run(empty_workspace, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_versions_stand_in_their_order_with_what_became_worse(
    measured: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(measured) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Trained from smol (23 turns, test set ")
    rows = lines[2:5]
    assert [row.split()[2:4] for row in rows] == [[BASE, "-"], ["first.Q8_0", "Q8_0"], ["second.Q8_0", "Q8_0"]]
    assert rows[0].endswith("the first")
    assert "better: Turns that are right" in rows[1]
    assert "worse: Turns that are right" in rows[2]
    assert lines[-1] == "second.Q8_0 is worse than first.Q8_0, the version before."


def test_a_script_is_told_every_verdict_and_the_turns_behind_it(
    measured: Workspace, capsys: pytest.CaptureFixture[str], held_out: list[TurnCase]
) -> None:
    assert run(measured, "--json") == 0
    (lineage,) = json.loads(capsys.readouterr().out)
    base, first, second = lineage["versions"]
    assert (base["before"], base["verdicts"]) == (None, {})
    assert first["before"]["label"] == BASE
    assert second["verdicts"]["turn_right"] == "worse"
    assert set(second["lost"]["turn_right"]) <= {case.key for case in held_out[:12]}
    right = second["model"]["figures"]["turn_right"]["value"]
    assert right == pytest.approx(1 - len(second["lost"]["turn_right"]) / len(held_out))
    assert [one["report"] for one in lineage["versions"]] == ["evaluate-0", "evaluate-1", "evaluate-2"]


def test_a_gate_fails_for_a_newest_version_that_is_worse(
    measured: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(measured, "--fail-on-regression") == 1
    assert run(measured, "--fail-on-regression", "SECOND") == 1
    assert run(measured, "--fail-on-regression", "another") == 0
    capsys.readouterr()
    assert run(measured, "--last", "1") == 0
    assert "first.Q8_0 " not in capsys.readouterr().out.partition("AGAINST")[2].partition("\n\n")[0]
