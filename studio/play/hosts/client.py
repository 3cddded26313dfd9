"""`ModelHost`: the client of one model host process. Starts it on demand and notices when it dies or hangs.

Thread-safe: several sessions may generate at once; the host makes their replies by turns.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from studio.errors import PlayError
from studio.play.hosts.limits import resident_memory_bytes
from studio.play.hosts.process import HostOptions, HostProcess
from studio.play.hosts.protocol import (
    Branch,
    BranchDone,
    BranchesRequest,
    BranchProgress,
    GenerateRequest,
    HostInfo,
    LoadAdapterRequest,
    Sampling,
    TokenizeRequest,
    Tokens,
)
from studio.play.hosts.request import Generation, GenerationEvent, HostLostError, OpenRequest

__all__ = ["Generation", "GenerationEvent", "HostLostError", "HostOptions", "HostState", "ModelHost"]
BranchEvent = BranchProgress | BranchDone
HostState = Literal["not loaded", "loading", "ready", "replying"]


class ModelHost:
    """One GGUF behind a process. Use it as a context manager, or call `close`."""

    def __init__(
        self,
        path: str | Path,
        options: HostOptions | None = None,
        *,
        before_loading: Callable[[ModelHost], None] = lambda host: None,
    ) -> None:
        """`before_loading` is called each time the file is about to be loaded; what it raises keeps it from that."""
        self.path = Path(path).resolve()
        self.options = options or HostOptions()
        self.restarts = 0
        self._before_loading = before_loading
        self._process: HostProcess | None = None
        self._info: HostInfo | None = None
        self._starting = False
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
        """Whether a request is open, or the file is being loaded."""
        return self.state in ("loading", "replying")

    @property
    def state(self) -> HostState:
        """What it does at this moment."""
        process = self._process
        if self._starting:
            return "loading"
        if process is None or not process.alive:
            return "not loaded"
        return "replying" if process.busy else "ready"

    @property
    def loaded(self) -> HostInfo | None:
        """The loaded file; None when it is not loaded (any more)."""
        return self._info if self.state in ("ready", "replying") else None

    @property
    def last_loaded(self) -> HostInfo | None:
        """What it loaded last, also when its process was lost since; None when it never did, or was closed."""
        return self._info

    @property
    def memory_bytes(self) -> int:
        """Memory that the process holds now; 0 when there is none."""
        process = self._process
        return resident_memory_bytes(process.number) if process is not None and process.alive else 0

    def info(self) -> HostInfo:
        """The loaded file; loads it when it is not.

        Raises:
            PlayError: it cannot be loaded.
        """
        with self._lock:
            return self._running()[1]

    def tokenize(self, text: str) -> list[int]:
        """The token ids that `generate` would feed for `text`. Raises `PlayError`."""
        with self._open() as call:
            call.send(TokenizeRequest(id=call.number, text=text))
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
        with self._open() as call:
            call.send(LoadAdapterRequest(id=call.number, path=str(path.resolve()) if path else ""))
            reply = call.next()
        if not isinstance(reply, HostInfo):
            raise PlayError("The model host did not say what it loaded.", next_step="Try again.")
        with self._lock:
            self.options = replace(self.options, adapter=path)  # also for a host that has to be started again
            if self._process is call.process:
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
        call = self._open()
        call.send(
            GenerateRequest(
                id=call.number,
                prompt=prompt,
                sampling=sampling or Sampling(),
                stop=stop,
                grammar=grammar,
                grammar_from=grammar_from,
                fresh=fresh,
            )
        )
        return Generation(call)

    def branches(
        self, branches: Sequence[Branch], max_tokens: int, *, stop: tuple[str, ...] = ()
    ) -> Generator[BranchEvent, None, None]:
        """Greedy replies to many prompts at once, in the order in which they end, and how far all of it is.

        Leaving the loop early cancels what is left.

        Raises:
            PlayError: a prompt does not fit, or the host died or hung; the next request starts a new host.
        """
        with self._open() as call:
            call.send(BranchesRequest(id=call.number, branches=tuple(branches), max_tokens=max_tokens, stop=stop))
            while isinstance(event := call.next(), BranchEvent):
                yield event

    def close(self) -> None:
        """End the process; a later call would start a new one."""
        with self._lock:
            self._end()

    def close_if_idle(self) -> bool:
        """The same, unless a request is open or about to be; False where it goes on. Never waits for others."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._process is None or self._process.busy:
                return False
            self._end()
            return True
        finally:
            self._lock.release()

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = self._info = None

    def _open(self) -> OpenRequest:
        """A request to the running host, which from now on counts as busy. Raises `PlayError`."""
        with self._lock:
            process, _ = self._running()
            return OpenRequest(process, next(self._numbers), self.options.stall_seconds, self.path)

    def _running(self) -> tuple[HostProcess, HostInfo]:
        """The process and what it loaded; starts it when there is none. Needs the lock."""
        if self._process is None or self._info is None or not self._process.alive:
            self._starting = True
            try:
                return self._start()
            finally:
                self._starting = False
        return self._process, self._info

    def _start(self) -> tuple[HostProcess, HostInfo]:
        if not self.path.is_file():
            raise PlayError("The model file is not there.", next_step="Choose another model.", where=self.path.name)
        self._before_loading(self)
        self.restarts += self._process is not None
        process = HostProcess(self.path, self.options)
        try:
            self._info = self._loaded(process)
        except BaseException:
            process.kill()
            raise
        self._process = process
        return process, self._info

    def _loaded(self, process: HostProcess) -> HostInfo:
        """What the host says once it has the file."""
        with OpenRequest(process, 0, self.options.load_seconds, self.path) as call:
            reply = call.next()
        if isinstance(reply, HostInfo):
            return reply
        raise PlayError("The model host did not say what it loaded.", next_step="Try again.", where=self.path.name)
