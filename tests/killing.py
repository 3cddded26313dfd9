"""`python -m tests.killing WORKSPACE`: a reference run, and the same run killed twenty times and resumed.

Run as a process of its own, because it forks: torch is imported once, and every worker is a fork that the parent kills
with SIGKILL from outside. Prints what came of it as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from benchmarks.kills import Where, after_kill, compare, kill_at, plan
from studio.bases import get_base
from studio.config import save_settings
from studio.jobs import JobState, Worker
from studio.jobs.state import save_state
from studio.training import ModelTrainer
from studio.training.runs import CONFIG_FILE
from studio.training.worker import main as train
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS

KILLS = 20
STEPS = 25
"""A third of a pass is left after the last one: a worker that was killed at the very end must not take it."""
SECONDS: dict[Where, float] = {"loading": 0.6, "step": 0.1, "saving": 0.04, "ending": 0.01}
_SETTINGS = SETTINGS.model_copy(
    update={"max_steps": STEPS, "checkpoint_steps": 2, "keep_checkpoints": 2, "eval_steps": 0, "sample_turns": 0}
)


def main() -> None:
    workspace = Workspace(Path(sys.argv[1]))
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    _warm_up(workspace)
    reference, run = (workspace.checkpoints_dir / name for name in ("unbroken", "broken"))
    for folder in (reference, run):
        save_settings(_SETTINGS, folder / CONFIG_FILE)
        save_state(folder, JobState(kind="train"))
    assert _ended(_fork(workspace, reference)) == 0
    kills, chance = [], random.Random(seed)
    for moment in plan(KILLS, STEPS, seed, SECONDS):
        worker = _Fork(_fork(workspace, run))
        if kill_at(run, moment, worker.pid, worker.alive):
            worker.wait()
            kills.append(after_kill(run, moment, chance))
    assert _ended(_fork(workspace, run)) == 0
    sys.stdout.write(json.dumps({"seed": seed, **asdict(compare(run, reference, kills))}))


def _warm_up(workspace: Workspace) -> None:
    """Import what loading a model imports, once; and spare every fork the search for garbage in it."""
    ModelTrainer(_SETTINGS).load_base_model(get_base(workspace, _SETTINGS.base_model).hf)
    gc.collect()
    gc.freeze()


class _Fork:
    """A worker: alive or over."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._over = False

    def alive(self) -> bool:
        self._over = self._over or os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return not self._over

    def wait(self) -> None:
        if not self._over:
            os.waitpid(self.pid, 0)


def _fork(workspace: Workspace, run: Path) -> int:
    """A worker in a process of its own; its words go to the run's log.txt."""
    if pid := os.fork():
        return pid
    with (run / "log.txt").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            train(Worker(run), {"workspace": str(workspace.root), "scenarios": str(workspace.scenarios_dir)})
        except BaseException:  # noqa: BLE001 - a fork must not return into the parent's code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)


def _ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
