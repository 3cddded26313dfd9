import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from studio.metrics import NO_CALL, Comparison, Summary, TurnCase, TurnVerdict, compare, judge_turn, summarize
from studio.scenarios import Vocabulary, load_vocabulary

REPLIES = [
    "Slick steps.\n\n[roll: stealth, dc=15]",  # right
    "*FAILED* A plank creaks.",  # the dice say success
    "You swing.\n\n[roll: perception]",  # the wrong tool
    "*SUCCESS* You hit for 99 damage.",  # the damage roll is missing
    "Seven damage.\n\n[roll: stealth]",  # a needless call
]


@pytest.fixture(scope="module")
def verdicts(cellar: list[TurnCase], vocabulary: Vocabulary) -> list[TurnVerdict]:
    return [judge_turn(case, text, vocabulary) for case, text in zip(cellar, REPLIES, strict=True)]


def test_figures_of_five_turns_by_hand(verdicts: list[TurnVerdict]) -> None:
    figures = summarize(verdicts, seed=7).figures
    expected = {
        "turn_right": (1, 5),
        "call_accuracy": (3, 5),
        "call_precision": (2, 3),
        "call_recall": (2, 3),
        "tool_accuracy": (1, 2),
        "argument_accuracy": (1, 1),
        "call_exact": (1, 3),
        "malformed": (0, 3),
        "outcome_told": (2, 2),
        "outcome_by_dice": (0, 1),
        "outcome_as_author": (1, 1),
        "outcome_unasked": (0, 3),
    }
    assert {name: (figures[name].hits, figures[name].total) for name in expected} == expected
    assert figures["call_f1"].value == pytest.approx(2 / 3)


def test_every_figure_names_the_turns_behind_it_and_those_against(verdicts: list[TurnVerdict]) -> None:
    summary = summarize(verdicts, seed=7)
    assert summary.figures["call_recall"].turns == ("cellar.md#1", "cellar.md#5", "cellar.md#7")
    assert summary.figures["call_recall"].faults == ("cellar.md#7",)
    assert summary.figures["outcome_by_dice"].faults == ("cellar.md#3",)
    assert summary.decision.called_needlessly == ("cellar.md#9",)
    assert summary.decision.missed == ("cellar.md#7",)
    assert all(set(one.faults) <= set(one.turns) for one in summary.figures.values())


def test_the_confusion_matrix_counts_calls(verdicts: list[TurnVerdict]) -> None:
    matrix = summarize(verdicts, seed=7).confusion
    assert matrix.labels == ("attack", "damage", "perception", "stealth", NO_CALL)
    row = {
        label: dict(zip(matrix.labels, counts, strict=True))
        for label, counts in zip(matrix.labels, matrix.counts, strict=True)
    }
    assert row["stealth"]["stealth"] == row["attack"]["perception"] == row["damage"][NO_CALL] == 1
    assert row[NO_CALL]["stealth"] == 1
    assert sum(map(sum, matrix.counts)) == 4
    assert matrix.turns["attack → perception"] == ("cellar.md#5",)


def test_tool_scores_by_hand(verdicts: list[TurnVerdict]) -> None:
    scores = {one.tool: one for one in summarize(verdicts, seed=7).tools}
    assert (scores["stealth"].precision, scores["stealth"].recall) == (0.5, 1.0)
    assert (scores["attack"].precision, scores["attack"].recall, scores["attack"].f1) == (None, 0, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_call_decision_agrees_with_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    vocabulary = load_vocabulary()
    asks, tells = _two_cases()
    verdicts = [
        judge_turn(asks if expects else tells, "[roll: stealth]" if makes else "Rain.", vocabulary)
        for expects, makes in pairs
    ]
    figures = summarize(verdicts, seed=1).figures
    truth, made = [one for one, _ in pairs], [other for _, other in pairs]
    if any(made):
        assert figures["call_precision"].value == pytest.approx(precision_score(truth, made))
    if any(truth):
        assert figures["call_recall"].value == pytest.approx(recall_score(truth, made))
    if any(truth) or any(made):
        assert figures["call_f1"].value == pytest.approx(f1_score(truth, made))


def test_the_same_verdicts_and_seed_give_the_same_summary(verdicts: list[TurnVerdict]) -> None:
    one, other = summarize(verdicts, seed=7), summarize(verdicts, seed=7)
    assert one == other
    assert type(one).model_validate_json(one.model_dump_json()) == one


def test_every_figure_that_was_asked_for_is_there(verdicts: list[TurnVerdict]) -> None:
    """Of the call, of the outcome, of the telling; each with its range, but for counts of different words."""
    asked = {
        "call_precision", "call_recall", "call_f1", "tool_accuracy", "argument_accuracy", "malformed",
        "outcome_by_dice", "invented_numbers",
        "perplexity", "distinct_1", "distinct_2", "repetition", "length_ratio",
        "misspelled_names", "foreign_items", "wrong_hit_points", "speaks_for_player", "english", "out_of_role",
    }  # fmt: skip
    summary = summarize(verdicts, seed=7)
    assert asked <= summary.figures.keys()
    without = {name for name, one in summary.figures.items() if one.value is not None and one.interval is None}
    assert without == {"distinct_1", "distinct_2"}
    assert {one.tool for one in summary.tools} == {"attack", "damage", "perception", "stealth"}
    assert {one.argument for one in summary.arguments} == {"dc"}


def test_reports_from_before_a_figure_was_measured_can_still_be_read(verdicts: list[TurnVerdict]) -> None:
    written = summarize(verdicts, seed=7).model_dump(mode="json")
    del written["figures"]["foreign_items"]
    for one in written["figures"].values():
        if one["interval"]:
            del one["interval"]["units"]
    found = Summary.model_validate(written)
    assert found.figures["foreign_items"].value is None
    assert list(found.figures) == list(summarize(verdicts, seed=7).figures)
    compared = compare(verdicts, verdicts)[0].model_dump(mode="json")
    del compared["test"]["adjusted_p"], compared["difference"]["interval"]["units"]
    assert Comparison.model_validate(compared).test.adjusted_p is None


def test_figures_by_scenario_type_are_the_figures_of_those_turns(
    shipped: list[TurnCase], vocabulary: Vocabulary
) -> None:
    verdicts = [judge_turn(case, case.authored, vocabulary) for case in shipped]
    summary = summarize(verdicts, seed=7)
    assert set(summary.by_type) == {"combat", "roleplay", "exploration", "mixed"}
    assert sum(part["turn_right"].total for part in summary.by_type.values()) == len(verdicts)
    assert summary.figures["turn_right"].value == 1


def test_nothing_to_count_is_not_a_figure() -> None:
    summary = summarize([], seed=7)
    assert summary.figures["call_recall"].value is None
    assert summary.tools == ()
    assert compare([], []) == []


def test_a_model_that_says_nothing_is_worse_than_its_author(shipped: list[TurnCase], vocabulary: Vocabulary) -> None:
    authors = [judge_turn(case, case.authored, vocabulary) for case in shipped]
    silent = [judge_turn(case, "", vocabulary) for case in shipped]
    right = {one.name: one for one in compare(authors, silent)}["turn_right"]
    assert (right.first, right.second, right.verdict) == (1, 0, "worse")
    assert len(right.lost) == right.test.only_first == len(shipped)


def test_two_turns_are_too_few_to_show_a_difference(cellar: list[TurnCase], vocabulary: Vocabulary) -> None:
    authors = [judge_turn(case, case.authored, vocabulary) for case in cellar[:2]]
    silent = [judge_turn(case, "", vocabulary) for case in cellar[:2]]
    right = compare(silent, authors)[0]
    assert right.difference.value == 1
    assert right.test.p_value == 0.5
    assert right.verdict == "no difference shown"


def test_only_the_turns_that_both_have_are_compared(verdicts: list[TurnVerdict]) -> None:
    assert compare(verdicts, verdicts[:2])[0].difference.pairs == 2


def _two_cases() -> tuple[TurnCase, TurnCase]:
    from studio.metrics import turn_cases
    from studio.scenarios import MarkdownParser
    from tests.metrics.conftest import TEXT

    vocabulary = load_vocabulary()
    cases = turn_cases(MarkdownParser(vocabulary).parse_text(TEXT), vocabulary)
    return cases[0], cases[4]
