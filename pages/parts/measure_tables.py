"""The tables of a report card: by kind of scene, roll by roll, detail by detail, and what was asked for instead.

A click on a cell opens the turns behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts.measure_turns import show_turns
from studio.ui.measure import part_rows
from studio.ui.wording import plain
from studio.validation import ReportCard
from studio.validation.behind import Behind
from studio.validation.breakdown import (
    Matrix,
    Row,
    argument_rows,
    behind_cell,
    behind_count,
    matrix,
    tool_rows,
    type_rows,
)

_TONES = {"worse": "color: #d0585c; font-weight: 600", "better": "color: #3f9468; font-weight: 600"}
_TINTS = {"right": "63, 148, 104", "wrong": "208, 88, 92"}
Find = Callable[[int, str], Behind | None]


def report_tables(card: ReportCard) -> None:
    """Every table, folded."""
    with st.expander("Roll by roll, and by kind of scene", key="report_tables"):
        st.caption("Click a cell to read the turns behind it.")
        for key, title, head, rows in (
            ("tools", "Of the rolls that the authors asked for: those that came.", "Roll", tool_rows(card.models)),
            ("details", "Of the right rolls: the details as written.", "Detail", argument_rows(card.models)),
            (
                "types",
                "By kind of scene. A part has few turns, so its range is wide.",
                "Figure",
                type_rows(card.models),
            ),
        ):
            if rows:
                st.caption(title)
                _parts(card, rows, head, f"report_{key}")
    with st.expander("What was asked for instead", key="report_matrices"):
        st.caption(
            "Rows: what the author asked for. Columns: what the model asked for; in the last corner, turns where "
            "neither asked. Click a number to read its turns."
        )
        for number, model in enumerate(card.models):
            if found := matrix(model.summary):
                st.markdown(f"**{plain(model.model.label)}**")
                _matrix(card, found, model.model.label, f"report_matrix_{number}")


def _parts(card: ReportCard, rows: Sequence[Row], head: str, key: str) -> None:
    labels = [one.model.label for one in card.models]

    def style(line: pd.Series[str]) -> list[str]:
        verdicts = {label: cell.verdict for label, cell in zip(labels, rows[int(str(line.name))].cells, strict=True)}
        return [_TONES.get(verdicts.get(str(column)) or "", "") for column in line.index]

    def find(row: int, column: str) -> Behind | None:
        return behind_cell(rows[row], labels.index(column), column) if column in labels else None

    frame = pd.DataFrame(part_rows(card, rows, head))
    _clickable(card, frame.style.apply(style, axis=1), key, find, hide_index=True)


def _matrix(card: ReportCard, table: Matrix, label: str, key: str) -> None:
    frame = pd.DataFrame(
        [[f"{one.value}" if one.value else "" for one in counts] for _, counts in table.rows],
        columns=list(table.columns),
        index=[title for title, _ in table.rows],
    )
    tints = [
        [_tint(one.tone, one.value, sum(other.value for other in counts)) for one in counts] for _, counts in table.rows
    ]

    def find(row: int, column: str) -> Behind | None:
        wanted, counts = table.rows[row]
        return behind_count(wanted, column, counts[table.columns.index(column)], label)

    style = frame.style.apply(lambda _: pd.DataFrame(tints, index=frame.index, columns=frame.columns), axis=None)
    _clickable(card, style, key, find, hide_index=False)


def _tint(tone: str, value: int, whole: int) -> str:
    """The darker, the larger the share of its row."""
    return (
        f"background-color: rgba({_TINTS[tone]}, {0.15 + 0.4 * value / whole:.2f})" if tone in _TINTS and whole else ""
    )


def _clickable(card: ReportCard, table: Any, key: str, find: Find, *, hide_index: bool) -> None:
    """A table of which a cell that was just chosen opens its turns; closing them leaves the cell chosen."""
    event = st.dataframe(
        table, hide_index=hide_index, key=key, on_select="rerun", selection_mode="single-cell", height="content",
        width="stretch" if hide_index else "content",
    )  # fmt: skip
    chosen = next(iter(event.selection.cells), None)
    shown = f"{key}_shown"
    if chosen == st.session_state.get(shown):
        return
    st.session_state[shown] = chosen
    behind = find(chosen[0], chosen[1]) if chosen else None
    if behind and behind.lists:
        show_turns(card, behind)
