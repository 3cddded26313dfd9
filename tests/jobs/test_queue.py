"""The queue over a real SQLite file, with real workers and a real runner; they are killed where it matters."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio import jobs
from studio.database import migrate
from studio.errors import JobError
from studio.jobs import JobQueue, QueueEntry, queue_rows
from studio.jobs.process import try_lock
from studio.jobs.queue_schema import MIGRATIONS
from studio.jobs.state import JobState, load_state, save_state
from studio.workspace import PROJECT_ROOT, Workspace
from tests.jobs.test_job import PATIENCE, wait_for, wait_until_working

PACKAGES = ("tests",)


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace, and no process of it left behind."""
    workspace = Workspace(tmp_path / "campaign")
    yield workspace
    with suppress(JobError):
        for entry in reversed(opened(workspace).entries()):
            opened(workspace).job(entry).stop() if not entry.is_waiting else opened(workspace).cancel(entry.id)
    wait_for(lambda: not runners(workspace))


def opened(workspace: Workspace) -> JobQueue:
    return JobQueue(workspace, PACKAGES)


def add(workspace: Workspace, name: str, target: str = "work_until_stopped", **arguments: int) -> QueueEntry:
    folder = workspace.checkpoints_dir / name
    return opened(workspace).add(folder, f"tests.jobs.targets:{target}", arguments, kind="test", title=name)


def job(workspace: Workspace, name: str) -> jobs.Job:
    return jobs.Job(workspace.checkpoints_dir / name)


def titles(workspace: Workspace) -> list[str]:
    return [one.title for one in opened(workspace).entries()]


def outcomes(workspace: Workspace) -> dict[str, str]:
    return {one.title: one.status for one in opened(workspace).ended()}


def runners(workspace: Workspace) -> list[psutil.Process]:
    return processes(workspace, "studio.jobs.runner")


def processes(workspace: Workspace, program: str = "studio.jobs.") -> list[psutil.Process]:
    """The living runners and workers of a workspace."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(one.cmdline())
            if program in words and str(workspace.root) in words and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def finish(workspace: Workspace, name: str) -> JobState:
    """Tell a job that works to stop, and wait until it has."""
    wait_until_working(job(workspace, name))
    job(workspace, name).stop()
    return job(workspace, name).wait(PATIENCE)


def change(workspace: Workspace, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(workspace.state_dir / "queue.sqlite", isolation_level=None)) as connection:
        connection.execute(statement, values)


def test_one_starts_at_once_and_the_others_one_after_another_in_the_order_they_are_given(campaign: Workspace) -> None:
    first = add(campaign, "first")
    assert (first.status, first.position) == ("running", None)
    assert not runners(campaign), "nobody waits, so nobody needs to look after the queue"
    second, third, fourth = (add(campaign, name, "count", total=3) for name in ("second", "third", "fourth"))
    assert [one.position for one in (second, third, fourth)] == [1, 2, 3]
    waiting = job(campaign, "second").state()
    assert (waiting.status, waiting.pid, waiting.title, waiting.arguments) == ("queued", None, "second", {"total": 3})
    assert len(runners(campaign)) == 1

    opened(campaign).move(fourth.id, 1)  # while the first is at work
    opened(campaign).move(second.id, 99)
    assert titles(campaign) == ["first", "fourth", "third", "second"]
    assert finish(campaign, "first").status == "stopped"
    states = {name: job(campaign, name).wait(PATIENCE) for name in ("fourth", "third", "second")}
    assert {state.status for state in states.values()} == {"done"}
    assert states["third"].result == {"sum": 6}
    wait_for(lambda: not titles(campaign))
    assert outcomes(campaign) == {"first": "stopped", "fourth": "done", "third": "done", "second": "done"}
    ended = sorted(opened(campaign).ended(), key=lambda one: one.started or 0)
    assert [one.title for one in ended] == ["first", "fourth", "third", "second"]
    times = [(state.started or 0, state.finished or 0) for state in states.values()]
    assert all(before[1] <= after[0] for before, after in pairwise(times))
    wait_for(lambda: not runners(campaign))


def test_what_waits_can_be_taken_out_and_what_runs_cannot(campaign: Workspace) -> None:
    first, second, third = (add(campaign, name) for name in ("first", "second", "third"))
    opened(campaign).cancel(second.id)
    assert job(campaign, "second").state().status == "stopped"
    assert [(one.title, one.position) for one in opened(campaign).entries()] == [("first", None), ("third", 1)]
    for entry in (first, second):
        for refused in (lambda queue, one=entry: queue.cancel(one.id), lambda queue, one=entry: queue.move(one.id, 1)):
            with pytest.raises(JobError) as caught:
                refused(opened(campaign))
            assert caught.value.next_step
    opened(campaign).cancel(third.id)
    wait_for(lambda: not runners(campaign))  # although the first goes on
    assert job(campaign, "first").state().status == "running"
    assert opened(campaign).forget(campaign.checkpoints_dir / "second") == 1
    assert opened(campaign).forget(campaign.checkpoints_dir / "first") == 0
    assert outcomes(campaign) == {"third": "cancelled"}


def test_a_folder_is_in_the_queue_once_and_keeps_its_state_when_it_is_refused(campaign: Workspace) -> None:
    add(campaign, "first")
    add(campaign, "second")
    before = load_state(campaign.checkpoints_dir / "second")
    with pytest.raises(JobError):
        add(campaign, "second", "count", total=1)
    assert load_state(campaign.checkpoints_dir / "second") == before
    with pytest.raises(JobError):
        add(campaign, "first", "count", total=1)  # its worker has the folder
    with pytest.raises(JobError):
        opened(campaign).add(campaign.root.parent / "elsewhere", "tests.jobs.targets:count", {}, kind="test")


_ADDING = """
import sys
from pathlib import Path
from studio.jobs import JobQueue
from studio.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
input()
folder = workspace.checkpoints_dir / sys.argv[2]
JobQueue(workspace, ["tests"]).add(folder, "tests.jobs.targets:work_until_stopped", {}, "test", sys.argv[2])
"""


def test_of_two_added_at_once_by_two_processes_one_works_and_one_runner_looks_after_the_other(
    campaign: Workspace,
) -> None:
    names = ["a", "b"]
    program = [sys.executable, "-c", _ADDING, str(campaign.root)]
    adders = [subprocess.Popen([*program, name], stdin=subprocess.PIPE, cwd=PROJECT_ROOT) for name in names]
    for adder in adders:
        assert adder.stdin
        adder.stdin.write(b"now\n")
        adder.stdin.close()
    assert [adder.wait(PATIENCE) for adder in adders] == [0, 0]
    order = titles(campaign)
    assert sorted(order) == names
    for name in order:
        assert len(runners(campaign)) <= 1
        assert finish(campaign, name).status == "stopped"
    intervals = sorted((one.started or 0, one.finished or 0) for one in (job(campaign, name).state() for name in names))
    assert all(before[1] <= after[0] for before, after in pairwise(intervals))


def test_killing_the_runner_costs_nothing(campaign: Workspace) -> None:
    add(campaign, "first")
    add(campaign, "second", "count", total=1)
    (runner,) = runners(campaign)
    wait_until_working(job(campaign, "first"))
    runner.kill()
    wait_for(lambda: not runners(campaign))
    assert job(campaign, "first").state().status == "running"
    opened(campaign).wake()
    opened(campaign).wake()
    (another,) = runners(campaign)
    assert another.pid != runner.pid
    finish(campaign, "first")
    assert job(campaign, "second").wait(PATIENCE).status == "done"


def test_a_killed_worker_is_interrupted_and_the_queue_goes_on(campaign: Workspace) -> None:
    add(campaign, "first", "never_look_up")
    add(campaign, "second", "count", total=1)
    wait_until_working(job(campaign, "first"))
    os.kill(job(campaign, "first").state().pid or 0, signal.SIGKILL)
    assert job(campaign, "second").wait(PATIENCE).status == "done"
    assert outcomes(campaign)["first"] == "interrupted"
    add(campaign, "first", "count", total=1)  # what was interrupted is queued again in the same folder
    assert job(campaign, "first").wait(PATIENCE).status == "done"


def test_after_a_restart_of_the_computer_the_queue_is_picked_up(campaign: Workspace) -> None:
    add(campaign, "first", "never_look_up")
    add(campaign, "second", "count", total=1)
    wait_until_working(job(campaign, "first"))
    for one in processes(campaign):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    wait_for(lambda: not processes(campaign))
    state = job(campaign, "first").state()
    save_state(campaign.checkpoints_dir / "first", state.model_copy(update={"status": "running", "pid": 1}))
    assert titles(campaign) == ["second"]
    opened(campaign).wake()
    assert job(campaign, "second").wait(PATIENCE).status == "done"
    assert outcomes(campaign) == {"first": "interrupted", "second": "done"}


def test_what_was_chosen_by_a_process_that_died_before_it_could_launch_it_is_launched(campaign: Workspace) -> None:
    add(campaign, "first")
    second = add(campaign, "second", "count", total=1)
    runners(campaign)[0].kill()
    finish(campaign, "first")
    wait_for(lambda: not runners(campaign))
    opened(campaign).entries()
    change(campaign, "UPDATE entries SET status = 'running', position = NULL WHERE id = ?", second.id)
    assert opened(campaign).entry(second.id).status == "running"
    opened(campaign).wake()
    assert job(campaign, "second").wait(PATIENCE).status == "done"
    assert outcomes(campaign) == {"first": "stopped", "second": "done"}


def test_a_job_that_ended_is_queued_again_though_nobody_looked_at_the_queue_meanwhile(campaign: Workspace) -> None:
    add(campaign, "first")
    assert finish(campaign, "first").status == "stopped"
    add(campaign, "first", "count", total=1)
    assert job(campaign, "first").wait(PATIENCE).status == "done"
    assert [one.status for one in opened(campaign).ended()] == ["done", "stopped"]


def test_the_next_one_waits_until_the_process_of_the_former_is_gone(campaign: Workspace) -> None:
    add(campaign, "first", "leave_slowly")
    assert job(campaign, "first").wait(PATIENCE).status == "done"
    add(campaign, "second", "count", total=1)
    started = job(campaign, "second").wait(PATIENCE).started or 0
    assert started >= float((campaign.checkpoints_dir / "first" / "left").read_text())


def test_a_waiting_job_that_was_told_to_stop_or_deleted_is_passed_over(campaign: Workspace) -> None:
    for name in ("first", "second", "third"):
        add(campaign, name)
    add(campaign, "fourth", "count", total=1)
    job(campaign, "second").stop()
    for path in (campaign.checkpoints_dir / "third").iterdir():
        path.unlink()
    (campaign.checkpoints_dir / "third").rmdir()
    finish(campaign, "first")
    assert job(campaign, "fourth").wait(PATIENCE).status == "done"
    assert outcomes(campaign) == {"first": "stopped", "second": "cancelled", "third": "cancelled", "fourth": "done"}
    assert job(campaign, "second").state().status == "stopped"
    assert not (campaign.checkpoints_dir / "second" / "events.jsonl").exists()
    assert not (campaign.checkpoints_dir / "third").exists()


def test_a_job_that_was_started_without_the_queue_is_waited_for(campaign: Workspace) -> None:
    folder = campaign.checkpoints_dir / "by hand"
    jobs.launch(folder, "tests.jobs.targets:work_until_stopped", {}, kind="test")
    assert add(campaign, "second", "count", total=1).status == "waiting"
    finish(campaign, "by hand")
    assert job(campaign, "second").wait(PATIENCE).status == "done"


@pytest.mark.parametrize(
    ("column", "value"), [("target", "os:system"), ("target", "studio_evil:main"), ("directory", "../outside")]
)
def test_a_queue_of_somebody_elses_starts_nothing_but_the_studios_own_work(
    campaign: Workspace, column: str, value: str
) -> None:
    folder = campaign.checkpoints_dir / "strange"
    save_state(folder, JobState(kind="test"))
    strange = queue_entry_by_hand(campaign, **{"directory": "models/checkpoints/strange", column: value})
    add(campaign, "mine", "count", total=1)
    assert job(campaign, "mine").wait(PATIENCE).status == "done"
    assert opened(campaign).entry(strange).status == "failed"
    assert not (campaign.root.parent / "outside").exists()
    assert load_state(folder).status == ("failed" if column == "target" else "queued")
    with pytest.raises(JobError):
        opened(campaign).add(folder, "os:system", {}, kind="test")


def queue_entry_by_hand(workspace: Workspace, directory: str, target: str = "tests.jobs.targets:count") -> int:
    workspace.state_dir.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(workspace.state_dir / "queue.sqlite", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        migrate(connection, MIGRATIONS)
        return queue_rows.add(connection, directory, target, {"total": 1}, "test", "strange", time.time())


def test_the_folder_of_the_runs_may_be_a_link_to_another_disk(campaign: Workspace, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    campaign.checkpoints_dir.parent.mkdir(parents=True)
    campaign.checkpoints_dir.symlink_to(tmp_path / "disk")
    entry = opened(campaign).add(tmp_path / "disk" / "first", "tests.jobs.targets:count", {"total": 1}, kind="test")
    assert entry.directory == "models/checkpoints/first"
    assert jobs.Job(tmp_path / "disk" / "first").wait(PATIENCE).status == "done"


def test_looking_at_a_queue_that_is_not_there_makes_none(campaign: Workspace) -> None:
    queue = opened(campaign)
    queue.wake()
    assert (queue.entries(), queue.ended(), queue.entry_of(campaign.checkpoints_dir / "x")) == ([], [], None)
    assert not campaign.root.exists()


def test_a_damaged_queue_is_left_as_it_is_and_says_how_to_go_on(campaign: Workspace) -> None:
    campaign.state_dir.mkdir(parents=True)
    path = campaign.state_dir / "queue.sqlite"
    path.write_bytes(b"no database at all " * 400)
    with pytest.raises(JobError) as caught:
        opened(campaign)
    assert "queue.sqlite" in caught.value.next_step
    assert path.read_bytes() == b"no database at all " * 400
    path.unlink()


def test_a_queue_of_a_newer_studio_is_refused(campaign: Workspace) -> None:
    queue_entry_by_hand(campaign, "models/checkpoints/x")
    change(campaign, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(JobError) as caught:
        opened(campaign)
    assert "newer" in caught.value.what


def test_the_lock_of_a_process_that_is_gone_is_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    holder = context.Process(target=_hold, args=(tmp_path / "queue.lock",))
    holder.start()
    wait_for(lambda: (tmp_path / "held").exists())
    assert try_lock(tmp_path / "queue.lock") is None
    holder.kill()
    holder.join()
    handle = try_lock(tmp_path / "queue.lock")
    assert handle is not None
    os.close(handle)


def _hold(path: Path) -> None:
    try_lock(path)
    (path.parent / "held").touch()
    time.sleep(PATIENCE)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(-2, 12)), max_size=12), st.sets(st.integers(1, 9)))
def test_however_entries_are_moved_and_ended_those_that_wait_are_numbered_from_one(
    moves: list[tuple[int, int]], ended: set[int]
) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        migrate(connection, MIGRATIONS)
        expected = [queue_rows.add(connection, str(n), "tests:x", {}, "test", "", 1.0) for n in range(9)]
        for entry_id, place in moves:
            expected.remove(entry_id)
            expected.insert(max(0, place - 1), entry_id)
            queue_rows.order(connection, expected)
        for entry_id in ended:
            assert queue_rows.end(connection, entry_id, "waiting", "cancelled", 2.0)
            assert not queue_rows.end(connection, entry_id, "waiting", "done", 3.0)
        left = [one for one in expected if one not in ended]
        found = queue_rows.open_entries(connection)
        assert [(one.id, one.position) for one in found] == [(one, place) for place, one in enumerate(left, start=1)]


def test_the_database_itself_refuses_a_second_entry_at_work() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        migrate(connection, MIGRATIONS)
        first, second = (queue_rows.add(connection, name, "tests:x", {}, "test", "", 1.0) for name in "ab")
        queue_rows.begin(connection, first, 2.0)
        with pytest.raises(sqlite3.IntegrityError):
            queue_rows.begin(connection, second, 2.0)


def test_the_documented_schema_is_the_real_one(campaign: Workspace) -> None:
    text = (PROJECT_ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    table = text.partition("### `entries`\n")[2].partition("\n#")[0]
    documented = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    queue_entry_by_hand(campaign, "models/checkpoints/x")
    with closing(sqlite3.connect(campaign.state_dir / "queue.sqlite")) as connection:
        assert documented == [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        (arguments,) = connection.execute("SELECT arguments FROM entries").fetchone()
    assert json.loads(arguments) == {"total": 1}
