"""What validating a GGUF file found: a badge where the file is listed, and the whole report in a dialog."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import facts, workspace
from studio.conversion import GGUFReport
from studio.conversion.files import REPORT_FILE, inspection_folder, read_report
from studio.ui.gguf_report import metadata_rows, report_facts, tensor_rows, worded_checks
from studio.ui.wording import plain


def report_badge(path: Path, key: str) -> None:
    """Valid or not, as a button that opens the report; nothing while there is no report of the file as it is."""
    report = report_of(path)
    if report is None:
        return
    word, icon = ("Valid", ":material/check_circle:") if report.valid else ("Not valid", ":material/error:")
    if st.button(word, key=f"report_{key}", icon=icon, type="tertiary", help="Opens the report"):
        open_report(path)


def report_of(path: Path) -> GGUFReport | None:
    """The newest report about a file, if the file was not changed since."""
    folder = inspection_folder(workspace(), path)
    try:
        if (folder / REPORT_FILE).stat().st_mtime < path.stat().st_mtime:
            return None
    except OSError:
        return None
    return read_report(folder)


@st.dialog("Report of a model file", width="large")
def open_report(path: Path) -> None:
    """The report of a file in a dialog."""
    report = report_of(path)
    if report is None:
        st.caption("There is no report of this file any more. Validate it again.")
        return
    report_view(report)


def report_view(report: GGUFReport) -> None:
    """Every check with its answer, then what is in the file."""
    st.markdown(f"**{plain(report.path.name)}**")
    facts(report_facts(report))
    for check, words in worded_checks(report):
        icon, color = ("check_circle", "green") if check.passed else ("error", "red")
        st.markdown(f":{color}[:material/{icon}:] **{words}** {plain(check.detail)}")
    if report.tensor_types:
        st.dataframe(tensor_rows(report), hide_index=True, key="report_tensors")
    if report.metadata or report.arrays:
        with st.expander("Metadata", key="report_metadata"):
            st.dataframe(metadata_rows(report), hide_index=True, key="report_entries")
