"""The history chart and its words: what is joined, what is red, and names that are never markup."""

from __future__ import annotations

import pytest

from studio.metrics import Comparison, Difference, Figure, Interval, McNemar
from studio.metrics.comparison import Verdict
from studio.ui.measure_history import WORSE, change_words, history_chart, recent, shown_figures
from studio.validation.digest import Measured
from studio.validation.history import Change, Lineage, Version

HOSTILE = "<img src=x onerror=alert(1)>"


def version(label: str, step: int, right: float | None = 0.5, kind: str = "Q8_0", **more: object) -> Version:
    figure = Figure(name="turn_right", value=right, interval=Interval(low=0.25, high=0.75), hits=1, total=2)
    figures = {"turn_right": figure, "call_recall": Figure(name="call_recall", value=None)}
    known = {"label": label, "sha256": label, "size_bytes": 1, "quantization": kind, "figures": figures}
    model = Measured.model_validate({**known, **more})
    return Version(f"evaluate-{label}", model, "x", 23, 1.0, 1.0, step)


def change(new: Version, old: Version | None = None, **verdicts: Verdict) -> Change:
    interval = Interval(low=-0.5, high=0.0)
    found = tuple(
        Comparison(
            name=name,
            first=0.75,
            second=0.25,
            difference=Difference(value=-0.5, interval=interval, pairs=23),
            test=McNemar(only_first=6, only_second=0, p_value=0.03),
            verdict=verdict,
        )
        for name, verdict in verdicts.items()
    )
    return Change(new, old, found)


BASE = version("smol", 0, is_base=True, kind="Q4_1")
FIRST, SECOND = version("first", 1), version("second", 2, 0.25)


def test_each_version_is_joined_with_the_one_before_it() -> None:
    figure = history_chart([change(BASE), change(FIRST, BASE), change(SECOND, FIRST)], "turn_right")
    joints = [trace for trace in figure.data if trace.mode == "lines" and len(trace.x)]
    assert [(list(trace.x), list(trace.y)) for trace in joints] == [
        ([0, 1, None, 1, 2, None], [0.5, 0.5, None, 0.5, 0.25, None])
    ]
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert [(trace.name, list(trace.x)) for trace in dots] == [("base model", [0]), ("Q8_0", [1, 2])]
    assert list(dots[1].error_y.array) == [0.25, 0.5]
    assert list(figure.layout.xaxis.ticktext) == ["untrained", "first", "second"]
    assert len(figure.layout.annotations) == 0


def test_files_of_one_run_stand_beside_each_other_under_one_name() -> None:
    small = version("first.Q4_0", 1, kind="Q4_0", run="first", adapter="a")
    large = version("first.f16", 1, kind="F16", run="first", adapter="a")
    figure = history_chart([change(BASE), change(small, BASE), change(large, BASE)], "turn_right")
    places = {trace.name: trace.x[0] for trace in figure.data if trace.mode == "markers"}
    assert places["Q4_0"] < 1 < places["F16"]
    assert list(figure.layout.xaxis.ticktext) == ["untrained", "first"]


def test_what_became_worse_is_red_and_said_in_words() -> None:
    worse = change(SECOND, FIRST, turn_right="worse", faithful="better")
    figure = history_chart([change(FIRST), worse], "turn_right")
    (dots,) = [trace for trace in figure.data if trace.mode == "markers"]
    red, usual = dots.marker.color[1], dots.marker.color[0]
    (words,) = figure.layout.annotations
    assert words.text.replace("<br>", "") == WORSE
    assert words.font.color == red != usual
    assert change_words(worse) == (
        "worse than first: Turns that are right (75% → 25%); better than first: True to the sheets (75% → 25%)"
    )
    assert worse.tone == "mixed"
    assert change_words(change(SECOND, FIRST, turn_right="no difference shown")) == "no difference to first shown"


def test_names_are_text() -> None:
    named = version(HOSTILE, 1, run=HOSTILE, kind=HOSTILE)
    figure = history_chart([change(named), change(version("x", 2), named, turn_right="worse")], "turn_right")
    written = figure.to_json()
    assert "<img" not in written
    assert "\\u003cimg" not in written
    assert "&lt;img" in written


@pytest.mark.parametrize(("most", "kept"), [(1, ["smol", "second"]), (2, ["smol", "first", "second"]), (9, 3)])
def test_the_base_and_the_latest_runs_are_shown(most: int, kept: list[str] | int) -> None:
    shown = [one.model.label for one in recent(Lineage("x", (BASE, FIRST, SECOND)), most)]
    assert shown == kept or len(shown) == kept


def test_only_figures_with_a_value_can_be_chosen() -> None:
    assert shown_figures([FIRST, version("empty", 3, None)]) == ["turn_right"]
    assert shown_figures([version("empty", 3, None)]) == []
    assert len(history_chart([change(version("empty", 3, None))], "turn_right").data) == 0
