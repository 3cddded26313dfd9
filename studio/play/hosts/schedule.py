"""Whose turn it is in a model host. Replies are made by turns: who has had one goes behind all others that wait.

Requests for token ids are short and go first, and so does what has been cancelled. Another adapter is laid on when all
that was asked for before is done, and what is asked for after it waits for it. Of the requests for many replies, which
need memory of their own, one is answered at a time. No llama.cpp here; `arrive` and `cancel` may be called by another
thread than the rest.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from studio.play.hosts.protocol import BranchesRequest, GenerateRequest, LoadAdapterRequest, TokenizeRequest

Work = GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest
Messages = Iterator[BaseModel | None]
"""What a request is answered with, the work done on the way; None where another request may have its turn."""


@dataclass(eq=False)
class Job:
    """A request and its answer; None before its first turn."""

    request: Work
    messages: Messages | None = None


class Schedule:
    """The requests that wait, and those that were put aside in the middle."""

    def __init__(self) -> None:
        self._arrived: deque[Job] = deque()
        self._round: deque[Job] = deque()
        self._short: deque[Job] = deque()
        self._running: Job | None = None
        self._cancelled: set[int] = set()
        self._change = threading.Condition()

    def arrive(self, request: Work) -> None:
        """A new request."""
        with self._change:
            waiting = self._short if isinstance(request, TokenizeRequest) else self._arrived
            waiting.append(Job(request))
            self._change.notify()

    def cancel(self, number: int) -> None:
        """End a request as soon as possible, waiting or running."""
        with self._change:
            self._cancelled.add(number)

    def is_cancelled(self, number: int) -> bool:
        """Whether the request shall end."""
        return number in self._cancelled

    def take(self) -> Job:
        """The request whose turn it is; waits for one."""
        with self._change:
            self._running = None
            while (found := self._next()) is None:
                self._change.wait()
            self._running = found
            return found

    def take_short(self) -> Job | None:
        """A request that is answered at once, between two words of another answer."""
        try:
            return self._short.popleft()
        except IndexError:
            return None

    def put_back(self, job: Job) -> None:
        """Its turn is over, the answer is not: it goes behind all that wait."""
        with self._change:
            self._join()
            self._round.append(job)
            self._running = None

    def done(self, job: Job) -> None:
        """The answer is complete."""
        with self._change:
            self._cancelled.discard(job.request.id)

    def others_wait(self) -> bool:
        """Whether another request could go on now."""
        if not (self._arrived or self._round):
            return False
        with self._change:
            self._join()
            return bool(self._round)

    def _next(self) -> Job | None:
        if self._short:
            return self._short.popleft()
        self._join()
        if self._round:
            ended = next((one for one in self._round if one.request.id in self._cancelled), self._round[0])
            self._round.remove(ended)
            return ended
        return self._arrived.popleft() if self._arrived else None

    def _join(self) -> None:
        """Let into the round what has arrived, up to the next change of the adapter."""
        for job in list(self._arrived):
            if isinstance(job.request, LoadAdapterRequest):
                return
            if isinstance(job.request, BranchesRequest) and self._many_are_asked():
                continue
            self._arrived.remove(job)
            self._round.append(job)

    def _many_are_asked(self) -> bool:
        known = [*self._round, *([self._running] if self._running else [])]
        return any(isinstance(one.request, BranchesRequest) for one in known)
