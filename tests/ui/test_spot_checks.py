"""Spot checks on the page: rows of the form and back, the table in which nothing is markup."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import PlayError
from studio.play.spot_checks.results import compare
from studio.play.spot_checks.suite import Expectations, SpotSuite
from studio.ui.spot_checks import (
    ExpectationRow,
    comparison_html,
    expectations_of,
    result_sentence,
    rows_of,
    suite_of,
    suite_sentence,
)
from tests.play.test_spot_checks import result, suite
from tests.ui.html_check import Reading

WORDS = st.text("abc xyz.", min_size=1, max_size=12).map(str.strip).filter(bool)
STATE = st.fixed_dictionaries({"who": st.sampled_from(["Sarah", "Old Mo"]), "hit_points": st.integers(0, 99)})
EXPECTED = st.fixed_dictionaries(
    {},
    optional={
        "asks_for": WORDS,
        "asks_for_one_of": st.lists(WORDS, min_size=1, max_size=3),
        "says": st.lists(WORDS, min_size=1, max_size=3),
        "shorter_than": st.integers(1, 500),
        "asks_for_nothing": st.just(True),
        "does_not_speak_for_players": st.just(True),
        "in_combat": st.booleans(),
        "state": st.lists(STATE, max_size=2),
    },
)


@given(EXPECTED)
def test_expectations_survive_the_form(given_: dict[str, object]) -> None:
    expected = Expectations.model_validate(given_)
    assert expectations_of(rows_of(expected), ["Sarah", "Old Mo"]) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [("asks_for", " "), ("shorter_than", "few"), ("shorter_than", "0"), ("in_combat", "maybe"), ("hit_points", "Sarah"),
     ("hit_points", "Sarah many"), ("condition", "Sarah")],
)  # fmt: skip
def test_a_row_that_cannot_be_checked_says_why(kind: str, text: str) -> None:
    with pytest.raises(PlayError) as caught:
        expectations_of([ExpectationRow(kind, text)])
    assert caught.value.why
    assert caught.value.next_step


def test_what_the_form_does_not_show_stays_as_it_was() -> None:
    former = suite(repeat=3, valid_requests=True)
    made = suite_of({"title": "New", "repeat": 2, "at_least": 1}, former.lines, former)
    assert (made.title, made.system, made.valid_requests, made.sampling) == (
        "New",
        former.system,
        True,
        former.sampling,
    )
    with pytest.raises(PlayError):
        suite_of({"title": ""}, former.lines, former)
    with pytest.raises(PlayError):
        suite_of({"title": "New"}, [], former)


def test_the_table_shows_every_result_and_no_markup_of_others() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    first, second = result([True, False]), result([True], sha256="cd" * 32)
    attempt = first.attempts[0]
    line = attempt.lines[0].model_copy(update={"player": hostile, "reply": hostile})
    first = first.model_copy(update={"attempts": (attempt.model_copy(update={"lines": (line,)}),)})
    html = comparison_html(compare([first, second]), [first, second], 0.0)
    assert Reading(html).strange == []
    assert "<img" not in html
    assert html.count("passed") == 2
    assert html.count("failed") == 1
    assert html.count("–") == 3  # what only the other result has


def test_sentences_count_and_name() -> None:
    now = datetime(2026, 6, 1, 12, 5, tzinfo=UTC).timestamp()
    assert result_sentence(result([True, False]), now) == "tavern.Q8_0 (abababab): 1 of 2 passed, 5 min ago"
    whole = SpotSuite.model_validate({**suite(repeat=3, at_least=2).model_dump(), "system": "x"})
    assert suite_sentence(whole) == "1 line · 1 expectation · a scene of its own · played 3 times, 2 must pass"
    listened = {"player": "I wait.", "expect": {"does_not_say": ["as an AI", "language model"]}}
    more = SpotSuite.model_validate({**whole.model_dump(), "lines": [*whole.model_dump()["lines"], listened]})
    assert suite_sentence(more).startswith("2 lines · 3 expectations")
