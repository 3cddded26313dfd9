"""Answers a `BranchesRequest` in the host process: reads the conversations, then writes all replies side by side.

Every reply is greedy and ends as a single one would: at the end of the turn, a stop string, the limit or the end of the
window. What it says can still differ from the reply asked for alone, where two tokens are about equally likely: sums
over several rows round otherwise. The same request gives the same replies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from studio.play.hosts.branch_plan import MAX_BRANCHES, PlannedBranch, cells_needed, chains, in_blocks, waves
from studio.play.hosts.limits import peak_memory_bytes
from studio.play.hosts.logits import Logits, likeliest, negative_log_likelihood
from studio.play.hosts.protocol import Branch, BranchDone, BranchesDone, BranchesRequest, BranchProgress, StopReason
from studio.play.hosts.stopping import ReplyText

if TYPE_CHECKING:
    from studio.play.hosts.branches import BranchContext
    from studio.play.hosts.engine import Engine


@dataclass
class _Reply:
    """One reply in the making; `sequence` is where its tokens lie in the KV cache."""

    plan: PlannedBranch
    sequence: int
    text: ReplyText
    written: str = ""
    token: int = -1
    count: int = 0
    reused: int = 0
    nats: float = 0.0
    read_seconds: float = 0.0
    write_seconds: float = 0.0

    @property
    def position(self) -> int:
        """Where `token` comes to stand."""
        return self.plan.n_prompt + self.count - 1


class BranchReplies:
    """One request, from prompts to `BranchesDone`."""

    def __init__(self, engine: Engine, request: BranchesRequest, is_cancelled: Callable[[int], bool]) -> None:
        self._engine = engine
        self._request = request
        self._asked_to_end = is_cancelled
        self._done = self._total = 0

    def run(self) -> Iterator[BaseModel]:
        """The messages to send, `BranchesDone` last.

        Raises:
            PlayError: a prompt is empty or larger than the window, or memory does not suffice.
        """
        plan = [self._plan(index, one) for index, one in enumerate(self._request.branches)]
        planned = self._waves(plan)
        self._total = sum(cells_needed(wave) for wave in planned)
        size = in_blocks(max(cells_needed(wave) for wave in planned))
        with self._engine.branch_context(cells=size, branches=max(map(len, planned))) as context:
            for wave in planned:
                replies = [_Reply(one, number, ReplyText(self._request.stop)) for number, one in enumerate(wave, 1)]
                yield from self._read(context, replies)
                yield from self._write(context, replies)
                if self._is_cancelled():
                    break
        yield BranchesDone(id=self._request.id, cancelled=self._is_cancelled())

    def _plan(self, index: int, branch: Branch) -> PlannedBranch:
        """A target is left out where it does not fit, or where its first token would belong half to the prompt."""
        prompt = self._engine.tokenize(branch.prompt)
        self._engine.check_length(len(prompt))
        whole = self._engine.tokenize(branch.prompt + branch.target)
        fits = len(whole) <= self._engine.context_tokens and whole[: len(prompt)] == prompt
        most = min(self._request.max_tokens, self._engine.context_tokens - len(prompt) + 1)
        return PlannedBranch(index, whole if fits else prompt, len(prompt), most)

    def _waves(self, plan: Sequence[PlannedBranch]) -> list[list[PlannedBranch]]:
        """At most two windows of KV cache for the branches, besides the one that is there for play."""
        return waves(plan, 2 * self._engine.context_tokens, MAX_BRANCHES if self._engine.forkable else 1)

    def _read(self, context: BranchContext, replies: Sequence[_Reply]) -> Iterator[BranchProgress]:
        start = 0
        for chain in chains([reply.plan for reply in replies]):
            some = replies[start : start + len(chain)]
            yield from self._read_chain(context, some)
            if self._is_cancelled():
                return
            for reply in some:
                _branch_off(context, reply)
            start += len(chain)

    def _read_chain(self, context: BranchContext, replies: Sequence[_Reply]) -> Iterator[BranchProgress]:
        """Evaluate the longest branch of a chain, which the others begin; targets are scored on the way."""
        started, ids = time.perf_counter(), replies[-1].plan.ids
        begin = context.cut(ids, replies[0].plan.n_prompt - 1)
        yield self._progress(begin)
        wanted = sorted({place for one in replies for place in (one.plan.n_prompt - 1, *one.plan.scored)})
        before = begin
        for places, logits in context.read(ids, wanted):
            _score(replies, ids, places, logits)
            yield self._progress(len(context.tokens) - before)
            before = len(context.tokens)
            if self._is_cancelled():
                return
        _share(replies, begin, time.perf_counter() - started)

    def _write(self, context: BranchContext, replies: Sequence[_Reply]) -> Iterator[BaseModel]:
        """One token of every living reply at a time; the first ones are known from reading."""
        living = list(replies)
        while not self._is_cancelled():
            ended = [(one, reason) for one in living if (reason := self._taken(one))]
            for reply, reason in ended:
                context.drop(reply.sequence)
                living.remove(reply)
                yield self._complete(reply, reason)
            if not living:
                return
            started = time.perf_counter()
            tokens = context.step([(one.sequence, one.position, one.token) for one in living])
            share = (time.perf_counter() - started) / len(living)
            for reply, token in zip(living, tokens, strict=True):
                reply.token = token
                reply.write_seconds += share
            yield self._progress(len(living) + sum(one.plan.most - one.count + 1 for one, _ in ended))

    def _taken(self, reply: _Reply) -> StopReason | None:
        """Add the reply's newest token to its text; why the reply ends with it, if it does."""
        reply.count += 1
        if self._engine.ends_turn(reply.token):
            return "end_of_turn"
        reply.written += reply.text.feed(self._engine.piece(reply.token))
        if reply.text.hit:
            return "stop_string"
        if reply.count >= self._request.max_tokens:
            return "length"
        return "context_full" if reply.position >= self._engine.context_tokens else None

    def _complete(self, reply: _Reply, reason: StopReason) -> BranchDone:
        return BranchDone(
            id=self._request.id,
            index=reply.plan.index,
            text=reply.written + reply.text.rest(),
            reason=reason,
            n_prompt=reply.plan.n_prompt,
            n_reused=reply.reused,
            n_generated=reply.count,
            prefill_seconds=reply.read_seconds,
            decode_seconds=reply.write_seconds,
            peak_memory_bytes=peak_memory_bytes(),
            target_nats=reply.nats,
            target_tokens=len(reply.plan.scored),
        )

    def _progress(self, more: int) -> BranchProgress:
        self._done += more
        return BranchProgress(id=self._request.id, done=self._done, total=self._total)

    def _is_cancelled(self) -> bool:
        return self._asked_to_end(self._request.id)


def _branch_off(context: BranchContext, reply: _Reply) -> None:
    """Let the reply begin behind its prompt. Where a cache cannot be forked, the prompt is read again for it alone."""
    if context.forkable:
        context.fork(reply.sequence, reply.plan.n_prompt)
        return
    reply.sequence = 0
    prompt = reply.plan.ids[: reply.plan.n_prompt]
    if len(context.tokens) > len(prompt):
        context.cut(prompt, 0)
        for _ in context.read(prompt, ()):
            pass


def _score(replies: Sequence[_Reply], ids: Sequence[int], places: Sequence[int], logits: Logits) -> None:
    """Take from the logits behind `places` the likelihood of the targets, and the first token of every reply."""
    known = [place for place in places if place + 1 < len(ids)]
    losses = negative_log_likelihood(logits[: len(known)], [ids[place + 1] for place in known])
    for reply in replies:
        reply.nats += sum(float(loss) for place, loss in zip(known, losses, strict=True) if place in reply.plan.scored)
        if reply.plan.n_prompt - 1 in places:
            row = places.index(reply.plan.n_prompt - 1)
            (reply.token,) = likeliest(logits[row : row + 1])


def _share(replies: Sequence[_Reply], begin: int, seconds: float) -> None:
    """Say of a chain's replies what each had in the cache, and how long the reading of its own tokens took."""
    tokens = len(replies[-1].plan.ids) - begin
    start = begin
    for reply in replies:
        reply.reused = min(start, reply.plan.n_prompt - 1)
        reply.read_seconds = seconds * (len(reply.plan.ids) - start) / tokens
        start = len(reply.plan.ids)
