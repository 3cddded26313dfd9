"""A training run as the page shows it: its status in words, and the figures of this moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studio.jobs import (
    EvaluationEvent,
    Event,
    JobState,
    MessageEvent,
    QueueEntry,
    Status,
    StepEvent,
    latest_by_step,
    of_type,
    without_undone,
)
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


NOT_STARTED = Look("not started", "gray", ":material/schedule:")


@dataclass(frozen=True)
class Place:
    """Where a run stands in the queue.

    Args:
        position: from 1 on; None when it is at work.
        words: for a reader: `Next, after evening`.
    """

    entry_id: int
    name: str
    position: int | None
    words: str


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


def look_of(state: JobState, place: Place | None) -> Look:
    """How a run is shown. One that waits where nothing stands in the queue, or was taken out of it, has not started."""
    return NOT_STARTED if never_began(state) and place is None else STATUS[state.status]


def ending(name: str, state: JobState) -> tuple[str, str]:
    """Title and sentence for somebody who looks elsewhere: what became of a run. Not for one that goes on."""
    done = f"{state.progress.done:,.0f} of {state.progress.total:,.0f} steps." if state.progress.total else ""
    return f"{name}: {STATUS[state.status].word}", (state.error or {}).get("what", "") or done


def never_began(state: JobState) -> bool:
    """Whether a run waits for its first turn, or was taken out of the queue before it."""
    return state.started is None and (state.is_waiting or state.status == "stopped")


def places(entries: Sequence[QueueEntry]) -> dict[str, Place]:
    """The runs at work and waiting by name, in the order of the queue."""
    running = next((one.title for one in entries if not one.is_waiting), "")
    return {one.title: Place(one.id, one.title, one.position, _place_words(one, running)) for one in entries}


def _place_words(entry: QueueEntry, running: str) -> str:
    if entry.position is None:
        return "At work"
    if entry.position > 1:
        return f"Number {entry.position} in the queue"
    return f"Next, after {running}" if running else "Next"


def curves(events: Sequence[Event]) -> Curves:
    """Steps and evaluations once each (a resumed run goes back and repeats some), and every message."""
    events = without_undone(events)
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
    """What going on with a run that did not finish means: from a checkpoint, for the first time, or all over."""
    if any(run.directory.glob("checkpoint-*")):
        return "Go on from the last checkpoint"
    return "Start it" if never_began(run.state()) else "Try again"


def unreadable_runs(workspace: Workspace) -> list[str]:
    """Folders of training runs that `list_runs` leaves out because their state is missing or damaged, by name."""
    listed = {run.name for run in list_runs(workspace)}
    folders = (path.parent.name for path in workspace.checkpoints_dir.glob(f"[!.]*/{CONFIG_FILE}"))
    return sorted(name for name in folders if name not in listed)


def _loss(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "no number"
