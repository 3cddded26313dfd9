"""Kills a training run at chosen moments, damages its newest checkpoint, and says whether it still became the same.

Used by `benchmarks.recovery` on SmolLM2 with real workers, and by a test on a tiny model. How a worker is started is
the caller's business; what is killed is a real process, from outside, with SIGKILL.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.jobs import EvaluationEvent, Event, StepEvent, of_type, read_events, without_undone
from studio.training.checkpoints import MANIFEST_FILE, checkpoints, is_whole, last_whole_checkpoint, step_of
from studio.training.provenance import WEIGHTS_FILE

Where = Literal["loading", "step", "saving", "ending"]
POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after a beginning.

    That is the worker's start (`loading`), the event of a step (`step`), the first file of a checkpoint of that step or
    a later one (`saving`), or the seal of the last checkpoint (`ending`). `power` damages the
    newest checkpoint afterwards, as a power loss may.
    """

    where: Where
    step: int
    seconds: float
    power: bool = False


@dataclass(frozen=True)
class Kill:
    """What a kill left: the last step in the log, the newest checkpoint, and whether that is whole."""

    moment: Moment
    reached: int
    newest: int
    whole: bool
    resumed_from: int


@dataclass
class Comparison:
    """How the killed run differs from one that nobody interrupted."""

    same_files: bool
    largest_difference: float
    same_steps: bool
    loss_difference: float
    same_evaluations: bool
    gaps: list[int]
    contradictions: int
    damaged_lines: int
    kills: list[dict[str, Any]] = field(default_factory=list)


def plan(count: int, steps: int, seed: int, seconds: dict[Where, float]) -> list[Moment]:
    """`count` moments spread over a run of `steps`; the last is after its last checkpoint, every third a power loss.

    Args:
        seconds: longest delay of each kind, drawn from evenly.
    """
    chance = random.Random(seed)
    kinds: list[Where] = [("step", "saving", "step", "saving", "loading")[n % 5] for n in range(count - 1)]  # type: ignore[misc]
    targets = sorted(chance.randint(1, steps - 1) for _ in kinds)
    moments = [
        Moment(kind, target, chance.uniform(0, seconds[kind]), power=number % 3 == 2)
        for number, (kind, target) in enumerate(zip(kinds, targets, strict=True))
    ]
    return [*moments, Moment("ending", steps, chance.uniform(0, seconds["ending"]))]


def kill_at(run: Path, moment: Moment, pid: int, alive: Callable[[], bool]) -> bool:
    """SIGKILL the process when its moment has come; False when it ended by itself before."""
    events = run / "events.jsonl"
    offset = events.stat().st_size if events.exists() else 0
    begun = time.monotonic()
    while not _has_come(run, moment, read_events(events, offset).events):
        if not alive():
            return False
        time.sleep(POLL_SECONDS)
    wait = moment.seconds - (time.monotonic() - begun if moment.where == "loading" else 0)
    time.sleep(max(0.0, wait))
    if not alive():
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def after_kill(run: Path, moment: Moment, chance: random.Random) -> Kill:
    """Look at what is left, and damage it if the moment is a power loss."""
    steps = of_type(without_undone(read_events(run / "events.jsonl").events), StepEvent)
    newest = next(iter(checkpoints(run)), None)
    whole = bool(newest and is_whole(newest))
    if moment.power and newest:
        _damage(newest, chance)
    last = last_whole_checkpoint(run)
    return Kill(
        moment, steps[-1].step if steps else 0, step_of(newest) if newest else 0, whole, step_of(last) if last else 0
    )


def compare(run: Path, reference: Path, kills: Sequence[Kill]) -> Comparison:
    """The run's adapter, losses and log against the reference's."""
    from safetensors.numpy import load_file

    mine, theirs = (load_file(one / "adapter" / WEIGHTS_FILE) for one in (run, reference))
    differences = [float(abs(mine[name].astype("f8") - value.astype("f8")).max()) for name, value in theirs.items()]
    files = [(one / "adapter" / WEIGHTS_FILE).read_bytes() for one in (run, reference)]
    log = read_events(run / "events.jsonl")
    curve, expected = _losses(without_undone(log.events)), _losses(read_events(reference / "events.jsonl").events)
    evaluated = [_evaluated(read_events(one / "events.jsonl").events) for one in (run, reference)]
    return Comparison(
        same_files=files[0] == files[1],
        largest_difference=max(differences),
        same_steps=curve.keys() == expected.keys(),
        loss_difference=max(abs(curve.get(step, math.inf) - loss) for step, loss in expected.items()),
        same_evaluations=evaluated[0] == evaluated[1],
        gaps=list(_gaps(log.events)),
        contradictions=_contradictions(log.events),
        damaged_lines=log.damaged,
        kills=[asdict(one) for one in kills],
    )


def _has_come(run: Path, moment: Moment, new_events: Sequence[Event]) -> bool:
    match moment.where:
        case "loading":
            return True
        case "step":
            return any(isinstance(one, StepEvent) and one.step >= moment.step for one in new_events)
        case "saving":
            begun = (path for path in checkpoints(run) if step_of(path) >= moment.step)
            return any(not (path / MANIFEST_FILE).exists() for path in begun)
        case "ending":
            return (run / f"checkpoint-{moment.step}" / MANIFEST_FILE).exists()


def _damage(checkpoint: Path, chance: random.Random) -> None:
    """What a power loss leaves of one file: a part, nothing, zeros of the right size, or no file at all."""
    files = sorted(one for one in checkpoint.iterdir() if one.is_file())
    if not files:
        return
    path = chance.choice(files)
    size = path.stat().st_size
    kept = path.read_bytes()[: chance.randint(0, max(0, size - 1))]
    path.unlink()
    if (content := chance.choice([kept, b"", bytes(size), None])) is not None:
        path.write_bytes(content)


def _losses(events: Sequence[Event]) -> dict[int, float]:
    return {one.step: one.loss for one in of_type(events, StepEvent)}


def _evaluated(events: Sequence[Event]) -> dict[int, float]:
    return {one.step: one.loss for one in of_type(without_undone(events), EvaluationEvent)}


def _gaps(events: Sequence[Event]) -> Iterator[int]:
    """Steps that follow on none that was taken before."""
    reached = 0
    for one in of_type(events, StepEvent):
        if one.step > reached + 1:
            yield one.step
        reached = one.step


def _contradictions(events: Sequence[Event]) -> int:
    """How many steps were written twice with different losses."""
    seen: dict[int, set[float]] = {}
    for one in of_type(events, StepEvent):
        seen.setdefault(one.step, set()).add(one.loss)
    return sum(len(values) > 1 for values in seen.values())
