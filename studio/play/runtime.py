"""`play_turn`: the player speaks, the model replies, the studio rolls what the model asks for, the model goes on.

Nothing in a reply makes it raise: a request that cannot be understood stays plain text and is reported. The session
changes only when the turn ends or the player stops it; when the model host dies it stays as it was before the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import cached_property
from typing import TypeVar, cast

from studio.play.client import ModelHost
from studio.play.dice import DiceBox, DiceError
from studio.play.directive_grammar import OPENS, directive_grammar
from studio.play.events import (
    DirectiveEvent,
    NoteEvent,
    PlayEvent,
    PrefillEvent,
    RollEvent,
    StateEvent,
    TokenEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)
from studio.play.game import Game, game_after
from studio.play.prompt import PromptRenderer
from studio.play.protocol import HostInfo, Prefilled, StopReason, Token
from studio.play.replies import read_reply
from studio.play.rolls import acting_character, answer
from studio.play.session import ChatMessage, ChatSession, ModelStamp, TurnRecord, as_messages
from studio.play.window import fit_window
from studio.scenarios import Directive, Vocabulary, find_directives

_Result = TypeVar("_Result")


def play_turn(
    session: ChatSession,
    player_text: str,
    host: ModelHost,
    vocabulary: Vocabulary,
    *,
    fresh: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[PlayEvent, None, None]:
    """Play one turn and yield what happens; `TurnEndEvent` is last.

    Closing the iterator or `should_stop` ends the turn and keeps what was said so far. With one file, one seed and one
    number of threads, the same turns give the same text as long as the KV cache is in the same state: `fresh` makes the
    first generation evaluate the whole prompt, which puts it there.

    Raises:
        PlayError: the file cannot be loaded, the conversation does not fit, or the host died; the session is unchanged.
    """
    turn = _Turn(session, player_text, host, vocabulary, fresh, should_stop)
    try:
        yield from turn.run()
    except GeneratorExit:
        if not turn.finished:  # a reader may also close the iterator after its last event
            turn.finish("cancelled")
        raise


class _Turn:
    """One turn in the making, on a copy of the session."""

    def __init__(
        self,
        session: ChatSession,
        player_text: str,
        host: ModelHost,
        vocabulary: Vocabulary,
        fresh: bool,
        should_stop: Callable[[], bool],
    ) -> None:
        self._session = session
        self._draft = session.model_copy(deep=True)
        self._player_text = player_text
        self._host = host
        self._vocabulary = vocabulary
        self._fresh = fresh
        self._should_stop = should_stop
        self._reply = ""
        self._stopped = False
        self.finished = False
        self._requests_left = session.settings.rolls_per_turn
        self._statistics = TurnStatistics()
        self._reason: StopReason = "end_of_turn"
        self._record = TurnRecord(first_message=len(session.messages))

    def run(self) -> Iterator[PlayEvent]:
        """The whole turn."""
        info = self._host.info()
        renderer = PromptRenderer.for_file(info)
        self._draft.model = ModelStamp.of(info)
        self._draft.messages.append(ChatMessage(role="user", content=self._player_text.strip()))
        goes_on = True
        while goes_on:
            yield from self._noted(self._generate(renderer, info))
            goes_on = yield from self._noted(self._after_reply())
        yield self.finish("cancelled" if self._stopped else self._reason)

    def finish(self, reason: StopReason) -> TurnEndEvent:
        """Make the turn part of the session; once."""
        self.finished = True
        self._add_reply()
        event = TurnEndEvent(reason=reason, statistics=self._statistics)
        self._record.events.append(event)
        self._draft.turns.append(self._record)
        for name in type(self._draft).model_fields:
            setattr(self._session, name, getattr(self._draft, name))
        return event

    def _noted(self, events: Generator[PlayEvent, None, _Result]) -> Generator[PlayEvent, None, _Result]:
        """Pass events on and keep all but the tokens, which are in the messages."""
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                return cast("_Result", stop.value)
            if not isinstance(event, TokenEvent):
                self._record.events.append(event)
            yield event

    def _generate(self, renderer: PromptRenderer, info: HostInfo) -> Generator[PlayEvent, None, None]:
        """One reply of the model, up to where it asks for dice."""
        prompt = yield from self._prompt(renderer, info)
        seed = self._draft.generation_seed(self._draft.generations)
        self._draft.generations += 1
        generation = self._host.generate(
            prompt,
            self._draft.settings.sampling.model_copy(update={"seed": seed}),
            stop=renderer.stop_strings,
            grammar=self._draft.settings.grammar or self._request_grammar,
            grammar_from="" if self._draft.settings.grammar else OPENS,
            fresh=self._fresh and not self._statistics.generations,
        )
        received, complete = "", False
        for message in generation:
            if isinstance(message, Prefilled):
                yield PrefillEvent(n_prompt=message.n_prompt, n_reused=message.n_reused, seconds=message.seconds)
            elif isinstance(message, Token):
                if not (complete or self._stopped):
                    received += message.text
                    state = read_reply(received, self._vocabulary)
                    complete = state.complete
                    yield from self._show(received[: state.shown])
                    self._stopped = self._should_stop()
                    if complete or self._stopped:
                        generation.cancel()
            else:
                self._statistics.add(message)
                self._reason = "end_of_turn" if complete else message.reason
        yield from self._show(received[: read_reply(received, self._vocabulary, final=True).shown])

    @cached_property
    def _request_grammar(self) -> str:
        """What a request may be, if requests shall be valid."""
        names = [one.name for one in self._draft.system.party]
        return directive_grammar(self._vocabulary, names) if self._draft.settings.valid_requests else ""

    def _prompt(self, renderer: PromptRenderer, info: HostInfo) -> Generator[PlayEvent, None, str]:
        """The text to continue; says what had to be hidden to make it fit."""
        reserve = min(self._draft.settings.window_reserve, info.context_tokens // 4)

        def count(messages: list[ChatMessage]) -> int:
            return len(self._host.tokenize(renderer.prompt(as_messages(messages))))

        before = max(self._draft.first_visible, self._draft.system_messages)
        window = fit_window(self._draft.messages, before, info.context_tokens - reserve, count)
        self._draft.first_visible = window.first_visible
        if window.first_visible > before:
            yield WindowEvent(
                hidden=window.first_visible - self._draft.system_messages,
                newly_hidden=window.first_visible - before,
                prompt_tokens=window.prompt_tokens,
                context_tokens=info.context_tokens,
            )
        return renderer.prompt(as_messages(window.messages))

    def _show(self, text: str) -> Iterator[TokenEvent]:
        """What is new in the reply, which now reads `text`."""
        new = text[len(self._reply) :]
        self._reply = text if len(text) > len(self._reply) else self._reply
        if new:
            yield TokenEvent(text=new)

    def _after_reply(self) -> Generator[PlayEvent, None, bool]:
        """Take the reply into the conversation and answer what it asks for; True when the model shall go on."""
        text = self._add_reply()
        if not text and not self._stopped:
            yield NoteEvent(code="empty_reply", text="The model said nothing.")
        directives = find_directives(text, self._vocabulary)
        changes = any(one.tool is not None and not one.tool.rolls for one in directives)
        game = self._game_before(text) if changes else Game()
        for directive in directives:
            yield from self._report(directive, game)
        lines: list[str] = []
        for directive in (one for one in directives if one.asks_for_dice):
            lines.extend((yield from self._roll(directive)))
        if lines:
            self._draft.messages.append(ChatMessage(role="tool", content="\n".join(lines)))
        elif self._reason in ("length", "context_full"):
            yield NoteEvent(code="cut_short", text="The reply was cut: it reached the longest length allowed.")
        return bool(lines)

    def _add_reply(self) -> str:
        text, self._reply = self._reply.strip(), ""
        if text:
            self._draft.messages.append(ChatMessage(role="assistant", content=text))
        return text

    def _game_before(self, reply: str) -> Game:
        """The party as it was when the model began to speak."""
        messages = self._draft.messages[:-1] if reply else self._draft.messages
        speaking_as = self._draft.settings.speaking_as
        return game_after(self._draft.system, messages, self._vocabulary, speaking_as=speaking_as)

    def _report(self, directive: Directive, game: Game) -> Iterator[PlayEvent]:
        self._statistics.requests += 1
        problems = [f"{one.problem.value}: {one.subject}".rstrip(": ") for one in directive.problems]
        yield DirectiveEvent(
            written=directive.written,
            tool_name=directive.tool_name or "",
            arguments=directive.arguments,
            valid=directive.valid,
            problems=problems,
        )
        if not directive.valid:
            self._statistics.malformed += 1
            yield NoteEvent(
                code="ignored_directive", text=f"{directive.written} was left as plain text ({'; '.join(problems)})."
            )
        elif directive.tool is not None and not directive.tool.rolls:
            yield from self._change(directive, directive.tool.name, game)

    def _change(self, directive: Directive, tool_name: str, game: Game) -> Iterator[PlayEvent]:
        settings = self._draft.settings
        actor, _ = acting_character(self._draft.system, speaking_as=settings.speaking_as, player_text=self._player_text)
        done = game.apply(directive, actor.name if actor else "")
        yield StateEvent(
            written=directive.written, tool_name=tool_name, arguments=directive.arguments, lines=done.lines
        )
        for note in done.notes:
            yield NoteEvent(code="state", text=note)

    def _roll(self, directive: Directive) -> Generator[PlayEvent, None, list[str]]:
        """Answer one roll directive; no lines when it is not answered, and a note says why."""
        if self._stopped:
            return []
        if self._requests_left <= 0:
            limit = self._draft.settings.rolls_per_turn
            yield NoteEvent(code="roll_limit", text=f"{directive.written} was not rolled: {limit} a turn are allowed.")
            return []
        self._requests_left -= 1
        box = DiceBox(self._draft.dice_generator(self._draft.rolls))
        self._draft.rolls += 1
        try:
            found = answer(
                directive,
                self._draft.system,
                box,
                speaking_as=self._draft.settings.speaking_as,
                player_text=self._player_text,
            )
        except DiceError as error:
            yield NoteEvent(code="roll", text=f"{directive.written} was not rolled. {error}")
            return []
        self._statistics.rolls += len(found.rolls)
        yield RollEvent(directive=directive.written, text=found.text, rolls=found.rolls)
        for note in found.notes:
            yield NoteEvent(code="roll", text=note)
        return [found.text]
