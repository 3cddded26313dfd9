"""One scenario: editor on the left; problems, story, rendered prompt and trained tokens on the right.

Text that is typed is kept as a draft of this tab at once; saving writes the file and notices when somebody else did.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import streamlit as st

from pages.parts.conflict import conflict_panel
from pages.parts.editor import scenario_editor
from pages.parts.file_menu import file_menu
from pages.parts.layout import header, library, say, show_error, told_afterwards, vocabulary
from pages.parts.problems import problems_view
from pages.parts.prompt_views import prompt_view, tokens_view
from pages.parts.scenario_trouble import back_button, cannot_open, not_utf8
from studio.errors import StudioError
from studio.scenarios import MarkdownParser, TrainingScenario
from studio.scenarios.library import Draft, ScenarioConflictError, ScenarioDocument, editor_text, stored_text
from studio.ui.story import story_html
from studio.ui.wording import count, moment, plain, size

VIEWS = ("Problems", "Story", "Prompt", "Tokens")
PANEL_HEIGHT = 590


@dataclass(frozen=True)
class Sheet:
    """What is on the desk: the text as typed, the file as it is, and the revision that the text began from."""

    id: str
    text: str
    stored: ScenarioDocument
    base_revision: str

    @property
    def saved(self) -> bool:
        """Whether the file holds this very text."""
        return self.text == self.stored.text


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
    sheet = _sheet(stored)
    scenario = MarkdownParser(vocabulary()).parse_text(sheet.text, default_type=scenario_id.partition("/")[0])
    _bar(sheet, scenario)
    _offer_drafts(sheet)
    left, right = st.columns([7, 5], gap="medium")
    with left:
        typed = scenario_editor(
            editor_text(sheet.text),
            sheet.text,
            scenario.diagnostics,
            vocabulary(),
            key=f"editor_{scenario_id}_{_edition()}",
        )
    if typed is not None and typed != editor_text(sheet.text):
        _keep(sheet, stored_text(typed, sheet.text))
        st.rerun()
    with right:
        _panel(sheet, scenario)


def _sheet(stored: ScenarioDocument) -> Sheet:
    """The draft of this tab if there is one, else the file."""
    draft = library().draft(stored.id, _tab())
    if draft is None:
        return Sheet(stored.id, stored.text, stored, stored.revision)
    return Sheet(stored.id, draft.text, stored, draft.base_revision or stored.revision)


def _keep(sheet: Sheet, text: str) -> None:
    library().keep_draft(sheet.id, _tab(), text, sheet.base_revision)


def _replace(sheet: Sheet, text: str) -> None:
    """Put another text into the editor, which then starts afresh."""
    with told_afterwards():
        _keep(sheet, text)
        _next_edition()


def _bar(sheet: Sheet, scenario: TrainingScenario) -> None:
    title = str(scenario.metadata.get("title") or sheet.id.partition("/")[2])
    turns, bytes_ = len(scenario.conversation), len(sheet.text.encode(errors="replace"))
    header(title, f"{sheet.id}.md · {count(turns, 'turn')} · {size(bytes_)}")
    with st.container(horizontal=True, vertical_alignment="center", key="scenario_actions"):
        back_button()
        with st.container(width="stretch", key="scenario_state"):
            st.caption(
                ":material/check: Saved"
                if sheet.saved
                else ":material/edit: Not saved yet. A draft is kept while you type."
            )
        if not sheet.saved:
            st.button("Discard changes", key="discard", type="tertiary", on_click=_discard, args=(sheet,))
        file_menu(sheet.id)
        if st.button(
            "Save", key="save", type="primary", icon=":material/save:", disabled=sheet.saved, shortcut="Ctrl+S"
        ):
            _save(sheet)


def _save(sheet: Sheet) -> None:
    try:
        library().save(sheet.id, sheet.text, sheet.base_revision, session=_tab())
    except ScenarioConflictError as conflict:
        with st.container(border=True, key="conflict"):
            conflict_panel(conflict, _tab())
        return
    except StudioError as error:
        show_error(error)
        return
    say(f"Saved {plain(sheet.id)}.")
    st.rerun()


def _offer_drafts(sheet: Sheet) -> None:
    """Text that another tab or an earlier visit left unsaved."""
    others = [one for one in library().drafts(sheet.id) if one.session != _tab()]
    if not others or not sheet.saved:
        return
    latest = others[0]
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="left_draft"):
        age = moment(latest.saved_at.timestamp(), time.time())
        st.markdown(f":material/history_edu: Unsaved text of an earlier visit is here, from {age}.", width="stretch")
        st.button("Go on with it", key="take_draft", on_click=_take_up, args=(latest,))
        st.button(
            "Forget it",
            key="drop_draft",
            type="tertiary",
            on_click=_drop,
            args=(latest,),
        )


def _take_up(draft: Draft) -> None:
    with told_afterwards():
        library().keep_draft(draft.scenario_id, _tab(), draft.text, draft.base_revision)
        library().drop_draft(draft.scenario_id, draft.session)
        _next_edition()


def _drop(draft: Draft) -> None:
    with told_afterwards():
        library().drop_draft(draft.scenario_id, draft.session)


def _discard(sheet: Sheet) -> None:
    with told_afterwards():
        library().drop_draft(sheet.id, _tab())
        _next_edition()


def _panel(sheet: Sheet, scenario: TrainingScenario) -> None:
    found = scenario.diagnostics
    labels = {"Problems": f"Problems {len(found)}" if found else "Problems"}
    view = st.segmented_control(
        "View", VIEWS, default="Problems", key="scenario_view", format_func=lambda one: labels.get(one, one),
        label_visibility="collapsed", required=True,
    )  # fmt: skip
    with st.container(height=PANEL_HEIGHT, border=False, key="scenario_panel"):
        if view == "Story":
            st.html(story_html(scenario.conversation, vocabulary()))
        elif view == "Prompt":
            prompt_view(scenario)
        elif view == "Tokens":
            tokens_view(scenario)
        else:
            problems_view(sheet.text, found, lambda text: _replace(sheet, text))


def _tab() -> str:
    """The name of this browser tab, for its drafts."""
    return str(st.session_state.setdefault("tab", secrets.token_hex(6)))


def _edition() -> int:
    """Counts up when the text is changed by anything but typing."""
    return int(st.session_state.setdefault("edition", 0))


def _next_edition() -> None:
    st.session_state["edition"] = _edition() + 1
