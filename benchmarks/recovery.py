"""SmolLM2 trained in real workers that are killed with SIGKILL twenty times, against the same run left alone.

    python -m benchmarks recovery
    python -m benchmarks.recovery --folder DIR --kills 7     so many more kills now; the rest another time

Every third kill damages a file of the newest checkpoint as well. What is said in the end is equality, not speed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.kills import Comparison, Kill, Moment, Where, after_kill, compare, kill_at, plan
from benchmarks.scenes import PLACES, write_scenes
from studio.bases import get_base
from studio.bases.disk import link_or_copy
from studio.config import TrainingConfig
from studio.jobs import JobQueue
from studio.training import Run, find_run, list_runs, resume_run, start_run
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

KILLS, STEPS, SEED = 20, 25, 11
SECONDS: dict[Where, float] = {"loading": 15.0, "step": 1.0, "saving": 0.4, "ending": 0.05}
SETTINGS = TrainingConfig(
    max_steps=STEPS,
    epochs=100,
    max_seq_length=256,
    gradient_accumulation_steps=1,
    lora_dropout=0.1,  # so that the state of the random numbers counts
    checkpoint_steps=2,
    eval_steps=10,
    sample_turns=0,
)


@dataclass(frozen=True)
class Outcome:
    """What came of the kills so far, as a line."""

    kills: int
    comparison: Comparison | None

    def __str__(self) -> str:
        if self.comparison is None:
            return f"recovery: {self.kills} of {KILLS} kills done; call again with the same --folder"
        told = self.comparison
        half_written = sum(not one["whole"] for one in told.kills)
        damaged = sum(one["moment"]["power"] for one in told.kills)
        return (
            f"recovery of SmolLM2, {self.kills} kills ({half_written} found the newest checkpoint unfinished, "
            f"{damaged} also damaged it): adapter files {'identical' if told.same_files else 'differ'} (largest "
            f"difference {told.largest_difference:g}), losses differ by {told.loss_difference:g} at most, same "
            f"evaluations: {told.same_evaluations}, gaps {len(told.gaps)}, contradictions {told.contradictions}"
        )


def main() -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        return [go_on(Path(folder), KILLS)]


def go_on(folder: Path, kills: int) -> Outcome:
    """At most so many more kills in the workspace in `folder`; compares when all are done."""
    workspace = _workspace(folder)
    reference = _reference(workspace)
    kept = folder / "kills.json"
    done = [_kill(one) for one in json.loads(kept.read_text())] if kept.exists() else []
    moments, chance = plan(KILLS, STEPS, SEED, SECONDS), random.Random(SEED + len(done))
    for moment in moments[len(done) : len(done) + kills]:
        done.append(_killed(workspace, moment, chance))
        atomic_write(kept, json.dumps([asdict(one) for one in done]))
    if len(done) < KILLS:
        return Outcome(len(done), None)
    run = resume_run(workspace, "broken")
    _finish(run)
    return Outcome(len(done), compare(run.directory, reference.directory, done))


def _killed(workspace: Workspace, moment: Moment, chance: random.Random) -> Kill:
    begun = any(one.name == "broken" for one in list_runs(workspace))
    run = resume_run(workspace, "broken") if begun else start_run(workspace, SETTINGS, name="broken")
    while (pid := run.state().pid) is None or run.state().is_finished:
        JobQueue(workspace).wake()
        time.sleep(0.05)
    try:
        killed = kill_at(run.directory, moment, pid, lambda: not run.state().is_finished)
    except BaseException:  # told to end: a worker that nobody kills would finish the run
        run.job.stop(grace_seconds=0)
        raise
    if not killed:
        raise SystemExit(f"The run ended before {moment}: {run.job.tail_log()}")
    run.job.wait()
    return after_kill(run.directory, moment, chance)


def _reference(workspace: Workspace) -> Run:
    if any(one.name == "unbroken" for one in list_runs(workspace)):
        return find_run(workspace, "unbroken")
    run = start_run(workspace, SETTINGS, name="unbroken")
    _finish(run)
    return run


def _finish(run: Run) -> None:
    state = run.job.wait()
    if state.status != "done":
        raise SystemExit(f"{run.name}: {state.status}\n{run.job.tail_log()}")


def _workspace(folder: Path) -> Workspace:
    workspace = Workspace(folder)
    base = get_base(Workspace.find(PROJECT_ROOT), SETTINGS.base_model)
    for path in (one for one in base.directory.rglob("*") if one.is_file()):
        target = workspace.base_dir / base.name / path.relative_to(base.directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            link_or_copy(path, target)
    *learned, held_out = PLACES
    write_scenes(workspace.scenarios_dir, {place: PLACES[place] for place in learned})
    write_scenes(workspace.validation_dir, {held_out: PLACES[held_out]})
    return workspace


def _kill(saved: dict[str, object]) -> Kill:
    return Kill(**{**saved, "moment": Moment(**saved["moment"])})  # type: ignore[arg-type]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=KILLS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended; what was done is kept in the folder."))
    print(go_on(options.folder, options.kills))
