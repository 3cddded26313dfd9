"""Runs that wait on the page Train: their order, notes, runs like other runs, deletion."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from studio.bases import get_base
from studio.config import TrainingConfig, save_settings
from studio.database import migrate
from studio.errors import JobError
from studio.jobs import JobQueue, queue_rows
from studio.jobs.process import try_lock
from studio.jobs.queue_schema import MIGRATIONS
from studio.training import ADAPTER_DIR, Provenance, Run, find_run, list_runs, read_note, start_run, write_note
from studio.training.pace import start_measurement
from studio.training.provenance import WEIGHTS_FILE
from studio.workspace import Workspace, atomic_write, sha256_file
from tests.adapters import write_adapter
from tests.jobs.test_job import PATIENCE, wait_for, wait_until_working
from tests.pages.conftest import MakeRun
from tests.pages.visit import Visit


@pytest.fixture
def evening(workspace: Workspace, scenarios: Path) -> Iterator[Run]:
    """A run that is at work until it is told to stop, and learns nothing."""
    run = Run(workspace.checkpoints_dir / "evening")
    save_settings(TrainingConfig(), run.directory / "config.yaml")
    JobQueue(workspace, ["tests"]).add(run.directory, "tests.jobs.targets:work_until_stopped", {}, "train", "evening")
    wait_until_working(run.job)
    yield run
    for entry in reversed(JobQueue(workspace).entries()):
        if entry.is_waiting:
            JobQueue(workspace).cancel(entry.id)
    run.job.stop()
    assert run.job.wait(PATIENCE).is_finished
    lock = []
    wait_for(lambda: bool(lock.append(try_lock(workspace.state_dir / "queue.lock")) or lock[-1]))  # no runner is left
    os.close(lock[-1])


def waiting(workspace: Workspace) -> list[str]:
    return [one.title for one in JobQueue(workspace).entries() if one.is_waiting]


def test_a_run_that_is_started_while_another_one_trains_waits_and_can_be_taken_out(
    workspace: Workspace, evening: Run
) -> None:
    visit = Visit("train")
    assert visit.app.button(key="train_start").label == "Add to the queue"
    assert "evening is training now" in visit.words
    assert visit.app.button(key="train_measure").disabled
    with pytest.raises(JobError) as caught:
        start_measurement(workspace, TrainingConfig())
    assert "evening" in caught.value.why
    visit.choose("text_input", "train_name", "later").click("train_start")
    assert visit.address == {"run": "later"}
    assert waiting(workspace) == ["later"]
    assert "waiting" in visit.words
    assert "Next, after evening" in visit.words
    assert not visit.has("resume")
    visit.click("leave_queue")
    assert waiting(workspace) == []
    assert "not started" in visit.words
    assert visit.app.button(key="resume").label == "Start it"
    visit.click("resume")
    assert waiting(workspace) == ["later"]


def test_what_waits_is_listed_in_order_and_moved(workspace: Workspace, evening: Run, make_run: MakeRun) -> None:
    for name in ("one", "two", "three"):
        start_run(workspace, TrainingConfig(max_steps=1), name=name)
    make_run("earlier", steps=10)
    visit = Visit("train")
    rows = [key for key in visit.keys if key.startswith("row_")]
    assert rows == ["row_queue_evening", "row_queue_one", "row_queue_two", "row_queue_three", "row_earlier"]
    assert visit.app.button(key="queue_arrow_upward_one").disabled
    assert visit.app.button(key="queue_arrow_downward_three").disabled
    visit.click("queue_arrow_upward_three").click("queue_arrow_downward_one")
    assert waiting(workspace) == ["three", "one", "two"]
    assert "1. three" in visit.words
    JobQueue(workspace).move(JobQueue(workspace).entries()[1].id, 3)  # by somebody else, after the page was drawn
    visit.click("queue_close_one")
    assert waiting(workspace) == ["two", "three"]
    assert find_run(workspace, "one").state().status == "stopped"
    assert visit.has("row_one")
    assert visit.click("row_queue_two").address == {"run": "two"}


def test_a_run_like_another_one_begins_with_its_settings(workspace: Workspace, evening: Run, make_run: MakeRun) -> None:
    make_run("first", steps=10)
    config = TrainingConfig(lora_rank=48, lora_alpha=48, epochs=3, weight_decay=0.25)
    save_settings(config, workspace.checkpoints_dir / "first" / "config.yaml")
    visit = Visit("train", run="first").click("duplicate_run")
    assert visit.address == {"like": "first"}
    assert visit.app.text_input(key="train_name").value == "first-2"
    assert visit.app.text_input(key="set_lora_rank").value == "48"
    visit.choose("text_input", "set_epochs", "5").click("train_start")
    assert visit.address == {"run": "first-2"}
    made = find_run(workspace, "first-2").config()
    assert made.model_copy(update={"dataset": None}) == config.model_copy(update={"epochs": 5.0})


def test_a_run_goes_on_from_what_another_one_learned(workspace: Workspace, evening: Run, make_run: MakeRun) -> None:
    base = get_base(workspace, "smollm2-135m-instruct")
    teacher = write_adapter(make_run("first", steps=10).directory / ADAPTER_DIR, base)
    papers = Provenance(
        base=base.name, base_sha256=base.fingerprint, run="first", adapter_sha256=sha256_file(teacher / WEIGHTS_FILE),
        dataset_fingerprint="d" * 64, config_sha256="c" * 64,
    )  # fmt: skip
    (teacher / "provenance.json").write_text(papers.model_dump_json())
    assert not Visit("train").app.selectbox(key="train_parent").value
    visit = Visit("train", run="first").click("teach_more")
    assert visit.address == {"from": "first"}
    assert visit.app.selectbox(key="train_parent").value == "first"
    assert "--from first" in visit.words
    visit.choose("text_input", "train_name", "second").click("train_start")
    second = find_run(workspace, "second")
    assert second.parent
    assert Provenance.read(second.parent).run == "first"
    visit = Visit("train", run="second").click("duplicate_run")
    assert visit.app.selectbox(key="train_parent").value == "as before"
    visit.choose("selectbox", "train_parent", "").choose("text_input", "train_name", "third").click("train_start")
    assert find_run(workspace, "third").parent is None


def test_a_run_that_is_gone_cannot_be_gone_on_from(workspace: Workspace, scenarios: Path) -> None:
    visit = Visit("train", **{"from": "nobody"})
    assert "nobody has nothing that smollm2-135m-instruct could begin with" in visit.words
    assert not visit.app.button(key="train_start").disabled


@pytest.mark.parametrize("name", ["nobody", "../../etc"])
def test_a_run_that_is_not_there_cannot_be_the_model(workspace: Workspace, scenarios: Path, name: str) -> None:
    visit = Visit("train", like=name)
    assert len(visit.errors) == 1
    assert visit.app.radio(key="train_preset").value == "quick"


def test_a_note_is_kept_and_listed(make_run: MakeRun) -> None:
    run = make_run("first", steps=10)
    visit = Visit("train", run="first")
    visit.choose("text_area", "note_first", "Talks *too* much.\nTry fewer passes.")
    assert read_note(run) == "Talks *too* much.\nTry fewer passes.\n"
    assert "Talks *too* much." in Visit("train").words
    assert "Try fewer passes." not in Visit("train").words
    write_note(run, "")
    assert Visit("train", run="first").app.text_area(key="note_first").value == ""


def test_a_run_is_deleted_after_a_question_that_says_what_stays(workspace: Workspace, make_run: MakeRun) -> None:
    make_run("first", steps=10, adapter=True)
    atomic_write(workspace.gguf_dir / "first" / "first.Q8_0.gguf", b"GGUF")
    visit = Visit("train", run="first").click("delete_run")
    assert "1 model file" in visit.words
    assert find_run(workspace, "first")
    visit.click("delete_run_now")
    assert (visit.address, visit.title) == ({}, "Train")
    assert list_runs(workspace) == []
    assert (workspace.gguf_dir / "first" / "first.Q8_0.gguf").exists()


def test_a_run_at_work_is_not_deleted(make_run: MakeRun) -> None:
    run = make_run("first", "running", steps=3, alive=True)
    visit = Visit("train", run="first").click("delete_run").click("delete_run_now")
    assert len(visit.errors) == 1
    assert "Stop it first" in visit.errors[0]
    assert run.directory.exists()


def test_a_damaged_run_can_be_deleted_from_its_page(workspace: Workspace, make_run: MakeRun) -> None:
    run = make_run("first", steps=3)
    atomic_write(run.directory / "state.json", "{")
    Visit("train", run="first").click("delete_run").click("delete_run_now")
    assert not run.directory.exists()


def test_a_damaged_queue_is_told_and_the_runs_are_still_listed(
    workspace: Workspace, scenarios: Path, make_run: MakeRun
) -> None:
    make_run("first", steps=10)
    atomic_write(workspace.state_dir / "queue.sqlite", b"no database at all " * 400)
    visit = Visit("train")
    assert len(visit.errors) == 1
    assert "queue.sqlite" in visit.errors[0]
    assert visit.has("row_first")
    assert "finished" in Visit("train", run="first").words
    assert Visit("home").title


def test_any_page_goes_on_with_a_queue_that_nobody_looks_after(workspace: Workspace, make_run: MakeRun) -> None:
    run = make_run("first", "queued", pid=None)
    workspace.state_dir.mkdir(exist_ok=True)
    with closing(sqlite3.connect(workspace.state_dir / "queue.sqlite", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        migrate(connection, MIGRATIONS)
        queue_rows.add(connection, "models/checkpoints/first", "tests.none:x", {}, "train", "first", time.time())
    Visit("setup")
    state = run.state()
    assert state.status == "failed", "its turn came, and it is no work of the studio"
    assert "tests.none:x" in (state.error or {})["why"]
