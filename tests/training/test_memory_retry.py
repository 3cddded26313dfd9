"""A run that runs out of memory goes on with less at a time: the same optimizer steps, in a fresh process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from studio.config import TrainingConfig, save_settings
from studio.dataset import TrainingRow
from studio.jobs import (
    CheckpointEvent,
    Job,
    JobState,
    MessageEvent,
    StartAgain,
    StepEvent,
    Worker,
    of_type,
    read_events,
)
from studio.jobs.process import process_start
from studio.jobs.state import save_state
from studio.jobs.watchdog import KILLS
from studio.machine import GIB
from studio.training import ModelTrainer, Run, start_run, stop_run
from studio.training.memory.faults import MemoryShortageError
from studio.training.memory.in_use import halved, settings_in_use, use_from_now_on
from studio.training.memory.kills import MARK_FILE, was_killed_for_memory, watched
from studio.training.memory.retry import settings_of_this_attempt, starting_again
from studio.training.memory.revive import revive
from studio.training.runs import CONFIG_FILE
from studio.workspace import Workspace
from tests.training.conftest import PATIENCE, SETTINGS

BIG = TrainingConfig.model_validate(
    {**SETTINGS.model_dump(), "batch_size": 4, "gradient_accumulation_steps": 1, "lora_dropout": 0.0, "sample_turns": 0}
)
SMALL = halved(BIG)
ROOM = 190 * 2**20
NEVER_BEFORE = -1
"""A count of kills that any count is above: the kernel cannot be made to kill one here."""


class Course(TrainerCallback):  # type: ignore[misc]
    """Losses and tokens read, by optimizer step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.tokens: list[int] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            self.losses.append(logs["loss"])
            self.tokens.append(int(state.num_input_tokens_seen))


def train(
    config: TrainingConfig, workspace: Workspace, rows: list[TrainingRow], folder: Path, **options: Any
) -> Course:
    trainer, course = ModelTrainer(config, folder), Course()
    trainer.load_base_model(workspace.base_dir / config.base_model)
    trainer.train(rows, callbacks=[course], **options)
    return course


def test_half_the_batch_and_twice_the_accumulation_see_the_same_rows_in_every_step(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    """Five rows of five lengths: two steps in a pass, the second of one row, and a resume in the middle of a pass."""
    assert SMALL
    six = {"max_steps": 6, "checkpoint_steps": 3, "keep_checkpoints": 9}
    whole = train(BIG.model_copy(update=six), campaign, rows, tmp_path / "whole")
    small = train(SMALL.model_copy(update=six), campaign, rows, tmp_path / "small")
    checkpoint = tmp_path / "whole" / "checkpoint-3"
    resumed = train(SMALL.model_copy(update=six), campaign, rows, tmp_path / "resumed", resume=checkpoint)
    assert small.tokens == whole.tokens
    assert small.losses == pytest.approx(whole.losses, rel=1e-4)
    assert resumed.tokens == whole.tokens[3:]
    assert resumed.losses == pytest.approx(small.losses[3:], rel=1e-4)
    assert len(set(whole.losses)) == len(whole.losses) == 6


def prepared(worker: Worker, config: TrainingConfig) -> TrainingConfig:
    save_settings(config, worker.directory / CONFIG_FILE)
    return config


def told(folder: Path) -> list[MessageEvent]:
    return [one for one in read_events(folder / "events.jsonl").events if isinstance(one, MessageEvent)]


def run_out_of_memory(worker: Worker, workspace: Workspace, config: TrainingConfig) -> None:
    with starting_again(worker, workspace, config, "cpu"):
        raise MemoryShortageError("There is not enough memory for this run.")


def test_out_of_memory_halves_the_batch_again_and_again_and_ends_with_advice(
    campaign: Workspace, worker: Worker
) -> None:
    asked = prepared(worker, BIG)
    batches = []
    for _ in range(2):
        used = settings_of_this_attempt(worker, asked)
        batches.append((used.batch_size, used.gradient_accumulation_steps))
        with pytest.raises(StartAgain):
            run_out_of_memory(worker, campaign, used)
    last = settings_of_this_attempt(worker, asked)
    assert [*batches, (last.batch_size, last.gradient_accumulation_steps)] == [(4, 1), (2, 2), (1, 4)]
    with pytest.raises(MemoryShortageError) as caught:
        run_out_of_memory(worker, campaign, last)
    assert "max_seq_length" in caught.value.next_step
    assert sum(one.level == "warning" for one in told(worker.directory)) == 4  # two halvings, two beginnings with less
    assert not (worker.directory / MARK_FILE).exists()
    assert Run(worker.directory).config() == asked


@pytest.mark.parametrize("retry", [False, True])
def test_it_can_be_switched_off_and_the_model_alone_is_no_reason_to_halve(
    campaign: Workspace, worker: Worker, retry: bool
) -> None:
    asked = prepared(worker, BIG.model_copy(update={"retry_out_of_memory": retry}))
    short = MemoryShortageError.of_the_model_alone("No room.", "") if retry else MemoryShortageError("No room.")
    with pytest.raises(MemoryShortageError), starting_again(worker, campaign, asked, "cpu"):
        raise short
    assert settings_in_use(worker.directory, asked) == asked


def test_a_gpu_that_fails_while_training_is_left_for_the_processor(campaign: Workspace, worker: Worker) -> None:
    asked = prepared(worker, BIG.model_copy(update={"use_gpu": True}))
    failure = RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA ...")
    with pytest.raises(RuntimeError, match="launch failure"), starting_again(worker, campaign, asked, "cpu"):
        raise failure
    with pytest.raises(StartAgain), starting_again(worker, campaign, asked, "cuda"):
        raise failure
    assert settings_in_use(worker.directory, asked) == asked.model_copy(update={"use_gpu": False})
    assert "launch failure" in told(worker.directory)[-1].text


def steps_of(run: Run) -> list[StepEvent]:
    return of_type(run.job.events().events, StepEvent)


def test_a_run_over_its_memory_limit_goes_on_with_less_at_a_time(
    campaign: Workspace, finished: Run, tmp_path: Path
) -> None:
    """In a real process: room for one row of two thousand tokens beside what a small run needs, and none for three."""
    for number in range(3):
        weather = " ".join(f"Rain falls on mile {number}{mile} of the old road." for mile in range(150 + number))
        scene = f"<SYSTEM>\n# Role\nDungeon Master.\n</SYSTEM>\n\n<User>{weather}</User>\n\n<DM>You are wet.</DM>\n"
        (tmp_path / f"rain-{number}.md").write_text(scene, encoding="utf-8")
    limit = (max(one.memory_bytes for one in steps_of(finished)) + ROOM) / GIB
    batch = {"batch_size": 3, "gradient_accumulation_steps": 1, "max_steps": 2, "memory_limit_gb": limit}
    config = BIG.model_copy(update={**batch, "max_seq_length": 4096, "keep_best": False})
    run = start_run(campaign, config, name="limited", scenarios=tmp_path)
    state = run.job.wait(PATIENCE)
    assert state.status == "done", run.job.tail_log()
    assert any("memory_limit_gb" in one.text and one.level == "warning" for one in told(run.directory))
    used = settings_in_use(run.directory, config)
    assert (used.batch_size, used.gradient_accumulation_steps) == (1, 3)
    assert run.config().batch_size == 3
    assert [one.step for one in steps_of(run)] == [1, 2]
    assert int(str(state.result["peak_memory_bytes"])) <= limit * GIB


def mark_killed(run: Path, of_this_boot: bool = True) -> None:
    """As a worker leaves it that the kernel killed while it trained."""
    start = (process_start(os.getpid()) or "") if of_this_boot else "another-boot:1"
    (run / MARK_FILE).write_text(json.dumps({"pid": 1, "process_start": start, KILLS: NEVER_BEFORE}))


def test_a_kill_by_the_kernel_is_known_only_of_a_run_that_trained_since_this_machine_was_started(
    campaign: Workspace, worker: Worker
) -> None:
    run = worker.directory
    assert not was_killed_for_memory(run)
    with watched(campaign, run):
        assert (run / MARK_FILE).exists()
        assert not was_killed_for_memory(run)  # nobody was killed
    assert not (run / MARK_FILE).exists()
    mark_killed(run, of_this_boot=False)
    assert not was_killed_for_memory(run)
    mark_killed(run)
    assert was_killed_for_memory(run)
    used = settings_of_this_attempt(worker, prepared(worker, BIG))
    assert used == SMALL == settings_in_use(run, BIG)
    assert settings_of_this_attempt(worker, BIG) == SMALL  # not halved twice for one kill


def dead_run(workspace: Workspace, name: str, config: TrainingConfig) -> Run:
    """A run whose process is gone without a word."""
    folder = workspace.checkpoints_dir / name
    folder.mkdir(parents=True)
    save_settings(config, folder / CONFIG_FILE)
    save_state(folder, JobState(kind="train", status="running", pid=2**22 - 1, process_start="gone"))
    assert Run(folder).state().status == "interrupted"
    return Run(folder)


def test_a_killed_run_with_one_row_at_a_time_has_failed_and_is_told_why(own_campaign: Workspace) -> None:
    assert SMALL
    run = dead_run(own_campaign, "one", BIG)
    use_from_now_on(run.directory, BIG.model_copy(update={"batch_size": 1, "gradient_accumulation_steps": 4}))
    assert not revive(own_campaign, "one")
    assert run.state().status == "interrupted"  # killed by hand, as far as one can know
    mark_killed(run.directory)
    assert not revive(own_campaign, "one")
    state = run.state()
    assert state.status == "failed"
    assert state.error
    assert "max_seq_length" in state.error["next_step"]
    assert not (run.directory / MARK_FILE).exists()


@pytest.mark.parametrize("reason", ["switched off", "stopped", "by hand"])
def test_what_need_not_go_on_stays_interrupted(own_campaign: Workspace, reason: str) -> None:
    run = dead_run(own_campaign, "run", BIG.model_copy(update={"retry_out_of_memory": reason != "switched off"}))
    if reason == "stopped":
        (run.directory / "request.stop").touch()
    if reason != "by hand":
        mark_killed(run.directory)
    assert not revive(own_campaign, "run")
    assert run.state().status == "interrupted"


def halvings(run: Run) -> list[MessageEvent]:
    return [one for one in told(run.directory) if "batch_size 2" in one.text]


def test_a_run_that_the_kernel_kills_goes_on_by_itself_with_half_the_batch(
    campaign: Workspace, wait_until: Callable[[Job, Callable[[object], bool]], None]
) -> None:
    """The kill is a real SIGKILL; that the kernel did it for memory is written into the mark beforehand."""
    run = start_run(campaign, BIG.model_copy(update={"max_steps": 2000}), name="killed-for-memory")
    wait_until(run.job, lambda event: isinstance(event, CheckpointEvent))
    mark = json.loads((run.directory / MARK_FILE).read_text())
    (run.directory / MARK_FILE).write_text(json.dumps({**mark, KILLS: NEVER_BEFORE}))
    first = run.state().pid
    assert first
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while not halvings(run) or run.state().status != "running":
        assert time.monotonic() < deadline, run.job.tail_log()
        time.sleep(0.05)
    steps = len(steps_of(run))
    wait_until(run.job, lambda _: len(steps_of(run)) > steps)
    stop_run(campaign, run.name)
    assert run.job.wait(PATIENCE).status == "stopped", run.job.tail_log()
    assert run.state().pid != first
    assert len(halvings(run)) == 1
    assert settings_in_use(run.directory, run.config()).batch_size == 2
    assert any("Going on from checkpoint" in one.text for one in told(run.directory))
