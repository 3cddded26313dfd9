"""One open request to a model host process: its replies in order, and what becomes of it when the process is lost."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from studio.errors import PlayError
from studio.play.hosts.process import HostProcess, HostReply, HostRequest
from studio.play.hosts.protocol import (
    BranchesDone,
    CancelRequest,
    Done,
    Failed,
    HostInfo,
    Prefilled,
    PrefillProgress,
    Token,
    Tokens,
)

GenerationEvent = Prefilled | Token | Done
_DONE_KINDS = (Done, BranchesDone, Tokens, Failed, HostInfo)


class HostLostError(PlayError):
    """The host process died or hung in the middle of a request; the next request starts a new one."""


class Generation:
    """A reply in the making. Iterate over it once: `Prefilled`, then `Token`s, then `Done`."""

    def __init__(self, call: OpenRequest) -> None:
        self._call = call

    def __iter__(self) -> Iterator[GenerationEvent]:
        """The events. Leaving the loop early cancels the reply.

        Raises:
            PlayError: the prompt does not fit, or the host died or hung; the next request starts a new host.
        """
        with self._call:
            for event in self._call.generation():
                if event is not None and not isinstance(event, PrefillProgress):
                    yield event

    def heard(self, patience: float) -> Iterator[GenerationEvent | PrefillProgress | None]:
        """The same with `PrefillProgress`, and None after so many seconds without a word: time to look up or cancel."""
        with self._call:
            yield from self._call.generation(patience)

    def cancel(self) -> None:
        """End the reply as soon as possible; a few more tokens and `Done` still follow."""
        self._call.cancel()


class OpenRequest:
    """One open request. Leaving it before the last reply cancels the request."""

    def __init__(self, process: HostProcess, number: int, stall_seconds: float, path: Path) -> None:
        self.number = number
        self.process = process
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
        self.process.close(self.number)

    def send(self, request: HostRequest) -> None:
        """Write the request; a host that is dead is noticed when its reply is waited for."""
        self.process.send(request)

    def cancel(self) -> None:
        """End the request as soon as possible."""
        self.process.send(CancelRequest(id=self.number))

    def generation(self, patience: float = math.inf) -> Iterator[GenerationEvent | PrefillProgress | None]:
        """The events of a reply, `Done` last; None after so many seconds without one."""
        while True:
            try:
                reply = self.next(patience)
            except TimeoutError:
                yield None
                continue
            if isinstance(reply, GenerationEvent | PrefillProgress):
                yield reply
            if isinstance(reply, Done):
                return

    def next(self, patience: float = math.inf) -> HostReply:
        """The next reply.

        Raises:
            PlayError: the host reports a failure, dies, or is silent for too long.
            TimeoutError: it said nothing for `patience` seconds; it may be asked again.
        """
        reply = self._wait(patience)
        self._finished = reply is None or isinstance(reply, _DONE_KINDS)
        if reply is None:
            raise HostLostError(
                "The model stopped working in the middle of a request.",
                why=self.process.cause_of_death(),
                next_step="Send the message again: the model is loaded anew. If it happens again, choose another file.",
                where=self._path.name,
            )
        if isinstance(reply, Failed):
            raise PlayError(reply.what, why=reply.why, next_step=reply.next_step, where=self._path.name)
        return reply

    def _wait(self, patience: float) -> HostReply | None:
        while True:
            left = max(0.01, self.process.last_word + self._stall - time.monotonic())
            try:
                return self._replies.get(timeout=min(left, patience))
            except queue.Empty:
                if patience < left:
                    raise TimeoutError from None
                if time.monotonic() - self.process.last_word >= self._stall:
                    self.process.kill()
                    raise HostLostError(
                        f"The model said nothing for {self._stall:.0f} seconds and was ended.",
                        why="The file may be too large for this machine, or llama.cpp hangs on it.",
                        next_step="Send the message again: the model is loaded anew. A smaller file may help.",
                        where=self._path.name,
                    ) from None
