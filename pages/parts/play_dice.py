"""Dice of the player's own: which ones she throws, and a field for what each of them shows."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import told_afterwards, workspace
from pages.parts.play_moves import Faces, choose
from studio.errors import PlayError
from studio.play import ChatSession, PlannedRoll, load_session, save_session
from studio.ui.wording import plain


def dice_form(session: ChatSession) -> None:
    """What is asked for, a field for each die, and the studio's dice as a way out. Nothing where no dice are due."""
    rolls = [one for request in session.pending for one in request.rolls]
    if not rolls:
        return
    with st.form("dice_form", enter_to_submit=True):
        st.markdown("**Your dice.** Throw them and say what they show; the studio adds what the sheet gives.")
        for place, planned in enumerate(rolls):
            _roll(session, place, planned)
        with st.container(horizontal=True):
            st.form_submit_button(
                "These are my dice", key="dice_mine", type="primary", icon=":material/casino:",
                on_click=_take, args=(session,),
            )  # fmt: skip
            st.form_submit_button(
                "Roll for me", key="dice_studio", on_click=_take, args=(session,), kwargs={"throws_missing": True},
                help="The studio throws what you leave empty.",
            )  # fmt: skip


def dice_switch(session: ChatSession) -> None:
    """Who throws from now on."""
    st.toggle(
        "My own dice",
        session.settings.dice == "own",
        key=f"own_dice_{session.id}",
        on_change=_switch,
        args=(session.id,),
        help="When a roll is asked for, you throw and say what your dice show.",
    )


def _roll(session: ChatSession, place: int, planned: PlannedRoll) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"dice_row_{place}"):
        st.markdown(plain(planned.wanted), width="stretch")
        for number, sides in enumerate(planned.sides):
            st.number_input(
                f"d{sides}", 1, sides, None, key=_key(session, place, number), placeholder=f"1 to {sides}", width=130
            )


def _key(session: ChatSession, roll: int, die: int) -> str:
    return f"die_{len(session.messages)}_{roll}_{die}"


def _take(session: ChatSession, *, throws_missing: bool = False) -> None:
    """What the fields say becomes a move; a field that is empty is told, or left to the studio."""
    faces: Faces = []
    rolls = [one for request in session.pending for one in request.rolls]
    for place, planned in enumerate(rolls):
        shown = [st.session_state.get(_key(session, place, number)) for number in range(len(planned.sides))]
        faces.append(None if None in shown else tuple(int(one) for one in shown))
    with told_afterwards():
        if None in faces and not throws_missing:
            raise PlayError(
                "A die is missing.",
                why=f"It is not said what it shows: {plain(rolls[faces.index(None)].wanted)}.",
                next_step="Fill in every field, or let the studio roll what is missing.",
            )
        choose("rolls", faces)


def _switch(chat_id: str) -> None:
    with told_afterwards():
        session = load_session(workspace(), chat_id)
        session.settings.dice = "own" if st.session_state[f"own_dice_{chat_id}"] else "studio"
        save_session(workspace(), session)
