"""Teacher-forced evaluation of one GGUF file: the conversation is the author's, the next DM turn is the model's.

Replies are greedy, so there is no sampling noise. The turns of a scenario are one group: its conversation is read once,
which also tells how likely the author's own turns were, and all its replies are written side by side. A group is
generated as a whole, from an empty KV cache: a run that was stopped gives bit for bit what an unbroken one gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from studio.errors import PlayError
from studio.jobs import usable_cores
from studio.metrics import Likelihood, TurnCase
from studio.play import (
    BATCHING,
    Branch,
    BranchDone,
    ChatMessage,
    HostOptions,
    ModelHost,
    PromptRenderer,
    Window,
    fit_window,
    read_reply,
)
from studio.scenarios import Message, Vocabulary, find_directives
from studio.validation.request import EvaluationSettings, ModelFile
from studio.validation.rows import GeneratedTurn, RowStore

ENDED = frozenset({"end_of_turn", "stop_string"})
ENGINE = "llama-cpp-python"


class EvaluationStoppedError(Exception):
    """Someone asked the evaluation to stop; what was generated is kept."""


@dataclass(frozen=True)
class _Asked:
    """A turn as the model is asked for it: the author's conversation, as far as it fits the window, and his answer."""

    branch: Branch
    hidden: int


@dataclass(frozen=True)
class Generator:
    """Generates DM turns with one loaded file."""

    model: ModelFile
    host: ModelHost
    vocabulary: Vocabulary
    settings: EvaluationSettings
    store: RowStore

    def generate(
        self,
        groups: Iterable[Sequence[TurnCase]],
        on_turn: Callable[[int], None] = lambda done: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[GeneratedTurn]:
        """The turns of all groups in their order.

        Args:
            on_turn: called with the turns done so far, found in the store or generated now. The turns of a group are
                written side by side; while they are, it is called with as many as the work so far is worth.

        Raises:
            EvaluationStoppedError: `should_stop` said so; whole groups are in the store.
            PlayError: the file cannot be loaded or the model host died.
        """
        rows: list[GeneratedTurn] = []
        for group in groups:
            fingerprint = self._fingerprint(group)
            kept = self._kept(group, fingerprint)
            rows += kept or self._group(group, fingerprint, partial(_shifted, on_turn, len(rows)), should_stop)
            on_turn(len(rows))
        return rows

    def _kept(self, group: Sequence[TurnCase], fingerprint: str) -> list[GeneratedTurn]:
        """The stored rows of a group, all of them or none."""
        found = [self.store.get((self.model.sha256, case.key, fingerprint)) for case in group]
        rows = [row for row in found if row is not None]
        return rows if len(rows) == len(found) else []

    def _group(
        self,
        group: Sequence[TurnCase],
        fingerprint: str,
        on_turn: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> list[GeneratedTurn]:
        renderer = PromptRenderer.for_file(self.host.info())
        asked = self._asked(group, renderer)
        branches = [one.branch for one in asked if one]
        done = iter(self._replies(branches, renderer.stop_strings, on_turn, should_stop) if branches else [])
        rows = [
            self._row(case, fingerprint, one, next(done) if one else None)
            for case, one in zip(group, asked, strict=True)
        ]
        self.store.add(rows)
        return rows

    def _asked(self, group: Sequence[TurnCase], renderer: PromptRenderer) -> list[_Asked | None]:
        """What to ask for every turn; None for one that does not fit the window."""
        found: list[_Asked | None] = []
        first_visible, scenario = 0, ""
        for case in group:
            first_visible = first_visible if case.scenario == scenario else 0
            scenario = case.scenario
            window = self._window(case, first_visible, renderer)
            first_visible = window.first_visible if window else first_visible
            found.append(self._branch(case, window, renderer) if window else None)
        return found

    def _window(self, case: TurnCase, first_visible: int, renderer: PromptRenderer) -> Window | None:
        info = self.host.info()
        messages = [ChatMessage(role=one.role, content=one.content) for one in case.context]

        def count(some: list[ChatMessage]) -> int:
            return len(self.host.tokenize(renderer.prompt(_as_messages(some))))

        try:
            return fit_window(messages, first_visible, info.context_tokens - self.settings.max_tokens, count)
        except PlayError:
            if self.host.info().process_id != info.process_id:
                raise  # the host died; the turn itself is not to blame
            return None

    def _branch(self, case: TurnCase, window: Window, renderer: PromptRenderer) -> _Asked:
        messages = _as_messages(window.messages)
        target = renderer.answer(messages, case.authored) if case.authored else ""
        hidden = len(case.context) - len(window.messages)
        return _Asked(Branch(prompt=renderer.prompt(messages), target=target), hidden)

    def _replies(
        self,
        branches: Sequence[Branch],
        stop: tuple[str, ...],
        on_turn: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> list[BranchDone]:
        """The whole replies, in the order of `branches`."""
        found: dict[int, BranchDone] = {}
        with closing(self.host.branches(branches, self.settings.max_tokens, stop=stop)) as events:
            for event in events:
                if should_stop():
                    raise EvaluationStoppedError
                if isinstance(event, BranchDone):
                    found[event.index] = event
                else:
                    on_turn(len(branches) * event.done // event.total)
        if len(found) < len(branches):
            raise PlayError("The model host left out a reply.", next_step="Start the evaluation again.")
        return [found[index] for index in range(len(branches))]

    def _row(self, case: TurnCase, fingerprint: str, asked: _Asked | None, done: BranchDone | None) -> GeneratedTurn:
        """A turn that does not fit was never asked for, and has neither of the two."""
        if asked is None or done is None:
            return GeneratedTurn(
                model_sha256=self.model.sha256, key=case.key, fingerprint=fingerprint, text="", reason="does_not_fit",
                finished=False,
            )  # fmt: skip
        text = done.text[: read_reply(done.text, self.vocabulary, final=True).shown].strip()
        asks = any(one.asks_for_dice for one in find_directives(text, self.vocabulary))
        return GeneratedTurn(
            model_sha256=self.model.sha256,
            key=case.key,
            fingerprint=fingerprint,
            text=text,
            reason=done.reason,
            finished=asks or done.reason in ENDED,
            n_prompt=done.n_prompt,
            n_reused=done.n_reused,
            n_generated=done.n_generated,
            hidden=asked.hidden,
            prefill_seconds=done.prefill_seconds,
            decode_seconds=done.decode_seconds,
            peak_memory_bytes=done.peak_memory_bytes,
            likelihood=_likelihood(case, done),
        )

    def _fingerprint(self, group: Sequence[TurnCase]) -> str:
        info = self.host.info()
        return group_fingerprint(group, self.settings, info.threads, PromptRenderer.for_file(info).template.source)


def by_scenario(cases: Sequence[TurnCase]) -> list[list[TurnCase]]:
    """The groups that are generated together: one scenario each. Cases of one scenario must stand together."""
    return [list(group) for _, group in groupby(cases, key=lambda case: case.scenario)]


def group_fingerprint(group: Sequence[TurnCase], settings: EvaluationSettings, threads: int, template: str) -> str:
    """Sixteen hex digits of what decides the replies of a group besides the file.

    That is its conversations and the authors' answers (all of them, because they are evaluated in common batches), the
    limits, the threads, the chat template, how batches are made, and the version of llama.cpp.
    """
    engine = f"{version(ENGINE)} {BATCHING}"
    parts = [f"{settings.max_tokens} {settings.context_tokens} {threads} {engine}", template]
    for case in group:
        parts += [f"{one.role}\0{one.content}" for one in case.context]
        parts.append(f"{case.key}\0{case.authored}")
    return hashlib.sha256("\1".join(parts).encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def host_options(settings: EvaluationSettings, adapter: Path | None = None) -> HostOptions:
    """One conversation at a time: nothing is parked."""
    threads = settings.threads or usable_cores()
    return HostOptions(
        context_tokens=settings.context_tokens, threads=threads, parked_bytes=0, adapter=adapter, flash_attention=True
    )


def _shifted(on_turn: Callable[[int], None], before: int, done: int) -> None:
    on_turn(before + done)


def _likelihood(case: TurnCase, done: BranchDone) -> Likelihood | None:
    if not done.target_tokens:
        return None
    return Likelihood(nats=done.target_nats, tokens=done.target_tokens, characters=len(case.authored.strip()))


def _as_messages(messages: Sequence[ChatMessage]) -> list[Message]:
    return [Message(one.role, one.content) for one in messages]
