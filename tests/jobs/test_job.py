import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio import jobs
from studio.errors import JobError
from studio.jobs.process import acquire_lock, is_alive, process_start
from studio.jobs.state import JobState, load_state, save_state
from studio.jobs.worker_context import Worker

PATIENCE = 60.0


def start(directory: Path, name: str, **arguments: int) -> jobs.Job:
    return jobs.launch(directory, f"tests.jobs.targets:{name}", arguments, kind="test", title="A test")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(0.02)


def wait_until_working(job: jobs.Job) -> None:
    wait_for(lambda: any(isinstance(event, jobs.MessageEvent) for event in job.events().events))


def statuses(job: jobs.Job) -> list[str]:
    return [event.status for event in job.events().events if isinstance(event, jobs.StatusEvent)]


def test_a_job_runs_to_its_end_and_leaves_its_result(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "count", total=10)
    state = job.wait(PATIENCE)
    assert state.status == "done"
    assert state.result == {"sum": 55}
    assert state.progress == jobs.Progress(done=10, total=10, unit="steps")
    assert state.arguments == {"total": 10}
    assert (state.kind, state.title) == ("test", "A test")
    assert state.created <= (state.started or 0) <= (state.finished or 0)
    assert statuses(job) == ["running", "done"]


def test_a_worker_has_its_own_session_and_a_clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "1")
    result = start(tmp_path / "job", "report_surroundings").wait(PATIENCE).result
    environment = result["environment"]
    assert isinstance(environment, dict)
    assert not [key for key in environment if key.startswith("STREAMLIT")]
    assert int(str(environment["OMP_NUM_THREADS"])) == jobs.usable_cores()
    assert result["session"] == result["pid"] != os.getsid(0)
    assert result["heavy"] == []


def test_the_jobs_package_imports_no_heavy_library() -> None:
    program = "import sys, studio.jobs, studio.jobs.worker; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "streamlit", "llama_cpp"} & set(loaded.stdout.split())


def test_a_stop_request_lets_the_job_save_what_it_has(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "work_until_stopped")
    wait_until_working(job)
    assert job.stop().status in ("stopping", "stopped")
    state = job.wait(PATIENCE)
    assert state.status == "stopped"
    assert state.result == {"saved": True}


def test_sigterm_is_a_request_to_stop(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "work_until_stopped")
    wait_until_working(job)
    os.kill(job.state().pid or 0, signal.SIGTERM)
    state = job.wait(PATIENCE)
    assert state.status == "stopped"
    assert state.result == {"saved": True}


def test_a_job_that_never_looks_up_is_ended_after_the_grace_period(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "never_look_up")
    wait_until_working(job)
    assert job.stop(grace_seconds=0.2).status == "stopped"


def test_a_killed_worker_is_interrupted_and_says_so(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "never_look_up")
    wait_until_working(job)
    os.kill(job.state().pid or 0, signal.SIGKILL)
    state = job.wait(PATIENCE)
    assert state.status == "interrupted"
    assert state.error is not None
    assert all(state.error[key] for key in ("what", "why", "next_step"))


def test_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_start(child.pid) or ""
    assert is_alive(child.pid, identity)
    child.kill()
    wait_for(lambda: not is_alive(child.pid, identity))  # nobody has waited for it yet: it is a zombie
    child.wait()


def test_a_reused_process_id_is_not_mistaken_for_the_worker(tmp_path: Path) -> None:
    state = JobState(kind="test", status="running", pid=os.getpid(), process_start="another boot:1")
    save_state(tmp_path, state)
    assert jobs.Job(tmp_path).state().status == "interrupted"


def test_an_expected_failure_keeps_its_three_sentences(tmp_path: Path) -> None:
    state = start(tmp_path / "job", "fail_plainly").wait(PATIENCE)
    assert state.status == "failed"
    assert state.error == {
        "error": "DatasetError",
        "what": "No rows.",
        "why": "All files are empty.",
        "next_step": "Write a scenario.",
        "where": "data",
    }


def test_an_unexpected_failure_is_told_plainly_with_the_traceback_in_the_log(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "fail_unexpectedly")
    state = job.wait(PATIENCE)
    assert state.status == "failed"
    assert state.error is not None
    assert "one over nothing" in state.error["why"]
    assert state.error["next_step"]
    assert "Traceback" in job.tail_log()
    assert 'raise ZeroDivisionError("one over nothing")' in job.tail_log()


def test_a_target_that_does_not_exist_fails_with_its_name(tmp_path: Path) -> None:
    state = start(tmp_path / "job", "no_such_function").wait(PATIENCE)
    assert state.status == "failed"
    assert (state.error or {})["where"] == "tests.jobs.targets:no_such_function"


def test_lack_of_memory_is_told_as_such(tmp_path: Path) -> None:
    state = start(tmp_path / "job", "take_all_memory").wait(PATIENCE)
    assert state.status == "failed"
    assert "memory" in (state.error or {})["what"]


def test_a_full_event_log_loses_neither_the_state_nor_a_whole_event(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "write_more_events_than_fit")
    state = job.wait(PATIENCE)
    batch = job.events()
    assert state.status == "done"
    assert state.result == {"survived": True}
    assert batch.damaged == 0
    assert 10 < len(batch.events) < 200


def test_one_folder_never_has_two_workers(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "work_until_stopped")
    wait_until_working(job)
    with pytest.raises(JobError):
        start(tmp_path / "job", "count", total=1)
    job.stop()
    assert job.wait(PATIENCE).status == "stopped"


def _launch_and_report(directory: Path, results: "multiprocessing.Queue[str]") -> None:
    try:
        start(directory, "work_until_stopped")
        results.put("started")
    except JobError:
        results.put("refused")


def test_of_many_launches_at_once_exactly_one_starts(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    launchers = [context.Process(target=_launch_and_report, args=(tmp_path / "job", results)) for _ in range(4)]
    for launcher in launchers:
        launcher.start()
    answers = sorted(results.get(timeout=PATIENCE) for _ in launchers)
    for launcher in launchers:
        launcher.join()
    assert answers == ["refused"] * 3 + ["started"]
    job = jobs.Job(tmp_path / "job")  # and it outlives the process that launched it
    wait_until_working(job)
    job.stop()
    assert job.wait(PATIENCE).status == "stopped"


def _launch_and_linger(directory: Path) -> None:
    start(directory, "work_until_stopped")
    os.setpgid(0, 0)  # so that only this process group is killed
    time.sleep(PATIENCE)


def test_killing_the_app_with_all_its_processes_leaves_its_jobs_at_work(tmp_path: Path) -> None:
    app = multiprocessing.get_context("spawn").Process(target=_launch_and_linger, args=(tmp_path / "job",))
    app.start()
    job = jobs.Job(tmp_path / "job")
    wait_for(lambda: (tmp_path / "job").exists() and os.getpgid(app.pid or 0) == app.pid)
    os.killpg(app.pid or 0, signal.SIGKILL)
    app.join()
    wait_until_working(job)
    before = job.events().offset
    assert job.state().status == "running"
    job.stop()
    assert job.wait(PATIENCE).result == {"saved": True}
    assert job.events().offset > before


def test_a_finished_job_can_be_launched_again_and_its_log_goes_on(tmp_path: Path) -> None:
    first = start(tmp_path / "job", "fail_unexpectedly").wait(PATIENCE)
    job = start(tmp_path / "job", "count", total=2)
    second = job.wait(PATIENCE)
    assert (second.status, second.error, second.created) == ("done", None, first.created)
    assert statuses(job) == ["running", "failed", "running", "done"]


def test_a_worker_that_dies_at_once_is_interrupted(tmp_path: Path) -> None:
    assert start(tmp_path / "job", "die").wait(PATIENCE).status == "interrupted"


def test_stopping_a_finished_job_changes_nothing(tmp_path: Path) -> None:
    job = start(tmp_path / "job", "count", total=1)
    job.wait(PATIENCE)
    assert job.stop(grace_seconds=0).status == "done"
    assert not (tmp_path / "job" / "request.stop").exists()


def test_jobs_are_listed_newest_first_and_other_folders_left_out(tmp_path: Path) -> None:
    for name, created in (("old", 1.0), ("new", 2.0)):
        save_state(tmp_path / name, JobState(kind="test", created=created))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.json").write_text("{", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    assert [job.directory.name for job in jobs.list_jobs(tmp_path)] == ["new", "old"]


def test_a_folder_without_a_job_is_an_error_a_person_understands(tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        jobs.Job(tmp_path).state()
    assert caught.value.next_step


def test_the_lock_is_free_again_when_its_holder_lets_go(tmp_path: Path) -> None:
    handle = acquire_lock(tmp_path)
    with pytest.raises(JobError):
        acquire_lock(tmp_path)
    os.close(handle)
    os.close(acquire_lock(tmp_path))


def test_speed_and_time_left_follow_from_progress(tmp_path: Path) -> None:
    save_state(tmp_path, JobState(kind="test"))
    now = [100.0]
    worker = Worker(tmp_path, clock=lambda: now[0])
    for done in range(5):
        worker.progress(done, 10, "steps")
        now[0] += 2.0
    state = load_state(tmp_path)
    assert state.speed == pytest.approx(0.5)
    assert state.seconds_left == pytest.approx(12.0)
