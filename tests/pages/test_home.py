"""The overview names the next step in every state of the loop."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.play import new_session, save_session
from studio.scenarios import load_vocabulary
from studio.validation.card import REPORT_FILE
from studio.workspace import Workspace, atomic_write
from tests.metrics.conftest import shipped_cases
from tests.pages.conftest import MakeRun
from tests.pages.visit import Visit
from tests.validation.conftest import card_of

STEPS = ["Get a base model", "Write scenarios", "Look at the dataset", "Train", "Make a model file", "Measure", "Play"]


def next_action(visit: Visit) -> str:
    return visit.app.button(key="next").label


def test_an_empty_workspace_begins_with_a_base_model() -> None:
    visit = Visit("home")
    assert next_action(visit) == "Import a base model"
    assert all(step in visit.words for step in STEPS)
    assert visit.errors == []


def test_with_a_base_model_the_next_step_is_writing(workspace: Workspace) -> None:
    visit = Visit("home")
    assert next_action(visit) == "Write a scenario"
    assert "1 base model ready" in visit.words


def test_with_scenarios_the_next_step_is_training(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("home")
    assert next_action(visit) == "Start a training run"
    assert "11 scenarios" in visit.words


def test_a_run_in_progress_is_there_to_be_watched(workspace: Workspace, scenarios: Path, make_run: MakeRun) -> None:
    make_run("first", "running", steps=2, alive=True)
    visit = Visit("home")
    assert next_action(visit) == "Watch the run"
    assert "1 run in progress" in visit.words


def test_a_finished_run_is_to_become_a_file(workspace: Workspace, scenarios: Path, make_run: MakeRun) -> None:
    make_run("first", steps=10, adapter=True)
    assert next_action(Visit("home")) == "Convert the run"


def test_a_run_that_failed_does_not_count_as_trained(workspace: Workspace, scenarios: Path, make_run: MakeRun) -> None:
    make_run("first", "failed", steps=2)
    visit = Visit("home")
    assert next_action(visit) == "Start a training run"
    assert "No finished run yet" in visit.words


def test_with_a_model_file_the_next_step_is_to_measure_it_and_then_to_play(
    workspace: Workspace, scenarios: Path, make_run: MakeRun
) -> None:
    make_run("first", steps=10, adapter=True)
    target = workspace.gguf_dir / "first" / "first.Q8_0.gguf"
    target.parent.mkdir(parents=True)
    os.link(workspace.base_dir / "smollm2-135m-instruct" / "base.gguf", target)
    save_session(workspace, new_session("A tavern.", session_id="one", created=datetime.now(UTC)))
    assert next_action(Visit("home")) == "Measure your model"
    cases = shipped_cases(load_vocabulary())[:3]
    card = card_of(cases, load_vocabulary(), first=[case.authored for case in cases])
    atomic_write(workspace.jobs_dir / "evaluate-1" / REPORT_FILE, card.model_dump_json())
    visit = Visit("home")
    assert next_action(visit) == "Play with your model"
    assert "first: 100% of turns right" in visit.words
    assert "1 GGUF file ready to play" in visit.words
    assert "1 session" in visit.words


@pytest.mark.parametrize(
    ("key", "title"), [("next", "Setup"), ("open_2", "Scenarios"), ("open_6", "Measure"), ("open_7", "Play")]
)
def test_every_button_leads_to_its_page(key: str, title: str) -> None:
    assert Visit("home").click(key).title == title


def test_a_catalogue_that_cannot_be_read_hides_nothing_else(empty_workspace: Workspace, scenarios: Path) -> None:
    atomic_write(empty_workspace.config_dir / "model_configs" / "mine.yaml", "name: [unclosed")
    visit = Visit("home")
    assert any("mine.yaml" in one for one in visit.errors)
    assert "11 scenarios" in visit.words
