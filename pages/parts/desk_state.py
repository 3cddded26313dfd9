"""What this browser tab has on its desk: the text as a draft, which editor it is in, and the change under way."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import streamlit as st

from pages.parts.editor import TextChange
from pages.parts.layout import library
from studio.scenarios.library import Insertion, ScenarioDocument, editor_text, stored_text
from studio.ui.desk import TypedText, text_edits
from studio.ui.editor import Positions


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


def sheet_of(scenario_id: str) -> Sheet:
    """The draft of this tab if there is one, else the file. Raises as `ScenarioLibrary.read`.

    Without a draft the editor shows the file as it was when the editor was opened. When somebody else changed the file
    since, a new editor begins with the new text; what is still typed into the old one counts from the old revision.
    """
    stored = library().read(scenario_id)
    draft = library().draft(scenario_id, tab())
    if draft is None:
        return Sheet(scenario_id, stored.text, stored, _base(scenario_id, stored.revision))
    return Sheet(scenario_id, draft.text, stored, draft.base_revision or stored.revision)


def keep_up(scenario_id: str) -> bool:
    """Open a new editor when the file changed under an editor with nothing unsaved; gives whether it did."""
    sheet = sheet_of(scenario_id)
    if not sheet.saved or sheet.base_revision == sheet.stored.revision:
        return False
    start_afresh()
    _base(scenario_id, sheet.stored.revision)
    return True


def saved(scenario_id: str, revision: str) -> None:
    """What the editor holds is the file's text of that revision now."""
    st.session_state["desk_base"] = (edition(scenario_id), revision)


def _base(scenario_id: str, revision: str) -> str:
    """The revision that this editor was opened with, which is `revision` when it is a new one."""
    here, opened_with = st.session_state.get("desk_base", ("", ""))
    if here != edition(scenario_id) or f"link_{here}" not in st.session_state:
        saved(scenario_id, revision)
        return revision
    return str(opened_with)


def take(scenario_id: str, typed: TypedText) -> None:
    """Keep what the browser reports as typed, in the form of the file, unless something newer is known."""
    if typed.version <= version(scenario_id):
        return
    st.session_state["desk_version"] = typed.version
    sheet = sheet_of(scenario_id)
    if typed.text != editor_text(sheet.text):
        _keep(sheet, stored_text(typed.text, sheet.text))


def put(scenario_id: str, new: str | Insertion) -> None:
    """Put another text into the editor, as a change that Ctrl+Z takes back."""
    sheet = sheet_of(scenario_id)
    text = new if isinstance(new, str) else new.text
    _keep(sheet, text)
    cursor = None if isinstance(new, str) else Positions(text).place(new.cursor)
    change: TextChange = {
        "serial": _serial() + 1,
        "version": version(scenario_id),
        "edits": text_edits(editor_text(sheet.text), editor_text(text)),
        "cursor": cursor,
    }
    st.session_state["desk_change"] = change


def start_afresh() -> None:
    """A new editor with the text as it now is: for a text that somebody else wrote."""
    st.session_state["desk_edition"] = st.session_state.get("desk_edition", 0) + 1


def edition(scenario_id: str) -> str:
    """The name of the editor on this desk; its widgets are keyed by it."""
    return f"{scenario_id}_{st.session_state.get('desk_edition', 0)}"


def version(scenario_id: str) -> int:
    """The version of the text that the browser reported last; 0 in a new editor."""
    if (
        st.session_state.get("desk_at") != edition(scenario_id)
        or f"link_{edition(scenario_id)}" not in st.session_state
    ):
        st.session_state["desk_at"] = edition(scenario_id)
        st.session_state["desk_version"] = 0
    return int(st.session_state["desk_version"])


def change() -> TextChange | None:
    """The change that the browser is asked to make, or was."""
    made: TextChange | None = st.session_state.get("desk_change")
    return made


def tab() -> str:
    """The name of this browser tab, for its drafts."""
    return str(st.session_state.setdefault("tab", secrets.token_hex(6)))


def _keep(sheet: Sheet, text: str) -> None:
    library().keep_draft(sheet.id, tab(), text, sheet.base_revision)


def _serial() -> int:
    made = change()
    return made["serial"] if made else 0
