"""The loop as steps: exactly one is next, and what is done is said to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.metrics import Figure
from studio.ui.overview import Facts, measured_words, steps
from studio.validation.digest import Measured, ReportDigest

small = st.integers(0, 3)
said = st.sampled_from(["", "first: 39% of turns right"])
facts = st.builds(
    Facts, bases=small, scenarios=small, finished_runs=small, running=small, models=small, chats=small, measured=said
)


@given(facts)
def test_exactly_one_step_is_next_and_all_before_it_are_done(found: Facts) -> None:
    states = [one.state for one in steps(found)]
    assert len(states) == 7
    assert states.count("next") == 1
    assert set(states[: states.index("next")]) <= {"done"}


def test_a_new_workspace_begins_at_the_beginning_and_a_full_one_ends_in_play() -> None:
    assert [one.state for one in steps(Facts(0, 0, 0, 0, 0, 0))] == ["next", *["later"] * 6]
    assert [one.state for one in steps(Facts(1, 1, 1, 0, 1, 1, "good"))] == [*["done"] * 6, "next"]
    assert steps(Facts(1, 1, 1, 0, 1, 1, "good"))[-1].title == "Play"


def test_a_step_that_was_skipped_is_next_and_later_ones_keep_their_mark() -> None:
    states = [one.state for one in steps(Facts(1, 0, 1, 0, 1, 0))]
    assert states == ["done", "next", "later", "done", "done", "later", "later"]


def test_every_step_has_words_and_a_page() -> None:
    for one in steps(Facts(1, 2, 0, 1, 0, 4)):
        assert one.title
        assert one.status
        assert one.action
        assert one.page.startswith("pages/")
    assert "1 run in progress" in [one.status for one in steps(Facts(1, 2, 0, 1, 0, 4))]


def test_a_model_file_that_was_never_measured_is_to_be_measured_next() -> None:
    found = next(one for one in steps(Facts(1, 1, 1, 0, 1, 0)) if one.state == "next")
    assert (found.title, found.page, found.action) == ("Measure", "pages/measure.py", "Measure your model")


def measured(label: str, right: float | None, *, is_base: bool = False) -> Measured:
    figures = {"turn_right": Figure(name="turn_right", value=right)}
    run = "" if is_base else label.partition(".")[0]
    return Measured(label=label, sha256=label, size_bytes=1, is_base=is_base, run=run, figures=figures)


def test_the_last_report_in_a_line() -> None:
    base, first, second = measured("smol", 0.04, is_base=True), measured("first.Q8_0", 0.39), measured("second", 0.5)

    def words(*models: Measured) -> str:
        return measured_words(ReportDigest(created=1, test_set="x", turns=23, tone="alone", models=models))

    assert words(base, first) == "first: 39% of turns right, base 4%"
    assert words(first, second) == "second: 50% of turns right, first.Q8_0 39%"
    assert words(first) == "first: 39% of turns right"
    assert words(base) == words(measured("empty", None)) == ""
