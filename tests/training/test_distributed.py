"""Runs in several processes: what they learn is what one process learns, and they end together."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from torch.distributed import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from trl import SFTConfig

from studio.config import TrainingConfig, save_settings
from studio.errors import TrainingError
from studio.jobs import EvaluationEvent, Job, JobState, StepEvent, Worker, latest_by_step, of_type, read_events
from studio.jobs.state import save_state
from studio.training import Run, start_run
from studio.training.memory.faults import MemoryShortageError
from studio.training.processes.followers import FAILURE_KEY, LOOPBACK, Followers, group_environment, open_store
from studio.training.processes.group import check_gpus, join, leave, processes, rows_in_last_batch, without_filling
from studio.training.processes.sharding import is_sharded, make_whole, sharding_arguments, sharding_told
from studio.training.provenance import WEIGHTS_FILE
from studio.training.rank import Silent
from studio.training.rank import main as rank_main
from studio.training.steps import optimizer_steps
from studio.training.worker import main
from studio.workspace import Workspace
from tests.training.conftest import PATIENCE, SETTINGS

PLAIN = {"lora_dropout": 0.0, "sample_turns": 1, "checkpoint_steps": 100, "learning_rate": 1e-3}
ONE = {**PLAIN, "gradient_accumulation_steps": 2}
TWO = {**PLAIN, "gradient_accumulation_steps": 1, "processes": 2}


def config_of(**changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({**SETTINGS.model_dump(), **changes})


def run_here(folder: Path, workspace: Workspace, **changes: Any) -> Run:
    """A whole run with this process as the job's; further ones are real."""
    folder.mkdir(exist_ok=True)
    save_state(folder, JobState(kind="train"))
    save_settings(config_of(**changes), folder / "config.yaml")
    main(Worker(folder), {"workspace": str(workspace.root), "scenarios": str(workspace.scenarios_dir)})
    return Run(folder)


def steps_of(run: Run) -> list[StepEvent]:
    return latest_by_step(of_type(read_events(run.directory / "events.jsonl").events, StepEvent))


def evaluations_of(run: Run) -> list[EvaluationEvent]:
    return of_type(read_events(run.directory / "events.jsonl").events, EvaluationEvent)


def assert_same_adapter(one: Run, two: Run) -> None:
    assert one.adapter
    assert two.adapter
    a, b = load_file(one.adapter / WEIGHTS_FILE), load_file(two.adapter / WEIGHTS_FILE)
    assert a.keys() == b.keys()
    assert all(torch.allclose(value, b[name], rtol=1e-4, atol=1e-6) for name, value in a.items())


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(campaign: Workspace, tmp_path: Path) -> None:
    """Five rows: at the end of a pass one of the two processes has none of its own."""
    balance = {"by": ["call"], "method": "weights"}
    changes = {"max_steps": 9, "eval_steps": 3, "dataset": {"balance": balance}}
    one = run_here(tmp_path / "one", campaign, **ONE, **changes)
    two = run_here(tmp_path / "two", campaign, **TWO, **changes)
    assert processes() == 1  # again
    for a, b in zip(steps_of(one), steps_of(two), strict=True):
        assert (b.step, b.tokens_seen, b.learning_rate) == (a.step, a.tokens_seen, a.learning_rate)
        assert b.loss == pytest.approx(a.loss, rel=1e-5)
        assert b.grad_norm == pytest.approx(a.grad_norm, rel=1e-4)
    for a, b in zip(evaluations_of(one), evaluations_of(two), strict=True):
        assert (b.step, b.trained_tokens) == (a.step, a.trained_tokens)
        assert b.loss == pytest.approx(a.loss, rel=1e-5)
    assert_same_adapter(one, two)


@pytest.mark.slow
def test_processes_end_together_and_one_alone_goes_on_with_their_checkpoint(
    campaign: Workspace, tmp_path: Path, wait_until: Callable[[Job, Callable[[object], bool]], None]
) -> None:
    settings = {"max_steps": 20, "checkpoint_steps": 1, "eval_steps": 100, "sample_turns": 0}
    run = start_run(campaign, config_of(**{**TWO, **settings}), name="two-together")
    wait_until(run.job, lambda event: isinstance(event, StepEvent) and event.step >= 2)
    leader = psutil.Process(run.state().pid)
    (follower,) = followers_of(leader)
    addresses = {one.laddr.ip for process in (leader, follower) for one in process.net_connections()}
    assert {one.removeprefix("::ffff:") for one in addresses} == {LOOPBACK}
    leader.kill()
    follower.wait(PATIENCE)  # raises if it lives on
    assert run.job.wait(PATIENCE).status == "interrupted"
    done = steps_of(run)[-1].step
    assert done < 17

    killer = threading.Thread(target=kill_the_follower, args=(run, done + 3))
    killer.start()
    with pytest.raises(TrainingError) as caught:
        run_here(run.directory, campaign, **{**TWO, **settings})
    killer.join()
    assert "2 processes" in caught.value.what
    assert "signal 9" in caught.value.why
    assert followers_of(psutil.Process()) == []
    assert steps_of(run)[-1].step < 20

    uninterrupted = run_here(tmp_path / "one", campaign, **{**ONE, **settings})
    assert_same_adapter(uninterrupted, run_here(run.directory, campaign, **{**ONE, **settings}))


def followers_of(leader: psutil.Process) -> list[psutil.Process]:
    return [one for one in leader.children() if "studio.training.rank" in one.cmdline()]


def kill_the_follower(run: Run, step: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while steps_of(run)[-1].step < step and time.monotonic() < deadline:
        time.sleep(0.01)
    for one in followers_of(psutil.Process()):
        one.kill()


@given(rows=st.integers(1, 60), batch_size=st.integers(1, 5), group=st.integers(1, 6), accumulation=st.integers(1, 4))
def test_every_row_counts_once_and_the_steps_are_those_of_one_process(
    rows: int, batch_size: int, group: int, accumulation: int
) -> None:
    last = [rows_in_last_batch(rows, batch_size, group, number) for number in range(group)]
    rounds = -(-rows // (batch_size * group))
    assert (rounds - 1) * batch_size * group + sum(last) == rows
    assert last == sorted(last, reverse=True)
    assert 0 < last[0] <= batch_size
    alone = config_of(batch_size=batch_size, gradient_accumulation_steps=accumulation * group, max_steps=0)
    together = config_of(batch_size=batch_size, gradient_accumulation_steps=accumulation, processes=group, max_steps=0)
    assert optimizer_steps(together, rows) == optimizer_steps(alone, rows)
    assert together.effective_batch_size == alone.effective_batch_size


def test_rows_that_only_fill_up_carry_no_loss() -> None:
    batch = {"input_ids": torch.arange(6).view(2, 3), "labels": torch.arange(6).view(2, 3)}
    assert without_filling(batch, 1)["labels"].tolist() == [[0, 1, 2]]
    none = without_filling(batch, 0)
    assert (none["input_ids"].tolist(), none["labels"].tolist()) == ([[0]], [[-100]])


def test_the_processes_of_a_run_meet_on_this_machine_alone() -> None:
    store = open_store(2)
    listening = [one.laddr for one in psutil.Process().net_connections() if one.status == psutil.CONN_LISTEN]
    assert {one.ip for one in listening if one.port == store.port} == {LOOPBACK}
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind((LOOPBACK, store.port))
    environment = group_environment(1, 4, store.port, 2)
    assert (environment["RANK"], environment["WORLD_SIZE"], environment["MASTER_ADDR"]) == ("1", "4", LOOPBACK)


def test_why_a_process_ended_is_told_and_the_others_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where this process waits inside a library and would not notice."""
    monkeypatch.setattr("studio.training.processes.followers._GRACE_SECONDS", 0.0)
    idle = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    first, second = subprocess.Popen(idle), subprocess.Popen(idle)
    store, noticed = open_store(3), threading.Event()
    followers = Followers(tmp_path, [first, second], store)
    followers.watch(lambda failure: noticed.set())
    assert followers.failure() is None
    first.kill()
    failure = followers.failure(PATIENCE)
    assert failure
    assert "signal 9" in failure.why
    assert not isinstance(failure, MemoryShortageError)
    assert noticed.wait(PATIENCE)
    store.set(FAILURE_KEY, json.dumps({"what": "No room.", "memory": True}))
    assert isinstance(followers.failure(), MemoryShortageError)
    followers.end(at_once=True)
    assert second.returncode == -signal.SIGKILL


def test_started_without_a_launcher_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert rank_main([str(tmp_path)]) == 2
    assert "RANK" in capsys.readouterr().err


def test_fewer_gpus_than_processes_are_told_before_the_run() -> None:
    check_gpus(2, 2)
    with pytest.raises(TrainingError) as caught:
        check_gpus(4, 1)
    assert "processes to 1" in caught.value.next_step


def test_a_process_that_follows_writes_nothing(tmp_path: Path) -> None:
    quiet = Silent(tmp_path)
    quiet.message("hello")
    quiet.progress(1, 2, "steps")
    quiet.emit(EvaluationEvent(step=1, epoch=1, loss=1, perplexity=2, trained_tokens=3))
    quiet.result({"a": 1})
    assert not quiet.stop_requested()
    assert list(tmp_path.iterdir()) == []


def test_fsdp_is_asked_of_transformers_only_where_the_model_can_be_split() -> None:
    assert sharding_arguments(False) == {}
    asked = SFTConfig(report_to=[], use_cpu=True, bf16=False, **sharding_arguments(True)).fsdp_plugin_args
    assert asked["fsdp_version"] == 2
    assert asked["state_dict_type"] == "FULL_STATE_DICT"
    fsdp = config_of(distributed="fsdp")
    assert not is_sharded(fsdp, "cuda")  # one process
    assert "not split" in sharding_told(fsdp, "cuda")
    assert sharding_told(config_of(), "cpu") == ""


def test_the_parts_of_a_split_adapter_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """With torch's FSDP2 on the processor; a group of one process has parts, too."""
    base, adapter = nn.Linear(4, 4, bias=False).requires_grad_(False), nn.Linear(4, 4, bias=False)
    before = adapter.weight.detach().clone()
    model = nn.Sequential(base, adapter)
    for name, value in group_environment(0, 1, 0, 1).items():
        monkeypatch.setenv(name, value)
    join(use_gpu=False, store=open_store(1))
    try:
        fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
        assert isinstance(adapter.weight, DTensor)
        make_whole(model)
    finally:
        leave()
    assert not isinstance(adapter.weight, DTensor)
    assert torch.equal(adapter.weight, before)
    assert adapter.weight.requires_grad
