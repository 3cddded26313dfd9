"""The process of a job: `python -m studio.jobs.worker DIRECTORY`, started by `studio.jobs.launch` and by nothing else.

The launcher sends what to do as one JSON line on standard input, together with the folder's lock as an inherited file
descriptor. So the work cannot begin before the launcher has recorded the process, no file says which code to import,
and a second worker in the same folder is impossible from the first instant on.
"""

from __future__ import annotations

import errno
import faulthandler
import gc
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pydantic import JsonValue

from studio.errors import JobError, StudioError
from studio.jobs.process import acquire_lock
from studio.jobs.state import LOG_FILE, STOP_FILE, JobState, Order, save_state
from studio.jobs.worker_context import StartAgain, Worker

Target = Callable[[Worker, dict[str, JsonValue]], None]


class Terminated(BaseException):
    """The process was told to end a second time: no more waiting for a safe point."""


def main() -> int:
    """Run the order that standard input holds. Exit status 0 when the job is done or stopped, 1 when it failed."""
    directory = Path(sys.argv[1])
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return 1  # the launcher died before it gave the order
    order = Order.model_validate_json(line)
    os.set_inheritable(order.lock, False)
    faulthandler.enable()
    worker = Worker(directory)
    _listen_for_termination(worker)
    return _run(worker, order)


def run_here(directory: Path, target: str, arguments: dict[str, JsonValue], kind: str, title: str = "") -> int:
    """Work a job off in this process, which others started (`accelerate launch`). Exit status as of `main`.

    Raises:
        JobError: another process works in this folder.
    """
    lock = acquire_lock(directory)
    state = JobState(kind=kind, title=title, target=target, arguments=arguments, created=time.time())
    save_state(directory, state)
    (directory / STOP_FILE).unlink(missing_ok=True)
    worker = Worker(directory)
    _listen_for_termination(worker)
    return _run(worker, Order(target=target, arguments=arguments, lock=lock))


def load_target(target: str) -> Target:
    """The function that `package.module:function` names.

    Raises:
        JobError: there is no such function.
    """
    module, _, name = target.partition(":")
    gc.disable()  # what an import makes stays, and looking for garbage in it takes an eighth of torch's start
    try:
        function: Target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise JobError(
            "The studio cannot start this kind of work.",
            why=str(error),
            next_step="Reinstall it (make run).",
            where=target,
        ) from error
    finally:
        gc.freeze()
        gc.enable()
    return function


def describe_failure(error: BaseException) -> dict[str, str]:
    """Any exception as the three sentences of a `StudioError`."""
    if isinstance(error, StudioError):
        return error.as_dict()
    if isinstance(error, MemoryError):
        return JobError(
            "The job needed more memory than the computer could give it.",
            next_step="Close other programs, or choose a smaller batch, shorter rows or a smaller model.",
        ).as_dict()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return JobError(
            "The disk is full.",
            why=str(error),
            next_step="Free some space and start the job again; what was saved is kept.",
        ).as_dict()
    return JobError(
        "The job ended with an unexpected fault.",
        why=f"{type(error).__name__}: {error}",
        next_step=f"The details are at the end of {LOG_FILE} in its folder; please report them.",
    ).as_dict()


def _run(worker: Worker, order: Order) -> int:
    worker.begin()
    try:
        load_target(order.target)(worker, order.arguments)
    except StartAgain:
        _begin_anew(worker, order)
    except Terminated:
        worker.finish("stopped")
    except BaseException as error:  # noqa: BLE001 - whatever it is, the job's state must tell it
        traceback.print_exc()
        worker.finish("failed", describe_failure(error))
        return 1
    else:
        worker.finish("stopped" if worker.told_to_stop else "done")
    return 0


def _begin_anew(worker: Worker, order: Order) -> None:
    """Put a fresh process in the place of this one. Its id, its session and the folder's lock stay what they are.

    So whoever watches the job sees it go on, and nobody else can begin in its folder in between.
    """
    if worker.stop_requested():  # a signal's wish would be forgotten with this process
        (worker.directory / STOP_FILE).touch()
    with tempfile.TemporaryFile() as line:
        line.write(order.model_dump_json().encode() + b"\n")
        line.seek(0)
        os.dup2(line.fileno(), sys.stdin.fileno())
    os.set_inheritable(order.lock, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "studio.jobs.worker", str(worker.directory)])  # noqa: S606


def _listen_for_termination(worker: Worker) -> None:
    def terminate(_signal: int, _frame: FrameType | None) -> None:
        if worker.stop_requested():
            raise Terminated
        worker.ask_to_stop()

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal of the app is not meant for its jobs


if __name__ == "__main__":
    sys.exit(main())
