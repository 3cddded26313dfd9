"""`play_turn`: the player speaks, the model replies, the studio rolls what the model asks for, the model goes on.

Nothing in a reply makes it raise: a request that cannot be understood stays plain text and is reported. The session
changes only when the turn ends or the player stops it; when the model host dies it stays as it was before the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property
from typing import TypeVar, cast

from studio.play.context.context_window import ContextWindow
from studio.play.hosts.client import Generation, ModelHost
from studio.play.hosts.protocol import Prefilled, PrefillProgress, Token
from studio.play.sessions.session import ChatMessage, ChatSession, ModelStamp, TurnRecord
from studio.play.turns.dice import DiceError
from studio.play.turns.directive_grammar import OPENS, directive_grammar
from studio.play.turns.events import (
    DiceAskedEvent,
    DirectiveEvent,
    EndReason,
    NoteEvent,
    PlayEvent,
    PrefillEvent,
    ReadingEvent,
    RecapProgressEvent,
    RollEvent,
    StateEvent,
    TokenEvent,
    TurnEndEvent,
    TurnStatistics,
)
from studio.play.turns.history import begin_another_telling, begin_going_on, begin_rolls, begin_turn
from studio.play.turns.prompt import PromptRenderer
from studio.play.turns.replies import read_reply, requested_rolls
from studio.play.turns.rolls import RollRequest, plan
from studio.play.turns.throws import throw_all
from studio.scenarios import Directive, Vocabulary, acting_character, find_directives
from studio.scenarios.game import Game, game_after

_Result = TypeVar("_Result")
PATIENCE_SECONDS = 0.3
"""After so long without a word from the host the caller hears so, and may stop the turn."""


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
    first generation evaluate the whole prompt, which puts it there. With dice of the player's own (`settings.dice`) a
    turn ends with the reason "waiting_for_dice" where a roll is asked for, and `enter_rolls` goes on with it.

    Raises:
        PlayError: the file cannot be loaded, the conversation does not fit, dice are still to be thrown, or the host
            died; the session is unchanged.
    """
    turn = _Turn(session, host, vocabulary, should_stop, fresh=fresh)
    begin_turn(turn.draft, player_text)
    yield from turn.events()


def go_on(
    session: ChatSession, host: ModelHost, vocabulary: Vocabulary, *, should_stop: Callable[[], bool] = lambda: False
) -> Generator[PlayEvent, None, None]:
    """The DM goes on without a new line of the player: from its own last words where they were cut off, else anew.

    Raises:
        PlayError: as `play_turn`; or the DM's last words came with the scenario, so that it is the player's turn.
    """
    turn = _Turn(session, host, vocabulary, should_stop)
    turn.reply, turn.statistics = begin_going_on(turn.draft)
    yield from turn.events(turn.after_reply() if requested_rolls(turn.reply, vocabulary) else None)


def tell_again(
    session: ChatSession, host: ModelHost, vocabulary: Vocabulary, *, should_stop: Callable[[], bool] = lambda: False
) -> Generator[PlayEvent, None, None]:
    """The last turn once more with another seed and the same dice; the former telling stays (`turn_history.leaf`).

    Stopped before a word was said, the session is unchanged.

    Raises:
        PlayError: as `play_turn`; or there is no reply yet.
    """
    turn = _Turn(session, host, vocabulary, should_stop, keeps_silence=False)
    begin_another_telling(turn.draft)
    yield from turn.events()


def enter_rolls(
    session: ChatSession,
    faces: Sequence[Sequence[int] | None],
    host: ModelHost,
    vocabulary: Vocabulary,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[PlayEvent, None, None]:
    """Go on with a turn that waits for the player's dice (`session.pending`).

    Args:
        faces: for each roll that is asked for, in order, what its dice show; None lets the studio throw them.

    Raises:
        DiceError: a die is missing or too many, or shows what it has no face for; the session is unchanged.
        PlayError: as `play_turn`; or no dice are asked for.
    """
    turn = _Turn(session, host, vocabulary, should_stop)
    turn.statistics = begin_rolls(turn.draft)
    requests = turn.draft.pending
    turn.draft.turns[-1].pending = []
    yield from turn.events(turn.tell_rolls(requests, throw_all(turn.draft, requests, faces)))


class _Turn:
    """One turn in the making, on a copy of the session; its record is the copy's last one."""

    def __init__(
        self,
        session: ChatSession,
        host: ModelHost,
        vocabulary: Vocabulary,
        should_stop: Callable[[], bool],
        *,
        fresh: bool = False,
        keeps_silence: bool = True,
    ) -> None:
        self._session = session
        self.draft = session.model_copy(deep=True)
        self._host = host
        self._vocabulary = vocabulary
        self._fresh = fresh
        self._keeps_silence = keeps_silence
        self._should_stop = should_stop
        self.reply = ""
        self._stopped = False
        self._finished = False
        self._begins = 0
        self.statistics = TurnStatistics()
        self._reason: EndReason = "end_of_turn"

    def events(self, first: Generator[PlayEvent, None, bool] | None = None) -> Generator[PlayEvent, None, None]:
        """What happens until the turn ends. `first` is done before the model speaks and says whether it shall."""
        self._begins = len(self.draft.messages)
        try:
            yield from self._run(first)
        except GeneratorExit:
            if not self._finished:  # a reader may also close the iterator after its last event
                self._finish("cancelled")
            raise

    def _run(self, first: Generator[PlayEvent, None, bool] | None) -> Iterator[PlayEvent]:
        info = self._host.info()
        renderer = PromptRenderer.for_file(info)
        self.draft.model = ModelStamp.of(info)
        goes_on = (yield from self._noted(first)) if first else True
        while goes_on:
            yield from self._noted(self._generate(renderer))
            goes_on = yield from self._noted(self.after_reply())
        yield self._finish("cancelled" if self._stopped else self._reason)

    def _finish(self, reason: EndReason) -> TurnEndEvent:
        """Make the turn part of the session; once."""
        self._finished = True
        self._add_reply()
        event = TurnEndEvent(reason=reason, statistics=self.statistics)
        self._record.events.append(event)
        self.draft.taken_back = []
        if self._keeps_silence or reason != "cancelled" or len(self.draft.messages) > self._begins:
            for name in type(self.draft).model_fields:
                setattr(self._session, name, getattr(self.draft, name))
        return event

    @property
    def _record(self) -> TurnRecord:
        return self.draft.turns[-1]

    @property
    def _player_text(self) -> str:
        """The player's last line: who acts may follow from it."""
        return next((one.content for one in reversed(self.draft.messages) if one.role == "user"), "")

    def _noted(self, events: Generator[PlayEvent, None, _Result]) -> Generator[PlayEvent, None, _Result]:
        """Pass events on and keep all but the passing ones; tokens are in the messages."""
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                return cast("_Result", stop.value)
            if not isinstance(event, TokenEvent | RecapProgressEvent | ReadingEvent):
                self._record.events.append(event)
            yield event

    def _generate(self, renderer: PromptRenderer) -> Generator[PlayEvent, None, None]:
        """One reply of the model, up to where it asks for dice."""
        prompt = yield from self._prompt(renderer)
        seed = self.draft.generation_seed(self.draft.generations)
        self.draft.generations += 1
        generation = self._host.generate(
            prompt,
            self.draft.settings.sampling.model_copy(update={"seed": seed}),
            stop=renderer.stop_strings,
            grammar=self.draft.settings.grammar or self._request_grammar,
            grammar_from="" if self.draft.settings.grammar else OPENS,
            fresh=self._fresh and not self.statistics.generations,
        )
        received, complete = self.reply, False
        for message in generation.heard(PATIENCE_SECONDS):
            if message is None or isinstance(message, PrefillProgress):
                yield ReadingEvent(done=message.done, total=message.total) if message else ReadingEvent()
                self._listen(generation)
            elif isinstance(message, Prefilled):
                yield PrefillEvent(n_prompt=message.n_prompt, n_reused=message.n_reused, seconds=message.seconds)
            elif isinstance(message, Token):
                if not (complete or self._stopped):
                    received += message.text
                    state = read_reply(received, self._vocabulary)
                    complete = state.complete
                    yield from self._show(received[: state.shown])
                    self._listen(generation)
                    if complete:
                        generation.cancel()
            else:
                self.statistics.add(message)
                self._reason = "end_of_turn" if complete else message.reason
        yield from self._show(received[: read_reply(received, self._vocabulary, final=True).shown])

    def _listen(self, generation: Generation) -> None:
        """End the reply if the player wants so."""
        if not self._stopped and self._should_stop():
            self._stopped = True
            generation.cancel()

    @cached_property
    def _request_grammar(self) -> str:
        """What a request may be, if requests shall be valid."""
        names = [one.name for one in self.draft.system.party]
        return directive_grammar(self._vocabulary, names) if self.draft.settings.valid_requests else ""

    def _prompt(self, renderer: PromptRenderer) -> Generator[PlayEvent, None, str]:
        """The text to continue; says what had to be hidden to make it fit, and what the model is told instead."""
        window = ContextWindow(self.draft, self._host, renderer, self._vocabulary, self._should_stop, self.reply)
        return (yield from window.prompt())

    def _show(self, text: str) -> Iterator[TokenEvent]:
        """What is new in the reply, which now reads `text`."""
        new = text[len(self.reply) :]
        self.reply = text if len(text) > len(self.reply) else self.reply
        if new:
            yield TokenEvent(text=new)

    def after_reply(self) -> Generator[PlayEvent, None, bool]:
        """Take the reply into the conversation and answer what it asks for; True when the model shall go on."""
        text = self._add_reply()
        if not text and not self._stopped:
            yield NoteEvent(code="empty_reply", text="The model said nothing.")
        directives = find_directives(text, self._vocabulary)
        changes = any(one.tool is not None and not one.tool.rolls for one in directives)
        game = self._game_before(text) if changes else Game()
        for directive in directives:
            yield from self._report(directive, game)
        requests = yield from self._requests([one for one in directives if one.asks_for_dice])
        if self.draft.settings.dice == "own" and any(one.has_dice for one in requests):
            self._record.pending, self._reason = requests, "waiting_for_dice"
            yield from (DiceAskedEvent(request=one) for one in requests)
            return False
        if requests:
            return (yield from self.tell_rolls(requests, throw_all(self.draft, requests)))
        if self._reason in ("length", "context_full"):
            yield NoteEvent(code="cut_short", text="The reply was cut: it reached the longest length allowed.")
        return False

    def tell_rolls(self, requests: list[RollRequest], thrown: list[RollEvent]) -> Generator[PlayEvent, None, bool]:
        """The results become part of the conversation, and the model shall go on from them."""
        self.draft.messages.append(ChatMessage(role="tool", content="\n".join(one.text for one in thrown)))
        self.statistics.rolls += sum(len(one.rolls) for one in thrown)
        for request, event in zip(requests, thrown, strict=True):
            yield event
            for note in request.notes:
                yield NoteEvent(code="roll", text=note)
        return True

    def _add_reply(self) -> str:
        text, self.reply = self.reply.strip(), ""
        if text:
            self.draft.messages.append(ChatMessage(role="assistant", content=text))
        return text

    def _game_before(self, reply: str) -> Game:
        """The party as it was when the model began to speak."""
        messages = self.draft.messages[:-1] if reply else self.draft.messages
        speaking_as = self.draft.settings.speaking_as
        return game_after(self.draft.system, messages, self._vocabulary, speaking_as=speaking_as)

    def _report(self, directive: Directive, game: Game) -> Iterator[PlayEvent]:
        self.statistics.requests += 1
        problems = [f"{one.problem.value}: {one.subject}".rstrip(": ") for one in directive.problems]
        yield DirectiveEvent(
            written=directive.written,
            tool_name=directive.tool_name or "",
            arguments=directive.arguments,
            valid=directive.valid,
            problems=problems,
        )
        if not directive.valid:
            self.statistics.malformed += 1
            yield NoteEvent(
                code="ignored_directive", text=f"{directive.written} was left as plain text ({'; '.join(problems)})."
            )
        elif directive.tool is not None and not directive.tool.rolls:
            yield from self._change(directive, directive.tool.name, game)

    def _change(self, directive: Directive, tool_name: str, game: Game) -> Iterator[PlayEvent]:
        settings = self.draft.settings
        actor, _ = acting_character(self.draft.system, speaking_as=settings.speaking_as, player_text=self._player_text)
        done = game.apply(directive, actor.name if actor else "")
        yield StateEvent(
            written=directive.written, tool_name=tool_name, arguments=directive.arguments, lines=done.lines
        )
        for note in done.notes:
            yield NoteEvent(code="state", text=note)

    def _requests(self, directives: list[Directive]) -> Generator[PlayEvent, None, list[RollRequest]]:
        """Who rolls what, for the requests that are answered; a note says why one is not."""
        limit = self.draft.settings.rolls_per_turn
        answered = sum(isinstance(one, RollEvent) for one in self._record.events)
        requests: list[RollRequest] = []
        for directive in directives if not self._stopped else []:
            if answered + len(requests) >= limit:
                yield NoteEvent(
                    code="roll_limit", text=f"{directive.written} was not rolled: {limit} a turn are allowed."
                )
                continue
            try:
                requests.append(self._planned(directive))
            except DiceError as error:
                yield NoteEvent(code="roll", text=f"{directive.written} was not rolled. {error}")
        return requests

    def _planned(self, directive: Directive) -> RollRequest:
        return plan(
            directive,
            self.draft.system,
            speaking_as=self.draft.settings.speaking_as,
            player_text=self._player_text,
        )
