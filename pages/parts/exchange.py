"""Scenarios in and out: the import dialog, and what is offered to download."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.import_file import Plan, forget_looks, plan_for
from pages.parts.import_report import Arrivals, begin_report, forget_report, show_report, the_report
from pages.parts.layout import library, say, workspace
from studio.errors import StudioError
from studio.scenarios import SCENARIO_TYPES
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
from studio.ui.imports import FOREIGN, MARKDOWN, bring_in, is_foreign, outcome_sentence, refused
from studio.ui.wording import count

_CLASHES: dict[Clash, str] = {"rename": "Keep both", "replace": "Replace", "skip": "Leave mine"}
_MEANINGS: dict[Clash, str] = {
    "rename": "The new one gets a number behind its name.",
    "replace": "The new one takes its place. Your text stays in its history.",
    "skip": "The new one is left out.",
}
_AS_IT_SAYS = "as it says"
_PATIENCE = 10.0  # seconds
_ORDER = "import_that_was_asked_for"


@dataclass(frozen=True)
class _Order:
    """What somebody asked to import; it is carried out in a drawing of the dialog that has no form."""

    markdown: Sequence[Upload]
    plans: Sequence[Plan]
    kind: str
    clash: Clash


def _close() -> None:
    """The dialog was closed, perhaps in the middle of an import."""
    report = the_report()
    if report and not report.finished and not report.failure:
        _await_end(report)
        say(f"Stopped. {outcome_sentence(report)} Import the file again for the rest.")
    forget_report()
    forget_looks()


def _await_end(report: Arrivals) -> None:
    """Streamlit draws the page anew beside the import, which ends with its batch: then report and list are complete."""
    deadline = time.monotonic() + _PATIENCE
    while not report.ended and time.monotonic() < deadline:
        time.sleep(0.05)


@st.dialog("Import scenarios", width="large", on_dismiss=_close)
def import_dialog() -> None:
    """Choose files, see what would become of them, bring them in; then what became of each."""
    if order := st.session_state.pop(_ORDER, None):
        _carry_out(order)
    if the_report():
        show_report()
    else:
        with st.container(key="import_form"):  # one element, which the progress bar takes the place of at once
            _form()


def _form() -> None:
    markdown, plans = _chosen_files()
    kind, clash = _where_they_go()
    nothing = not markdown and all(one.problem for one in plans)
    order = _Order(markdown, plans, kind, clash)
    st.button("Import", type="primary", key="import_now", disabled=nothing, on_click=_give, args=(order,))


def _give(order: _Order) -> None:
    st.session_state[_ORDER] = order


def _chosen_files() -> tuple[list[Upload], list[Plan]]:
    """Markdown and zips as they are; of every other file what the studio makes of it."""
    files = st.file_uploader(
        "Scenarios as Markdown or zip, chat datasets as JSON, play by post as text",
        type=[*MARKDOWN, *FOREIGN], accept_multiple_files=True, key="import_files",
    )  # fmt: skip
    markdown, plans = [], []
    for one in files:
        upload = Upload(name=one.name, content=one.getvalue())
        if is_foreign(one.name):
            plans.append(plan_for(upload, one.file_id))
        else:
            markdown.append(upload)
    return markdown, plans


def _where_they_go() -> tuple[str, Clash]:
    kind = st.segmented_control(
        "Type of the scenarios", [_AS_IT_SAYS, *SCENARIO_TYPES], default=_AS_IT_SAYS, key="import_type", required=True,
        format_func=lambda one: "As the file says" if one == _AS_IT_SAYS else one.title(),
        help="For scenarios that do not say theirs. Otherwise they are mixed, and those of FIREBALL combat.",
    )  # fmt: skip
    clash = st.segmented_control(
        "When a scenario of that name is there already", list(_CLASHES), default="rename", key="import_clash",
        format_func=lambda one: _CLASHES[one], required=True,
    )  # fmt: skip
    st.caption(_MEANINGS[clash])
    return "" if kind == _AS_IT_SAYS else kind, clash


def _carry_out(order: _Order) -> None:
    """Bring everything in. An error ends it, and so does closing the dialog: the page is drawn anew then, and Streamlit
    leaves this function at the next step of the bar. The report has what was written until then.
    """
    report = begin_report()
    bar = st.progress(0.0, "Importing ...")
    hint = st.empty()
    hint.caption("To stop, close this window. What has been imported until then stays.")
    try:
        markdown = import_files(library(), order.markdown, default_type=order.kind or "mixed", clash=order.clash)
        report.files += markdown.files
        report.files += [refused(one.upload, one.problem) for one in order.plans if one.problem]
        _bring_in([one for one in order.plans if not one.problem], order, report, bar)
        report.finished = True
    except StudioError as error:
        report.failure = error.as_dict()
    finally:
        report.ended = True
    bar.empty()
    hint.empty()
    forget_looks()


def _bring_in(plans: Sequence[Plan], order: _Order, report: ImportReport, bar: DeltaGenerator) -> None:
    total, before = sum(one.preview.total for one in plans), len(report.files)
    for one in plans:
        options = one.options_with(order.kind or None, order.clash)
        with closing(bring_in(workspace(), one.upload, options, report)) as steps:
            for _ in steps:
                done = len(report.files) - before
                bar.progress(min(1.0, done / max(1, total)), f"{done:,} of {count(total, 'conversation')}")


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
