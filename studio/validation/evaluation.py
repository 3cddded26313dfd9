"""Teacher-forced evaluation of one GGUF file: the conversation is the author's, the next DM turn is the model's.

Replies are greedy, so there is no sampling noise. A scenario is generated as a whole, from an empty KV cache: each turn
then reuses the cache of the turn before, and a run that was stopped gives bit for bit what an unbroken one gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby

from studio.errors import PlayError
from studio.jobs import usable_cores
from studio.metrics import TurnCase
from studio.play import (
    ChatMessage,
    Done,
    HostInfo,
    HostOptions,
    ModelHost,
    PromptRenderer,
    Sampling,
    Token,
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
class Generator:
    """Generates DM turns with one loaded file."""

    model: ModelFile
    host: ModelHost
    vocabulary: Vocabulary
    settings: EvaluationSettings
    store: RowStore
    reuse_prefix: bool = True

    def generate(
        self,
        cases: Sequence[TurnCase],
        on_turn: Callable[[int], None] = lambda done: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[GeneratedTurn]:
        """The turns of `cases` in their order; cases of one scenario must stand together.

        Args:
            on_turn: called after every turn with the turns done so far, whether generated now or found in the store.

        Raises:
            EvaluationStoppedError: `should_stop` said so; whole scenarios are in the store.
            PlayError: the file cannot be loaded or the model host died.
        """
        rows: list[GeneratedTurn] = []
        for _, group in groupby(cases, key=lambda case: case.scenario):
            scenario = list(group)
            kept = self._kept(scenario)
            rows += kept or self._scenario(scenario, partial(_shifted, on_turn, len(rows)), should_stop)
            on_turn(len(rows))
        return rows

    def _kept(self, scenario: Sequence[TurnCase]) -> list[GeneratedTurn]:
        """The stored rows of a scenario, all of them or none."""
        found = [self.store.get((self.model.sha256, case.key, self._fingerprint(case))) for case in scenario]
        rows = [row for row in found if row is not None]
        return rows if len(rows) == len(found) else []

    def _scenario(
        self, scenario: Sequence[TurnCase], on_turn: Callable[[int], None], should_stop: Callable[[], bool]
    ) -> list[GeneratedTurn]:
        rows: list[GeneratedTurn] = []
        first_visible = 0
        for case in scenario:
            if should_stop():
                raise EvaluationStoppedError
            row, first_visible = self._turn(case, first_visible, fresh=not (rows and self.reuse_prefix))
            rows.append(row)
            on_turn(len(rows))
        self.store.add(rows)
        return rows

    def _turn(self, case: TurnCase, first_visible: int, *, fresh: bool) -> tuple[GeneratedTurn, int]:
        info = self.host.info()
        renderer = PromptRenderer.for_file(info)
        try:
            window = self._window(case, first_visible, info, renderer)
        except PlayError:
            if self.host.info().process_id != info.process_id:
                raise  # the host died; the turn itself is not to blame
            return self._row(case, "", None, hidden=0), first_visible
        text, done = self._reply(renderer, window, fresh)
        kept = text[: read_reply(text, self.vocabulary, final=True).shown].strip()
        return self._row(case, kept, done, hidden=len(case.context) - len(window.messages)), window.first_visible

    def _window(self, case: TurnCase, first_visible: int, info: HostInfo, renderer: PromptRenderer) -> Window:
        messages = [ChatMessage(role=one.role, content=one.content) for one in case.context]

        def count(some: list[ChatMessage]) -> int:
            return len(self.host.tokenize(renderer.prompt(_as_messages(some))))

        return fit_window(messages, first_visible, info.context_tokens - self.settings.max_tokens, count)

    def _reply(self, renderer: PromptRenderer, window: Window, fresh: bool) -> tuple[str, Done]:
        """The whole reply up to the token limit. Ending it early would leave the KV cache to chance."""
        sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=self.settings.max_tokens)
        prompt = renderer.prompt(_as_messages(window.messages))
        pieces: list[str] = []
        for event in self.host.generate(prompt, sampling, stop=renderer.stop_strings, fresh=fresh):
            if isinstance(event, Token):
                pieces.append(event.text)
            elif isinstance(event, Done):
                return "".join(pieces), event
        raise PlayError("The model host ended a reply without saying so.", next_step="Start the evaluation again.")

    def _row(self, case: TurnCase, text: str, done: Done | None, *, hidden: int) -> GeneratedTurn:
        """`done` is None for a turn that was never asked for because it does not fit."""
        asks = any(one.valid and one.tool and one.tool.rolls for one in find_directives(text, self.vocabulary))
        return GeneratedTurn(
            model_sha256=self.model.sha256,
            key=case.key,
            fingerprint=self._fingerprint(case),
            text=text,
            reason=done.reason if done else "does_not_fit",
            finished=asks or (done is not None and done.reason in ENDED),
            n_prompt=done.n_prompt if done else 0,
            n_reused=done.n_reused if done else 0,
            n_generated=done.n_generated if done else 0,
            hidden=hidden,
            prefill_seconds=done.prefill_seconds if done else 0.0,
            decode_seconds=done.decode_seconds if done else 0.0,
            peak_memory_bytes=done.peak_memory_bytes if done else 0,
        )

    def _fingerprint(self, case: TurnCase) -> str:
        info = self.host.info()
        return turn_fingerprint(case, self.settings, info.threads, PromptRenderer.for_file(info).template.source)


def turn_fingerprint(case: TurnCase, settings: EvaluationSettings, threads: int, template: str) -> str:
    """Sixteen hex digits of what decides a reply besides the file.

    That is the conversation, the limits, the threads, the chat template and the version of llama.cpp.
    """
    parts = [f"{settings.max_tokens} {settings.context_tokens} {threads} {version(ENGINE)}", template]
    parts += [f"{one.role}\0{one.content}" for one in case.context]
    return hashlib.sha256("\1".join(parts).encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def host_options(settings: EvaluationSettings) -> HostOptions:
    """One conversation at a time: nothing is parked."""
    threads = settings.threads or usable_cores()
    return HostOptions(context_tokens=settings.context_tokens, threads=threads, parked=0)


def _shifted(on_turn: Callable[[int], None], before: int, done: int) -> None:
    on_turn(before + done)


def _as_messages(messages: Sequence[ChatMessage]) -> list[Message]:
    return [Message(one.role, one.content) for one in messages]
