"""Scenarios in and out: the import dialog with what became of every file, and what is offered to download."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.parts.layout import library, say, show_error
from studio.errors import StudioError
from studio.scenarios.library import (
    Clash,
    ImportReport,
    ScenarioEntry,
    Upload,
    count_examples,
    export_zip,
    import_examples,
    import_files,
)
from studio.ui.imports import outcome_rows, outcome_sentence
from studio.ui.wording import count

_REPORT = "report_of_the_last_import"
_CLASHES: dict[Clash, str] = {"rename": "Keep both", "replace": "Replace", "skip": "Leave mine"}
_MEANINGS: dict[Clash, str] = {
    "rename": "The new one gets a number behind its name.",
    "replace": "The new one takes its place. Your text stays in its history.",
    "skip": "The new one is left out.",
}


def _forget_report() -> None:
    st.session_state.pop(_REPORT, None)


@st.dialog("Import scenarios", width="large", on_dismiss=_forget_report)
def import_dialog() -> None:
    """Markdown files or zips of them, then what became of each."""
    files = st.file_uploader(
        "Markdown files, or zip archives of them", type=["md", "markdown", "zip"], accept_multiple_files=True,
        key="import_files",
    )  # fmt: skip
    clash = st.segmented_control(
        "When a scenario of that name is there already", list(_CLASHES), default="rename", key="import_clash",
        format_func=lambda one: _CLASHES[one], required=True,
    )  # fmt: skip
    st.caption(_MEANINGS[clash])
    if st.button("Import", type="primary", key="import_now", disabled=not files):
        try:
            uploads = [Upload(name=one.name, content=one.getvalue()) for one in files]
            st.session_state[_REPORT] = import_files(library(), uploads, clash=clash)
        except StudioError as error:
            show_error(error)
    if report := st.session_state.get(_REPORT):
        _show_report(report)


def _show_report(report: ImportReport) -> None:
    tell = st.warning if report.count("skipped") else st.success
    tell(outcome_sentence(report), icon=":material/inventory:")
    if report.files:
        st.dataframe(outcome_rows(report), hide_index=True, key="import_report")
    if st.button("Done", key="import_done"):
        _forget_report()
        st.rerun()


def export_button(found: Sequence[ScenarioEntry], total: int) -> None:
    """Download what the list shows as a zip: everything, or what the filter leaves."""
    everything = len(found) == total
    ids = None if everything else [one.id for one in found]
    label = "Export all" if everything else f"Export {count(len(found), 'scenario')}"
    st.download_button(
        label, lambda: export_zip(library(), ids), file_name="scenarios.zip", mime="application/zip", key="export",
        icon=":material/download:", type="tertiary", on_click="ignore", help="One zip, with a folder per type.",
    )  # fmt: skip


def examples_button() -> None:
    """Offer the studio's own scenarios to somebody who has none, to look at or to begin with."""
    number = count_examples(library())
    if number and st.button(
        f"Bring in the {number} examples", key="examples", icon=":material/library_add:", type="tertiary"
    ):
        say(outcome_sentence(import_examples(library())))
        st.rerun()
