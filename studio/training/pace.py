"""How fast this machine trains, from the event logs of runs that it made itself, and what a run will therefore take.

The speed is that of the latest run with the same base model on the same kind of device, or of a short measurement
(`start_measurement`). It is scaled for nothing: a run with much longer rows or a larger adapter is slower than its
estimate says, and so is one beside other programs. A run that came from another machine is not looked at. No torch.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field, ValidationError

from studio.config import TrainingConfig, save_settings
from studio.errors import JobError, StudioError
from studio.jobs import (
    CheckpointEvent,
    EvaluationEvent,
    Event,
    Job,
    JobQueue,
    SampleEvent,
    StatusEvent,
    StepEvent,
    launch,
    read_events,
)
from studio.jobs.state import EVENTS_FILE
from studio.machine import look
from studio.training.runs import CONFIG_FILE, Run, list_runs
from studio.training.steps import evaluations, optimizer_steps, steps_per_pass
from studio.workspace import Workspace, atomic_write, safe_name

MACHINE_FILE = "machine.json"
LEAST_STEPS = 3
"""A run that made fewer says nothing: its first step also fills caches."""
LATEST_RUNS = 30
MEASURED_STEPS, MEASURED_TURNS = 3, 2
_DECIDES_SPEED = ("base_model", "use_gpu", "quantize_base", "use_dora", "processes", "distributed")
_MEASURE_TARGET = "studio.training.pace_worker:main"


class MachineStamp(BaseModel):
    """What tells one machine from another, as far as speed goes."""

    processor: str
    cores: int = Field(description="Processor cores that the process may use.")


class Pace(BaseModel):
    """How fast a run went.

    Attributes:
        run: its name; empty for a measurement.
        tokens_per_second: median over its steps, padding not counted.
        start_seconds: from the start of its process to its first step.
        evaluation_seconds: median time of measuring the held-out loss once; 0 when it never was.
        sample_seconds: median time of one held-out turn that it wrote; 0 when it wrote none.
        save_seconds: median time of saving a checkpoint.
    """

    run: str
    tokens_per_second: float
    start_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    sample_seconds: float = 0.0
    save_seconds: float = 0.0


class Cost(BaseModel):
    """What a run will take: `seconds` in all, and what they go into."""

    steps: int
    tokens: int = Field(description="Tokens that it will process, padding not counted.")
    evaluations: int
    seconds: float
    pace: Pace


def note_machine(workspace: Workspace, run: Path) -> None:
    """Write into a run's folder on which machine it is made."""
    atomic_write(run / MACHINE_FILE, _this_machine(workspace).model_dump_json() + "\n")


def known_pace(workspace: Workspace, config: TrainingConfig) -> Pace | None:
    """How fast this machine trains with such settings: its latest run, else its measurement. None: not known yet."""
    here = _this_machine(workspace)
    measured = Run(measurement_folder(workspace, config))
    runs = [run for run in (*list_runs(workspace)[:LATEST_RUNS], measured) if _made_on(run.directory) == here]
    paces = (_pace_in(run.directory, "" if run == measured else run.name) for run in runs if _alike(run, config))
    return next(filter(None, paces), None)


def measured_pace(workspace: Workspace, config: TrainingConfig) -> Pace | None:
    """What the measurement for such settings found; None while there is none."""
    return _pace_in(measurement_folder(workspace, config), "")


def decides_speed(config: TrainingConfig) -> tuple[object, ...]:
    """The settings that another run must share for its speed to say something."""
    return tuple(getattr(config, name) for name in _DECIDES_SPEED)


def pace_of(events: Sequence[Event], run: str) -> Pace | None:
    """How fast the run that wrote these events went; None when it made too few steps to say."""
    speeds = [one.tokens_per_second for one in events if isinstance(one, StepEvent) and one.tokens_per_second > 0]
    if len(speeds) < LEAST_STEPS:
        return None
    looks = _looks(events)
    return Pace(
        run=run,
        tokens_per_second=statistics.median(speeds[1:]),
        start_seconds=_start_seconds(events),
        evaluation_seconds=_median([one.loss_seconds for one in looks]),
        sample_seconds=_median([one.sample_seconds for one in looks if one.sample_seconds]),
        save_seconds=_median(_saves(events)),
    )


def cost(config: TrainingConfig, rows: int, tokens: int, pace: Pace, *, holds_out: bool) -> Cost:
    """What a run takes at that pace.

    Args:
        rows: rows that are read in one pass.
        tokens: tokens of these rows, padding not counted.
        holds_out: whether there are rows to measure it on.
    """
    steps = optimizer_steps(config, rows)
    read = round(tokens * steps / steps_per_pass(config, rows))
    looks = evaluations(config, steps, rows) if holds_out else 0
    look_seconds = pace.evaluation_seconds + config.sample_turns * pace.sample_seconds
    saves = steps // config.checkpoint_steps + 1
    seconds = pace.start_seconds + read / pace.tokens_per_second + looks * look_seconds + saves * pace.save_seconds
    return Cost(steps=steps, tokens=read, evaluations=looks, seconds=seconds, pace=pace)


def measurement_folder(workspace: Workspace, config: TrainingConfig) -> Path:
    """The job's folder of the measurement for such settings."""
    name = safe_name(f"{config.base_model}{'-gpu' if config.use_gpu else ''}")
    return workspace.inside(workspace.state_dir / "pace", name)


def start_measurement(workspace: Workspace, config: TrainingConfig) -> Job:
    """Train a few steps on the scenarios as they are, in a process of its own; what they teach is thrown away.

    Raises:
        JobError: a run is training, it is being measured already, or the process cannot be started.
    """
    if busy := next((one for one in JobQueue(workspace).entries() if not one.is_waiting), None):
        raise JobError(
            "The machine cannot be measured while a run is training.",
            why=f"{busy.title} is at work.",
            next_step="Wait a moment: after a few steps that run tells how fast it goes.",
        )
    folder = measurement_folder(workspace, config)
    if folder.exists():
        Job(folder).delete()
    few = {
        "max_steps": MEASURED_STEPS, "gradient_accumulation_steps": 1, "eval_steps": MEASURED_STEPS, "epochs": 1000,
        "checkpoint_steps": 10**6, "keep_best": False, "early_stopping_patience": 0, "checkpoint_minutes": 0,
        "trackers": [],
        "sample_turns": min(MEASURED_TURNS, config.sample_turns),
    }  # fmt: skip
    save_settings(config.model_copy(update=few), folder / CONFIG_FILE)
    arguments = {"workspace": str(workspace.root), "scenarios": str(workspace.scenarios_dir.resolve())}
    return launch(folder, _MEASURE_TARGET, arguments, kind="measure-speed", title=config.base_model)


def _this_machine(workspace: Workspace) -> MachineStamp:
    machine = look(workspace)
    return MachineStamp(processor=machine.processor, cores=machine.cores)


def _made_on(run: Path) -> MachineStamp | None:
    try:
        return MachineStamp.model_validate_json((run / MACHINE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _pace_in(run: Path, name: str) -> Pace | None:
    log = run / EVENTS_FILE
    try:
        stat = log.stat()
    except OSError:
        return None
    return _read_pace(log, stat.st_size, stat.st_mtime_ns, name)


@lru_cache(maxsize=8)
def _read_pace(log: Path, size: int, changed: int, name: str) -> Pace | None:
    """A page asks at every keystroke, and a long run has thousands of events."""
    return pace_of(read_events(log).events, name)


def _alike(run: Run, config: TrainingConfig) -> bool:
    try:
        theirs = run.config()
    except StudioError:
        return False
    return decides_speed(theirs) == decides_speed(config)


class _Look(NamedTuple):
    """One evaluation: the time of its loss, and of each turn that the model wrote."""

    loss_seconds: float
    sample_seconds: float


def _looks(events: Sequence[Event]) -> list[_Look]:
    """Every evaluation that came right after a step: first the loss is measured, then turns are written."""
    found, step, written = [], None, list[float]()
    for one in events:
        match one:
            case StepEvent() | StatusEvent():
                step, written = one if isinstance(one, StepEvent) else None, []
            case SampleEvent():
                written.append(one.time)
            case EvaluationEvent() if step:
                found.append(_look(step.time, written, one.time))
                step = None
    return found


def _look(begun: float, written: Sequence[float], ended: float) -> _Look:
    each = (written[-1] - written[0]) / (len(written) - 1) if len(written) > 1 else 0.0
    return _Look(max(0.0, ended - begun - len(written) * each), max(0.0, each))


def _saves(events: Sequence[Event]) -> list[float]:
    """Of every checkpoint: since the step or the evaluation before it."""
    found, before = [], None
    for one in events:
        if isinstance(one, CheckpointEvent) and before:
            found.append(max(0.0, one.time - before))
        if isinstance(one, StepEvent | EvaluationEvent | StatusEvent):
            before = None if isinstance(one, StatusEvent) else one.time
    return found


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


def _start_seconds(events: Sequence[Event]) -> float:
    """From the beginning of the run to that of its first step; 0 when its log does not say."""
    first = next((one for one in events if isinstance(one, StepEvent)), None)
    begun = next((one for one in events if isinstance(one, StatusEvent)), None)
    if first is None or begun is None or begun.time > first.time:
        return 0.0
    return max(0.0, first.time - begun.time - first.tokens_seen / max(1e-6, first.tokens_per_second))
