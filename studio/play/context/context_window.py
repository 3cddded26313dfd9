"""The prompt of the next reply: which turns still fit, and what the model is told of those that leave its window.

Hiding is rare, since it frees a quarter of the window at once; so are recaps, which change the prompt near its
beginning and make the model read the rest again. Whatever goes wrong with a recap costs the recap, never the turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property

from studio.errors import PlayError, StudioError
from studio.play.context.model_view import as_seen, current_recap, first_seen
from studio.play.context.recap import Recap, RecapMaker, hash_of
from studio.play.context.summary import Summary, summarise
from studio.play.context.summary_check import Checked, check_summary, unnamed
from studio.play.context.window import Window, fit_window, open_request
from studio.play.hosts.client import ModelHost
from studio.play.sessions.session import ChatMessage, ChatSession, as_messages
from studio.play.turns.events import NoteEvent, PlayEvent, RecapEvent, WindowEvent
from studio.play.turns.prompt import PromptRenderer
from studio.scenarios import Vocabulary
from studio.scenarios.game import game_after
from studio.scenarios.recap import SceneRecap, recap_text

_NOTHING_KEPT = "Nothing of the model's summary could be kept, so the studio told the hidden turns."
RECAP_TOKENS = 320
"""Room that is kept for a recap when turns are hidden; a sixth of the window where that is less."""


@dataclass
class ContextWindow:
    """The window of one session on its way to the next reply."""

    session: ChatSession
    host: ModelHost
    renderer: PromptRenderer
    vocabulary: Vocabulary
    should_stop: Callable[[], bool] = lambda: False
    begun: str = ""
    """What the DM's turn has begun with, for it to go on from there."""

    def prompt(self) -> Generator[PlayEvent, None, str]:
        """The text to continue; says what had to be hidden to make it fit, and what the model is told instead.

        Raises:
            PlayError: the system text and the newest turn alone do not fit.
        """
        first, recap = first_seen(self.session), self._recap_of_hidden()
        if self._tokens(first, recap) > self._budget:
            window = self._smaller()
            if window.first_visible > first:
                yield self._window_event(window, first)
            recap = yield from self._told_instead(first, window.first_visible, recap)
            self.session.first_visible = window.first_visible
        if recap and recap not in self.session.recaps:
            self.session.recaps = [*self.session.recaps, recap]
        return self._text(first_seen(self.session), recap)

    @cached_property
    def _budget(self) -> int:
        """Tokens that a prompt may have."""
        size = self.host.info().context_tokens
        return size - min(self.session.settings.window_reserve, size // 4)

    def _recap_of_hidden(self) -> Recap | None:
        """The recap of what is hidden already; where it is stale or was never made, the studio makes one."""
        first = first_seen(self.session)
        if self.session.settings.when_full == "hide" or first <= self.session.system_messages:
            return None
        return current_recap(self.session) or self._kept(first, "studio", self._scene(first - self._head))

    def _smaller(self) -> Window:
        """Fewer turns, with room for a recap if one is wanted and it can be."""
        messages, first = self.session.messages, first_seen(self.session)
        room = 0 if self.session.settings.when_full == "hide" else min(RECAP_TOKENS, self._budget // 6)
        stays = open_request(messages, self.vocabulary)

        def count(some: list[ChatMessage]) -> int:
            return len(self.host.tokenize(self.renderer.open_reply(as_messages(some), self.begun)))

        try:
            return fit_window(messages, first, self._budget - room, count, keep_from=stays)
        except PlayError:
            return fit_window(messages, first, self._budget, count, keep_from=stays)

    def _window_event(self, window: Window, before: int) -> WindowEvent:
        return WindowEvent(
            hidden=window.first_visible - self._head,
            newly_hidden=window.first_visible - before,
            prompt_tokens=window.prompt_tokens,
            context_tokens=self.host.info().context_tokens,
        )

    def _told_instead(self, before: int, first: int, recap: Recap | None) -> Generator[PlayEvent, None, Recap | None]:
        """The recap of the messages before `first`, the best that fits; None for none."""
        if self.session.settings.when_full == "hide" or first <= self._head:
            return None
        began, summary = time.monotonic(), Summary("")
        if self.session.settings.when_full == "summarise" and first > before:
            summary = yield from self._asked(before, first, recap)
        for made in self._recaps(first, summary.text):
            if self._tokens(first, made) <= self._budget:
                if summary.text and made.made_by == "studio":
                    yield NoteEvent(code="window", text=_NOTHING_KEPT)
                yield RecapEvent(
                    text=made.text,
                    made_by=made.made_by,
                    corrections=made.corrections,
                    seconds=time.monotonic() - began,
                    n_evaluated=summary.n_evaluated,
                    n_generated=summary.n_generated,
                )
                return made
        yield NoteEvent(
            code="window", text="There is no room for a recap, so the model is told nothing of the hidden turns."
        )
        return None

    def _asked(self, before: int, first: int, recap: Recap | None) -> Generator[PlayEvent, None, Summary]:
        """What the model writes of the turns that go, which follow the recap of those that went before."""
        shown = as_seen(self.session, before, recap.text if recap else "")
        going = shown[: len(shown) - (len(self.session.messages) - first)]
        try:
            summary = yield from summarise(going, self.host, self.renderer, self.should_stop)
        except StudioError as error:
            yield NoteEvent(code="window", text=f"The model could not summarise ({error.what}) The studio did instead.")
            return Summary("")
        if not summary.text:
            yield NoteEvent(code="window", text="The model wrote no summary, so the studio told the hidden turns.")
        return summary

    def _recaps(self, first: int, summary: str) -> Iterator[Recap]:
        """Recaps of the messages before `first`, the one that says most first."""
        turns = first - self._head
        facts, checked = self._scene.facts(turns), self._checked(first, summary)
        if checked.text:
            told = [*facts, checked.text, *self._also_there(first, checked.text)]
            text = recap_text([*told, *self._scene.quotes(turns, earlier=False)])
            yield self._kept(first, "model", text, checked.corrections)
        yield self._kept(first, "studio", self._scene(turns), checked.corrections)
        if facts:
            yield self._kept(first, "studio", recap_text(facts))

    def _checked(self, first: int, summary: str) -> Checked:
        session = self.session
        hidden, sheets = session.messages[self._head : first], session.messages[0].content if self._head else ""
        game = game_after(session.system, hidden, self.vocabulary, speaking_as=session.settings.speaking_as)
        return check_summary(summary, game, sheets, hidden)

    def _also_there(self, first: int, text: str) -> list[str]:
        session = self.session
        hidden = session.messages[self._head : first]
        names = unnamed(text, game_after(session.system, [], self.vocabulary), hidden)
        return [f"Also there: {', '.join(names)}."] if names else []

    @cached_property
    def _scene(self) -> SceneRecap:
        messages, speaking_as = as_messages(self.session.messages), self.session.settings.speaking_as
        return SceneRecap(messages, self.vocabulary, speaking_as=speaking_as)

    def _kept(self, first: int, by: RecapMaker, text: str, corrections: list[str] | None = None) -> Recap:
        told = self.session.messages[:first]
        return Recap(text=text, made_by=by, until=first, of=hash_of(told), corrections=corrections or [])

    @property
    def _head(self) -> int:
        return self.session.system_messages

    def _text(self, first: int, recap: Recap | None) -> str:
        seen = as_seen(self.session, first, recap.text if recap else "")
        return self.renderer.open_reply(as_messages(seen), self.begun)

    def _tokens(self, first: int, recap: Recap | None) -> int:
        return len(self.host.tokenize(self._text(first, recap)))
