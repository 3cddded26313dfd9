"""What became of an import: the sentence, the scenarios to open, and every file with the reason."""

from __future__ import annotations

import streamlit as st

from pages.parts.file_tree import open_file
from pages.parts.layout import show_error
from studio.scenarios.library import ImportReport
from studio.ui.failures import recorded_error
from studio.ui.imports import arrived, outcome_rows, outcome_sentence
from studio.ui.wording import plain

PAGE_SIZE = 8
_REPORT = "report_of_the_last_import"
_AGAIN = "What is named here is imported. Import the file again for the rest: nothing comes in twice."


class Arrivals(ImportReport):
    """A report that grows, of an import that may be stopped on its way."""

    finished: bool = False
    """Everything was looked at."""
    ended: bool = False
    """Nothing is written any more, whatever the reason."""
    failure: dict[str, str] | None = None
    """The `StudioError` that ended it."""


def begin_report() -> Arrivals:
    """A new, empty report, which this session shows from now on."""
    report = st.session_state[_REPORT] = Arrivals()
    return report


def the_report() -> Arrivals | None:
    """The report of this session's last import, None when it is done with."""
    return st.session_state.get(_REPORT)


def forget_report() -> None:
    """The import is done with; the next dialog begins with its form."""
    st.session_state.pop(_REPORT, None)


def show_report() -> None:
    """The sentence, ways into the scenarios, and a table with a row per file or conversation."""
    report = the_report()
    if report is None:
        return
    if report.failure:
        show_error(recorded_error(report.failure))
    if not report.finished:
        st.warning(f"It did not come to its end. {_AGAIN}", icon=":material/front_hand:")
    tell = st.warning if report.count("skipped") else st.success
    tell(outcome_sentence(report), icon=":material/inventory:")
    _ways_in(arrived(report))
    if report.files:
        st.dataframe(outcome_rows(report), hide_index=True, key="import_report")
    with st.container(horizontal=True):
        if st.button("Done", type="primary", key="import_done"):
            forget_report()
            st.rerun()
        st.button("Import more", key="import_more", on_click=forget_report)


def _ways_in(ids: list[str]) -> None:
    """A button for each scenario; many of them come in pages."""
    pages = -(-len(ids) // PAGE_SIZE)
    first = (min(st.pagination(pages, key="import_page"), pages) - 1) * PAGE_SIZE if pages > 1 else 0
    with st.container(horizontal=True, key="import_opens"):
        for one in ids[first : first + PAGE_SIZE]:
            if st.button(plain(one), key=f"import_open_{one}", icon=":material/edit_note:"):
                forget_report()
                open_file(one)
