"""The report of a dataset: what is not as one might think, with reasons; how it is made; and the file to take away."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from pages.parts.coverage_view import open_in_editor
from pages.parts.dataset_settings import dataset_settings
from pages.parts.layout import library, workspace
from studio.config import DatasetConfig
from studio.dataset import LeakageReport, ProcessedDataset, ReportRow
from studio.dataset.exchange import export_scenarios
from studio.dataset.models import ReportKind
from studio.ui.dataset import KINDS, editor_file, kinds_found
from studio.ui.wording import count, plain

PAGE_SIZE = 25
MOST_TO_DOWNLOAD = 5_000
"""Scenarios that a page packs while somebody waits."""
_SHOWN_LEAKS = 10


def dataset_report(dataset: ProcessedDataset, config: DatasetConfig) -> None:
    """How it is made; everything that is left out, cut, doubled or moved; leaks; download."""
    dataset_settings(config)
    _remarks(dataset.manifest.report)
    _leaks(dataset.manifest.leakage)
    _download()


def _remarks(report: list[ReportRow]) -> None:
    st.subheader("What you should know", anchor=False)
    found = kinds_found(report)
    if not found:
        st.success("Every turn of every scenario is in the dataset, once and whole.", icon=":material/check_circle:")
        return
    kind = _kind(found, len(report))
    st.caption(KINDS[kind].meaning if kind else "Nothing is left out of the dataset without a line here.")
    chosen = [row for row in report if kind in (None, row.kind)]
    start = _first_of_page(len(chosen), key=f"report_page_{kind}")
    ids = {one.id for one in library().entries()}
    for number, row in enumerate(chosen[start : start + PAGE_SIZE], start=start):
        _remark(number, row, ids, named=kind is None)


def _kind(found: dict[ReportKind, int], total: int) -> ReportKind | None:
    titles: dict[str, str] = {"all": f"All {total:,}"}
    titles |= {kind: f"{KINDS[kind].title} {number:,}" for kind, number in found.items()}
    if st.session_state.get("report_kind") not in titles:
        st.session_state["report_kind"] = "all"
    chosen = st.pills(
        "Show", list(titles), format_func=titles.__getitem__, key="report_kind", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    return next((kind for kind in found if kind == chosen), None)


def _first_of_page(found: int, *, key: str) -> int:
    if found <= PAGE_SIZE:
        return 0
    pages = -(-found // PAGE_SIZE)
    return (min(st.pagination(pages, key=key), pages) - 1) * PAGE_SIZE


def _remark(number: int, row: ReportRow, ids: set[str], *, named: bool) -> None:
    """One line of the report; `named` says its kind, where lines of several kinds stand together."""
    with (
        st.container(border=True, key=f"card_remark_{number}"),
        st.container(horizontal=True, vertical_alignment="center", key=f"remark_{number}"),
    ):
        with st.container(width="stretch", gap="xxsmall", key=f"remark_words_{number}"):
            place = f", line {row.line}" if row.line else ""
            kind = f" :gray[· {KINDS[row.kind].title}]" if named else ""
            st.markdown(f"**{plain(row.source)}**{place}{kind}")
            st.caption(plain(row.reason))
        file = editor_file(row.source)
        if file in ids and st.button("Open", key=f"remark_open_{number}", icon=":material/edit_note:"):
            open_in_editor(str(file))


def _leaks(leaks: LeakageReport | None) -> None:
    st.subheader("Phrases on both sides", anchor=False)
    if leaks is None:
        st.caption("Nothing is held out, so there is nothing to compare.")
        return
    if not leaks.leaking_scenarios:
        st.caption(f"None: no run of {leaks.words} words of a held-out scenario stands in one that is learned from.")
        return
    st.caption(
        f"{leaks.leaking_scenarios:,} of {count(leaks.held_out_scenarios, 'held-out scenario')} share "
        f"{count(leaks.shared_runs, 'run')} of {leaks.words} words or more with scenarios that are learned from. That "
        "is no mistake, but the model looks better on them than it is. Tell one of the two in other words, or move it "
        "to the other side."
    )
    rows = [
        {"Held out": one.held_out, "Learned from": one.train, "Shared": one.shared, "Such as": one.example}
        for one in leaks.pairs[:_SHOWN_LEAKS]
    ]
    st.dataframe(rows, hide_index=True, key="report_leaks")


def _download() -> None:
    st.subheader("For other trainers", anchor=False)
    number = sum(library().counts().values())
    if number > MOST_TO_DOWNLOAD:
        st.caption(f"{number:,} scenarios are better written to disk: `python -m studio export` does that.")
        return
    st.caption(
        "All scenarios as messages, one line of JSON each, as other trainers take them. Files with errors are left out."
    )
    st.download_button(
        "Download as JSON Lines", _messages, file_name="scenarios.jsonl", mime="application/jsonl",
        key="dataset_download", icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _messages() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "scenarios.jsonl"
        export_scenarios(workspace(), workspace().scenarios_dir, output, "messages")
        return output.read_bytes()
