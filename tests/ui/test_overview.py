"""The loop as steps: exactly one is next, and what is done is said to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.ui.overview import Facts, steps

small = st.integers(0, 3)
facts = st.builds(Facts, bases=small, scenarios=small, finished_runs=small, running=small, models=small, chats=small)


@given(facts)
def test_exactly_one_step_is_next_and_all_before_it_are_done(found: Facts) -> None:
    states = [one.state for one in steps(found)]
    assert len(states) == 5
    assert states.count("next") == 1
    assert set(states[: states.index("next")]) <= {"done"}


def test_a_new_workspace_begins_at_the_beginning_and_a_full_one_ends_in_play() -> None:
    assert [one.state for one in steps(Facts(0, 0, 0, 0, 0, 0))] == ["next", "later", "later", "later", "later"]
    assert [one.state for one in steps(Facts(1, 1, 1, 0, 1, 1))] == ["done", "done", "done", "done", "next"]


def test_a_step_that_was_skipped_is_next_and_later_ones_keep_their_mark() -> None:
    assert [one.state for one in steps(Facts(1, 0, 1, 0, 1, 0))] == ["done", "next", "done", "done", "later"]


def test_every_step_has_words_and_a_page() -> None:
    for one in steps(Facts(1, 2, 0, 1, 0, 4)):
        assert one.title
        assert one.status
        assert one.action
        assert one.page.startswith("pages/")
    assert "1 run in progress" in [one.status for one in steps(Facts(1, 2, 0, 1, 0, 4))]
