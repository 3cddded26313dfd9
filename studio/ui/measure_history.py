"""History over versions as a page shows it: which figures, the chart, and a version's change in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from studio.metrics import Comparison, Figure
from studio.ui.runs import Color
from studio.ui.wording import count
from studio.validation import CHECKS, FIGURES, figure_text
from studio.validation.digest import HEADLINES
from studio.validation.headline import Tone
from studio.validation.history import Change, Lineage, Version

TONES: dict[Tone, tuple[str, Color, str]] = {
    "better": ("better", "green", ":material/trending_up:"),
    "worse": ("worse", "red", ":material/trending_down:"),
    "mixed": ("better and worse", "orange", ":material/swap_vert:"),
    "same": ("no difference shown", "gray", ":material/trending_flat:"),
    "alone": ("measured", "violet", ":material/check:"),
}
"""A verdict as a badge: word, colour, icon."""
WORSE = "worse than the version before"
_COLORS = ("#8f6fc9", "#c9803a", "#4b86c9", "#3f9468", "#b06a8f", "#7a8a3c")
_BASE, _RED = "#8a8f99", "#d0585c"
_DODGE = 0.16
_HEIGHT = 360
_LEVEL = 5
"""So many names stand side by side; more are tilted."""


def recent(lineage: Lineage, most: int) -> tuple[Version, ...]:
    """The base model and the versions of the last `most` runs."""
    steps = sorted({one.step for one in lineage.versions if not one.model.is_base})[-most:]
    return tuple(one for one in lineage.versions if one.model.is_base or one.step in steps)


def shown_figures(versions: Sequence[Version]) -> list[str]:
    """The figures for which some version has a value."""
    return [name for name in HEADLINES if any(_value(one, name) is not None for one in versions)]


def history_chart(changes: Sequence[Change], name: str) -> go.Figure:
    """One figure over versions: a dot with its range, joined with the version before on the same turns.

    Files of one quantization type and test set share a colour; a version that is worse than the one before it in
    anything is red. A dot's customdata begins with the version's id. Labels are text, never markup.
    """
    places = _places(changes)
    series: dict[str, list[Change]] = {}
    for one in changes:
        if _value(one.version, name) is not None:
            series.setdefault(_series(one.version, changes), []).append(one)
    colors = {title: _COLORS[number % len(_COLORS)] for number, title in enumerate(key for key in series if key)}
    figure = go.Figure()
    for title, found in series.items():
        _add_joints(figure, found, places, name, colors.get(title, _BASE))
    for title, found in series.items():
        _add_dots(figure, found, places, name, title, colors.get(title, _BASE))
    _mark_worse(figure, changes, name)
    return _dressed(figure, changes, less=_less(changes, name))


def change_words(change: Change) -> str:
    """A version against the one before it: `worse than tavern-5: Turns that are right (74% → 26%)`."""
    if change.before is None:
        return "the first on these turns"
    other = change.before.model.label
    parts = (("worse than", change.worse), ("better than", change.better))
    said = [f"{word} {other}: {_named(found)}" for word, found in parts if found]
    return "; ".join(said) or f"no difference to {other} shown"


def _named(found: Sequence[Comparison]) -> str:
    return ", ".join(f"{CHECKS[one.name].title} ({one.first:.0%} → {one.second:.0%})" for one in found)


def version_title(version: Version, *, turns: bool = False) -> str:
    """A version in a list of choices."""
    asked = f" · {count(version.turns, 'turn')}" if turns else ""
    return f"{version.model.label}{asked}"


def asked_sets(versions: Sequence[Version]) -> list[str]:
    """The test sets of versions, by their first use."""
    return list(dict.fromkeys(one.test_set for one in versions))


def _series(version: Version, changes: Sequence[Change]) -> str:
    """The line that a version is on; empty for a base model, with which all begin."""
    if version.model.is_base:
        return ""
    kind = version.model.quantization or "unknown type"
    sets = asked_sets([one.version for one in changes])
    if len(sets) < 2:
        return kind
    return f"{kind}, test {sets.index(version.test_set) + 1} ({count(version.turns, 'turn')})"


def _places(changes: Sequence[Change]) -> dict[str, float]:
    """Where each version stands: runs side by side, the files of one run close together."""
    steps = _ticks(changes)
    rows: dict[int, list[str]] = {}
    for one in changes:
        rows.setdefault(one.version.step, []).append(one.version.id)
    return {
        name: steps[step] + _DODGE * (number - (len(names) - 1) / 2)
        for step, names in rows.items()
        for number, name in enumerate(names)
    }


def _add_joints(figure: go.Figure, found: Sequence[Change], places: dict[str, float], name: str, color: str) -> None:
    """The lines from each version to the one before it."""
    x: list[float | None] = []
    y: list[float | None] = []
    for one in found:
        before = _value(one.before, name) if one.before else None
        if one.before is not None and before is not None and one.before.id in places:
            x += [places[one.before.id], places[one.version.id], None]
            y += [before, _value(one.version, name), None]
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": color, "width": 2}, opacity=0.75, hoverinfo="skip", showlegend=False
    )


def _add_dots(
    figure: go.Figure, found: Sequence[Change], places: dict[str, float], name: str, title: str, color: str
) -> None:
    shown = [(one, one.version.model.figures[name]) for one in found]
    values = [figure.value or 0.0 for _, figure in shown]
    reach = [_reach(figure, value) for (_, figure), value in zip(shown, values, strict=True)]
    figure.add_scatter(
        x=[places[one.version.id] for one in found],
        y=values,
        mode="markers",
        name=escape(title or "base model"),
        marker={"size": 11, "color": [_RED if one.worse else color for one in found], "line": {"width": 0}},
        error_y={
            "type": "data",
            "symmetric": False,
            "arrayminus": [low for low, _ in reach],
            "array": [high for _, high in reach],
            "color": color,
            "thickness": 1.4,
            "width": 4,
        },
        customdata=[
            [one.version.id, escape(one.version.model.label), escape(figure_text(figure)), escape(change_words(one))]
            for one, figure in shown
        ],
        hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
    )


def _mark_worse(figure: go.Figure, changes: Sequence[Change], name: str) -> None:
    """The words beside what became worse; once for the files of one run, and never over the dots."""
    values = {one.version.step: _value(one.version, name) for one in changes if one.worse}
    ticks = _ticks(changes)
    for step, value in values.items():
        if value is not None:
            figure.add_annotation(
                x=ticks[step], y=1.18, text=WORSE.replace("the version", "<br>the version"), showarrow=False,
                yanchor="top", font={"color": _RED, "size": 12},
            )  # fmt: skip
            figure.add_shape(
                type="line", x0=ticks[step], x1=ticks[step], y0=0, y1=1.03, opacity=0.5,
                line={"color": _RED, "width": 1, "dash": "dot"},
            )  # fmt: skip


def _ticks(changes: Sequence[Change]) -> dict[int, int]:
    """Where each run stands, by its step."""
    return {step: place for place, step in enumerate(sorted({one.version.step for one in changes}))}


def _dressed(figure: go.Figure, changes: Sequence[Change], *, less: bool) -> go.Figure:
    grid = {"gridcolor": "rgba(128,128,128,.16)", "zeroline": False}
    places = _ticks(changes)
    ticks = {places[one.version.step]: _run_name(one.version) for one in changes}
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        xaxis={
            "tickvals": list(ticks),
            "ticktext": [escape(one) for one in ticks.values()],
            "tickangle": 0 if len(ticks) <= _LEVEL else -35,
            "range": [-0.5, max(ticks, default=0) + 0.5],
            "automargin": True,
            **grid,
        },
        yaxis={
            "range": [-0.03, 1.19],
            "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1],
            "tickformat": ".0%",
            "title": "less is better" if less else None,
            **grid,
        },
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def _run_name(version: Version) -> str:
    if version.model.is_base:
        return "untrained"
    name = version.model.run or version.model.label
    return name if len(name) <= 24 else f"{name[:23]}…"


def _value(version: Version, name: str) -> float | None:
    figure = version.model.figures.get(name)
    return figure.value if figure else None


def _reach(figure: Figure, value: float) -> tuple[float, float]:
    """How far the interval goes below and above the value."""
    if figure.interval is None:
        return 0.0, 0.0
    return max(0.0, value - figure.interval.low), max(0.0, figure.interval.high - value)


def _less(changes: Sequence[Change], name: str) -> bool:
    return any(
        one.version.model.figures[name].better == "lower" for one in changes if name in one.version.model.figures
    )


def figure_title(name: str) -> str:
    """A figure in a list of choices."""
    return FIGURES[name].title
