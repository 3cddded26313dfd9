"""Run one task of llama.cpp or torch in a process of its own, so that a crash or a hang there is only an error here.

The request goes to the worker as one JSON line, progress and the result come back as JSON lines; `serve` is its side.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, TypeAlias, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from studio.conversion.formats.gguf_stream import ConversionStopped, ProgressCallback, StopCallback
from studio.errors import ConversionError, StudioError
from studio.workspace import PROJECT_ROOT

POLL_SECONDS = 0.1
END_SECONDS = 5.0
TAIL_BYTES = 4000
_Request = TypeVar("_Request", bound=BaseModel)
_Result = TypeVar("_Result", bound=BaseModel)
Report: TypeAlias = Callable[[int, int], None]


def run_worker(
    module: str,
    request: BaseModel,
    result: type[_Result],
    *,
    timeout: float,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> _Result:
    """Let `python -m module` do `request` and return what it answers.

    Args:
        timeout: seconds after which the worker is ended.

    Raises:
        ConversionError: the worker's own error, or that it crashed or took too long.
        ConversionStopped: `stop` said yes; the worker was ended.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=PROJECT_ROOT,
        )  # fmt: skip
        try:
            answer = _converse(process, request, time.monotonic() + timeout, progress, stop)
        finally:
            _end(process)
        if answer is None:
            raise _crash(module, process.returncode, _tail(log))
    if "error" in answer:
        raise _rebuild_error(answer)
    try:
        return result.model_validate(answer["result"])
    except (KeyError, ValidationError) as error:
        raise ConversionError("The worker gave an answer that makes no sense.", why=str(error)) from error


def serve(request: type[_Request], work: Callable[[_Request, Report], BaseModel]) -> int:
    """The worker's side: read the request, do the work, answer. Returns the exit status.

    Libraries write to standard output as they like; the answers go through a copy of it that only this function has.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message: dict[str, JsonValue]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        todo = request.model_validate_json(sys.stdin.readline())
        answer = work(todo, lambda done, total: send({"progress": [done, total]}))
    except StudioError as error:
        send(dict(error.as_dict()))
        return 1
    send({"result": answer.model_dump(mode="json")})
    return 0


def _converse(
    process: subprocess.Popen[bytes],
    request: BaseModel,
    deadline: float,
    progress: ProgressCallback | None,
    stop: StopCallback | None,
) -> dict[str, JsonValue] | None:
    """Pass progress on until the answer comes; None when the worker ended without one."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(request.model_dump_json().encode() + b"\n")
        process.stdin.close()
    except BrokenPipeError:
        return None
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if stop and stop():
                raise ConversionStopped
            if time.monotonic() > deadline:
                raise ConversionError(
                    "A worker took too long and was ended.", next_step="Try again on a quieter machine."
                )
            if not selector.select(POLL_SECONDS):
                continue
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return None
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                message: dict[str, JsonValue] = json.loads(line)
                if "progress" not in message:
                    return message
                _pass_on(message["progress"], progress)


def _pass_on(pair: JsonValue, progress: ProgressCallback | None) -> None:
    if progress and isinstance(pair, list) and len(pair) == 2:
        done, total = pair
        if isinstance(done, int) and isinstance(total, int):
            progress(done, total)


def _end(process: subprocess.Popen[bytes]) -> None:
    """A worker that answered ends by itself; any other is ended."""
    if process.stdout:
        process.stdout.close()
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _crash(module: str, status: int, log: str) -> ConversionError:
    reason = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    last = log.strip().splitlines()[-1][-300:] if log.strip() else "it said nothing"
    return ConversionError(
        "A worker process crashed.",
        why=f"{module.rsplit('.', 1)[-1]} ended with {reason}: {last}.",
        next_step="If this happens with one file only, that file is damaged.",
    )


def _rebuild_error(answer: dict[str, JsonValue]) -> ConversionError:
    def part(key: str) -> str:
        return str(answer.get(key) or "")

    return ConversionError(part("what"), why=part("why"), next_step=part("next_step"), where=part("where"))


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - TAIL_BYTES))
    return log.read().decode("utf-8", "replace")
