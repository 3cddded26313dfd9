"""The dialogs that put a reply right: what should have been asked, what should not, other words; saved for review."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from pages.parts.layout import library, say, show_error, told, vocabulary, workspace
from pages.parts.play_hosts import host_of
from pages.parts.play_request import request_form
from studio.errors import PlayError, StudioError
from studio.play import ChatMessage, ChatSession, load_session, save_session
from studio.play.sessions.exporting import PlayedScenario, save_played, session_scenario
from studio.play.teaching.corrections import (
    FAILED,
    SUCCESS,
    CorrectionKind,
    Thrown,
    asked,
    corrected_roll,
    correction,
    default_title,
    likely_type,
    rewritten,
    throw,
    words_before,
    words_without_requests,
)
from studio.play.teaching.drafting import draft_reply
from studio.play.teaching.feedback import note_correction, player_line, turn_messages, turn_span
from studio.play.teaching.ratings import FORGOT_A_ROLL, NEEDLESS_ROLL, WRONG_ROLL
from studio.scenarios import SCENARIO_TYPES, Directive, Tool
from studio.scenarios.game import game_after
from studio.ui.feedback import notes_sentence
from studio.ui.playable import find_playable, list_choices, played_with
from studio.ui.story import turn_html
from studio.ui.wording import plain

_ATTEMPT, _TOLD, _DRAFTS = "correction_attempt", "correction_told", "correction_drafts"
"""With session and turn behind them: keys of the session of the browser tab."""
_KEPT_TURNS = 4


@st.dialog("What should it have asked for?", width="large")
def should_roll_dialog(chat_id: str, turn: int) -> None:
    """Words, a request, the studio's dice, and how it went."""
    session = _opened(chat_id, turn)
    words = st.text_area(
        "First the Dungeon Master says",
        words_before(session, turn, vocabulary()),
        key=f"correction_words_{turn}",
        height=100,
    )
    request = request_form(session.system, vocabulary(), f"request_{turn}")
    if request is None:
        return
    thrown, told_words, verdict = _outcome(session, turn, request, words)
    instead = corrected_roll(words, request, thrown, told_words, verdict)
    tag = WRONG_ROLL if any("[roll" in one.content for one in turn_messages(session, turn)) else FORGOT_A_ROLL
    missing = bool(thrown and told_words.strip() and thrown.needs_verdict and not (thrown.verdict or verdict))
    _save(session, turn, instead, "should have rolled", request.tool, [tag], blocked=missing)


@st.dialog("What should it have said instead?", width="large")
def no_roll_dialog(chat_id: str, turn: int) -> None:
    """The reply without its requests."""
    session = _opened(chat_id, turn)
    words = st.text_area(
        "Without asking for dice, the Dungeon Master says", words_without_requests(session, turn, vocabulary()),
        key=f"correction_words_{turn}", height=180,
    )  # fmt: skip
    instead = [ChatMessage(role="assistant", content=words.strip())] if words.strip() else []
    _save(session, turn, instead, "should not have rolled", None, [NEEDLESS_ROLL], blocked=not instead)


@st.dialog("Put it in better words", width="large")
def rewrite_dialog(chat_id: str, turn: int) -> None:
    """The words of the reply, changed by hand; the dice stay."""
    session = _opened(chat_id, turn)
    texts = []
    for number, one in enumerate(turn_messages(session, turn)):
        if one.role == "assistant":
            texts.append(
                st.text_area("The Dungeon Master", one.content, key=f"correction_part_{turn}_{number}", height=150)
            )
        else:
            st.html(f'<div class="story">{turn_html("TOOLCALL", one.content, vocabulary())}</div>')
    _save(session, turn, rewritten(session, turn, texts), "rewritten", None, [])


def keep_session_button(session: ChatSession) -> None:
    """Opens the dialog in which the whole session becomes a scenario."""
    if st.button(
        "Keep as scenario", key="keep_session", icon=":material/library_add:", type="tertiary",
        disabled=not any(one.role == "assistant" for one in session.messages),
        help="Into the library of scenarios, where you review it before anything is learned from it.",
    ):  # fmt: skip
        _keep_session_dialog(session.id)


@st.dialog("Keep the session as a scenario", width="large")
def _keep_session_dialog(chat_id: str) -> None:
    """The whole session into the library, mended where it can be."""
    session = load_session(workspace(), chat_id)
    title = st.text_input("Title", session.title, key="keep_title", max_chars=200)
    kind = st.segmented_control(
        "Kept with", SCENARIO_TYPES, default="mixed", format_func=str.title, key="keep_type", required=True
    )
    made = session_scenario(workspace(), session, vocabulary(), scenario_type=kind or "mixed", title=title)
    _problems(made)
    st.caption("It waits for review: nothing is learned from it until you have looked at it in the editor.")
    if st.button("Keep it", key="keep_now", type="primary", icon=":material/save:"):
        with told():
            name = title.strip() or session.title or session.id
            kept = save_played(library(), kind or "mixed", name, made, must_be_valid=False)
            say(f"Kept as {plain(kept)}. It waits for your review.")
            st.switch_page("pages/scenarios.py", query_params={"file": kept})


def _opened(chat_id: str, turn: int) -> ChatSession:
    """The session as it is now, and the player's line that the reply answers."""
    session = load_session(workspace(), chat_id)
    if line := player_line(session, turn):
        st.html(f'<div class="story">{turn_html("User", line, vocabulary(), name=session.settings.speaking_as)}</div>')
    return session


def _outcome(session: ChatSession, turn: int, request: Directive, words: str) -> tuple[Thrown | None, str, str]:
    """The dice and the story after them; nothing where no dice are asked for."""
    if not request.asks_for_dice:
        return None, "", ""
    counted = f"{_ATTEMPT}_{session.id}_{turn}"
    attempt = int(st.session_state.get(counted, 0))
    thrown = throw(session, turn, request, attempt)
    with st.container(horizontal=True, vertical_alignment="center", key="correction_dice"):
        st.html(f'<div class="story">{turn_html("TOOLCALL", thrown.text, vocabulary())}</div>', width="stretch")
        st.button(
            "Other dice", key="correction_again", icon=":material/casino:", type="tertiary", on_click=_throw_again,
            args=(counted,),
        )  # fmt: skip
    for note in thrown.notes:
        st.caption(plain(note))
    verdict = ""
    if thrown.needs_verdict and not thrown.verdict:
        verdict = st.segmented_control(
            "How did it go?", [SUCCESS, FAILED], default=SUCCESS, format_func=lambda one: one.strip("*").title(),
            key=f"correction_verdict_{turn}", required=True,
            help="The request has no dc, so the dice alone do not say it.",
        ) or ""  # fmt: skip
    return thrown, _story(session, turn, request, words, thrown, thrown.verdict or verdict), verdict


def _throw_again(counted: str) -> None:
    st.session_state[counted] = int(st.session_state.get(counted, 0)) + 1


def _story(session: ChatSession, turn: int, request: Directive, words: str, thrown: Thrown, verdict: str) -> str:
    """What happens then: in her words, or drafted by the model."""
    if st.button("Let the model draft it", key="correction_draft", icon=":material/edit_note:", type="tertiary"):
        start, _ = turn_span(session, turn)
        before = session.messages[: start + bool(player_line(session, turn))]
        said = [*before, asked(words, request), ChatMessage(role="tool", content=thrown.text)]
        with st.spinner("The model is writing"):
            _draft(session, said, verdict, f"{session.id}_{turn}")
    return str(
        st.text_area(
            "What happens then", key=f"{_TOLD}_{session.id}_{turn}", height=130,
            placeholder="Leave it empty to end the scenario with the request.",
        )
    )  # fmt: skip


def _draft(session: ChatSession, said: Sequence[ChatMessage], verdict: str, place: str) -> None:
    attempt = int(st.session_state.get(f"{_DRAFTS}_{place}", 0))
    try:
        files = list_choices(workspace())
        model = find_playable(workspace(), session.playable) if session.playable else played_with(files, session.model)
        if model is None:
            raise PlayError("The model of this session is not here any more.", next_step="Write it yourself.")
        host = host_of(session, model)
        st.session_state[f"{_TOLD}_{place}"] = draft_reply(
            session, said, host, vocabulary(), begins_with=verdict, attempt=attempt
        )
        st.session_state[f"{_DRAFTS}_{place}"] = attempt + 1
    except StudioError as error:
        show_error(error)


def _save(
    session: ChatSession,
    turn: int,
    instead: Sequence[ChatMessage],
    kind: CorrectionKind,
    tool: Tool | None,
    tags: list[str],
    *,
    blocked: bool = False,
) -> None:
    """What it will be called, what is wrong with it, and the button."""
    in_combat = game_after(session.system, session.messages[: turn_span(session, turn)[0]], vocabulary()).in_combat
    with st.expander("Name and earlier turns", key=f"correction_more_{turn}"):
        title = st.text_input(
            "Title", default_title(session, turn, kind), key=f"correction_title_{turn}", max_chars=200
        )
        scenario_type = st.segmented_control(
            "Kept with", SCENARIO_TYPES, default=likely_type(tool, in_combat), format_func=str.title,
            key=f"correction_type_{turn}", required=True,
        )  # fmt: skip
        keep = st.number_input(
            "Turns before it that are kept", 0, max(turn, 0), min(turn, _KEPT_TURNS), key=f"correction_keep_{turn}",
            help="The model learns from every reply in the file, so keep only turns that are right.",
        )  # fmt: skip
    made = correction(
        workspace(), session, turn, instead, vocabulary(), kind=kind, title=title,
        scenario_type=scenario_type or "mixed", keep=int(keep),
    )  # fmt: skip
    _problems(made)
    if st.button(
        "Keep for review", key="correction_save", type="primary", icon=":material/school:",
        disabled=blocked or not made.valid,
    ):  # fmt: skip
        with told():
            kept = save_played(library(), scenario_type or "mixed", title, made)
            note_correction(session, turn, kept, datetime.now(UTC), tags)
            save_session(workspace(), session)
            say(f"Kept as {plain(kept)}. It waits for your review.")
            st.rerun()


def _problems(made: PlayedScenario) -> None:
    """What was taken out, and what a person must put right."""
    if note := notes_sentence(made.notes):
        st.caption(f":material/content_cut: {plain(note)}")
    for one in made.errors[:3]:
        st.warning(plain(f"Line {one.span.line}: {one.message}"), icon=":material/error:")
