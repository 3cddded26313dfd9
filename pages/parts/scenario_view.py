"""One scenario: the editor on the left; problems, story, prompt, trained tokens and party on the right.

Text that is typed is kept as a draft of this tab at once; saving writes the file and notices when somebody else did.
The desk is a fragment: a keystroke redraws the desk alone.
"""

from __future__ import annotations

import random
import time
from functools import partial

import streamlit as st

from pages.parts.conflict import conflict_panel
from pages.parts.desk_state import (
    Sheet,
    change,
    edition,
    forget_closed,
    keep_up,
    put,
    saved,
    sheet_of,
    start_afresh,
    tab,
    take,
    version,
)
from pages.parts.editor import ace, link, outline_view, problems, tools
from pages.parts.file_menu import file_menu
from pages.parts.layout import header, library, say, show_error, told, told_afterwards, vocabulary
from pages.parts.party_form import party_kept, party_view
from pages.parts.prompt_views import prompt_view, tokens_view
from pages.parts.review_bar import review_bar
from pages.parts.scenario_trouble import back_button, cannot_open, not_utf8
from pages.parts.side_by_side import side_by_side_view
from studio.errors import StudioError
from studio.play import DiceBox
from studio.scenarios import MarkdownParser, TrainingScenario
from studio.scenarios.library import Draft, ScenarioConflictError, SnippetError, editor_text
from studio.ui.desk import DeskAction, TypedText
from studio.ui.desk_actions import carry_out
from studio.ui.story import story_html
from studio.ui.wording import count, moment, plain

VIEWS = ("Problems", "Party", "Story", "Prompt", "Tokens")
_NO_DESK = "<style>.st-key-desk_halves { display: none; }</style>"
PANEL_HEIGHT = 590
_SAVE, _NOTE = "save_is_wanted", "note_of_the_desk"


def scenario_view(scenario_id: str) -> None:
    """The whole page of one scenario."""
    try:
        stored = library().read(scenario_id)
    except StudioError as error:
        cannot_open(scenario_id, error)
        return
    if not stored.is_utf8:
        not_utf8(stored)
        return
    with st.sidebar:
        outline_view()
    _desk(scenario_id)


@st.fragment
def _desk(scenario_id: str) -> None:
    with told(), party_kept():  # a fragment is drawn again without the page around it
        _draw_desk(scenario_id)


def _draw_desk(scenario_id: str) -> None:
    forget_closed(scenario_id)
    try:
        found = sheet_of(scenario_id)
    except StudioError:  # gone since the page was drawn: the page says so
        st.rerun()
    sheet = keep_up(found)
    if sheet is not found:
        st.toast("This scenario was changed elsewhere. You see the new text.", icon=":material/sync:")
    scenario = MarkdownParser(vocabulary()).parse_text(sheet.text, default_type=scenario_id.partition("/")[0])
    former = change()
    _bar(sheet, scenario)
    with st.container(key="desk_notes"):  # always there, so that the editor below keeps its place and its frame
        _offer_drafts(sheet)
        review_bar(sheet, scenario)
        _tell_conflict(sheet)
    st.html(_NO_DESK if _wide() else "<style></style>")
    with st.container(key="desk_halves"):  # hidden, not left out, beside the wide view: the editor keeps what is undone
        left, right = st.columns([7, 5], gap="medium")
        with left:
            tools(vocabulary())
            ace(editor_text(sheet.text), key=f"ace_{edition(scenario_id)}")
            link(
                sheet.text, scenario, vocabulary(), edition=edition(scenario_id), version=version(scenario_id),
                change=change(), on_typed=partial(_typed, scenario_id), on_action=partial(_acted, scenario_id),
            )  # fmt: skip
        with right:
            _panel(sheet, scenario)
    if _wide():
        with st.container(key="desk_wide"):
            side_by_side_view(scenario)
    if change() is not former:  # a form of the panel changed the text
        st.rerun(scope="fragment")


def _typed(scenario_id: str, typed: TypedText) -> None:
    with told_afterwards():
        take(scenario_id, typed)


def _acted(scenario_id: str, action: DeskAction) -> None:
    """A tool, a key or a fix of the browser: first the text that came with it, then the action."""
    with told_afterwards():
        take(scenario_id, action)
        if action.action == "save":
            st.session_state[_SAVE] = True
            return
        try:
            after = carry_out(sheet_of(scenario_id).text, action, vocabulary(), DiceBox(random.SystemRandom()))
        except SnippetError as error:
            st.session_state[_NOTE] = plain(f"{error.what} {error.next_step}")
            return
        if after is not None:
            put(scenario_id, after)


def _bar(sheet: Sheet, scenario: TrainingScenario) -> None:
    if note := st.session_state.pop(_NOTE, None):
        st.toast(note, icon=":material/info:")
    title = str(scenario.metadata.get("title") or sheet.id.partition("/")[2])
    with st.container(horizontal=True, vertical_alignment="center", key="scenario_bar"):
        back_button()
        with st.container(width="stretch", key="scenario_title"):
            header(title, _sentence(sheet, scenario))
        with st.container(horizontal=True, vertical_alignment="center", width="content", key="scenario_actions"):
            _actions(sheet)


def _tell_conflict(sheet: Sheet) -> None:
    """Somebody else saved this file since this text began: say so before she saves, with the choices."""
    if sheet.saved or not sheet.overtaken:
        return
    conflict = library().conflict(sheet.id, sheet.text, sheet.base_revision, session=tab())
    if conflict is not None:
        with st.container(border=True, key="conflict"):
            conflict_panel(conflict, tab())


def _sentence(sheet: Sheet, scenario: TrainingScenario) -> str:
    rolls = sum(turn.speaker == "TOOLCALL" for turn in scenario.conversation)
    return f"{sheet.id}.md · {count(len(scenario.conversation), 'turn')} · {count(rolls, 'roll')}"


def _actions(sheet: Sheet) -> None:
    st.caption(
        ":material/check: Saved" if sheet.saved else ":material/edit: Not saved yet, kept as a draft", width="content"
    )
    if not sheet.saved:
        st.button("Discard changes", key="discard", type="tertiary", on_click=_discard, args=(sheet,))
    if _wide():
        st.button(
            "Editor", key="leave_wide", type="tertiary", icon=":material/edit_note:", on_click=_set_wide, args=(False,)
        )
    else:
        st.button(
            "Side by side", key="enter_wide", type="tertiary", icon=":material/view_column:", on_click=_set_wide,
            args=(True,),
        )  # fmt: skip
    file_menu(sheet.id)
    pressed = st.button(
        "Save", key="save", type="primary", icon=":material/save:", disabled=sheet.saved, shortcut="Ctrl+S"
    )
    if (st.session_state.pop(_SAVE, False) and not sheet.saved) or pressed:
        _save(sheet)


def _save(sheet: Sheet) -> None:
    try:
        saved(sheet.id, library().save(sheet.id, sheet.text, sheet.base_revision, session=tab()))
    except ScenarioConflictError:
        return  # told below the bar, with the choices
    except StudioError as error:
        show_error(error)
        return
    say(f"Saved {plain(sheet.id)}.")
    st.rerun()


def _offer_drafts(sheet: Sheet) -> None:
    """Text that another tab or an earlier visit left unsaved."""
    others = [one for one in library().drafts(sheet.id) if one.session != tab()] if sheet.saved else []
    if not others:
        return
    latest = others[0]
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="left_draft"):
        age = moment(latest.saved_at.timestamp(), time.time())
        st.markdown(f":material/history_edu: Unsaved text of an earlier visit is here, from {age}.", width="stretch")
        st.button("Go on with it", key="take_draft", on_click=_take_up, args=(latest,))
        st.button("Forget it", key="drop_draft", type="tertiary", on_click=_drop, args=(latest,))


def _take_up(draft: Draft) -> None:
    with told_afterwards():
        library().keep_draft(draft.scenario_id, tab(), draft.text, draft.base_revision)
        library().drop_draft(draft.scenario_id, draft.session)
        start_afresh()


def _drop(draft: Draft) -> None:
    with told_afterwards():
        library().drop_draft(draft.scenario_id, draft.session)


def _discard(sheet: Sheet) -> None:
    with told_afterwards():
        put(sheet.id, sheet.stored.text)


def _wide() -> bool:
    """Whether the three views stand side by side instead of the editor."""
    return bool(st.session_state.get("desk_wide_wanted"))


def _set_wide(wanted: bool) -> None:
    st.session_state["desk_wide_wanted"] = wanted


def _panel(sheet: Sheet, scenario: TrainingScenario) -> None:
    found = scenario.diagnostics
    labels = {"Problems": f"Problems {len(found)}" if found else "Problems"}
    view = st.segmented_control(
        "View", VIEWS, default="Problems", key="scenario_view", format_func=lambda one: labels.get(one, one),
        label_visibility="collapsed", required=True,
    )  # fmt: skip
    with st.container(height=PANEL_HEIGHT, border=False, key="scenario_panel"):
        _view(view, sheet, scenario)


def _view(view: str | None, sheet: Sheet, scenario: TrainingScenario) -> None:
    if view == "Party":
        party_view(sheet.text, vocabulary(), partial(put, sheet.id), scenario_id=sheet.id)
    elif view == "Story":
        st.html(story_html(scenario.conversation, vocabulary()))
    elif view == "Prompt":
        prompt_view(scenario)
    elif view == "Tokens":
        tokens_view(scenario)
    else:
        problems()
