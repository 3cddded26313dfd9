"""One process of a run that trains in several: `python -m studio.training.rank RUN_FOLDER`, started by others.

On one machine the job's worker starts those it leads (`followers`). Over several machines `accelerate launch` (or
torchrun) starts all of them, on every machine, with the run's folder on a disk that all share; rank 0 is then the job.
The folder needs a config.yaml and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from torch import distributed as dist

from studio.config import TrainingConfig, load_settings
from studio.jobs import Event, Worker
from studio.jobs.worker import describe_failure, run_here
from studio.training.memory.faults import is_memory_shortage
from studio.training.processes.followers import FAILURE_KEY, LOOPBACK, PORT_VARIABLE
from studio.training.processes.group import PATIENCE, join, leads, leave
from studio.training.runs import CONFIG_FILE, TARGET
from studio.training.worker import main as train
from studio.workspace import Workspace

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class Silent(Worker):
    """The worker of a process that follows: what it would say, the leader says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def emit(self, event: Event) -> None:
        """Nothing."""

    def message(self, text: str, level: str = "info") -> None:
        """Nothing."""

    def progress(self, done: float, total: float, unit: str, *, seconds_left: float | None = None) -> None:
        """Nothing."""

    def stop_requested(self) -> bool:
        """The leader asks, and decides for all."""
        return False

    def result(self, values: Mapping[str, Any]) -> None:
        """Nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Train as the process that the environment says this is. Exit status: 0 done, 1 failed, 2 wrong usage."""
    options = _options(arguments)
    if missing := [name for name in _NEEDED if name not in os.environ]:
        sys.stderr.write(f"This is started by accelerate launch or torchrun, which set {', '.join(missing)}.\n")
        return 2
    folder: Path = options.run.resolve()
    config = load_settings(TrainingConfig, folder / CONFIG_FILE)
    port = os.environ.get(PORT_VARIABLE)
    store = None
    if port:
        _end_with_the_leader()
        store = dist.TCPStore(LOOPBACK, int(port), int(os.environ["WORLD_SIZE"]), timeout=PATIENCE)
    join(config.use_gpu, store)
    order = _order(folder, options.scenarios)
    if options.arguments:
        order = json.loads(options.arguments)
    if leads():
        return run_here(folder, TARGET, order, kind="train", title=folder.name)
    return _follow(folder, order, store)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m studio.training.rank", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="the run's folder, with its config.yaml, below models/checkpoints/")
    parser.add_argument("--scenarios", type=Path, help="learn from this folder (default: data/scenarios)")
    parser.add_argument("--arguments", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _order(folder: Path, scenarios: Path | None) -> dict[str, JsonValue]:
    workspace = Workspace(folder.parents[2])
    return {"workspace": str(workspace.root), "scenarios": str((scenarios or workspace.scenarios_dir).resolve())}


def _follow(folder: Path, order: dict[str, JsonValue], store: Any) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the leader is asked too, saves, and ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        train(Silent(folder), order)
    except Exception as error:  # noqa: BLE001 - whatever it is, the leader must tell it
        traceback.print_exc()
        if store:
            store.set_timeout(timedelta(seconds=5))
            store.set(FAILURE_KEY, json.dumps({**describe_failure(error), "memory": is_memory_shortage(error)}))
        return 1
    leave()
    return 0


def _end_with_the_leader() -> None:
    """Leave this process as soon as nobody holds the other end of standard input any more."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # not sys.stdin.read, which holds a lock that the interpreter wants at its end
        os._exit(1)

    threading.Thread(target=wait, name="leader", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
