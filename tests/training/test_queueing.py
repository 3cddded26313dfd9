"""Runs that wait for their turn, runs like other runs, notes and deletion; by Python and by command."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio import cli
from studio.config import save_settings
from studio.errors import JobError, TrainingError
from studio.jobs import Job, JobQueue, launch
from studio.training import (
    Run,
    delete_run,
    dependants,
    find_run,
    list_runs,
    read_note,
    resume_run,
    start_run,
    stop_run,
    write_note,
)
from studio.workspace import Workspace
from tests.commands.running import process
from tests.jobs.test_job import wait_for, wait_until_working
from tests.training.conftest import PATIENCE, SETTINGS

ONE_STEP = SETTINGS.model_copy(update={"max_steps": 1, "eval_steps": 1})


@pytest.fixture
def studio(campaign: Workspace, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Run a command with `--json`: its exit status, the document and what it noted."""

    def run(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        status = cli.main(["--workspace", str(campaign.root), *arguments, "--json"])
        captured = capsys.readouterr()
        return status, json.loads(captured.out), captured.err

    return run


@pytest.fixture
def busy(campaign: Workspace) -> Iterator[Run]:
    """A run that is at work until it is told to stop, and learns nothing."""
    run = Run(campaign.checkpoints_dir / "busy")
    save_settings(ONE_STEP, run.directory / "config.yaml")
    launch(run.directory, "tests.jobs.targets:work_until_stopped", {}, kind="train", title="busy")
    wait_until_working(run.job)
    yield run
    for entry in reversed(JobQueue(campaign).entries()):
        if entry.is_waiting:
            JobQueue(campaign).cancel(entry.id)
    if run.directory.exists():
        run.job.stop()
        assert run.job.wait(PATIENCE).is_finished
        shutil.rmtree(run.directory)


def waiting(workspace: Workspace) -> list[tuple[str, int | None]]:
    return [(one.title, one.position) for one in JobQueue(workspace).entries()]


def test_a_run_waits_while_another_one_is_at_work_and_begins_by_itself(campaign: Workspace, busy: Run) -> None:
    run = start_run(campaign, ONE_STEP, name="later")
    assert run.state().is_waiting
    assert run in list_runs(campaign)
    assert run.config().max_steps == 1
    with pytest.raises(JobError):
        resume_run(campaign, "later")  # it is in the queue already
    busy.job.stop()
    state = run.job.wait(PATIENCE)
    assert (state.status, state.progress.done) == ("done", 1), run.job.tail_log()
    assert run.adapter


def test_the_queue_is_shown_changed_and_left_by_commands(
    studio: Callable[..., tuple[int, Any, str]], campaign: Workspace, busy: Run, finished: Run
) -> None:
    for name in ("one", "two", "three"):
        arguments = ("--queue", "--like", "finished", "--set", "max_steps=1", "--set", "seed=3", "--name", name)
        status, document, note = studio("train", *arguments)
        assert (status, document) == (0, {"run": name})
        assert "waits" in note
    one = find_run(campaign, "one")
    expected = finished.config().model_copy(update={"max_steps": 1, "seed": 3})
    assert (one.config(), one.scenarios, one.parent) == (expected, finished.scenarios, None)

    assert [(entry["title"], entry["position"]) for entry in studio("queue")[1]] == [
        ("one", 1), ("two", 2), ("three", 3),
    ]  # fmt: skip
    assert [entry["title"] for entry in studio("queue", "move", "3", "1")[1]] == ["three", "one", "two"]
    assert [entry["title"] for entry in studio("queue", "move", "three", "2")[1]] == ["one", "three", "two"]
    assert {one["run"]: one["position"] for one in studio("runs")[1]}["two"] == 3
    assert [entry["title"] for entry in studio("queue", "cancel", "2")[1]] == ["one", "two"]
    assert studio("stop", "one")[1] == {"run": "one", "status": "stopped"}
    assert waiting(campaign) == [("two", 1)]
    assert studio("train", "--resume", "three", "--queue")[0] == 0
    assert waiting(campaign) == [("two", 1), ("three", 2)]
    for wrong in (("cancel", "busy"), ("cancel", "9"), ("move", "one", "1")):
        assert studio("queue", *wrong)[0] == 1
    assert stop_run(campaign, "busy").status in ("stopping", "stopped")
    for name in ("three", "two"):
        stop_run(campaign, name)
        assert find_run(campaign, name).job.wait(PATIENCE).status == "stopped"


def test_a_run_that_is_followed_says_that_it_waits_and_ctrl_c_takes_it_out(campaign: Workspace, busy: Run) -> None:
    command = ["--workspace", campaign.root, "train", "--set", "base_model=tiny-llama", "--name", "followed"]
    running = process(*command)
    wait_for(lambda: waiting(campaign) == [("followed", 1)])
    assert running.stderr
    assert "Run followed waits, number 1 in the queue" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out.strip()) == (0, "Run followed: stopped.")
    assert waiting(campaign) == []


def test_a_run_like_one_that_began_with_an_adapter_begins_with_it_too(
    campaign: Workspace, busy: Run, finished: Run
) -> None:
    heir = start_run(campaign, ONE_STEP, name="heir", parent="finished")
    assert heir.parent
    again = start_run(campaign, heir.config(), name="heir again", scenarios=heir.scenarios, parent=heir.parent)
    assert again.parent
    assert (again.parent / "provenance.json").read_bytes() == (heir.parent / "provenance.json").read_bytes()
    assert again.config() == heir.config()


def test_a_note_is_kept_shown_and_removed(
    studio: Callable[..., tuple[int, Any, str]], campaign: Workspace, finished: Run
) -> None:
    assert read_note(finished) == ""
    assert studio("runs", "note", "finished", "  Talks too much.\nTry fewer passes.  ")[0] == 0
    assert read_note(finished) == "Talks too much.\nTry fewer passes.\n"
    assert studio("runs", "note", "finished")[1]["note"] == "Talks too much.\nTry fewer passes."
    assert {one["run"]: one["note"] for one in studio("runs")[1]}["finished"].startswith("Talks")
    with pytest.raises(TrainingError):
        write_note(finished, "x" * 4001)
    assert studio("runs", "note", "finished", "")[0] == 0
    assert not (finished.directory / "note.txt").exists()


def test_deleting_a_run_keeps_what_was_made_from_it(
    studio: Callable[..., tuple[int, Any, str]], own_campaign: Workspace, finished: Run
) -> None:
    old = Run(own_campaign.checkpoints_dir / "old")
    shutil.copytree(finished.directory, old.directory)
    heir = Run(own_campaign.checkpoints_dir / "heir")
    shutil.copytree(finished.directory, heir.directory)
    shutil.copytree(finished.directory / "adapter", heir.directory / "parent")
    provenance = heir.directory / "parent" / "provenance.json"
    provenance.write_text(json.dumps({**json.loads(provenance.read_text()), "run": "old"}))
    model = own_campaign.gguf_dir / "old" / "old.Q8_0.gguf"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"GGUF")
    leftover = own_campaign.checkpoints_dir / ".deleted-former-1"
    shutil.copytree(finished.directory, leftover)
    assert sorted(run.name for run in list_runs(own_campaign)) == ["heir", "old"]

    kept = delete_run(own_campaign, "old")
    assert (kept.models, kept.runs) == ([model], ["heir"])
    assert kept == dependants(own_campaign, old)
    assert model.exists()
    assert [path.name for path in own_campaign.checkpoints_dir.iterdir()] == ["heir"]
    with pytest.raises(JobError):
        delete_run(own_campaign, "old")


def test_a_run_at_work_is_not_deleted_and_one_that_waits_leaves_the_queue(
    studio: Callable[..., tuple[int, Any, str]], campaign: Workspace, busy: Run
) -> None:
    start_run(campaign, ONE_STEP, name="unwanted")
    with pytest.raises(TrainingError):
        delete_run(campaign, "busy")
    with pytest.raises(JobError):
        busy.job.delete()
    assert busy.state().status == "running"
    assert studio("runs", "delete", "unwanted")[0] == 2  # nobody there who could be asked
    assert waiting(campaign) == [("unwanted", 1)]
    assert studio("runs", "delete", "unwanted", "--yes")[1] == {"run": "unwanted", "kept": []}
    assert waiting(campaign) == []
    assert not (campaign.checkpoints_dir / "unwanted").exists()
    assert all(entry.title != "unwanted" for entry in JobQueue(campaign).ended())


def test_a_damaged_run_can_be_deleted(own_campaign: Workspace) -> None:
    folder = own_campaign.checkpoints_dir / "damaged"
    save_settings(ONE_STEP, folder / "config.yaml")
    (folder / "state.json").write_text('{"kind": "train", "stat')
    delete_run(own_campaign, "damaged")
    assert not folder.exists()


def test_a_run_that_waits_where_the_queue_was_lost_can_be_started_again(campaign: Workspace, busy: Run) -> None:
    run = start_run(campaign, ONE_STEP, name="orphan")
    (entry,) = JobQueue(campaign).entries()
    before = (run.directory / "state.json").read_bytes()
    JobQueue(campaign).cancel(entry.id)
    (run.directory / "state.json").write_bytes(before)  # as if the queue's file had been deleted
    assert run.state().is_waiting
    resume_run(campaign, "orphan")
    assert waiting(campaign) == [("orphan", 1)]
    assert JobQueue(campaign).entry_of(run.directory)
    wait_for(lambda: Job(run.directory).state().is_waiting)
