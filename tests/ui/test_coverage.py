"""The figures and tables hold the counts, where a reader looks for them."""

from __future__ import annotations

from collections import Counter

import pytest

from studio.dataset.balancing import RowFeatures, balance
from studio.dataset.coverage import Coverage, row_coverage
from studio.dataset.suggestions import load_needs, suggestions
from studio.scenarios import load_vocabulary
from studio.ui.coverage import (
    balance_rows,
    calls_share,
    coverage_map,
    people_rows,
    request_rows,
    roll_rows,
    suggestion_rows,
    token_chart,
    type_rows,
    words_chart,
)

WORDS = load_vocabulary()
COUNTS = Coverage(
    scenarios=4,
    types=Counter(combat=3, mixed=1),
    requests=Counter(
        {
            ("stealth", "success", 15): 3,
            ("stealth", "failed", 0): 2,
            ("damage", "untold", 0): 7,
            ("stealth", "untold", 5): 1,
        }
    ),
    people=Counter({("wizard", 2): 1, ("fighter", 2): 2, ("fighter", 0): 1, ("other", 5): 9}),
    rolls=Counter({6: 3, 2: 1}),
    turns=Counter({("DM", 40): 2, ("User", 10): 5, ("DM", 500): 1}),
    dm_turns=Counter({"call": 3, "no call": 9}),
)


def test_the_map_shows_each_count_in_its_cell() -> None:
    success, _, failed, _ = coverage_map(COUNTS, WORDS).data
    row, column = list(success.y).index("Stealth"), list(success.x).index("15")
    assert success.customdata[row][column] == 3
    assert success.text[row][column] == "3"
    assert failed.customdata[row][list(failed.x).index("–")] == 2
    assert sum(map(sum, success.customdata)) == 3
    assert sum(map(sum, failed.customdata)) == 2
    assert success.text[0][0] == ""


def test_every_request_that_can_fail_has_its_row_even_without_a_roll() -> None:
    figure = coverage_map(Coverage(), WORDS)
    assert len(figure.data[0].y) == sum(tool.has_outcome for tool in WORDS.tools)
    assert figure.layout.height > 15 * len(figure.data[0].y)


def test_what_is_suggested_wears_a_ring_in_its_panel() -> None:
    found = suggestions(COUNTS, load_needs(), WORDS)
    figure = coverage_map(COUNTS, WORDS, found)
    for trace, outcome in ((figure.data[1], "success"), (figure.data[3], "failed")):
        wanted = [one for one in found if one.outcome == outcome]
        assert len(trace.x) == len(wanted)
        assert wanted


def test_the_shade_tells_one_from_none_and_deepens() -> None:
    cells = coverage_map(COUNTS, WORDS).data[0]
    depth = cells.zmax
    assert [stop for stop, _ in cells.colorscale] == [0, pytest.approx(1 / depth), 1]
    assert max(map(max, cells.z)) <= depth


def test_the_token_chart_draws_rows_and_limit() -> None:
    figure = token_chart(row_coverage([("a", 0, 100, 1), ("b", 0, 110, 1), ("c", 0, 990, 1)], 1000))
    [bars] = figure.data
    assert list(bars.y) == [2, 1]
    assert list(bars.x) == [64 + 32, 960 + 32]
    assert bars.marker.color[0] != bars.marker.color[1]
    assert figure.layout.shapes[0].x0 == 1000


def test_the_word_chart_keeps_speakers_apart_and_says_its_last_bin() -> None:
    dm, players = words_chart(COUNTS).data
    assert list(dm.y) == [2, 1]
    assert list(players.y) == [5]
    assert list(dm.customdata) == ["40 to 49", "500 or more"]


def test_tables_are_the_counts() -> None:
    rows = {row["Request"]: row for row in request_rows(COUNTS, WORDS)}
    assert rows["Stealth"] == {"Request": "Stealth", "Asked": 6, "Success": 3, "Failed": 2, "Not told": 1}
    assert rows["Damage"] == {"Request": "Damage", "Asked": 7, "Success": None, "Failed": None, "Not told": None}
    assert len(rows) == len(WORDS.tools)
    assert people_rows(COUNTS) == [
        {"Class": "Fighter", "All": 3, "No level": 1, "Level 2": 2, "Level 5": None},
        {"Class": "Wizard", "All": 1, "No level": None, "Level 2": 1, "Level 5": None},
        {"Class": "Other", "All": 9, "No level": None, "Level 2": None, "Level 5": 9},
    ]
    assert {row["Type"]: (row["Scenarios"], row["Share"]) for row in type_rows(COUNTS)} == {
        "Combat": (3, 0.75), "Roleplay": (0, 0.0), "Exploration": (0, 0.0), "Mixed": (1, 0.25),
    }  # fmt: skip
    assert roll_rows(COUNTS) == [{"Rolls": 2, "Scenarios": 1}, {"Rolls": 6, "Scenarios": 3}]
    assert calls_share(COUNTS) == 0.25
    assert calls_share(Coverage()) == 0


def test_the_list_shows_the_factors_of_its_score() -> None:
    for row, one in zip(suggestion_rows(found := suggestions(COUNTS, load_needs(), WORDS)), found, strict=True):
        product = row["Per 100 requests"] * row["Usual"] * row["Missing"]
        assert row["Score"] == pytest.approx(product, rel=0.1)
        assert row["Write"] == one.title


def test_the_balance_table_has_one_margin_before_and_after() -> None:
    rows = [
        RowFeatures(str(n), {"type": {"combat" if n else "mixed": 1.0}, "call": {"no call": 1.0}}) for n in range(4)
    ]
    made = balance(rows, {"type": "even"})
    combat, mixed = balance_rows(made, "type")
    assert (combat[""], combat["Rows"], combat["Share before"], combat["Target"]) == ("combat", 3, 0.75, 0.5)
    assert mixed["Share after"] == pytest.approx(0.5, abs=0.001)
    assert [row["Target"] for row in balance_rows(made, "call")] == [None]
