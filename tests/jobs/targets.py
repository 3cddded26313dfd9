"""Real targets that the job tests start in real worker processes."""

import atexit
import os
import resource
import signal
import sys
import time
from pathlib import Path

from studio.errors import DatasetError
from studio.jobs import MessageEvent, StartAgain, Worker
from studio.jobs.process import try_lock
from studio.jobs.state import LOCK_FILE


def count(worker: Worker, arguments: dict) -> None:
    total = int(arguments["total"])
    for done in range(1, total + 1):
        worker.progress(done, total, "steps")
    worker.result({"sum": total * (total + 1) // 2})


def report_surroundings(worker: Worker, arguments: dict) -> None:
    heavy = sorted({"torch", "transformers", "streamlit"} & set(sys.modules))
    worker.result({"environment": dict(os.environ), "session": os.getsid(0), "pid": os.getpid(), "heavy": heavy})


def work_until_stopped(worker: Worker, arguments: dict) -> None:
    worker.emit(MessageEvent(text="working"))
    while not worker.stop_requested():
        time.sleep(0.02)
    worker.result({"saved": True})


def never_look_up(worker: Worker, arguments: dict) -> None:
    worker.emit(MessageEvent(text="working"))
    while True:
        time.sleep(0.02)


def fail_plainly(worker: Worker, arguments: dict) -> None:
    raise DatasetError("No rows.", why="All files are empty.", next_step="Write a scenario.", where="data")


def fail_unexpectedly(worker: Worker, arguments: dict) -> None:
    raise ZeroDivisionError("one over nothing")


def take_all_memory(worker: Worker, arguments: dict) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
    bytearray(4 * 2**30)


def begin_anew_once(worker: Worker, arguments: dict) -> None:
    """Fill memory, then begin anew; the second time tell what is left of the first, and whether the folder is held."""
    note = worker.directory / "first.txt"
    if not note.exists():
        note.write_text(f"{os.getpid()} {len(bytes(256 * 2**20))}")
        raise StartAgain
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    held = try_lock(worker.directory / LOCK_FILE) is None
    stop = worker.stop_requested()
    worker.result({"pid": os.getpid(), "peak_kib": int(peak.split()[1]), "held": held, "stop": stop, **arguments})


def begin_anew_after_a_signal(worker: Worker, arguments: dict) -> None:
    if not worker.stop_requested():
        os.kill(os.getpid(), signal.SIGTERM)
        raise StartAgain
    worker.result({"heard": True})


def write_more_events_than_fit(worker: Worker, arguments: dict) -> None:
    """Every file is limited to 8 KiB, so that the event log fills up as a full disk would fill it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
    for number in range(200):
        worker.emit(MessageEvent(text=f"{number:03d} " + "x" * 60))
    worker.result({"survived": True})


def leave_slowly(worker: Worker, arguments: dict) -> None:
    """Done at once, while the process takes its time to go."""

    def leave() -> None:
        time.sleep(0.6)
        (worker.directory / "left").write_text(str(time.time()))

    atexit.register(leave)


def die(worker: Worker, arguments: dict) -> None:
    os.kill(os.getpid(), 9)
