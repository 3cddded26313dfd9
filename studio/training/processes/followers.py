"""The other processes of a run on this machine: started by the job's worker, which leads them, and ended with it.

They meet over 127.0.0.1 alone. A follower ends when the leader ends, however that happens: it watches a pipe that the
operating system closes. What a follower cannot do (too little memory, killed) ends the run with its reason.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

from studio.config import TrainingConfig, load_settings
from studio.errors import StudioError, TrainingError
from studio.jobs import Worker
from studio.training.memory.faults import MemoryShortageError
from studio.training.memory.kills import was_killed_for_memory
from studio.training.processes.group import PATIENCE, join, leave, processes
from studio.training.runs import CONFIG_FILE
from studio.workspace import PROJECT_ROOT

LOOPBACK = "127.0.0.1"
PORT_VARIABLE = "STUDIO_STORE_PORT"
FAILURE_KEY = "failure"
_LOOPBACK_DEVICE = "lo0" if sys.platform == "darwin" else "lo"
_NOTICE_SECONDS = 5.0
_GRACE_SECONDS = 60.0
_END_SECONDS = 30.0

_LED: ContextVar[Followers | None] = ContextVar("led", default=None)
Target = Callable[[Worker, dict[str, Any]], None]


def together(target: Target) -> Target:
    """Make a worker's target run in as many processes as the run's settings say (`processes`).

    The function runs in all of them, as rank 0 in the process of the job. Nothing changes for one process, and where
    the processes were started by others, such as `accelerate launch`.
    """

    @wraps(target)
    def run(worker: Worker, arguments: dict[str, Any]) -> None:
        config = load_settings(TrainingConfig, worker.directory / CONFIG_FILE)
        if config.processes == 1 or processes() > 1:
            target(worker, arguments)
        else:
            worker.message(f"Training in {config.processes} processes.")
            with _led(worker, config, arguments):
                target(worker, arguments)

    return run


@contextmanager
def failures_of_followers() -> Iterator[None]:
    """Where the block fails because a follower has ended, raise what that one died of.

    Raises:
        MemoryShortageError: it was out of memory.
        TrainingError: any other reason.
    """
    try:
        yield
    except StudioError:
        raise
    except Exception as error:
        followers = _LED.get()
        if followers and (failure := followers.failure(_NOTICE_SECONDS)):
            raise failure from error
        raise


class Followers:
    """The processes of ranks 1 and up.

    Args:
        directory: the run's folder.
        store: where they say why they failed.
    """

    def __init__(self, directory: Path, started: list[subprocess.Popen[bytes]], store: dist.Store) -> None:
        self._directory, self._started, self._store = directory, started, store
        self._over = threading.Event()

    def failure(self, patience: float = 0.0) -> TrainingError | None:
        """Why one of them has ended before its time; None while all are at work or done.

        Args:
            patience: seconds to wait for it.
        """
        deadline = time.monotonic() + patience
        while (failed := next((one for one in self._started if one.poll()), None)) is None:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.05)
        return self._reason(failed)

    def watch(self, give_up: Callable[[TrainingError], None]) -> None:
        """Call `give_up` when one has failed and this process, which waits for it, has not noticed within a minute."""

        def look() -> None:
            while not self._over.wait(1.0):
                if (failure := self.failure()) and not self._over.wait(_GRACE_SECONDS):
                    give_up(failure)

        threading.Thread(target=look, name="followers", daemon=True).start()

    def end(self, at_once: bool) -> None:
        """Wait for them, or kill those that are still at work."""
        self._over.set()
        for one in self._started:
            with suppress(subprocess.TimeoutExpired):
                one.wait(0 if at_once else _END_SECONDS)
            one.kill()
            one.wait()
            if one.stdin:
                one.stdin.close()

    def _reason(self, failed: subprocess.Popen[bytes]) -> TrainingError:
        if self._store.check([FAILURE_KEY]):
            told = json.loads(self._store.get(FAILURE_KEY))
            kind = MemoryShortageError if told["memory"] else TrainingError
            return kind(told["what"], why=told.get("why", ""), next_step=told.get("next_step", ""))
        status = failed.returncode
        for_memory = status == -signal.SIGKILL and was_killed_for_memory(self._directory)
        return (MemoryShortageError if for_memory else TrainingError)(
            f"One of the {len(self._started) + 1} processes of this run ended.",
            why=f"It was ended by signal {-status}." if status < 0 else f"Its exit status is {status}; see log.txt.",
            next_step="Go on from the last checkpoint. If that ends too, use fewer processes or a smaller batch_size.",
        )


def start_followers(directory: Path, arguments: Mapping[str, Any], count: int, store: Any, threads: int) -> Followers:
    """Start ranks 1 to `count` of a run, in the process group of this process and with its output."""
    started = []
    for number in range(1, count + 1):
        environment = {**os.environ, **group_environment(number, count + 1, store.port, threads)}
        command = [
            sys.executable,
            "-m",
            "studio.training.rank",
            str(directory),
            "--arguments",
            json.dumps(arguments),
        ]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=PROJECT_ROOT, env=environment))
    return Followers(directory, started, store)


def group_environment(number: int, size: int, port: int, threads: int) -> dict[str, str]:
    """What torch and accelerate want to know of process `number` of `size` on one machine, by the names of torchrun."""
    return {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": LOOPBACK,
        "MASTER_PORT": str(port),
        PORT_VARIABLE: str(port),
        "GLOO_SOCKET_IFNAME": _LOOPBACK_DEVICE,
        "NCCL_SOCKET_IFNAME": _LOOPBACK_DEVICE,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
    }


def open_store(size: int) -> Any:
    """Where the processes meet: on a free port of this machine alone, taken before anyone else can take it."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        port = listening.getsockname()[1]
        return dist.TCPStore(
            LOOPBACK,
            port,
            size,
            is_master=True,
            timeout=PATIENCE,
            wait_for_workers=False,
            master_listen_fd=listening.detach(),
        )


@contextmanager
def _led(worker: Worker, config: TrainingConfig, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Run the block as rank 0."""
    before, store = torch.get_num_threads(), open_store(config.processes)
    threads = max(1, before // config.processes)
    followers = start_followers(worker.directory, arguments, config.processes - 1, store, threads)
    followers.watch(lambda failure: _give_up(worker, failure))
    token = _LED.set(followers)
    at_once = True
    try:
        with _environment(group_environment(0, config.processes, store.port, threads)), failures_of_followers():
            torch.set_num_threads(threads)
            join(config.use_gpu, store)
            yield
        at_once = False
    finally:
        _LED.reset(token)
        followers.end(at_once)
        leave()
        torch.set_num_threads(before)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _give_up(worker: Worker, failure: TrainingError) -> None:
    """End this process, which waits inside a library for one that is gone."""
    worker.finish("failed", failure.as_dict())
    os._exit(1)
