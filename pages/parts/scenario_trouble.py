"""A scenario that cannot be edited as it is: it does not exist, somebody else deleted it, or it is not UTF-8."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import header, library, say, show_error, told_afterwards
from studio.errors import StudioError
from studio.scenarios.library import Draft, ScenarioDocument, ScenarioMissingError
from studio.ui.editor import windows_text
from studio.ui.wording import plain, printable

_TITLE = "This scenario cannot be opened."
PREVIEW_HEIGHT = 320


def cannot_open(scenario_id: str, error: StudioError) -> None:
    """What is wrong, the way back, and unsaved text of a scenario that is gone."""
    header("Scenarios", _TITLE)
    show_error(error)
    back_button()
    drafts = library().drafts(scenario_id) if isinstance(error, ScenarioMissingError) else []
    if drafts:
        _left_text(drafts[0])


def not_utf8(stored: ScenarioDocument) -> None:
    """A file in another encoding: the editor would damage it, one click converts it."""
    header("Scenarios", _TITLE)
    show_error(
        StudioError(
            "This file is not UTF-8 text.",
            why="Some of its bytes stand for no letter, so the editor would damage them.",
            next_step="Older Windows programs write such files: convert it here, or save it as UTF-8 elsewhere.",
            where=stored.id,
        )
    )
    with st.container(horizontal=True, key="encoding_choices"):
        st.button("Convert from Windows text", key="convert_text", type="primary", on_click=_convert, args=(stored,))
        back_button()


def back_button() -> None:
    """The way to the list."""
    if st.button("", key="back", icon=":material/arrow_back:", type="tertiary", help="All scenarios"):
        st.query_params.pop("file", None)
        st.rerun()


def _left_text(draft: Draft) -> None:
    with st.container(border=True, key="orphan_draft"):
        st.markdown("Unsaved text of it is still here.")
        st.code(printable(draft.text), language="markdown", height=PREVIEW_HEIGHT, wrap_lines=True)
        with st.container(horizontal=True, key="orphan_choices"):
            st.button("Save it again", key="draft_recreate", type="primary", on_click=_recreate, args=(draft,))
            st.button(
                "Forget it", key="draft_forget", type="tertiary", on_click=_drop, args=(draft,),
            )  # fmt: skip


def _recreate(draft: Draft) -> None:
    kind, _, name = draft.scenario_id.partition("/")
    with told_afterwards():
        library().create(kind, name, draft.text, session=draft.session)
        say(f"Saved {plain(draft.scenario_id)} again.")


def _drop(draft: Draft) -> None:
    with told_afterwards():
        library().drop_draft(draft.scenario_id, draft.session)


def _convert(stored: ScenarioDocument) -> None:
    with told_afterwards():
        library().save(stored.id, windows_text(stored.text), stored.revision)
        say("Converted to UTF-8. The file as it was is in the history.")
