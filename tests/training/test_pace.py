"""How fast this machine trains, and what a run will take: read from runs, and true of a real one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import cli
from studio.config import TrainingConfig, save_settings
from studio.dataset import ProcessedDataset
from studio.jobs import (
    CheckpointEvent,
    EvaluationEvent,
    Event,
    EventLog,
    JobState,
    SampleEvent,
    StatusEvent,
    StepEvent,
    of_type,
)
from studio.jobs.state import save_state
from studio.training import Run, list_runs
from studio.training.pace import (
    MACHINE_FILE,
    MachineStamp,
    Pace,
    cost,
    known_pace,
    measurement_folder,
    note_machine,
    pace_of,
)
from studio.training.steps import evaluations, optimizer_steps, steps_per_pass
from studio.workspace import Workspace, atomic_write
from tests.training.conftest import SETTINGS


def step(number: int, time: float, speed: float = 100.0, tokens: int = 1000) -> StepEvent:
    return StepEvent(
        time=time, step=number, total_steps=10, epoch=0.1, loss=1.0, learning_rate=1e-3, grad_norm=1.0,
        tokens_per_second=speed, tokens_seen=number * tokens, memory_bytes=1,
    )  # fmt: skip


def look(time: float) -> EvaluationEvent:
    return EvaluationEvent(time=time, step=1, epoch=0.1, loss=1.0, perplexity=2.0, trained_tokens=9)


def sample(time: float) -> SampleEvent:
    return SampleEvent(time=time, step=1, prompt="?", text="!")


COURSE: list[Event] = [
    StatusEvent(time=100, status="running"),
    step(1, 130, speed=50),  # 20 s of work, so 10 s to get ready
    step(2, 140),
    step(3, 150, speed=90),
    sample(158), sample(161), sample(164), look(165),  # 15 s: three turns of 3 s, the loss 6 s
    CheckpointEvent(time=167, step=3, path="checkpoint-3"),
    step(4, 175, speed=110),
    StatusEvent(time=900, status="running"),  # resumed after a night
    look(901),
]  # fmt: skip


def test_the_pace_of_a_run_is_read_from_its_events() -> None:
    assert pace_of(COURSE, "evening") == Pace(
        run="evening", tokens_per_second=100, start_seconds=10, evaluation_seconds=6, sample_seconds=3,
        save_seconds=2,
    )  # fmt: skip


def test_too_few_steps_say_nothing() -> None:
    assert pace_of(COURSE[:3], "evening") is None
    assert pace_of([], "evening") is None


@pytest.fixture
def make(empty_workspace: Workspace) -> Callable[..., Run]:
    """A run that made three steps at a speed: `make("evening", created=2.0, speed=100.0)`."""

    def write(run: Run, created: float, speed: float, machine: bool = True, **settings: object) -> Run:
        config = TrainingConfig.model_validate({"base_model": "b", **settings})
        save_settings(config, run.directory / "config.yaml")
        with EventLog(run.directory / "events.jsonl") as log:
            for number in range(1, 5):
                log.append(step(number, float(number), speed))
        save_state(run.directory, JobState(kind="train", status="done", created=created))
        if machine:
            note_machine(empty_workspace, run.directory)
        return run

    return lambda name, *rest, **more: write(Run(empty_workspace.checkpoints_dir / name), *rest, **more)


def test_the_latest_run_of_the_same_sort_on_this_machine_counts(
    empty_workspace: Workspace, make: Callable[..., Run]
) -> None:
    config = TrainingConfig(base_model="b")
    assert known_pace(empty_workspace, config) is None
    make("first", 1.0, 100.0)
    make("second", 2.0, 200.0, lora_rank=64)
    make("on the card", 3.0, 300.0, use_gpu=True)
    make("other base", 4.0, 400.0, base_model="c")
    make("unknown machine", 5.0, 500.0, machine=False)
    guest = make("from elsewhere", 6.0, 600.0)
    atomic_write(guest.directory / MACHINE_FILE, MachineStamp(processor="Abacus", cores=1).model_dump_json())
    damaged = make("damaged", 7.0, 700.0)
    atomic_write(damaged.directory / "config.yaml", "epochs: [")
    found = known_pace(empty_workspace, config)
    assert found
    assert (found.run, found.tokens_per_second) == ("second", 200.0)
    on_card = known_pace(empty_workspace, TrainingConfig(base_model="b", use_gpu=True))
    assert on_card
    assert on_card.run == "on the card"


def test_a_measurement_counts_where_there_is_no_run(empty_workspace: Workspace, make: Callable[..., Run]) -> None:
    config = TrainingConfig(base_model="b")
    folder = measurement_folder(empty_workspace, config)
    make(str(folder), 1.0, 50.0)  # an absolute path stays where it is
    found = known_pace(empty_workspace, config)
    assert found
    assert (found.run, found.tokens_per_second) == ("", 50.0)
    make("first", 1.0, 100.0)
    assert (known_pace(empty_workspace, config) or found).run == "first"


def test_the_cost_of_a_real_run_is_what_it_took(campaign: Workspace, finished: Run, dataset: ProcessedDataset) -> None:
    events = finished.job.events().events
    steps, looks = of_type(events, StepEvent), of_type(events, EvaluationEvent)
    pace = pace_of(events, finished.name)
    assert pace
    train = dataset.manifest.counts["train"]
    found = cost(SETTINGS, train.rows, train.tokens, pace, holds_out=True)
    assert found.steps == steps[-1].step
    assert found.evaluations == len(looks)
    assert math.isclose(found.tokens, steps[-1].tokens_seen, rel_tol=0.02)
    here = known_pace(campaign, SETTINGS)
    assert here, "the run has written on which machine it was made"


def test_the_command_line_estimates_minutes_too(
    campaign: Workspace, finished: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["train", "--config", str(finished.directory / "config.yaml"), "--estimate"]
    before = len(list_runs(campaign))
    assert cli.main(["--workspace", str(campaign.root), *options, "--json"]) in (0, 1)
    time = json.loads(capsys.readouterr().out)["time"]
    assert time["steps"] == SETTINGS.max_steps
    assert time["seconds"] > 0
    assert time["pace"]["tokens_per_second"] > 0
    cli.main(["--workspace", str(campaign.root), *options])
    assert "on this machine. 40 steps," in capsys.readouterr().out
    cli.main(["--workspace", str(campaign.root), *options, "--set", "use_gpu=true"])
    assert "not known yet" in capsys.readouterr().out
    assert len(list_runs(campaign)) == before


def test_seconds_are_those_of_tokens_looks_and_the_start() -> None:
    pace = Pace(
        run="r", tokens_per_second=100, start_seconds=10, evaluation_seconds=6, sample_seconds=3, save_seconds=2
    )
    config = TrainingConfig(epochs=2, gradient_accumulation_steps=2, sample_turns=4, checkpoint_steps=5)
    found = cost(config, 10, 5000, pace, holds_out=True)
    assert (found.steps, found.tokens, found.evaluations) == (10, 10_000, 2)
    assert found.seconds == 10 + 100 + 2 * (6 + 4 * 3) + 3 * 2
    assert cost(config, 10, 5000, pace, holds_out=False).seconds == 116


@given(st.integers(1, 300), st.integers(1, 8), st.integers(1, 8), st.floats(0.1, 9), st.integers(0, 50))
def test_a_run_reads_its_passes_and_is_looked_at_once_in_each(
    rows: int, batch: int, accumulation: int, epochs: float, most: int
) -> None:
    config = TrainingConfig(
        batch_size=batch, gradient_accumulation_steps=accumulation, epochs=epochs, max_steps=most
    )  # fmt: skip
    steps, each = optimizer_steps(config, rows), steps_per_pass(config, rows)
    assert each * config.effective_batch_size >= rows
    assert 1 <= steps <= (most or math.inf)
    assert evaluations(config, steps, rows) == len({(number - 1) // each for number in range(1, steps + 1)})
    assert evaluations(config.model_copy(update={"eval_steps": 3}), steps, rows) == steps // 3


def test_a_measurement_lies_inside_the_workspace(empty_workspace: Workspace) -> None:
    folder = measurement_folder(empty_workspace, TrainingConfig(base_model="b"))
    assert folder.is_relative_to(empty_workspace.root)
    assert folder != measurement_folder(empty_workspace, TrainingConfig(base_model="b", use_gpu=True))
    assert isinstance(folder, Path)
