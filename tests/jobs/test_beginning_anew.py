"""A job that begins anew in a fresh process, and the watchdog that runs a command when the kernel killed a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from studio.jobs import watchdog
from tests.jobs.test_job import PATIENCE, start, statuses

V2 = "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


def test_a_job_begins_anew_with_its_number_its_lock_and_its_arguments_and_with_empty_memory(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "begin_anew_once", total=7)
    state = job.wait(PATIENCE)
    assert state.status == "done", job.tail_log()
    first_pid, filled = (tmp_path / "job" / "first.txt").read_text().split()
    assert state.result["pid"] == state.pid == int(first_pid)
    assert int(str(state.result["peak_kib"])) * 1024 < int(filled)
    assert (state.result["held"], state.result["stop"], state.result["total"]) == (True, False, 7)
    assert statuses(job) == ["running", "running", "done"]


def test_a_signal_to_end_is_not_forgotten_when_a_job_begins_anew(tmp_path: Path) -> None:
    state = start(tmp_path / "job", "begin_anew_after_a_signal").wait(PATIENCE)
    assert (state.status, state.result) == ("stopped", {"heard": True})


@pytest.mark.parametrize(
    ("group", "place", "content", "kills"),
    [
        ("0::/user.slice/app", "user.slice/app/memory.events", V2, 2),
        ("5:cpu:/\n4:memory:/box", "memory/box/memory.oom_control", V1, 5),
        ("0::/", "", "", 9),  # the root group counts nothing, so the machine's number is taken
    ],
)
def test_kills_are_counted_in_the_group_of_the_process_or_else_on_the_machine(
    tmp_path: Path, group: str, place: str, content: str, kills: int
) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"{group}\n")
    (proc / "vmstat").write_text("nr_free_pages 4\noom_kill 9\n")
    if place:
        (groups / place).parent.mkdir(parents=True)
        (groups / place).write_text(content)
    assert watchdog.oom_kills(proc, groups) == kills


def test_where_nothing_is_counted_nothing_is_known(tmp_path: Path) -> None:
    assert watchdog.oom_kills(tmp_path, tmp_path) is None
    assert not watchdog.rose_since(tmp_path / "missing")


@pytest.mark.parametrize(("counted_before", "runs"), [(-1, True), (10**9, False), ("none", False)])
def test_the_watchdog_waits_for_a_death_and_acts_if_the_kernel_has_killed_since(
    tmp_path: Path, counted_before: object, runs: bool
) -> None:
    mark, trace = tmp_path / "mark", tmp_path / "trace"
    mark.write_text(json.dumps({watchdog.KILLS: counted_before}))
    victim = subprocess.Popen(["sleep", "600"])
    command = [sys.executable, "-I", "-S", watchdog.__file__, str(victim.pid), str(mark), "/bin/touch", str(trace)]
    guard = subprocess.Popen(command)
    with pytest.raises(subprocess.TimeoutExpired):
        guard.wait(0.2)
    assert not trace.exists()
    victim.kill()
    victim.wait()
    assert guard.wait(PATIENCE) == 0
    assert trace.exists() == runs
