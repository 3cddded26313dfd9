"""What the scenarios show, as figures and table rows: the map of rolls, lengths, people, and shares before and after.

Colours of filled cells are opaque, so that the numbers on them are readable in the light and the dark theme alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studio.dataset.balancing import Balance, Margin
from studio.dataset.coverage import (
    BANDS,
    LAST_WORDS_BIN,
    NEAR_LIMIT,
    NO_DC,
    OTHER_CLASS,
    TOKENS_PER_BIN,
    WORDS_PER_BIN,
    Coverage,
    RowCoverage,
)
from studio.dataset.suggestions import Suggestion
from studio.scenarios import SCENARIO_TYPES, Tool, Vocabulary

_EMPTY, _FEW, _MANY = "rgba(128,128,128,.13)", "#cdbdea", "#5d3c94"
_VIOLET, _AMBER, _GRID = "#8f6fc9", "#c9803a", "rgba(128,128,128,.16)"
_ROW_PIXELS, _FRAME_PIXELS = 19, 84
_PANELS = (("success", "SUCCESS"), ("failed", "FAILED"))
Row = dict[str, Any]


def coverage_map(coverage: Coverage, vocabulary: Vocabulary, marked: Sequence[Suggestion] = ()) -> go.Figure:
    """Requests that can fail x (outcome, DC band): how often each case is shown; `marked` cases wear a ring."""
    tools = [tool for tool in vocabulary.tools if tool.has_outcome]
    names, bands = [capital(tool) for tool in tools], [_band(band) for band in BANDS]
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=[t for _, t in _PANELS])
    counts = {end: [[coverage.requests[one.name, end, band] for band in BANDS] for one in tools] for end, _ in _PANELS}
    most = max((number for rows in counts.values() for row in rows for number in row), default=0)
    for column, (end, title) in enumerate(_PANELS, start=1):
        figure.add_trace(_cells(bands, names, counts[end], title, most), row=1, col=column)
        rings = [one for one in marked if one.outcome == end and one.tool in {tool.name for tool in tools}]
        figure.add_trace(_rings(rings, vocabulary), row=1, col=column)
    figure.update_layout(
        height=_FRAME_PIXELS + _ROW_PIXELS * len(tools),
        margin={"l": 4, "r": 4, "t": 30, "b": 34},
        showlegend=False,
        hoverlabel={"align": "left"},
        uirevision="map",
    )
    figure.update_annotations(font={"size": 12})
    bare = {"showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(title={"text": "DC", "standoff": 4, "font": {"size": 11}}, type="category", **bare)
    figure.update_xaxes(tickfont={"size": 10}, tickangle=0, ticks="", ticklen=0, range=[-0.5, len(bands) - 0.5])
    figure.update_yaxes(tickfont={"size": 11}, type="category", ticks="", range=[len(names) - 0.5, -0.5], **bare)
    return figure


def _cells(bands: list[str], names: list[str], counts: list[list[int]], title: str, most: int) -> go.Heatmap:
    depth = max(most, 4) ** 0.5  # by the root: the step from 0 to 1 matters more than the one from 9 to 10
    return go.Heatmap(
        x=bands,
        y=names,
        z=[[number**0.5 for number in row] for row in counts],
        zmin=0,
        zmax=depth,
        customdata=counts,
        text=[[str(number) if number else "" for number in row] for row in counts],
        texttemplate="%{text}",
        textfont={"size": 11},
        colorscale=[[0, _EMPTY], [1 / depth, _FEW], [1, _MANY]],
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{y}, DC %{x}: %{customdata}<extra>" + title + "</extra>",
    )


def _rings(marked: Sequence[Suggestion], vocabulary: Vocabulary) -> go.Scatter:
    return go.Scatter(
        x=[_band(one.band) for one in marked],
        y=[capital(vocabulary.by_name[one.tool]) for one in marked],
        mode="markers",
        marker={"symbol": "circle-open", "size": 15, "color": _AMBER, "line": {"width": 2}},
        hoverinfo="skip",
    )


def token_chart(rows: RowCoverage) -> go.Figure:
    """How many rows have how many tokens, with the limit that a row may not pass."""
    starts = sorted(rows.lengths)
    figure = go.Figure(
        go.Bar(
            x=[start + TOKENS_PER_BIN / 2 for start in starts],
            y=[rows.lengths[start] for start in starts],
            width=TOKENS_PER_BIN * 0.94,
            marker={"color": [_AMBER if start > NEAR_LIMIT * rows.limit else _VIOLET for start in starts]},
            customdata=[[start, start + TOKENS_PER_BIN - 1] for start in starts],
            hovertemplate="%{customdata[0]} to %{customdata[1]} tokens: %{y} rows<extra></extra>",
        )
    )
    figure.add_vline(x=rows.limit, line={"color": _AMBER, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=rows.limit, y=1, yref="paper", text=f"limit {rows.limit:,}", showarrow=False, xanchor="right", xshift=-6,
        yanchor="bottom",
    )  # fmt: skip
    return _dress(figure, "tokens in a row", "rows", rows.limit * 1.04)


def words_chart(coverage: Coverage) -> go.Figure:
    """How long the turns of the DM and of the players are, in words."""
    figure = go.Figure()
    for speaker, name, color in (("DM", "Dungeon Master", _VIOLET), ("User", "players", _AMBER)):
        bins = {start: number for (who, start), number in coverage.turns.items() if who == speaker}
        starts = sorted(bins)
        figure.add_bar(
            x=[start + WORDS_PER_BIN / 2 for start in starts],
            y=[bins[start] for start in starts],
            name=name,
            marker={"color": color},
            customdata=[_words(start) for start in starts],
            hovertemplate="%{customdata} words: %{y} turns<extra>" + name + "</extra>",
        )
    return _dress(figure, "words in a turn", "turns", None)


def _words(start: int) -> str:
    return f"{start} or more" if start == LAST_WORDS_BIN else f"{start} to {start + WORDS_PER_BIN - 1}"


def _dress(figure: go.Figure, across: str, up: str, reach: float | None) -> go.Figure:
    axis = {"showgrid": True, "gridcolor": _GRID, "zeroline": False, "fixedrange": True}
    figure.update_layout(
        height=260,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.15, "x": 0},
        bargap=0.06,
        xaxis={"title": across, **axis, **({"range": [0, reach]} if reach else {"rangemode": "tozero"})},
        yaxis={"title": up, "rangemode": "tozero", **axis},
    )
    return figure


def request_rows(coverage: Coverage, vocabulary: Vocabulary) -> list[Row]:
    """Every request of the vocabulary: how often it is asked for, and how it ends (None where it has no outcome)."""
    asked, ends = coverage.asked(), coverage.outcomes()
    return [
        {
            "Request": capital(tool),
            "Asked": asked[tool.name],
            "Success": ends[tool.name, "success"] if tool.has_outcome else None,
            "Failed": ends[tool.name, "failed"] if tool.has_outcome else None,
            "Not told": ends[tool.name, "untold"] if tool.has_outcome else None,
        }
        for tool in vocabulary.tools
    ]


def people_rows(coverage: Coverage) -> list[Row]:
    """Characters by class and level: one row a class, most frequent first; level 0 is one that no sheet says."""
    classes: Counter[str] = Counter()
    for (name, _), number in coverage.people.items():
        classes[name] += number
    levels = sorted({level for _, level in coverage.people})
    ordered = sorted(classes, key=lambda name: (name == OTHER_CLASS, -classes[name], name))
    return [
        {"Class": name.capitalize(), "All": classes[name]}
        | {f"Level {level}" if level else "No level": coverage.people[name, level] or None for level in levels}
        for name in ordered
    ]


def type_rows(coverage: Coverage) -> list[Row]:
    """Scenarios of each type and their share (0 to 1), those that there are none of too."""
    whole = max(coverage.scenarios, 1)
    return [
        {"Type": name.capitalize(), "Scenarios": coverage.types[name], "Share": round(coverage.types[name] / whole, 3)}
        for name in SCENARIO_TYPES
    ]


def roll_rows(coverage: Coverage) -> list[Row]:
    """How many scenarios have how many dice rolls."""
    return [{"Rolls": rolls, "Scenarios": coverage.rolls[rolls]} for rolls in sorted(coverage.rolls)]


def suggestion_rows(found: Sequence[Suggestion]) -> list[Row]:
    """The whole list with the three factors of its score."""
    return [
        {
            "Write": one.title,
            "Type": one.scenario_type,
            "Score": round(one.score, 2),
            "Per 100 requests": round(one.per_100, 1),
            "Usual": round(one.usual, 2),
            "Missing": one.missing,
            "You have": one.have,
            "Wanted": round(one.wanted, 1),
        }
        for one in found
    ]


def balance_rows(balance: Balance, margin: Margin) -> list[Row]:
    """The lines of one margin, before and after; shares from 0 to 1."""
    return [
        {
            "": old.label.replace("_", " "),
            "Rows": old.rows,
            "Share before": round(old.share, 3),
            "Target": None if old.target is None else round(old.target, 3),
            "Share after": round(new.share, 3),
            "Count for, before": round(old.effective, 1),
            "Count for, after": round(new.effective, 1),
        }
        for old, new in zip(balance.before, balance.after, strict=True)
        if old.margin == margin
    ]


def calls_share(coverage: Coverage) -> float:
    """Share of the DM's turns that ask the engine for something, 0 to 1."""
    whole = coverage.dm_turns.total()
    return coverage.dm_turns["call"] / whole if whole else 0.0


def capital(tool: Tool) -> str:
    """The tool's name as a label: `Sleight of hand`."""
    return tool.spoken[:1].upper() + tool.spoken[1:]


def _band(band: int) -> str:
    return "–" if band == NO_DC else str(band)
