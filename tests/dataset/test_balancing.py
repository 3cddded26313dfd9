"""Weights add up and meet what can be met; nothing is left out without being named; figures computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.dataset.balancing import Balance, Margin, MarginRow, Method, RowFeatures, balance, features_of
from studio.errors import DatasetError
from studio.scenarios import MarkdownParser
from studio.workspace import PROJECT_ROOT


def of(name: str, **amounts: dict[str, float]) -> RowFeatures:
    return RowFeatures(name, amounts)  # type: ignore[arg-type]


def typed(**counts: int) -> list[RowFeatures]:
    """So many rows of each type, each with one trained token."""
    return [of(f"{kind}{n}", type={kind: 1.0}) for kind, count in counts.items() for n in range(count)]


def line(table: list[MarginRow], margin: Margin, label: str) -> MarginRow:
    return next(one for one in table if (one.margin, one.label) == (margin, label))


def test_two_types_become_even_computed_by_hand() -> None:
    made = balance(typed(combat=3, roleplay=1), {"type": "even"})
    assert made.weights == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2], abs=1e-5)
    assert made.effective_rows == pytest.approx(1 / (3 / 36 + 1 / 4), rel=1e-3)
    before, after = (line(table, "type", "combat") for table in (made.before, made.after))
    assert (before.rows, before.share, before.target, before.effective) == (3, 0.75, 0.5, pytest.approx(3))
    assert after.share == pytest.approx(0.5, abs=1e-4)
    assert made.met
    assert made.left_out == []
    assert made.copies is None


def test_an_effective_size_is_kishs() -> None:
    rows = [of("a", outcome={"success": 1.0}), of("b", outcome={"success": 3.0})]
    made = balance(rows, {})
    assert line(made.before, "outcome", "success").effective == pytest.approx(16 / 10)
    assert line(made.before, "outcome", "success").share == 1.0


def test_a_row_of_several_tools_counts_for_each_of_them() -> None:
    rows = [of("a", tool={"stealth": 3.0, "attack": 1.0}), of("b", tool={"attack": 4.0})]
    assert line(balance(rows, {}).before, "tool", "stealth").share == pytest.approx(3 / 8)
    made = balance(rows, {"tool": "even"})  # 3a = 1a + 4b, so a is twice b
    assert made.weights == pytest.approx([2 / 3, 1 / 3], abs=1e-4)


def test_several_margins_are_met_at_once() -> None:
    cells = {("combat", "success"): 8, ("combat", "failed"): 2, ("roleplay", "success"): 3, ("roleplay", "failed"): 2}
    rows = [of("r", type={kind: 1.0}, outcome={end: 1.0}) for (kind, end), n in cells.items() for _ in range(n)]
    made = balance(rows, {"type": {"combat": 0.6}, "outcome": "even"})
    assert made.met
    assert line(made.after, "type", "roleplay").share == pytest.approx(0.4, abs=1e-3)
    assert line(made.after, "outcome", "failed").share == pytest.approx(0.5, abs=1e-3)
    # Raking keeps the odds ratio of the table (8 x 2) / (2 x 3).
    weight = {
        cell: made.weights[start] * n for cell, n, start in zip(cells, cells.values(), (0, 8, 10, 13), strict=True)
    }
    odds = weight["combat", "success"] * weight["roleplay", "failed"]
    odds /= weight["combat", "failed"] * weight["roleplay", "success"]
    assert odds == pytest.approx(16 / 6, rel=1e-2)


def test_the_cap_bounds_every_weight_and_the_shortfall_is_said() -> None:
    made = balance(typed(combat=19, roleplay=1), {"type": "even"}, cap=3)
    ratios = made.weights * 20
    assert ratios.max() <= 3 * 1.001
    assert ratios.min() >= 1 / 3 * 0.999
    assert not made.met
    assert 0 < made.reached["type"] < 1
    share = line(made.after, "type", "roleplay").share
    assert 0.10 < share <= 0.15 + 1e-6  # three times as often as now is the most that the cap allows


def test_where_not_all_is_possible_the_margins_go_equally_far_computed_by_hand() -> None:
    rows = [of("a", type={"combat": 1.0}, outcome={"success": 1.0})]
    rows += [of("b", type={"mixed": 1.0}, outcome={"success": 1.0})]
    rows += [of("c", type={"combat": 1.0}, outcome={"failed": 1.0})]
    made = balance(rows, {"type": {"combat": 0.5}, "outcome": {"failed": 0.6}})
    # After a part x of the way b has 1/3 + x/6 and c 1/3 + x * 4/15; a keeps at least 1/12, so x is at most 15/26.
    assert made.reached["type"] == pytest.approx(15 / 26, abs=0.03)
    assert made.reached["outcome"] == pytest.approx(15 / 26, abs=0.03)
    assert made.weights[0] == pytest.approx(1 / 12, abs=0.005)


def test_a_margin_goes_on_alone_where_another_cannot() -> None:
    rows = [
        of(f"{n}", type={"combat" if n < 8 else "mixed": 1.0}, outcome={"success": 9.0, "failed": 1.0})
        for n in range(10)
    ]
    made = balance(rows, {"outcome": "even", "type": "even"})
    assert made.reached["type"] == 1
    assert made.reached["outcome"] < 0.1
    assert line(made.after, "type", "mixed").share == pytest.approx(0.5, abs=0.006)


def test_strength_goes_part_of_the_way_as_a_geometric_mean() -> None:
    rows = typed(combat=9, roleplay=1)
    assert balance(rows, {"type": "even"}, strength=0).weights == pytest.approx([0.1] * 10, abs=1e-6)
    half = balance(rows, {"type": "even"}, strength=0.5)
    assert line(half.after, "type", "combat").share == pytest.approx(3 / 4, abs=1e-3)  # sqrt(9) to sqrt(1)


def test_labels_that_are_not_named_divide_the_rest_as_before() -> None:
    made = balance(typed(combat=2, mixed=4, roleplay=2), {"type": {"combat": 0.4}})
    assert line(made.after, "type", "mixed").share == pytest.approx(0.4, abs=1e-3)
    assert line(made.after, "type", "roleplay").share == pytest.approx(0.2, abs=1e-3)


def test_a_target_that_no_row_can_serve_is_said() -> None:
    made = balance(typed(combat=2), {"type": {"combat": 0.5, "roleplay": 0.5}})
    assert len(made.unreachable) == 1
    assert "roleplay" in made.unreachable[0]
    assert not made.met


def test_repeats_lose_nothing_and_caps_name_what_they_leave_out() -> None:
    rows = typed(combat=12, roleplay=4)
    more = balance(rows, {"type": "even"}, method="repeats")
    assert more.copies == [1] * 12 + [3] * 4
    assert more.left_out == []
    fewer = balance(rows, {"type": "even"}, method="caps")
    assert fewer.copies
    assert sum(fewer.copies[:12]) == 4
    assert fewer.copies[12:] == [1] * 4
    assert fewer.left_out == [row.name for row, count in zip(rows, fewer.copies, strict=True) if not count]
    assert len(fewer.left_out) == 8
    assert line(fewer.after, "type", "roleplay").share == 0.5


def test_a_margin_whose_only_row_is_left_out_has_shares_of_nothing() -> None:
    rows = [*typed(combat=30, roleplay=1), of("tools", type={"combat": 1.0}, tool={"stealth": 1.0})]
    found = [balance(rows, {"type": "even"}, method="caps", cap=30, seed=seed) for seed in range(8)]
    without = [made for made in found if "tools" in made.left_out]
    assert without
    for made in without:
        after = line(made.after, "tool", "stealth")
        assert (after.share, after.effective) == (0, 0)
    assert all(made.weights.sum() == pytest.approx(1) for made in found)


def test_the_seed_decides_which_rows_a_cap_leaves_out() -> None:
    rows = typed(combat=40, roleplay=4)
    made = {seed: balance(rows, {"type": "even"}, method="caps", seed=seed, cap=10).left_out for seed in (1, 1, 2, 3)}
    assert made[1] == balance(rows, {"type": "even"}, method="caps", seed=1, cap=10).left_out
    assert len({tuple(one) for one in made.values()}) > 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: balance([], {}),
        lambda: balance(typed(combat=1), {}, cap=0.5),
        lambda: balance(typed(combat=1), {}, strength=2),
        lambda: balance(typed(combat=1), {"type": {"combat": 0.7, "mixed": 0.7}}),
        lambda: balance(typed(combat=1), {"type": {"combat": -0.1}}),
    ],
)
def test_what_makes_no_sense_is_refused(call: object) -> None:
    with pytest.raises(DatasetError):
        call()  # type: ignore[operator]


def test_a_row_that_has_the_shares_already_is_not_weighed_down_by_a_rounding_error() -> None:
    rows = [of("a", type={"combat": 1.0}), of("b", type={"combat": 1.0}, outcome={"success": 4.0, "failed": 6.0})]
    rows += [of("c", type={"roleplay": 1.0})]
    made = balance(rows, {"type": "even", "outcome": {"success": 0.4, "failed": 1 - 0.4}})
    assert made.met
    assert made.weights == pytest.approx([0.25, 0.25, 0.5], abs=1e-4)


amount = st.integers(1, 6).map(float)
random_row = st.builds(
    lambda kind, tools, ends: of("row", type={kind: 5.0}, tool=tools, outcome=ends),
    st.sampled_from(["combat", "roleplay", "mixed"]),
    st.dictionaries(st.sampled_from(["stealth", "attack", "insight"]), amount),
    st.dictionaries(st.sampled_from(["success", "failed"]), amount),
)
methods = st.sampled_from(["weights", "repeats", "caps"])


@given(st.lists(random_row, min_size=1, max_size=25), methods, st.floats(1, 8), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_any_balance_adds_up_stays_in_its_bounds_and_repeats_itself(
    rows: list[RowFeatures], method: Method, cap: float, seed: int
) -> None:
    def make() -> Balance:
        return balance(rows, {"type": "even", "tool": "even", "outcome": "even"}, method=method, cap=cap, seed=seed)

    made = make()
    assert made.weights.sum() == pytest.approx(1)
    assert np.array_equal(made.weights, make().weights)
    assert 1 <= made.effective_rows <= len(rows) + 1e-9
    assert all(0 <= way <= 1 for way in made.reached.values())
    if made.copies is None:
        ratios = made.weights * len(rows)
        assert ratios.min() >= (1 / cap) * 0.98
        assert ratios.max() <= cap * 1.02
    else:
        assert len(made.left_out) == made.copies.count(0)
        assert min(made.copies) >= (method == "repeats")
        assert max(made.copies) <= (cap + 1 if method == "repeats" else 1)


@given(st.lists(random_row, min_size=2, max_size=25), st.lists(st.floats(0.4, 2.5), min_size=25, max_size=25))
@settings(max_examples=60, deadline=None)
def test_targets_that_some_weights_meet_are_met(rows: list[RowFeatures], drawn: list[float]) -> None:
    """Any weights within the bounds have some shares: those shares can be met, so they must be."""
    ratios = np.array(drawn[: len(rows)])
    ratios /= ratios.mean()
    targets: dict[Margin, dict[str, float]] = {}
    for margin in ("type", "tool", "outcome"):
        sums: dict[str, float] = {}
        for one, ratio in zip(rows, ratios, strict=True):
            for label, value in one.amounts[margin].items():  # type: ignore[index]
                sums[label] = sums.get(label, 0.0) + value * ratio
        total = sum(sums.values())
        targets[margin] = {label: value / total for label, value in sums.items()}  # type: ignore[index]
    made = balance(rows, targets, cap=7)
    assert made.met, [(one.label, one.share, one.target) for one in made.after if not one.met]


def test_features_count_what_the_turns_of_a_row_hold() -> None:
    scenario = MarkdownParser().parse_scenario(PROJECT_ROOT / "data" / "scenarios" / "combat" / "ambush-scenario.md")
    whole = features_of(scenario)
    assert whole.name == "ambush-scenario.md"
    assert set(whole.amounts["type"]) == {"combat"}
    first = features_of(scenario, name="row", turns=(0, 4), trained=70)
    assert first.amounts == {
        "type": {"combat": 70},
        "tool": {"survival": 1.0},
        "outcome": {"success": 1.0},
        "call": {"call": 1.0, "no call": 1.0},
    }
    rest = features_of(scenario, turns=(4, len(scenario.conversation)))
    for margin, labels in whole.amounts.items():
        for label, number in labels.items():
            parts = features_of(scenario, turns=(0, 4)).amounts[margin].get(label, 0) + rest.amounts[margin].get(
                label, 0
            )
            assert parts == number
