"""History: how models became better or worse from version to version, and any two of them side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import streamlit as st

from pages.parts.layout import header, told, workspace
from pages.parts.measure_report import report_view
from studio.ui.measure_history import (
    TONES,
    asked_sets,
    change_words,
    figure_title,
    history_chart,
    recent,
    shown_figures,
    version_title,
)
from studio.ui.wording import plain
from studio.validation import ReportCard, figure_text
from studio.validation.digest import ReportDigest, report_state
from studio.validation.history import Change, Lineage, Version, lineages
from studio.validation.reports import (
    change_of,
    compare_versions,
    find_version,
    known_parents,
    read_reports,
    report_folders,
)
from studio.workspace import Workspace

RUNS_SHOWN = 24
_CHANGES_KEPT = 1000
BEFORE, AFTER = "before", "after"
"""What the address of a comparison names its two versions by."""
_CHART = "history_chart"
_BARE = {"displayModeBar": False}


def measure_history() -> None:
    """The section; nothing while there are not two versions of anything."""
    everything = histories()
    grown = [one for one in everything if len(one.versions) > 1]
    if grown:
        st.subheader("History", anchor=False)
        _history(grown)
    if sum(len(one.versions) for one in everything) > 1:
        with st.expander("Compare any two", icon=":material/compare_arrows:", key="history_compare"):
            _any_two(everything)


def _history(grown: list[Lineage]) -> None:
    """One lineage: what is worse than it was, the chart, and every version."""
    with st.container(horizontal=True, key="history_line"):
        lineage = _lineage(grown)
        versions = recent(lineage, RUNS_SHOWN)
        names = shown_figures(versions)
        if not names:
            return
        name = st.selectbox("Figure", names, format_func=figure_title, key="history_figure")
    with st.spinner("Comparing the versions"):
        changes = [_change(lineage, one) for one in versions]
    newest = {one.id for one in lineage.newest}
    for one in changes:
        if one.worse and one.version.id in newest:
            _warning(one)
    _chart(changes, name)
    left_out = len(lineage.versions) - len(versions)
    older = f" {left_out:,} older ones are left out." if left_out else ""
    st.caption(
        "A dot is what was counted, its line the range of 19 in 20 such tests. Joined are versions that were asked "
        f"the same turns. Red: worse than the version before in at least one property. Click a dot to "
        f"read its report.{older}"
    )
    with st.expander("Version by version", icon=":material/list:", key="history_versions"):
        for one in reversed(changes):
            _row(one, name)


def comparison_view(before: str, after: str) -> None:
    """Two versions side by side, from what was measured of them, as a report card. Told when one is gone."""
    header("Comparison", "Two models on the same turns, from their reports. Nothing was measured anew.")
    if st.button("All reports", key="all_reports", icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.rerun()
    with told():
        found = histories()
        report_view(_card(find_version(found, before), find_version(found, after)))


@dataclass
class _Memory:
    """What was read of a workspace's reports. Streamlit's own cache would spend longer on its keys than on this."""

    signature: tuple[tuple[str, str], ...] | None = None
    digests: dict[str, ReportDigest] = field(default_factory=dict)
    lineages: list[Lineage] = field(default_factory=list)
    changes: dict[tuple[str, ...], Change] = field(default_factory=dict)


@st.cache_resource(max_entries=2, show_spinner=False)
def _remembered(here: Workspace) -> _Memory:
    return _Memory()


def digests() -> dict[str, ReportDigest]:
    """Every report that can be read, by name, kept until one of them changes."""
    return _read().digests


def histories() -> list[Lineage]:
    """The lineages of all reports, the one that was measured last first."""
    return _read().lineages


def _read() -> _Memory:
    here = workspace()
    memory = _remembered(here)
    signature = tuple(sorted((one.name, report_state(one)) for one in report_folders(here)))
    if memory.signature != signature:
        with st.spinner("Reading the reports"):
            memory.digests = dict(read_reports(here))
            memory.lineages = lineages(memory.digests.items(), known_parents(here))
            memory.changes, memory.signature = dict(list(memory.changes.items())[-_CHANGES_KEPT:]), signature
    return memory


def _change(lineage: Lineage, version: Version) -> Change:
    """A version against the one before it, kept until one of their reports changes."""
    before, here = lineage.before(version), workspace()
    pair = [one for one in (before, version) if one]
    key = tuple(word for one in pair for word in (one.id, one.report, report_state(here.jobs_dir / one.report)))
    changes = _remembered(here).changes
    if key not in changes:
        changes[key] = change_of(here, lineage, version)
    return changes[key]


def _card(before: Version, after: Version) -> ReportCard:
    folder = workspace().jobs_dir
    return _compared(workspace(), before, after, tuple(report_state(folder / one.report) for one in (before, after)))


@st.cache_resource(max_entries=4, show_spinner="Comparing the two", hash_funcs={Version: lambda one: one.id})
def _compared(here: Workspace, before: Version, after: Version, states: tuple[str, ...]) -> ReportCard:
    return compare_versions(here, before, after)


def _lineage(found: list[Lineage]) -> Lineage:
    if len(found) == 1:
        return found[0]
    titles = [one.title for one in found]
    chosen = st.selectbox("Models", range(len(found)), format_func=titles.__getitem__, key="history_lineage")
    return found[chosen]


def _chart(changes: list[Change], name: str) -> None:
    selected: Any = st.plotly_chart(
        history_chart(changes, name), key=_CHART, config=_BARE, on_select="rerun", selection_mode="points"
    )
    points = selected.get("selection", {}).get("points", []) if selected else []
    wanted = {point["customdata"][0] for point in points if point.get("customdata")}
    version = next((one.version for one in changes if one.version.id in wanted), None)
    if version:
        _open(report=version.report)


def _warning(change: Change) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="card_check_worse_history"):
        st.markdown(
            f":material/trending_down: **{plain(change.version.model.label)}** is {plain(change_words(change))}.",
            width="stretch",
        )
        _compare_button(change, "worse", "See what was lost")


def _row(change: Change, name: str) -> None:
    version, model = change.version, change.version.model
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{version.id}"):
        with st.container(width="stretch", gap=None, key=f"version_{version.id}"):
            if st.button(plain(model.label), key=f"row_version_{version.id}", type="tertiary"):
                _open(report=version.report)
            said = f"{datetime.fromtimestamp(version.measured):%d %b %Y} · {plain(change_words(change))}"
            st.caption(said)
        st.markdown(plain(figure_text(model.figures[name])), width="content")
        word, color, icon = TONES[change.tone]
        st.badge(
            "first" if change.tone == "alone" else word, color="gray" if change.tone == "alone" else color, icon=icon
        )
        if change.before:
            _compare_button(change, "row", "Turns")


def _compare_button(change: Change, where: str, label: str) -> None:
    if change.before and st.button(
        label, key=f"compare_{where}_{change.version.id}", type="tertiary", icon=":material/compare_arrows:",
        help="This version beside the one before it, down to the turns that were lost and won.",
    ):  # fmt: skip
        _open(before=change.before.id, after=change.version.id)


def _any_two(found: list[Lineage]) -> None:
    """Choose a version and what to compare it with: whatever was asked the same turns."""
    versions = {one.id: one for group in found for one in reversed(group.versions)}
    several = len(asked_sets(list(versions.values()))) > 1
    with st.container(horizontal=True, vertical_alignment="bottom", key="history_pair"):
        after = st.selectbox(
            "Version", list(versions), key="pair_after",
            format_func=lambda one: version_title(versions[one], turns=several),
        )  # fmt: skip
        chosen = versions[after]
        others = [key for key, one in versions.items() if one.test_set == chosen.test_set and key != after]
        usual = next(
            (group.before(one) for group in found for one in group.versions if one.id == after and one.before), None
        )
        before = st.selectbox(
            "Compared with", others, key=f"pair_before_{chosen.id}",
            index=others.index(usual.id) if usual and usual.id in others else 0,
            format_func=lambda one: version_title(versions[one]), placeholder="Nothing else was asked these turns",
        )  # fmt: skip
        if st.button("Compare", key="pair_compare", disabled=before is None) and before:
            _open(before=before, after=after)


def _open(**address: str) -> None:
    st.query_params.from_dict(address)
    st.rerun()
