"""The party of a scenario as cards, and the form that writes one sheet of it.

Every widget keeps what is typed in the browser until a button is pressed (`on_change="ignore"`). While the panel shows
something else, the form's record holds what was typed (`party_kept`): `persist_state` alone is not enough, because the
browser may forget a field at the very moment in which the server counts on it. The text itself changes through
`replace` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from pages.parts.layout import empty_state, show_error
from pages.parts.party_rows import draw_rows, put_rows, typed_rows
from studio.errors import StudioError
from studio.scenarios import Character, Diagnostic, Severity, Vocabulary
from studio.scenarios.library import PartyEditor
from studio.scenarios.library.party_start import LEVELS, classes, starting_character
from studio.ui.editor import by_severity
from studio.ui.party import (
    KINDS,
    changed_rows,
    character_of,
    free_name,
    merged,
    place_of,
    rows_of,
    same_sheet,
    sheet_problems,
    short,
    summary,
)
from studio.ui.runs import Color
from studio.ui.wording import count, plain

_STYLE = Path(__file__).parent / "party.css"
_FORM, _NOTE = "party_form_state", "party_note_state"
_MESSAGES = 3
_COLOR: dict[Severity, Color] = {Severity.ERROR: "red", Severity.WARNING: "orange", Severity.INFO: "blue"}
_KEPT: dict[str, Any] = {"on_change": "ignore", "persist_state": "page"}
_BEGINNING = ("party_new_name", "party_new_class", "party_new_level", "party_new_kind")
"""The fields of the first step of a new character."""


@dataclass(frozen=True)
class _Desk:
    """What every part of the view needs: the text, how to change it, and the party as it is read now."""

    text: str
    vocabulary: Vocabulary
    replace: Callable[[str], None]
    scenario_id: str
    party: Sequence[Character]

    def editor(self) -> PartyEditor:
        return PartyEditor(self.text, self.vocabulary)


def party_view(text: str, vocabulary: Vocabulary, replace: Callable[[str], None], *, scenario_id: str) -> None:
    """The party of a scenario: a card for each character, or the form of the one that is open.

    Args:
        text: the scenario as stored.
        replace: takes the changed text. It is called while the view is drawn, and the fragment is drawn again after.
        scenario_id: an open form belongs to this scenario; that of another is forgotten.
    """
    desk = _Desk(text, vocabulary, replace, scenario_id, PartyEditor(text, vocabulary).party)
    st.html(_STYLE)
    form = st.session_state.get(_FORM)
    if form is None or form["scenario"] != scenario_id:
        _cards(desk)
        return
    _bring_back(form)
    if form["step"] == "begin":
        _beginning(desk)
    else:
        _form(desk, form)


@contextmanager
def party_kept() -> Iterator[None]:
    """Around everything that may draw the party: a form that is not drawn is put aside with all that was typed."""
    if form := st.session_state.get(_FORM):
        form["drawn"] = False
        if not form.get("aside"):
            form["typed"] = _typed(form)
    yield
    if form := st.session_state.get(_FORM):
        form["aside"] = not form.get("drawn")


def _bring_back(form: dict[str, Any]) -> None:
    """Fill a form again that was put aside, or whose fields went with the page."""
    if form.pop("aside", False) or not _has_fields(form):
        if form["step"] == "begin":
            st.session_state.update(form.get("typed") or {})
        else:
            put_rows(form, form["typed"])
    form["drawn"] = True


def _has_fields(form: dict[str, Any]) -> bool:
    return ("party_new_name" if form["step"] == "begin" else "party_name") in st.session_state


def _typed(form: dict[str, Any]) -> Any:
    """What stands in the fields; what is known already where they are gone."""
    if not _has_fields(form):
        return form.get("typed")
    if form["step"] == "begin":
        return {key: st.session_state[key] for key in _BEGINNING if key in st.session_state}
    return typed_rows(form, Character.model_validate_json(form["origin"]))


def _cards(desk: _Desk) -> None:
    _show_note(desk)
    if not desk.party:
        empty_state(
            "groups",
            "Nobody is in the party yet",
            "Give the players' characters and their companions a sheet: the dice take their bonuses from it, and the "
            "model knows whom it speaks to.",
        )
        with st.container(horizontal=True, horizontal_alignment="center", key="party_empty"):
            st.button(
                "Add the first character", key="party_add", type="primary", icon=":material/person_add:",
                on_click=_begin, args=(desk.scenario_id,),
            )  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="center", key="party_head"):
        players = sum(one.is_player for one in desk.party)
        st.caption(f"{count(len(desk.party), 'character')}, {count(players, 'player')}", width="stretch")
        st.button(
            "Add character", key="party_add", icon=":material/person_add:", on_click=_begin, args=(desk.scenario_id,)
        )
    problems = sheet_problems(desk.text, desk.vocabulary)
    with st.container(gap="small", key="party_cards"):
        for place, (one, found) in enumerate(zip(desk.party, problems, strict=True)):
            with st.container(border=True, gap=None, key=f"party_card_{place}"):
                _card(desk, place, one, found)


def _card(desk: _Desk, place: int, one: Character, found: Sequence[Diagnostic]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"party_card_head_{place}"):
        st.markdown(f"**{plain(short(one.name, 40)) or 'No name'}**", width="stretch")
        st.badge(plain(_kind(one)), color="violet" if one.is_player else "gray")
        with st.container(horizontal=True, gap=None, width="content", key=f"party_card_tools_{place}"):
            _tools(desk, place, one)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"party_card_sum_{place}"):
        st.caption(plain(summary(one)) or "An empty sheet", width="stretch")
        if found:
            worst = by_severity(found)[0].severity
            st.badge(count(len(found), "remark"), color=_COLOR[worst], icon=":material/info:")
    if found:
        st.caption(_messages(found))


def _kind(one: Character) -> str:
    return "Player" if one.is_player else short(one.character_type, 24) or "Who plays?"


def _tools(desk: _Desk, place: int, one: Character) -> None:
    st.button(
        "", key=f"party_edit_{place}", icon=":material/edit:", type="tertiary", help="Edit the sheet",
        on_click=_open, args=(desk.scenario_id, place, one),
    )  # fmt: skip
    name = free_name(one.name, desk.party)
    if st.button(
        "", key=f"party_copy_{place}", icon=":material/content_copy:", type="tertiary", help="A copy of the sheet"
    ):
        _change(desk, lambda editor: editor.duplicate(place, name), f"{short(name)} is a copy of {short(one.name)}.")
    if st.button(
        "", key=f"party_remove_{place}", icon=":material/delete:", type="tertiary", help="Take out of the party"
    ):
        said = f"{short(one.name) or 'The sheet without a name'} is out of the party. Undo in the editor (Ctrl+Z)."
        _change(desk, lambda editor: editor.remove(place), said)


def _messages(found: Sequence[Diagnostic]) -> str:
    said = [f"{plain(short(one.message, 200))} ({one.code})" for one in by_severity(found)[:_MESSAGES]]
    if len(found) > _MESSAGES:
        said.append(f"{len(found) - _MESSAGES} more are among the problems.")
    return "  \n".join(said)


def _beginning(desk: _Desk) -> None:
    """A new character: who it is. The numbers come from that, and may all be changed before anything is written."""
    st.markdown("**A new character**")
    st.text_input("Name", key="party_new_name", placeholder="Mira", **_KEPT)
    st.selectbox("Who plays", KINDS, key="party_new_kind", accept_new_options=True, **_KEPT)
    words, number = st.columns([3, 1])
    with words:
        st.selectbox(
            "Class", classes(), index=None, key="party_new_class", accept_new_options=True,
            placeholder="Choose one or write your own", help="`Dwarf Fighter` gets the numbers of a fighter.", **_KEPT,
        )  # fmt: skip
    with number:
        st.number_input("Level", LEVELS[0], LEVELS[-1], key="party_new_level", **_KEPT)
    st.caption("Next you see the whole sheet with numbers that fit. Nothing is written before you say so.")
    with st.container(horizontal=True, key="party_new_bar"):
        st.button("Continue", key="party_continue", type="primary", on_click=_continue, args=(desk,))
        st.button("Cancel", key="party_cancel", type="tertiary", on_click=_close)


def _form(desk: _Desk, form: dict[str, Any]) -> None:
    origin = Character.model_validate_json(form["origin"])
    place = None if form["place"] is None else place_of(desk.party, form["place"], origin.name)
    gone = form["place"] is not None and place is None
    now = None if place is None else desk.party[place]
    stale = now is not None and not same_sheet(origin, now)
    with st.container(gap="small", key="party_form"):
        st.markdown(f"**{plain(short(origin.name, 40)) or 'A new character'}**")
        with st.container(key="party_notice"):
            if gone:
                _gone(form, origin)
            elif now is not None and stale:
                _stale(form, origin, now, place)
        with st.container(key="party_fields"):
            draw_rows(form, origin, desk.vocabulary)
        with st.container(gap="xsmall", key="party_foot"):
            trouble = st.container(key="party_trouble")
            pressed = _bar(disabled=gone or stale)
    if pressed and not gone and not stale:
        with trouble:
            _write(desk, form, origin, place)


def _bar(*, disabled: bool) -> bool:
    with st.container(horizontal=True, vertical_alignment="center", key="party_bar"):
        pressed = st.button(
            "Write to the scenario", key="party_write", type="primary", icon=":material/edit_note:", disabled=disabled
        )
        st.button("Cancel", key="party_cancel", type="tertiary", on_click=_close)
    return pressed


def _write(desk: _Desk, form: dict[str, Any], origin: Character, place: int | None) -> None:
    try:
        wanted = character_of(typed_rows(form, origin))
    except StudioError as error:
        show_error(error)
        return
    if place is None:
        _change(desk, lambda editor: editor.add(wanted), f"{short(wanted.name)} is in the party.")
    else:
        said = f"The sheet of {short(wanted.name)} is written."
        _change(desk, lambda editor: editor.set_character(place, wanted), said)


def _change(desk: _Desk, change: Callable[[PartyEditor], None], said: str) -> None:
    """Change the text, close the form and draw again; a refusal is shown where it happened and closes nothing."""
    editor = desk.editor()
    form = st.session_state.get(_FORM)
    try:
        change(editor)
        st.session_state.pop(_FORM, None)  # before `replace`, which may draw the page again at once
        if editor.text == desk.text:
            said = "Nothing was different, so nothing was written."
        st.session_state[_NOTE] = {"said": said, "text": _digest(editor.text)}
        if editor.text != desk.text:
            desk.replace(editor.text)
    except StudioError as error:
        st.session_state[_FORM] = form
        show_error(error)
        return
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # the whole page was being drawn
        st.rerun()


def _stale(form: dict[str, Any], origin: Character, now: Character, place: int | None) -> None:
    different = ", ".join(changed_rows(rows_of(origin), rows_of(now)))
    st.warning(
        f"**This sheet was changed in the text meanwhile** ({plain(different)}). Reload it, or keep what you typed: "
        "then the rest of the sheet is as the text has it now.",
        icon=":material/sync_problem:",
    )
    with st.container(horizontal=True, key="party_stale"):
        st.button("Reload", key="party_reload", on_click=_open, args=(form["scenario"], place, now))
        st.button(
            "Keep what I typed", key="party_keep", type="tertiary", on_click=_keep, args=(form, origin, now, place)
        )


def _gone(form: dict[str, Any], origin: Character) -> None:
    st.warning(
        f"**{plain(short(origin.name)) or 'The sheet'} is not in the text any more.** "
        "Undo in the editor, or write what you have here as a new character.",
        icon=":material/person_off:",
    )
    st.button("Make it a new character", key="party_as_new", on_click=_as_new, args=(form,))


def _begin(scenario_id: str) -> None:
    for key in _BEGINNING:
        st.session_state.pop(key, None)
    st.session_state[_FORM] = {"scenario": scenario_id, "step": "begin"}


def _continue(desk: _Desk) -> None:
    typed = st.session_state
    made = starting_character(
        (typed["party_new_name"] or "").strip(), (typed["party_new_kind"] or "").strip(),
        (typed["party_new_class"] or "").strip(), int(typed["party_new_level"] or 1), desk.vocabulary,
    )  # fmt: skip
    _open(desk.scenario_id, None, made)


def _open(scenario_id: str, place: int | None, character: Character) -> None:
    """Open the form of a character; `place` is None for one that is not in the party yet."""
    form = {"scenario": scenario_id, "step": "form", "place": place, "origin": character.model_dump_json()}
    put_rows(form, rows_of(character))
    st.session_state[_FORM] = form


def _keep(form: dict[str, Any], origin: Character, now: Character, place: int | None) -> None:
    rows = merged(typed_rows(form, origin), now)
    form |= {"place": place, "origin": now.model_dump_json()}
    put_rows(form, rows)


def _as_new(form: dict[str, Any]) -> None:
    form["place"] = None


def _close() -> None:
    st.session_state.pop(_FORM, None)


def _show_note(desk: _Desk) -> None:
    """What the last action did, for as long as the text is what it made of it."""
    note = st.session_state.get(_NOTE)
    if note and note["text"] == _digest(desk.text):
        st.success(plain(note["said"]), icon=":material/check:")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
