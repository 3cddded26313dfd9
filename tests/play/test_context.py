"""A full window with the real model: what is hidden, what the model is told instead, and that no number gets lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from studio.bases import BaseModel, ConversationRenderer
from studio.dataset import cut_conversation
from studio.play import (
    ChatMessage,
    ChatSession,
    HostOptions,
    ModelHost,
    NoteEvent,
    PlayEvent,
    PlaySettings,
    PrefillEvent,
    PromptRenderer,
    RecapEvent,
    RecapProgressEvent,
    TurnEndEvent,
    WindowEvent,
    load_session,
    new_session,
    play_turn,
    save_session,
)
from studio.play.context.context_window import ContextWindow
from studio.play.context.model_view import current_recap, first_seen, seen_messages
from studio.play.sessions.store import session_path
from studio.scenarios import MarkdownParser, Vocabulary, to_messages
from studio.scenarios.recap import TITLE, SceneRecap
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

BRAWL = PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md"
WINDOW = 768
"""Small, so that a few turns fill it."""
HISTORY = [
    ("user", "Sarah: I creep along the wall and listen at the cellar door, my dagger drawn and my breath held."),
    ("assistant", "Something bites. [hit points: -8, who=Sarah] [condition: poisoned, who=Sarah]"),
    ("user", "Sarah: I step back and drink from my flask while Thorin bars the door with the old oak table."),
    ("assistant", "It holds. [hit points: -5, who=Thorin] [begin combat] [roll: initiative]"),
    ("tool", "initiative: 14 + 3(dex) = *17*\ninitiative (Chris): 9 + 2(dex) = *11*"),
    ("assistant", "The goblins come through the window. Sarah is first to act. What do you do?"),
]


@pytest.fixture(scope="module")
def small_host(smollm2: BaseModel) -> Iterator[ModelHost]:
    with ModelHost(smollm2.directory / "base.gguf", HostOptions(threads=1, context_tokens=WINDOW)) as host:
        yield host


@pytest.fixture
def full_table(make_session: Callable[..., ChatSession]) -> Callable[..., ChatSession]:
    """A session whose next line no longer fits the small window."""

    def make(when_full: str, **settings: object) -> ChatSession:
        session = make_session(max_tokens=8, when_full=when_full, context_tokens=WINDOW, **settings)
        for role, content in HISTORY:
            session.messages.append(ChatMessage.model_validate({"role": role, "content": content}))
        for number in range(5):
            said = f"Sarah: I throw stone number {number} and hide again behind the barrels by the stairs, as before."
            session.messages.append(ChatMessage(role="user", content=said))
            session.messages.append(ChatMessage(role="assistant", content=f"It clatters. Goblin {number} looks up."))
        return session

    return make


LINE = "Sarah: I look for another way out of this cellar, behind the shelves and below the floor. " * 2


def play(session: ChatSession, host: ModelHost, vocabulary: Vocabulary, **how: object) -> list[PlayEvent]:
    return list(play_turn(session, LINE, host, vocabulary, **how))  # type: ignore[arg-type]


def recap_of(events: list[PlayEvent]) -> RecapEvent:
    return next(one for one in events if isinstance(one, RecapEvent))


def test_the_recap_of_play_has_the_token_ids_of_the_recap_in_training(
    host: ModelHost, vocabulary: Vocabulary, smollm2: BaseModel
) -> None:
    scenario = MarkdownParser(vocabulary).parse_scenario(BRAWL)
    messages = to_messages(scenario)
    renderer = ConversationRenderer(smollm2.tokenizer(), smollm2.template())
    cut = cut_conversation(messages, renderer, 1100, recap=SceneRecap(messages, vocabulary))
    window = next(one for one in cut.windows if TITLE in one.rendered.text)
    trained = next(one for one in window.rendered.spans if one.trained and one.role == "assistant").trained.start
    answered = next(n for n in window.turns if messages[1 + n].role == "assistant")
    session = new_session(scenario, session_id="x", created=datetime.now(UTC), turns=answered)
    session.settings, session.first_visible = PlaySettings(when_full="studio"), 1 + window.turns.start
    prompt = ContextWindow(session, host, PromptRenderer.for_file(host.info()), vocabulary).prompt()
    with pytest.raises(StopIteration) as end:
        next(prompt)
    assert host.tokenize(end.value.value) == window.rendered.ids[:trained]
    assert current_recap(session) is not None


@pytest.mark.parametrize("when_full", ["studio", "summarise"])
def test_no_number_and_no_name_is_lost_when_turns_leave_the_window(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession], when_full: str
) -> None:
    session = full_table(when_full)
    events = play(session, small_host, vocabulary)
    hidden = session.messages[1 : first_seen(session)]
    assert any("[hit points: -5, who=Thorin]" in one.content for one in hidden)
    told = seen_messages(session)[0].content
    assert told.startswith(session.messages[0].content)  # the system block stays, word for word
    for fact in ("Sarah: 14/22 hit points, poisoned.", "Thorin: 23/28 hit points.", "Initiative: Sarah 17, Chris 11."):
        assert fact in told
    assert all(name in told.partition(TITLE)[2] for name in ("Chris", "Sarah", "Thorin"))
    assert recap_of(events).text in told
    assert events[-1].kind == "turn_end"


def test_a_summary_reads_little_more_than_its_request_because_the_turns_are_in_the_cache(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession]
) -> None:
    session = full_table("summarise")
    session.messages = session.messages[:-2]
    list(play_turn(session, "Sarah: I wait.", small_host, vocabulary))  # fits, and is in the cache now
    before = next(one for one in session.turns[-1].events if isinstance(one, PrefillEvent)).n_prompt
    events = list(play_turn(session, LINE * 2, small_host, vocabulary))
    recap = recap_of(events)
    assert 0 < recap.n_evaluated < before / 3
    assert recap.n_generated > 0
    prefill = next(one for one in events if isinstance(one, PrefillEvent))
    assert prefill.n_prompt <= WINDOW * 0.75  # a quarter is free, so the next summary is far off
    assert not any(isinstance(one, WindowEvent) for one in play_turn(session, "I wait.", small_host, vocabulary))


def test_a_host_that_dies_while_it_summarises_costs_the_summary_and_not_the_turn(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession]
) -> None:
    session, killed, events = full_table("summarise"), False, list[PlayEvent]()
    for event in play_turn(session, LINE, small_host, vocabulary):
        events.append(event)
        if isinstance(event, RecapProgressEvent) and not killed:
            os.kill(small_host.info().process_id, signal.SIGKILL)
            killed = True
    assert killed
    assert recap_of(events).made_by == "studio"
    assert any(isinstance(one, NoteEvent) and one.code == "window" for one in events)
    assert session.messages[-1].role == "assistant"


def test_a_player_who_stops_during_the_summary_keeps_the_session_whole(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession]
) -> None:
    session = full_table("summarise")
    events = play(session, small_host, vocabulary, should_stop=lambda: True)
    assert sum(isinstance(one, RecapProgressEvent) for one in events) < 64
    assert recap_of(events).made_by == "studio"
    assert isinstance(events[-1], TurnEndEvent)
    assert events[-1].reason == "cancelled"
    closed = full_table("summarise")
    turn = play_turn(closed, LINE, small_host, vocabulary)
    next(one for one in turn if isinstance(one, RecapProgressEvent))
    turn.close()
    assert closed.messages[-1].content == LINE.strip()
    assert first_seen(closed) == 1


def test_hiding_says_so_and_tells_the_model_nothing(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession]
) -> None:
    session = full_table("hide")
    events = play(session, small_host, vocabulary)
    assert next(one for one in events if isinstance(one, WindowEvent)).hidden == first_seen(session) - 1 > 0
    assert seen_messages(session)[0].content == session.messages[0].content
    assert session.recaps == []


def test_a_roll_that_nobody_answered_stays_in_the_window(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession]
) -> None:
    session = full_table("studio")
    session.messages[-1].content = "Try it. [roll: stealth]" + " The goblins wait and sniff at the air." * 6
    play(session, small_host, vocabulary)
    assert any("[roll: stealth]" in one.content for one in seen_messages(session))


def test_an_edit_among_the_hidden_turns_makes_the_recap_anew(
    small_host: ModelHost, vocabulary: Vocabulary, full_table: Callable[..., ChatSession]
) -> None:
    session = full_table("studio")
    play(session, small_host, vocabulary)
    session.messages[2].content = "Nothing bites."
    assert current_recap(session) is None
    list(play_turn(session, "I wait.", small_host, vocabulary))
    recap = current_recap(session)
    assert recap is not None
    assert "14/22" not in recap.text


def test_a_session_of_an_earlier_studio_still_opens(empty_workspace: Workspace) -> None:
    old = '{"id": "old", "created": "2026-01-01T00:00:00Z", "messages": [{"role": "user", "content": "Hello."}]}'
    atomic_write(session_path(empty_workspace, "old"), old)
    session = load_session(empty_workspace, "old")
    assert (session.settings.when_full, session.recaps, session.group) == ("hide", [], "")
    save_session(empty_workspace, session)
    assert load_session(empty_workspace, "old") == session
