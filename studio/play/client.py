"""`ModelHost`: the client of one model host process. Starts it on demand and notices when it dies or hangs.

Thread-safe: several sessions may generate at once; the host answers in the order the requests came, one at a time. A
session can only ask again when its reply is complete, so several sessions take turns.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from pydantic import ValidationError

from studio.errors import PlayError
from studio.play.limits import HostLimits
from studio.play.protocol import (
    REPLY,
    Branch,
    BranchDone,
    BranchesDone,
    BranchesRequest,
    BranchProgress,
    CancelRequest,
    Done,
    Failed,
    GenerateRequest,
    HostInfo,
    LoadAdapterRequest,
    Prefilled,
    PrefillProgress,
    Sampling,
    Token,
    TokenizeRequest,
    Tokens,
    line_of,
)
from studio.workspace import PROJECT_ROOT

GenerationEvent = Prefilled | Token | Done
BranchEvent = BranchProgress | BranchDone
_Reply = HostInfo | Prefilled | PrefillProgress | Token | Done | BranchEvent | BranchesDone | Tokens | Failed
_Request = GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest | CancelRequest
_DONE_KINDS = (Done, BranchesDone, Tokens, Failed, HostInfo)


@dataclass(frozen=True)
class HostOptions:
    """How a file is loaded.

    Attributes:
        context_tokens: size of the context window.
        threads: processor threads; 0 means one per core.
        parked: conversations whose KV cache is kept aside.
        stall_seconds: a host that says nothing for so long while it has work is taken for hung.
        load_seconds: the same while it loads the file, which it does in silence.
        adapter: a LoRA in GGUF form to lay over the file.
        limits: memory and cores that the host may use; None means all.
    """

    context_tokens: int = 2048
    threads: int = 0
    parked: int = 4
    stall_seconds: float = 120.0
    load_seconds: float = 600.0
    adapter: Path | None = None
    limits: HostLimits | None = None


class _Process:
    """One running host process: its pipes, its reader thread and the queues of the open requests."""

    def __init__(self, path: Path, options: HostOptions) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        threads = options.threads or os.cpu_count() or 1
        settings = [
            "--context",
            str(options.context_tokens),
            "--threads",
            str(threads),
            "--parked",
            str(options.parked),
            *(["--lora", str(options.adapter.resolve())] if options.adapter else []),
            *(options.limits.arguments() if options.limits else []),
        ]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "studio.play.host", str(path), *settings],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=PROJECT_ROOT, start_new_session=True,
        )  # fmt: skip
        self._write_lock = threading.Lock()
        self._queues: dict[int, queue.SimpleQueue[_Reply | None]] = {0: queue.SimpleQueue()}
        self._queues_lock = threading.Lock()
        self._dead = False
        self.last_word = time.monotonic()
        threading.Thread(target=self._read, args=(self._popen.stdout,), daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._dead and self._popen.poll() is None

    @property
    def busy(self) -> bool:
        with self._queues_lock:
            return any(self._queues)

    def open(self, number: int) -> queue.SimpleQueue[_Reply | None]:
        """The queue of replies to request `number`; None in it means that the process is gone."""
        with self._queues_lock:
            found = self._queues.setdefault(number, queue.SimpleQueue())
            if self._dead:
                found.put(None)
        return found

    def close(self, number: int) -> None:
        with self._queues_lock:
            self._queues.pop(number, None)

    def send(self, request: _Request) -> None:
        """Write one request; a dead process is noticed by its reader, not here."""
        pipe = self._popen.stdin
        with self._write_lock:
            try:
                if pipe is not None:
                    pipe.write(line_of(request))
                    pipe.flush()
            except (OSError, ValueError):
                return

    def kill(self) -> None:
        """End the process now and free its pipes."""
        self._popen.kill()
        self._popen.wait()

    def end(self) -> None:
        """Ask it to end by closing its input; kill it when it does not."""
        if self._popen.stdin is not None:
            with self._write_lock, contextlib.suppress(OSError):
                self._popen.stdin.close()
        try:
            self._popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()

    def cause_of_death(self) -> str:
        code = self._popen.wait()
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", errors="replace").strip().splitlines()
        how = f"It was ended by {signal.Signals(-code).name}." if code < 0 else f"Its exit status was {code}."
        return f"{how} Its last words: {lines[-1]}" if lines else how

    def _read(self, stream: BinaryIO) -> None:
        for line in stream:
            self.last_word = time.monotonic()
            try:
                reply = REPLY.validate_json(line)
            except ValidationError:
                continue  # half a line of a process that is dying
            with self._queues_lock:
                waiting = self._queues.get(reply.id)
            if waiting is not None:
                waiting.put(reply)
        with self._queues_lock:
            self._dead = True
            for waiting in self._queues.values():
                waiting.put(None)
        stream.close()


class ModelHost:
    """One GGUF behind a process. Use it as a context manager, or call `close`."""

    def __init__(self, path: str | Path, options: HostOptions | None = None) -> None:
        self.path = Path(path).resolve()
        self.options = options or HostOptions()
        self.restarts = 0
        self._process: _Process | None = None
        self._info: HostInfo | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a request is open."""
        return self._process is not None and self._process.alive and self._process.busy

    def info(self) -> HostInfo:
        """The loaded file; loads it when it is not.

        Raises:
            PlayError: it cannot be loaded.
        """
        return self._running()[1]

    def tokenize(self, text: str) -> list[int]:
        """The token ids that `generate` would feed for `text`. Raises `PlayError`."""
        process, _ = self._running()
        with _Open(process, next(self._numbers), self.options.stall_seconds, self.path) as call:
            process.send(TokenizeRequest(id=call.number, text=text))
            reply = call.next()
        if not isinstance(reply, Tokens):
            raise PlayError("The model host answered something else than token ids.", next_step="Try again.")
        return list(reply.ids)

    def use_adapter(self, path: Path | None) -> HostInfo:
        """Lay another adapter over the loaded model, or none, without loading the model again.

        Replies that were asked for before are finished first, with the adapter that they were asked of.

        Raises:
            PlayError: it cannot be read or does not fit; the one before stays.
        """
        process, _ = self._running()
        with _Open(process, next(self._numbers), self.options.stall_seconds, self.path) as call:
            process.send(LoadAdapterRequest(id=call.number, path=str(path.resolve()) if path else ""))
            reply = call.next()
        if not isinstance(reply, HostInfo):
            raise PlayError("The model host did not say what it loaded.", next_step="Try again.")
        with self._lock:
            self.options = replace(self.options, adapter=path)  # also for a host that has to be started again
            if self._process is process:
                self._info = reply
        return reply

    def generate(
        self,
        prompt: str,
        sampling: Sampling | None = None,
        *,
        stop: tuple[str, ...] = (),
        grammar: str = "",
        grammar_from: str = "",
        fresh: bool = False,
    ) -> Generation:
        """Continue `prompt`. The request goes out now; iterate over the result to follow it.

        Raises:
            PlayError: the file cannot be loaded.
        """
        process, _ = self._running()
        number = next(self._numbers)
        request = GenerateRequest(
            id=number,
            prompt=prompt,
            sampling=sampling or Sampling(),
            stop=stop,
            grammar=grammar,
            grammar_from=grammar_from,
            fresh=fresh,
        )
        call = _Open(process, number, self.options.stall_seconds, self.path)
        process.send(request)
        return Generation(call)

    def branches(
        self, branches: Sequence[Branch], max_tokens: int, *, stop: tuple[str, ...] = ()
    ) -> Generator[BranchEvent, None, None]:
        """Greedy replies to many prompts at once, in the order in which they end, and how far all of it is.

        Leaving the loop early cancels what is left.

        Raises:
            PlayError: a prompt does not fit, or the host died or hung; the next request starts a new host.
        """
        process, _ = self._running()
        with _Open(process, next(self._numbers), self.options.stall_seconds, self.path) as call:
            process.send(BranchesRequest(id=call.number, branches=tuple(branches), max_tokens=max_tokens, stop=stop))
            while isinstance(event := call.next(), BranchEvent):
                yield event

    def close(self) -> None:
        """End the process; a later call would start a new one."""
        with self._lock:
            if self._process is not None:
                self._process.end()
            self._process = self._info = None

    def _running(self) -> tuple[_Process, HostInfo]:
        with self._lock:
            if self._process is None or self._info is None or not self._process.alive:
                self._start()
            if self._process is None or self._info is None:
                raise PlayError("The model host was closed while it was loading.", next_step="Try again.")
            return self._process, self._info

    def _start(self) -> None:
        if not self.path.is_file():
            raise PlayError("The model file is not there.", next_step="Choose another model.", where=self.path.name)
        self.restarts += self._process is not None
        process = _Process(self.path, self.options)
        try:
            self._info = self._loaded(process)
        except BaseException:
            process.kill()
            raise
        self._process = process

    def _loaded(self, process: _Process) -> HostInfo:
        """What the host says once it has the file."""
        with _Open(process, 0, self.options.load_seconds, self.path) as call:
            reply = call.next()
        if isinstance(reply, HostInfo):
            return reply
        raise PlayError("The model host did not say what it loaded.", next_step="Try again.", where=self.path.name)


class Generation:
    """A reply in the making. Iterate over it once: `Prefilled`, then `Token`s, then `Done`."""

    def __init__(self, call: _Open) -> None:
        self._call = call

    def __iter__(self) -> Iterator[GenerationEvent]:
        """The events. Leaving the loop early cancels the reply.

        Raises:
            PlayError: the prompt does not fit, or the host died or hung; the next request starts a new host.
        """
        with self._call:
            yield from self._call.generation()

    def cancel(self) -> None:
        """End the reply as soon as possible; a few more tokens and `Done` still follow."""
        self._call.cancel()


class _Open:
    """One open request. Leaving it before the last reply cancels the request."""

    def __init__(self, process: _Process, number: int, stall_seconds: float, path: Path) -> None:
        self.number = number
        self._process = process
        self._stall = stall_seconds
        self._path = path
        self._finished = False
        self._replies = process.open(number)
        process.last_word = time.monotonic()  # silence counts from when there is work

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self.cancel()
        self._process.close(self.number)

    def cancel(self) -> None:
        self._process.send(CancelRequest(id=self.number))

    def generation(self) -> Iterator[GenerationEvent]:
        while True:
            reply = self.next()
            if isinstance(reply, GenerationEvent):
                yield reply
            if isinstance(reply, Done):
                return

    def next(self) -> _Reply:
        """The next reply. Raises `PlayError` when the host reports a failure, dies, or is silent for too long."""
        reply = self._wait()
        self._finished = reply is None or isinstance(reply, _DONE_KINDS)
        if reply is None:
            raise PlayError(
                "The model stopped working in the middle of a request.",
                why=self._process.cause_of_death(),
                next_step="Send the message again: the model is loaded anew. If it happens again, choose another file.",
                where=self._path.name,
            )
        if isinstance(reply, Failed):
            raise PlayError(reply.what, why=reply.why, next_step=reply.next_step, where=self._path.name)
        return reply

    def _wait(self) -> _Reply | None:
        while True:
            try:
                return self._replies.get(timeout=max(0.01, self._process.last_word + self._stall - time.monotonic()))
            except queue.Empty:
                if time.monotonic() - self._process.last_word >= self._stall:
                    self._process.kill()
                    raise PlayError(
                        f"The model said nothing for {self._stall:.0f} seconds and was ended.",
                        why="The file may be too large for this machine, or llama.cpp hangs on it.",
                        next_step="Send the message again: the model is loaded anew. A smaller file may help.",
                        where=self._path.name,
                    ) from None
