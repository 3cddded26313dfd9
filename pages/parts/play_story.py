"""What was said, turn by turn, and under each turn what can be done with it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import vocabulary
from pages.parts.play_context import view_line
from pages.parts.play_copy import copy_button
from pages.parts.play_edits import bring_back, edit_line_dialog, edit_reply_dialog, go_back, show_telling, take_back
from pages.parts.play_feedback import reply_feedback
from pages.parts.play_moves import choose
from studio.play import ChatSession, StoryTurn, TurnEndEvent, TurnRecord, story_turns
from studio.ui.live_turn import said_text, session_html, statistics_sentence, turn_notes
from studio.ui.wording import count, plain

SHOWN, MORE = 12, 25
"""Turns that are drawn with their buttons at first, and how many more at a time."""
_EARLIER = "earlier_turns_on_show"
_STYLE = Path(__file__).with_name("play_story.css")


def tell_story(session: ChatSession, until: int, *, playing: bool, answers: bool) -> None:
    """The conversation up to the message `until`.

    Args:
        playing: a reply is being made; the turn under way has no buttons.
        answers: there is a model that could answer.
    """
    st.html(_STYLE)
    turns = [one for one in story_turns(session) if one.start < until]
    if not turns and not playing:
        st.caption("You speak first. Say what you do; the Dungeon Master answers.")
    for turn in _on_show(session, turns):
        last = turn.end == len(session.messages)
        view_line(session, turn.start, turn.end)
        with st.container(key="story_last" if last else f"story_turn_{turn.number}", gap="xsmall"):
            st.html(session_html(session, vocabulary(), turn.start, min(turn.end, until)))
            if not (playing and last):
                _row(session, turn, last=last, answers=answers)
                if turn.record is not None and _spoke(session, turn):
                    reply_feedback(session, turn.record)


def story_end(session: ChatSession, *, answers: bool) -> None:
    """Below the last turn: what there is to know about it, and ways on."""
    events = session.turns[-1].events if session.turns else []
    for note in turn_notes(events):
        st.info(plain(note), icon=":material/info:")
    if session.taken_back:
        st.button(
            "Bring the turn back", key="redo", icon=":material/redo:", on_click=bring_back, args=(session.id,),
            help="It was taken back; as long as nothing new is said, it can return.",
        )  # fmt: skip
    if events and isinstance(events[-1], TurnEndEvent):
        stopped = "Stopped by you · " if events[-1].reason == "cancelled" else ""
        st.caption(stopped + statistics_sentence(events[-1].statistics))
    if answers and not session.pending and _waits_for_the_dm(session):
        st.button(
            "Let the Dungeon Master speak", key="dm_on", icon=":material/play_arrow:", on_click=choose, args=("on",)
        )


def _on_show(session: ChatSession, turns: list[StoryTurn]) -> list[StoryTurn]:
    """The newest turns; earlier ones when they are asked for."""
    shown = SHOWN + int(st.session_state.get(f"{_EARLIER}_{session.id}", 0))
    hidden = len(turns) - shown
    if hidden <= 0:
        return turns
    more = min(MORE, hidden)
    if st.button(f"Show {count(more, 'earlier turn')} (of {hidden:,})", key="earlier", type="tertiary"):
        st.session_state[f"{_EARLIER}_{session.id}"] = shown - SHOWN + more
        st.rerun()
    return turns[hidden:]


def _row(session: ChatSession, turn: StoryTurn, *, last: bool, answers: bool) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key=f"turn_row_{turn.start}", wrap=True
    ):
        said = session.messages[turn.start : turn.end]
        copy_button(said_text(said, session.settings.speaking_as), "Copy this turn", key=f"copy_{turn.start}")
        if said[0].role == "user" and _quiet("edit", f"edit_{turn.start}", "Say something else here, as a branch"):
            edit_line_dialog(session.id, turn.start)
        can_be_reworded = _spoke(session, turn) and not (last and session.pending)
        if can_be_reworded and _quiet("edit_note", f"words_{turn.start}", "Put the reply in your own words"):
            edit_reply_dialog(session.id, turn.start, turn.end)
        if not last:
            st.button(
                "", icon=":material/alt_route:", key=f"branch_{turn.start}", type="tertiary", on_click=go_back,
                args=(session.id, turn.end), help="Go on from here, as a branch; this one is kept",
            )  # fmt: skip
        else:
            _last_row(session, turn, answers=answers)


def _last_row(session: ChatSession, turn: StoryTurn, *, answers: bool) -> None:
    """What only the newest turn can: be told again, go on, be taken back."""
    if answers and len(session.messages) > turn.start + (session.messages[turn.start].role == "user"):
        st.button(
            "Tell it again", key="again", icon=":material/refresh:", type="tertiary", on_click=choose, args=("again",),
            help="Another wording with the same dice; this one is kept, and you can leaf between them.",
        )  # fmt: skip
    if answers and _is_cut(session):
        st.button(
            "Go on", key="more", icon=":material/play_arrow:", type="tertiary", on_click=choose, args=("on",),
            help="The Dungeon Master goes on from its own last words.",
        )  # fmt: skip
    if turn.record is not None:
        _leaves(session.id, session.turns[turn.record])
    if turn.record is not None or session.messages[-1].role == "user":
        st.button(
            "Take back", key="undo", icon=":material/undo:", type="tertiary", on_click=take_back, args=(session.id,),
            help="The whole turn, yours and the Dungeon Master's.",
        )  # fmt: skip


def _leaves(chat_id: str, record: TurnRecord) -> None:
    """Back and forth between the tellings of a turn."""
    total = len(record.alternatives) + 1
    if total == 1:
        return
    st.button(
        "", icon=":material/chevron_left:", key="leaf_back", type="tertiary", disabled=record.chosen == 0,
        on_click=show_telling, args=(chat_id, record.chosen - 1), help="The telling before",
    )  # fmt: skip
    st.caption(f"{record.chosen + 1}/{total}", width="content")
    st.button(
        "", icon=":material/chevron_right:", key="leaf_on", type="tertiary", disabled=record.chosen == total - 1,
        on_click=show_telling, args=(chat_id, record.chosen + 1), help="The next telling",
    )  # fmt: skip


def _quiet(icon: str, key: str, hint: str) -> bool:
    return bool(st.button("", icon=f":material/{icon}:", key=key, type="tertiary", help=hint))


def _spoke(session: ChatSession, turn: StoryTurn) -> bool:
    return any(one.role == "assistant" for one in session.messages[turn.start : turn.end])


def _is_cut(session: ChatSession) -> bool:
    """Whether the last reply broke off."""
    end = session.turns[-1].events[-1] if session.turns and session.turns[-1].events else None
    broke_off = isinstance(end, TurnEndEvent) and end.reason in ("cancelled", "length", "context_full")
    return broke_off and session.messages[-1].role == "assistant"


def _waits_for_the_dm(session: ChatSession) -> bool:
    """Whether the last word is the player's or the dice's."""
    return bool(session.messages) and session.messages[-1].role in ("user", "tool")
