"""A training run as the page shows it: its status in words, and the figures of this moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studio.jobs import EvaluationEvent, Event, JobState, MessageEvent, Status, StepEvent, latest_by_step, of_type
from studio.training import Run, list_runs
from studio.training.runs import CONFIG_FILE
from studio.ui.wording import duration, size
from studio.workspace import Workspace

Color = Literal["red", "orange", "blue", "green", "gray", "violet"]


@dataclass(frozen=True)
class Look:
    """How a status is shown."""

    word: str
    color: Color
    icon: str


STATUS: dict[Status, Look] = {
    "queued": Look("waiting", "gray", ":material/schedule:"),
    "running": Look("running", "violet", ":material/progress_activity:"),
    "stopping": Look("stopping", "orange", ":material/hourglass_bottom:"),
    "done": Look("finished", "green", ":material/check:"),
    "failed": Look("failed", "red", ":material/error:"),
    "stopped": Look("stopped", "orange", ":material/stop_circle:"),
    "interrupted": Look("interrupted", "red", ":material/power_off:"),
}


@dataclass(frozen=True)
class Figures:
    """What the live view shows as numbers; a dash where nothing is known yet."""

    step: str
    loss: str
    validation: str
    speed: str
    time_left: str
    memory: str


@dataclass(frozen=True)
class Curves:
    """The events of a run, sorted for drawing."""

    steps: list[StepEvent]
    evaluations: list[EvaluationEvent]
    messages: list[MessageEvent]


def curves(events: Sequence[Event]) -> Curves:
    """Steps and evaluations once each (a resumed run repeats some), and every message."""
    return Curves(
        latest_by_step(of_type(events, StepEvent)),
        latest_by_step(of_type(events, EvaluationEvent)),
        [one for one in events if isinstance(one, MessageEvent)],
    )


def figures(state: JobState, found: Curves) -> Figures:
    """The numbers of this moment."""
    last = found.steps[-1] if found.steps else None
    total = last.total_steps if last else int(state.progress.total)
    return Figures(
        step=f"{last.step if last else 0:,} of {total:,}" if total else "–",
        loss=_loss(last.loss) if last else "–",
        validation=_loss(found.evaluations[-1].loss) if found.evaluations else "–",
        speed=f"{last.tokens_per_second:,.0f} tokens/s" if last else "–",
        time_left="–" if state.is_finished else duration(state.seconds_left),
        memory=size(last.memory_bytes) if last else "–",
    )


def diverged(found: Curves) -> bool:
    """Whether the loss stopped being a number, after which the model learns nothing more."""
    latest = [one.loss for one in found.steps[-1:]] + [one.loss for one in found.evaluations[-1:]]
    return not all(map(math.isfinite, latest))


def resume_words(run: Run) -> str:
    """What going on with a run that did not finish means: from a checkpoint, or all over."""
    return "Go on from the last checkpoint" if any(run.directory.glob("checkpoint-*")) else "Try again"


def unreadable_runs(workspace: Workspace) -> list[str]:
    """Folders of training runs that `list_runs` leaves out because their state is missing or damaged, by name."""
    listed = {run.name for run in list_runs(workspace)}
    folders = (path.parent.name for path in workspace.checkpoints_dir.glob(f"*/{CONFIG_FILE}"))
    return sorted(name for name in folders if name not in listed)


def _loss(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "no number"
