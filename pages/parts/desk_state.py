"""What this browser tab has on its desk: the text as a draft, which editor it is in, and the change under way."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

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

    @property
    def overtaken(self) -> bool:
        """Whether somebody else changed the file since this text began."""
        return self.base_revision != self.stored.revision


def forget_closed(scenario_id: str) -> None:
    """Before the desk is drawn: an editor that was closed meanwhile begins anew when it is opened again."""
    if f"link_{edition(scenario_id)}" not in st.session_state:
        st.session_state.pop("desk_editor", None)


def sheet_of(scenario_id: str) -> Sheet:
    """The draft of this tab if there is one, else the file. Raises as `ScenarioLibrary.read`.

    Without a draft the editor shows the file as it was when the editor was opened: what is typed into it counts from
    that revision, also when somebody else changed the file since.
    """
    stored = library().read(scenario_id)
    draft = library().draft(scenario_id, tab())
    if draft is None:
        return Sheet(scenario_id, stored.text, stored, _editor(scenario_id).setdefault("revision", stored.revision))
    return Sheet(scenario_id, draft.text, stored, draft.base_revision or stored.revision)


def keep_up(sheet: Sheet) -> Sheet:
    """The sheet, in a new editor when the file changed under an editor with nothing unsaved."""
    if not (sheet.saved and sheet.overtaken):
        return sheet
    start_afresh()
    saved(sheet.id, sheet.stored.revision)
    return replace(sheet, base_revision=sheet.stored.revision)


def saved(scenario_id: str, revision: str) -> None:
    """What the editor holds is the file's text of that revision now."""
    _editor(scenario_id)["revision"] = revision


def take(scenario_id: str, typed: TypedText) -> None:
    """Keep what the browser reports as typed, in the form of the file, unless something newer is known."""
    if typed.version <= version(scenario_id):
        return
    _editor(scenario_id)["version"] = typed.version
    sheet = sheet_of(scenario_id)
    if typed.text != editor_text(sheet.text):
        _keep(sheet, stored_text(typed.text, sheet.text))


def put(scenario_id: str, new: str | Insertion) -> None:
    """Put another text into the editor, as a change that Ctrl+Z takes back."""
    sheet = sheet_of(scenario_id)
    text = new if isinstance(new, str) else new.text
    _keep(sheet, text)
    cursor = None if isinstance(new, str) else Positions(text).place(new.cursor)
    former = change()
    wanted: TextChange = {
        "serial": former["serial"] + 1 if former else 1,
        "version": version(scenario_id),
        "edits": text_edits(editor_text(sheet.text), editor_text(text)),
        "cursor": cursor,
    }
    st.session_state["desk_change"] = wanted


def start_afresh() -> None:
    """A new editor with the text as it now is: for a text that somebody else wrote."""
    st.session_state["desk_edition"] = st.session_state.get("desk_edition", 0) + 1


def edition(scenario_id: str) -> str:
    """The name of the editor on this desk; its widgets are keyed by it."""
    return f"{scenario_id}_{st.session_state.get('desk_edition', 0)}"


def version(scenario_id: str) -> int:
    """The version of the text that the browser reported last; 0 in a new editor."""
    return int(_editor(scenario_id).get("version", 0))


def change() -> TextChange | None:
    """The change that the browser is asked to make, or was."""
    made: TextChange | None = st.session_state.get("desk_change")
    return made


def tab() -> str:
    """The name of this browser tab, for its drafts."""
    return str(st.session_state.setdefault("tab", secrets.token_hex(6)))


def _keep(sheet: Sheet, text: str) -> None:
    library().keep_draft(sheet.id, tab(), text, sheet.base_revision)


def _editor(scenario_id: str) -> dict[str, Any]:
    """What is remembered of the editor on this desk: its `version`, and the `revision` that it was opened with."""
    known: dict[str, Any] = st.session_state.get("desk_editor", {})
    if known.get("edition") != edition(scenario_id):
        known = st.session_state["desk_editor"] = {"edition": edition(scenario_id)}
    return known
