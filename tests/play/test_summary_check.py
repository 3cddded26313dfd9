"""What may be kept of a model's summary: nothing that the game contradicts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.play import ChatMessage
from studio.play.context.summary_check import check_summary, unnamed
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.scenarios.game import game_after
from studio.scenarios.recap import state_lines

from .conftest import SCENARIO, SYSTEM

VOCABULARY = load_vocabulary()
CONTEXT = MarkdownParser(VOCABULARY).parse_text(SCENARIO).system_context
HIDDEN = [
    ChatMessage(role="user", content="Sarah: I take 3 arrows and shoot."),
    ChatMessage(role="assistant", content="You miss. [hit points: -8, who=Sarah] [condition: poisoned, who=Sarah]"),
]
GAME = game_after(CONTEXT, HIDDEN, VOCABULARY)


def checked(text: str) -> tuple[str, list[str]]:
    found = check_summary(text, GAME, SYSTEM, HIDDEN)
    return found.text, found.corrections


def test_hit_points_that_are_wrong_are_set_right_and_it_is_said() -> None:
    text, corrections = checked("Sarah shot and now has 20 hit points. Chris has 18 hit points.")
    assert text == "Sarah shot and now has 14 hit points. Chris has 18 hit points."
    assert corrections == ["Sarah has 14 hit points, not 20."]


def test_a_figure_that_nobody_said_takes_its_sentence_along() -> None:
    text, corrections = checked("Sarah shot 3 arrows. Chris found 250 gold.")
    assert text == "Sarah shot 3 arrows."
    assert len(corrections) == 1
    assert "250" in corrections[0]


def test_a_condition_that_nobody_is_in_is_left_out_and_a_true_one_stays() -> None:
    text, corrections = checked("Sarah is poisoned. Thorin is paralyzed.")
    assert text == "Sarah is poisoned."
    assert "Thorin is not paralyzed" in corrections[0]


def test_a_name_that_is_nearly_right_is_written_right() -> None:
    text, corrections = checked("Sarrah shot and Thorin watched.")
    assert text == "Sarah shot and Thorin watched."
    assert corrections == ["Sarrah is written Sarah."]


def test_requests_repetitions_and_a_sentence_that_was_cut_are_left_out() -> None:
    assert (
        checked("Sarah missed. Sarah missed. [roll: stealth] Arrows flew. And the")[0] == "Sarah missed. Arrows flew."
    )


def test_what_is_no_summary_of_these_turns_is_left_out() -> None:
    """All three were written by SmolLM2 when it was asked for a summary."""
    for babble in ("I'll do that.", "The story has ended.", "What do you do next?"):
        text, corrections = checked(f"{babble} Sarah took her arrows.")
        assert text == "Sarah took her arrows."
        assert len(corrections) == 1


def test_who_took_part_and_is_not_named_is_known() -> None:
    assert unnamed("They fled.", GAME, HIDDEN) == ["Sarah"]


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(["Sarah", "has", "99", "hit points", ".", "hp", "is stunned", "[", "7/9"]), max_size=30
    ).map(" ".join)
)
def test_whatever_a_model_writes_nothing_wrong_comes_through(summary: str) -> None:
    text, _ = checked(summary)
    assert "99" not in text
    assert "stunned" not in text or "Sarah" not in text
    assert state_lines(GAME, CONTEXT) == ["Sarah: 14/22 hit points, poisoned."]
