"""Training: the form, and a run as it looks while it goes on, when it ended, and when its folder is damaged."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.config import TrainingConfig
from studio.errors import TrainingError
from studio.jobs import Job, MessageEvent, StepEvent, of_type
from studio.jobs.process import acquire_lock
from studio.jobs.state import LOG_FILE, STATE_FILE, STOP_FILE
from studio.training import Run, list_runs
from studio.training.pace import measurement_folder, note_machine
from studio.workspace import Workspace, atomic_write
from tests.pages.conftest import Borrow, MakeRun, evaluation, write_run
from tests.pages.visit import Visit


def traces(visit: Visit) -> dict[str, int]:
    """The curves of the chart on the page: name -> number of points."""
    chart = json.loads(visit.app.get("plotly_chart")[0].proto.spec)
    return {one["name"]: len(one["x"]) for one in chart["data"]}


def learned(run: Run) -> list[StepEvent]:
    return of_type(run.job.events().events, StepEvent)


def field(visit: Visit, name: str) -> str:
    """What is written in the field of a setting."""
    return str(visit.app.text_input(key=f"set_{name}").value)


def can_start(visit: Visit) -> bool:
    """Whether the button that starts a run can be pressed."""
    return not visit.app.button(key="train_start").disabled


# -- the form


def test_training_needs_a_base_model_first(scenarios: Path) -> None:
    visit = Visit("train")
    assert "A base model first" in visit.words
    assert visit.click("empty_download").title == "Setup"


def test_training_needs_scenarios_first(workspace: Workspace) -> None:
    visit = Visit("train")
    assert "Scenarios first" in visit.words
    assert visit.click("empty_edit_note").title == "Scenarios"


def test_the_form_shows_what_will_be_learned(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train")
    assert "Fingerprint" in visit.words
    assert int(visit.figures["Scenarios"]) + 1 >= 10
    assert int(visit.figures["Tokens learned"].replace(",", "")) > 1000


def test_a_preset_sets_the_details(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train").choose("radio", "train_preset", "best")
    assert "memory of a scene" in " ".join(visit.app.radio(key="train_preset").proto.captions)
    assert field(visit, "lora_rank") == "32"
    assert field(visit, "epochs") == "16"


def test_scenarios_that_cannot_be_learned_from_are_named(workspace: Workspace, scenarios: Path) -> None:
    atomic_write(scenarios / "mixed" / "no_answer.md", "<User>Hello?</User>\n")
    visit = Visit("train")
    assert any("cannot be learned from" in one.value for one in visit.app.warning)
    assert "no_answer" in visit.words


@pytest.mark.parametrize("name", ["../../outside", "a/b", "first"])
def test_a_name_that_cannot_be_shows_why_and_starts_nothing(
    workspace: Workspace, scenarios: Path, make_run: MakeRun, name: str
) -> None:
    make_run("first")
    visit = Visit("train").choose("text_input", "train_name", name).click("train_start")
    assert len(visit.errors) == 1
    assert visit.address == {}
    assert [run.name for run in list_runs(workspace)] == ["first"]


def test_a_preset_beyond_the_usual_bounds_is_kept_as_it_is(workspace: Workspace, scenarios: Path) -> None:
    preset = "presets: {mine: {title: Mine, summary: x, training: {epochs: 0.05, lora_rank: 300, lora_alpha: 300}}}"
    atomic_write(workspace.config_dir / "training_config.yaml", preset)
    visit = Visit("train")
    assert field(visit, "epochs") == "0.05"
    assert field(visit, "lora_rank") == "300"


@pytest.mark.parametrize("text", ["presets: [unclosed", "presets: {mine: {title: x}}", "{}"])
def test_settings_that_cannot_be_used_are_told_and_the_runs_are_still_listed(
    workspace: Workspace, scenarios: Path, make_run: MakeRun, text: str
) -> None:
    make_run("first")
    atomic_write(workspace.config_dir / "training_config.yaml", text)
    visit = Visit("train")
    assert any("training_config.yaml" in one for one in visit.errors)
    assert visit.has("row_first")


def test_what_was_typed_outlives_other_presets_and_mistakes(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train").choose("text_input", "set_epochs", "ten").choose("text_input", "set_seed", "99")
    assert not can_start(visit)
    assert "above 0, at most 1,000" in visit.errors[0]
    assert "above 0, at most 1,000" in visit.words, "beside the field too"
    visit.choose("radio", "train_preset", "best")
    assert (field(visit, "epochs"), field(visit, "seed"), field(visit, "lora_rank")) == ("ten", "99", "32")
    visit.choose("text_input", "set_epochs", "5")
    assert can_start(visit)
    assert visit.errors == []
    assert "Passes over the scenarios 16 → **5**, Seed 7 → **99**" in visit.words
    assert "--preset best --set epochs=5 --set seed=99" in visit.words
    visit.click("train_undo")
    assert (field(visit, "epochs"), field(visit, "seed")) == ("16", "7")
    assert not visit.has("train_undo")


def test_switches_choices_and_lists_reach_the_run(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train").choose("toggle", "set_keep_best", False)
    visit.choose("text_input", "set_target_modules", "q_proj, v_proj")
    visit.choose("selectbox", "set_quantize_base", "nf4")
    assert can_start(visit)
    command = visit.app.code[0].value
    assert "--set keep_best=false" in command
    assert "--set quantize_base=nf4" in command
    assert "'target_modules=[q_proj, v_proj]'" in command


def test_settings_are_loaded_from_text_and_a_mistake_in_it_loses_nothing(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train").choose("text_input", "set_seed", "99")
    visit.choose("text_area", "train_pasted", "epochs: ten\nlerning_rate: 1").click("train_load")
    assert "epochs: ten cannot be used" in visit.errors[0]
    assert "Did you mean learning_rate?" in visit.errors[0]
    assert field(visit, "seed") == "99"
    assert visit.app.text_area(key="train_pasted").value == "epochs: ten\nlerning_rate: 1"
    visit.choose("text_area", "train_pasted", "epochs: 7\nlora_rank: 24").click("train_load")
    assert visit.errors == []
    assert (field(visit, "epochs"), field(visit, "lora_rank"), field(visit, "seed")) == ("7", "24", "7")
    visit.choose("radio", "train_preset", "quick").choose("radio", "train_preset", "the file")
    assert field(visit, "lora_rank") == "24"


def test_a_base_model_that_is_not_here_is_told_and_another_one_taken(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train").choose("text_area", "train_pasted", "base_model: gemma3-270m").click("train_load")
    assert "gemma3-270m, which is not here" in visit.words
    assert visit.app.selectbox(key="train_base").value == "smollm2-135m-instruct"
    assert can_start(visit)


def test_nothing_to_load_is_told(workspace: Workspace, scenarios: Path) -> None:
    assert "nothing to load" in Visit("train").click("train_load").errors[0]


def test_a_run_that_was_made_here_tells_what_each_preset_takes(
    workspace: Workspace, scenarios: Path, make_run: MakeRun
) -> None:
    run = make_run("evening", steps=10)  # at 123 tokens per second
    assert "not known yet" in Visit("train").words
    note_machine(workspace, run.directory)
    visit = Visit("train")
    assert "the run evening went at 123 tokens per second" in visit.words
    assert not visit.has("train_measure")
    minutes = [one.splitlines()[-1] for one in visit.app.radio(key="train_preset").proto.captions]
    assert all(one.startswith("**About ") and one.endswith("on this machine") for one in minutes)
    assert len(set(minutes)) == 3
    visit.choose("radio", "train_preset", "best").choose("text_input", "set_max_steps", "1")
    assert "1 step," in visit.words
    assert visit.app.radio(key="train_preset").value == "best"
    assert visit.app.radio(key="train_preset").options == ["Quick", "Good", "Best"], "else the choice would be lost"


def test_a_short_measurement_tells_it_too_and_can_be_made_again(workspace: Workspace, scenarios: Path) -> None:
    measured = measurement_folder(workspace, TrainingConfig())
    note_machine(workspace, write_run(workspace, str(measured), steps=3).directory)
    visit = Visit("train")
    assert "a short measurement gave 123 tokens per second" in visit.words
    assert visit.app.button(key="train_measure").label == "Measure again"
    visit.click("train_measure")
    assert visit.has("train_measure_stop")
    assert not visit.has("train_measure")
    visit.click("train_measure_stop")
    assert Job(measured).stop(grace_seconds=0).is_finished
    assert list_runs(workspace) == []


@pytest.mark.slow
def test_a_run_is_started_watched_and_stopped_from_the_page(
    tiny_llama: BaseModel, borrow: Borrow, empty_workspace: Workspace, scenarios: Path
) -> None:
    borrow(tiny_llama)
    visit = Visit("train").choose("text_input", "set_max_steps", "60")
    visit.choose("text_input", "set_max_seq_length", "1024")
    visit.choose("text_input", "train_name", "by hand").click("train_start")
    assert visit.address == {"run": "by hand"}
    run = Run(empty_workspace.checkpoints_dir / "by hand")
    assert (run.config().max_steps, run.config().max_seq_length) == (60, 1024)
    while not (run.directory / STATE_FILE).exists() or not (run.state().is_finished or learned(run)):
        time.sleep(0.1)
    assert visit.run().figures["Step"].endswith(" of 60")
    assert traces(visit)["training"] >= 1
    visit.click("stop_run")
    state = run.job.wait(100)
    assert (state.status, state.error) == ("stopped", None)
    visit.run()
    assert "stopped" in visit.words
    assert visit.app.button(key="resume").label == "Go on from the last checkpoint"


# -- one run


def test_the_page_of_a_run_shows_the_command_that_makes_another(workspace: Workspace, make_run: MakeRun) -> None:
    make_run("first", steps=10)
    visit = Visit("train", run="first")
    commands = [one.value for one in visit.app.code if one.value.startswith("python -m studio")]
    assert len(commands) == 1
    assert f"--workspace {workspace.root} train --preset" in commands[0]
    assert "--set max_steps=10" in commands[0]


def test_the_browser_hears_when_a_run_goes_on_and_when_it_has_ended(make_run: MakeRun) -> None:
    make_run("first", "running", steps=3, alive=True)
    assert Visit("train", run="first").told("studio_run_bell")["going"]
    error = TrainingError("The memory ran out.")
    make_run("second", "failed", steps=3, error=error.as_dict())
    told = Visit("train", run="second").told("studio_run_bell")
    assert told == {"run": "second", "going": False, "title": "second: failed", "text": "The memory ran out."}


def test_a_run_in_progress_shows_figures_chart_and_stop(make_run: MakeRun) -> None:
    events = [evaluation(2, 1.25), MessageEvent(text="Epoch *1* is over.")]
    run = make_run("first", "running", steps=4, events=events, alive=True, seconds_left=200.0)
    visit = Visit("train", run="first")
    assert visit.figures == {
        "Step": "4 of 10",
        "Loss": "0.750",
        "Loss on held-out play": "1.250",
        "Speed": "123 tokens/s",
        "Time left": "3 min 20 s",
        "Memory": "900 MB",
    }
    assert traces(visit) == {"each step": 4, "training": 4, "held out": 1}
    assert "Epoch *1* is over." in visit.words
    assert not (run.directory / STOP_FILE).exists()
    visit.click("stop_run")
    assert (run.directory / STOP_FILE).exists()
    assert "stopping" in visit.words
    assert visit.app.button(key="stop_run").disabled


def test_a_run_that_has_not_learned_yet_says_what_it_does(make_run: MakeRun) -> None:
    make_run("first", "running", alive=True)
    visit = Visit("train", run="first")
    assert "Getting ready" in visit.words
    assert not visit.app.get("plotly_chart")


def test_a_finished_run_offers_the_model_file(make_run: MakeRun) -> None:
    make_run("first", steps=10, adapter=True)
    visit = Visit("train", run="first")
    assert "finished" in visit.words
    assert not visit.has("stop_run")
    assert not visit.has("resume")
    visit.click("to_models")
    assert (visit.title, visit.address) == ("Models", {"run": "first"})
    assert visit.app.selectbox(key="convert_run").value == "first"


def test_a_failed_run_shows_its_error_its_log_and_the_way_on(make_run: MakeRun) -> None:
    error = TrainingError("The *memory* ran out.", why="A row was too long.", next_step="Choose shorter rows.")
    run = make_run("first", "failed", steps=3, error=error.as_dict())
    atomic_write(run.directory / LOG_FILE, "step 3\nMemoryError\n")
    visit = Visit("train", run="first")
    assert all(part in visit.errors[0] for part in ("The *memory* ran out.", "too long", "Choose shorter rows."))
    assert "MemoryError" in visit.words
    assert visit.app.button(key="resume").label == "Try again"


def test_an_interrupted_run_goes_on_from_its_checkpoint(make_run: MakeRun) -> None:
    run = make_run("first", "running", steps=3)  # its process is gone
    (run.directory / "checkpoint-2").mkdir()
    visit = Visit("train", run="first")
    assert "interrupted" in visit.words
    assert len(visit.errors) == 1
    assert visit.app.button(key="resume").label == "Go on from the last checkpoint"


def test_a_loss_that_is_no_number_is_told(make_run: MakeRun) -> None:
    make_run("first", "running", steps=3, events=[evaluation(3, float("nan"))], alive=True)
    visit = Visit("train", run="first")
    assert visit.figures["Loss on held-out play"] == "no number"
    assert any("smaller learning rate" in one.value for one in visit.app.warning)


def test_torn_and_foreign_lines_in_the_event_log_are_passed_over(make_run: MakeRun) -> None:
    run = make_run("first", steps=4)
    with (run.directory / "events.jsonl").open("ab") as log:
        log.write(b'{"type": "of a newer studio"}\n\xff\xfe\n{"type": "step", "st')
    assert Visit("train", run="first").figures["Step"] == "4 of 10"


@pytest.mark.parametrize("name", ["no such run", "../../etc", "a\x00b", "<b>x</b>"])
def test_a_run_that_is_not_there_shows_an_error_and_the_way_back(workspace: Workspace, name: str) -> None:
    visit = Visit("train", run=name)
    assert len(visit.errors) == 1
    visit.click("all_runs")
    assert visit.address == {}
    assert visit.title == "Train"


def test_a_damaged_run_is_listed_and_does_not_hide_the_others(make_run: MakeRun) -> None:
    make_run("good", steps=10)
    damaged = make_run("damaged", steps=3)
    atomic_write(damaged.directory / STATE_FILE, '{"kind": "train", "stat')
    visit = Visit("train")
    assert visit.has("row_good")
    assert "cannot be read" in visit.words
    visit.click("row_damaged")
    assert len(visit.errors) == 1
    assert "state" in visit.errors[0]


def test_older_runs_are_shown_when_asked_for(make_run: MakeRun) -> None:
    for number in range(23):
        make_run(f"run {number}", created=1e9 + number)
    visit = Visit("train")
    assert len([one for one in visit.keys if one.startswith("row_")]) == 20
    assert visit.app.button(key="older_runs").label == "Show older ones (3)"
    visit.click("older_runs")
    assert len([one for one in visit.keys if one.startswith("row_")]) == 23
    assert not visit.has("older_runs")


def test_a_run_whose_settings_are_damaged_still_shows_its_figures(make_run: MakeRun) -> None:
    run = make_run("first", steps=4)
    atomic_write(run.directory / "config.yaml", "learning_rate: [")
    visit = Visit("train", run="first")
    assert visit.figures["Step"] == "4 of 10"
    assert len(visit.errors) == 1


def test_going_on_with_a_run_that_cannot_says_why(
    workspace: Workspace, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.jobs.job.EXIT_SECONDS", 0.1)  # the page would wait longer for the folder
    run = make_run("first", "failed", steps=3)
    lock = acquire_lock(run.directory)  # as a worker that still writes its last checkpoint holds it
    try:
        visit = Visit("train", run="first").click("resume")
    finally:
        os.close(lock)
    assert len(visit.errors) == 1
    assert "already running" in visit.errors[0]
    assert run.state().status == "failed"
