"""Under each reply of the Dungeon Master: good or bad, what was the matter, and what it should have done instead."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from pages.parts.layout import told, told_afterwards, workspace
from pages.parts.play_corrections import no_roll_dialog, rewrite_dialog, should_roll_dialog
from studio.play import ChatSession, load_session, save_session
from studio.play.teaching.feedback import rate, rating_of, reply_hash, unrate
from studio.play.teaching.ratings import HINTS, LONGEST_NOTE, Rating
from studio.ui.wording import plain

_TEACH = {
    "Should have asked for a roll": should_roll_dialog,
    "Should not have asked": no_roll_dialog,
    "Put it in better words": rewrite_dialog,
}


def reply_feedback(session: ChatSession, turn: int) -> None:
    """Thumbs, tags once there is a rating, and the ways to put the reply right; saves the session itself.

    Args:
        turn: index into the turns of the session.
    """
    rating = rating_of(session, turn)
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"turn_row_feedback_{turn}", wrap=True
    ):
        _thumbs(session, turn, rating)
        if rating is not None:
            _tags(session.id, turn, rating)
        chosen = st.menu_button(
            "Teach", list(_TEACH), key=f"teach_{turn}", icon=":material/school:", type="tertiary",
            help="Say what the Dungeon Master should have done. It becomes a scenario that waits for your review.",
        )  # fmt: skip
        if rating is not None:
            _said(rating, turn)
    if chosen:
        with told():
            _TEACH[chosen](session.id, turn)


def _thumbs(session: ChatSession, turn: int, rating: Rating | None) -> None:
    key = f"thumbs_{session.id}_{turn}_{reply_hash(session, turn)[:12]}"
    st.session_state[key] = None if rating is None else int(rating.good)
    st.feedback("thumbs", key=key, on_change=_rate, args=(session.id, turn, key))


def _rate(chat_id: str, turn: int, key: str) -> None:
    with told_afterwards():
        session, chosen = load_session(workspace(), chat_id), st.session_state.get(key)
        before = rating_of(session, turn)
        if chosen is None:
            unrate(session, turn)
        else:
            tags, note = (before.tags, before.note) if before else ((), "")
            rate(session, turn, good=bool(chosen), at=datetime.now(UTC), tags=tags, note=note)
        save_session(workspace(), session)


def _tags(chat_id: str, turn: int, rating: Rating) -> None:
    """What was good or bad about it: tags that are offered, others in her own words, and a note."""
    with st.popover("Say why", icon=":material/sell:", type="tertiary", key=f"why_{turn}"):
        offered = [one for one in HINTS if one in rating.tags] + [one for one in HINTS if one not in rating.tags]
        keys = (f"tags_{chat_id}_{turn}", f"own_tags_{chat_id}_{turn}", f"note_{chat_id}_{turn}")
        st.pills(
            "What was it?", offered, selection_mode="multi", key=keys[0],
            default=[one for one in rating.tags if one in HINTS],
        )  # fmt: skip
        for one in rating.tags:
            if one in HINTS:
                st.caption(f"{plain(one)}: {plain(HINTS[one])}")
        st.text_input(
            "Other tags, with commas between", ", ".join(one for one in rating.tags if one not in HINTS), key=keys[1]
        )
        st.text_area("Note", rating.note, key=keys[2], max_chars=LONGEST_NOTE, height=80)
        st.button("Keep", key=f"keep_why_{turn}", type="primary", on_click=_keep_why, args=(chat_id, turn, keys))


def _keep_why(chat_id: str, turn: int, keys: tuple[str, str, str]) -> None:
    with told_afterwards():
        session = load_session(workspace(), chat_id)
        before = rating_of(session, turn)
        if before is None:  # the reply was told anew meanwhile
            return
        offered, own, note = (st.session_state.get(one) for one in keys)
        tags = [*(offered or []), *str(own or "").split(",")]
        rate(session, turn, good=before.good, at=datetime.now(UTC), tags=tags, note=str(note or ""))
        save_session(workspace(), session)


def _said(rating: Rating, turn: int) -> None:
    if rating.tags:
        st.caption(plain(", ".join(rating.tags)), width="content")
    if rating.correction and st.button(
        "Corrected", key=f"corrected_{turn}", icon=":material/open_in_new:", type="tertiary",
        help="Open the scenario in which this reply was put right",
    ):  # fmt: skip
        st.switch_page("pages/scenarios.py", query_params={"file": rating.correction})
