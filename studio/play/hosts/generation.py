"""One reply in the host process, from prompt to `Done`, made by turns with other replies when several are asked for."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from studio.play.hosts.limits import peak_memory_bytes
from studio.play.hosts.protocol import Done, GenerateRequest, Prefilled, PrefillProgress, StopReason, Token
from studio.play.hosts.schedule import Schedule
from studio.play.hosts.stopping import ReplyText

if TYPE_CHECKING:
    from studio.play.hosts.engine import Engine

TURN_TOKENS = 24
"""Tokens that are written before another reply has its turn."""
PIECE_SECONDS = 0.015
"""Time between two messages with text: each wakes the client, which takes a core from llama.cpp for a moment."""
_TOKENS_PER_MORE = 64
"""Tokens in the cache for which a turn is one token longer: a long conversation takes longer to put aside."""


class ReplyInTheMaking:
    """One request. Other conversations may be served between its turns; that changes nothing in what it says."""

    def __init__(self, engine: Engine, request: GenerateRequest, schedule: Schedule) -> None:
        self._engine = engine
        self._request = request
        self._schedule = schedule
        self._started = time.perf_counter()
        self._first = self._last = self._started
        self._prefill_seconds = 0.0
        self._count = self._turn_began = 0
        self._sent = 0.0
        self._unsent = ""
        self._prompt: list[int] = []
        self._reused = 0

    def run(self) -> Iterator[BaseModel | None]:
        """The messages to send, `Done` last; None where others may have their turn."""
        self._prompt = self._engine.tokenize(self._request.prompt)
        self._engine.check_length(len(self._prompt))
        if not self._is_cancelled():
            yield from self._read()
        self._prefill_seconds = self._seconds(time.perf_counter())
        yield Prefilled(
            id=self._request.id, n_prompt=len(self._prompt), n_reused=self._reused, seconds=self._prefill_seconds
        )
        reason: StopReason = "cancelled"
        if not self._is_cancelled():
            reason = yield from self._reply()
        yield self._done(reason)

    def _read(self) -> Iterator[PrefillProgress | Token | None]:
        """Evaluate the prompt; after each part but the last another reply may have its turn."""
        parts = self._engine.read(self._prompt, fresh=self._request.fresh)
        self._reused = next(parts)
        for read in parts:
            if self._is_cancelled():
                return
            if read < len(self._prompt):
                yield PrefillProgress(id=self._request.id, done=read, total=len(self._prompt))
                yield from self._let_others()
                if self._is_cancelled():
                    return

    def _reply(self) -> Generator[Token | None, None, StopReason]:
        said = ReplyText(self._request.stop)
        reason: StopReason = "context_full"
        asked = self._request
        for token in self._engine.generate(asked.sampling, asked.grammar, asked.grammar_from):
            self._note_token()
            if self._engine.ends_turn(token):
                reason = "end_of_turn"
                break
            self._unsent += said.feed(self._engine.piece(token))
            if self._last - self._sent >= PIECE_SECONDS:
                yield from self._send()
            if self._turn_is_over() and not self._stopped(said):
                yield from self._let_others()
            if stopped := self._stopped(said):
                reason = stopped
                break
        self._unsent += said.rest()
        yield from self._send()
        return reason

    def _send(self) -> Iterator[Token]:
        if self._unsent:
            yield Token(id=self._request.id, text=self._unsent)
            self._unsent, self._sent = "", self._last

    def _turn_is_over(self) -> bool:
        turn = TURN_TOKENS + len(self._engine.cache.tokens) // _TOKENS_PER_MORE
        return self._count - self._turn_began >= turn

    def _let_others(self) -> Iterator[Token | None]:
        """Put the conversation aside for a turn of those that wait. Time that passes meanwhile is not this reply's."""
        self._turn_began = self._count
        held = self._engine.cache.hold() if self._schedule.others_wait() else None
        if held is None:  # nobody waits, or there is no memory to keep the conversation in
            return
        yield from self._send()
        left = time.perf_counter()
        yield None
        if self._is_cancelled():
            self._engine.cache.release(held)
        else:
            self._engine.cache.take_up(held)
        self._leave_out(time.perf_counter() - left)

    def _leave_out(self, seconds: float) -> None:
        self._started += seconds
        if self._count:
            self._first += seconds
            self._last += seconds

    def _stopped(self, said: ReplyText) -> StopReason | None:
        if said.hit:
            return "stop_string"
        if self._is_cancelled():
            return "cancelled"
        return "length" if self._count >= self._request.sampling.max_tokens else None

    def _note_token(self) -> None:
        self._last = time.perf_counter()
        self._first = self._last if not self._count else self._first
        self._count += 1

    def _is_cancelled(self) -> bool:
        return self._schedule.is_cancelled(self._request.id)

    def _seconds(self, moment: float) -> float:
        return max(0.0, moment - self._started)

    def _done(self, reason: StopReason) -> Done:
        return Done(
            id=self._request.id,
            reason=reason,
            n_prompt=len(self._prompt),
            n_reused=self._reused,
            n_generated=self._count,
            prefill_seconds=self._prefill_seconds,
            ttft_seconds=self._seconds(self._first) if self._count else 0.0,
            decode_seconds=max(0.0, self._last - self._first),
            peak_memory_bytes=peak_memory_bytes(),
        )
