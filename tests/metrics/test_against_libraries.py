"""Our figures on random data against scikit-learn's and scipy's, computed here from the labels and not by our code."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn
from sklearn.feature_extraction.text import CountVectorizer

from studio.metrics import (
    NO_CALL,
    Summary,
    TurnCase,
    TurnVerdict,
    average,
    compare,
    distinct_n,
    judge_turn,
    mcnemar,
    repetition,
    share,
    summarize,
    turn_cases,
    wilson_interval,
)
from studio.metrics.summary import call_confusion, figures
from studio.metrics.tools import confusion_matrix, tool_scores
from studio.scenarios import MarkdownParser, find_directives, load_vocabulary
from tests.metrics.conftest import DATA, TEXT

VOCABULARY = load_vocabulary()
TOOLS = ("stealth", "perception", "athletics", "insight")
WANTED_AND_ASKED = st.lists(st.tuples(*[st.sampled_from([NO_CALL, *TOOLS])] * 2), min_size=1, max_size=40)
COUNTS = st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
YES_OR_NO = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)
PHRASES = st.lists(st.lists(st.sampled_from(["ash", "bow", "cat", "dun"]), max_size=12).map(" ".join), max_size=6)
UNEVEN = [
    ("stealth", "stealth"),
    ("stealth", NO_CALL),
    ("insight", "stealth"),
    *[(NO_CALL, "stealth")] * 2,
    *[(NO_CALL, NO_CALL)] * 3,
]
"""Precision, recall, F1 and accuracy all differ here, of asking as well as of stealth."""
FEW = settings(max_examples=25, deadline=None)


def written(tool: str) -> str:
    """A DM turn that asks for `tool`."""
    return "Rain falls." if tool == NO_CALL else f"Rain falls.\n\n[roll: {tool}]"


@lru_cache(maxsize=1)
def plain_case() -> TurnCase:
    return turn_cases(MarkdownParser(VOCABULARY).parse_text(TEXT), VOCABULARY)[0]


@lru_cache(maxsize=64)
def verdict_of(wanted: str, asked: str) -> TurnVerdict:
    case = replace(plain_case(), authored=written(wanted), expected=tuple(find_directives(written(wanted), VOCABULARY)))
    return judge_turn(case, written(asked), VOCABULARY)


def judged(pairs: Sequence[tuple[str, str]]) -> list[TurnVerdict]:
    """One verdict for every pair of a wanted and an asked tool."""
    return [verdict_of(*pair).model_copy(update={"key": f"#{number}"}) for number, pair in enumerate(pairs)]


def spoken(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The labels of the turns where anything was wanted or asked: scikit-learn's `y_true` and `y_pred`."""
    counted = [pair for pair in pairs if pair != (NO_CALL, NO_CALL)]
    return [wanted for wanted, _ in counted], [asked for _, asked in counted]


@FEW
@given(WANTED_AND_ASKED)
@example(UNEVEN)
def test_the_confusion_matrix_is_scikit_learns_on_the_labels(pairs: list[tuple[str, str]]) -> None:
    ours, (wanted, asked) = confusion_matrix(judged(pairs)), spoken(pairs)
    assert set(ours.labels) == {*wanted, *asked, NO_CALL}
    if wanted:
        assert np.array_equal(ours.counts, sklearn.confusion_matrix(wanted, asked, labels=list(ours.labels)))
    for row, counts in zip(ours.labels, ours.counts, strict=True):
        for column, count in zip(ours.labels, counts, strict=True):
            assert len(ours.behind(row, column)) == count  # one call a turn here: every count names its turn


@FEW
@given(WANTED_AND_ASKED)
@example(UNEVEN)
def test_the_table_of_tools_is_scikit_learns_on_the_labels(pairs: list[tuple[str, str]]) -> None:
    wanted, asked = spoken(pairs)
    for one in tool_scores(judged(pairs)):
        truth, made = [tool == one.tool for tool in wanted], [tool == one.tool for tool in asked]
        assert (one.expected, one.made) == (sum(truth), sum(made))
        assert one.right == one.exact == sum(a and b for a, b in zip(truth, made, strict=True))
        assert one.f1 == pytest.approx(sklearn.f1_score(truth, made, zero_division=0))
        assert one.precision == (pytest.approx(sklearn.precision_score(truth, made)) if any(made) else None)
        assert one.recall == (pytest.approx(sklearn.recall_score(truth, made)) if any(truth) else None)
        if one.recall_interval:
            found = stats.binomtest(one.right, one.expected).proportion_ci(method="wilson")
            assert (one.recall_interval.low, one.recall_interval.high) == pytest.approx((found.low, found.high))


@FEW
@given(WANTED_AND_ASKED)
@example(UNEVEN)
def test_call_or_no_call_is_scikit_learns_binary_classification(pairs: list[tuple[str, str]]) -> None:
    verdicts = judged(pairs)
    truth, made = [one != NO_CALL for one, _ in pairs], [other != NO_CALL for _, other in pairs]
    silent, needless, missed, right = sklearn.confusion_matrix(truth, made, labels=[False, True]).ravel().tolist()
    cells = call_confusion(verdicts)
    assert [
        len(one) for one in (cells.silent_rightly, cells.called_needlessly, cells.missed, cells.called_rightly)
    ] == [
        silent,
        needless,
        missed,
        right,
    ]
    found = figures(verdicts, seed=3)
    assert found["call_accuracy"].value == pytest.approx(sklearn.accuracy_score(truth, made))
    if any(made):
        assert found["call_precision"].value == pytest.approx(sklearn.precision_score(truth, made))
    if any(truth):
        assert found["call_recall"].value == pytest.approx(sklearn.recall_score(truth, made))
    if any(truth) or any(made):
        assert found["call_f1"].value == pytest.approx(sklearn.f1_score(truth, made, zero_division=0))


@FEW
@given(WANTED_AND_ASKED)
@example(UNEVEN)
def test_the_interval_of_f1_is_scipys_wilson_of_scikit_learns_jaccard_score(pairs: list[tuple[str, str]]) -> None:
    truth, made = [one != NO_CALL for one, _ in pairs], [other != NO_CALL for _, other in pairs]
    ours = figures(judged(pairs), seed=3)["call_f1"]
    counted = sum(a or b for a, b in zip(truth, made, strict=True))
    if not counted:
        assert ours.interval is None
        return
    hits = round(sklearn.jaccard_score(truth, made) * counted)
    share = stats.binomtest(hits, counted).proportion_ci(method="wilson")
    assert ours.interval is not None
    assert (ours.interval.low, ours.interval.high) == pytest.approx(
        (2 * share.low / (1 + share.low), 2 * share.high / (1 + share.high)), abs=1e-9
    )


def test_the_interval_of_f1_is_much_like_the_bootstraps_where_the_bootstrap_is_sound() -> None:
    pairs = np.random.default_rng(3).random((400, 2)) < (0.5, 0.6)
    labels = [("stealth" if wanted else NO_CALL, "stealth" if asked else NO_CALL) for wanted, asked in pairs]
    ours = figures(judged(labels), 3)["call_f1"]
    either = pairs[pairs.any(axis=1)]
    reference = stats.bootstrap(
        (either.all(axis=1),), lambda hit, axis: 2 * hit.mean(axis) / (1 + hit.mean(axis)), n_resamples=2000,
        method="percentile", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert ours.interval is not None
    assert (ours.interval.low, ours.interval.high) == pytest.approx((reference.low, reference.high), abs=0.01)


@settings(deadline=None)
@given(COUNTS)
def test_a_share_has_scipys_wilson_interval(counts: tuple[int, int]) -> None:
    hits, total = counts
    figure = share("any", [(str(number), number < hits) for number in range(total)])
    reference = stats.binomtest(hits, total).proportion_ci(confidence_level=0.95, method="wilson")
    assert figure.value == pytest.approx(hits / total)
    assert figure.interval == wilson_interval(hits, total)
    assert (figure.interval.low, figure.interval.high) == pytest.approx((reference.low, reference.high))
    assert len(figure.faults) == total - hits


@settings(deadline=None)
@given(YES_OR_NO)
def test_mcnemar_is_scipys_exact_binomial_and_the_printed_sum(pairs: list[tuple[bool, bool]]) -> None:
    ours = mcnemar([one for one, _ in pairs], [other for _, other in pairs])
    only_first, only_second = pairs.count((True, False)), pairs.count((False, True))
    differing = only_first + only_second
    assert (ours.only_first, ours.only_second) == (only_first, only_second)
    if differing:
        assert ours.p_value == pytest.approx(stats.binomtest(only_second, differing, 0.5).pvalue)
    tail = sum(math.comb(differing, one) for one in range(min(only_first, only_second) + 1)) / 2**differing
    assert ours.p_value == pytest.approx(min(1.0, 2 * tail))


@FEW
@given(YES_OR_NO)
def test_two_models_are_compared_by_scipys_tests_on_the_same_turns(pairs: list[tuple[bool, bool]]) -> None:
    def model(answers: Sequence[bool]) -> list[TurnVerdict]:
        return judged([("stealth", "stealth" if right else NO_CALL) for right in answers])

    before, after = [one for one, _ in pairs], [other for _, other in pairs]
    ours = {one.name: one for one in compare(model(before), model(after))}["turn_right"]
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    assert (len(ours.gained), len(ours.lost)) == (gained, lost)
    assert ours.difference.value == pytest.approx(np.mean(after) - np.mean(before))
    shown = bool(gained + lost) and stats.binomtest(gained, gained + lost).pvalue < 0.05
    assert ours.verdict == (("better" if gained > lost else "worse") if shown else "no difference shown")


def bootstrapped(values: Sequence[float], seed: int) -> tuple[float, float]:
    """scipy's percentile interval of the mean, without vectorization."""
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, vectorized=False, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)


@settings(max_examples=10, deadline=None)
@given(NUMBERS, st.integers(0, 99))
def test_a_mean_has_scipys_bootstrap_interval(values: list[float], seed: int) -> None:
    figure = average("any", [(str(number), value) for number, value in enumerate(values)], seed)
    assert figure.value == pytest.approx(np.mean(values))
    assert figure.interval is not None
    assert (figure.interval.low, figure.interval.high) == pytest.approx(bootstrapped(values, seed))


def counted(texts: Sequence[str], size: int) -> Any:
    """How often every run of `size` words occurs, as scikit-learn counts them."""
    vectorizer = CountVectorizer(ngram_range=(size, size))
    return np.asarray(vectorizer.fit_transform(texts).sum(axis=0)).ravel()


@FEW
@given(PHRASES, st.integers(1, 3))
def test_distinct_n_is_the_share_of_scikit_learns_different_n_grams(texts: list[str], size: int) -> None:
    if not any(len(text.split()) >= size for text in texts):
        assert distinct_n(texts, size) == 0
        return
    counts = counted(texts, size)
    assert distinct_n(texts, size) == pytest.approx(len(counts) / counts.sum())


@FEW
@given(st.lists(st.sampled_from(["ash", "bow"]), min_size=4, max_size=40))
def test_repetition_is_one_minus_the_share_of_different_four_grams(words: list[str]) -> None:
    counts = counted([" ".join(words)], 4)
    assert repetition(words) == pytest.approx(1 - len(counts) / counts.sum())


@FEW
@given(WANTED_AND_ASKED, st.randoms())
def test_the_order_of_the_turns_changes_no_count(pairs: list[tuple[str, str]], random: Any) -> None:
    verdicts = judged(pairs)
    mixed = list(verdicts)
    random.shuffle(mixed)
    one, other = counts_of(summarize(verdicts, seed=1)), counts_of(summarize(mixed, seed=1))
    assert one == other


def counts_of(summary: Summary) -> dict[str, Any]:
    shares = {name: (one.hits, one.total) for name, one in summary.figures.items()}
    tools = [(one.tool, one.expected, one.made, one.right, one.exact) for one in summary.tools]
    return {"shares": shares, "tools": tools, "matrix": summary.confusion.counts}


@FEW
@given(WANTED_AND_ASKED)
def test_parts_by_type_and_by_tool_add_up_to_the_whole(pairs: list[tuple[str, str]]) -> None:
    verdicts = [
        one.model_copy(update={"scenario_type": "combat" if number % 3 else "roleplay"})
        for number, one in enumerate(judged(pairs))
    ]
    summary = summarize(verdicts, seed=1)
    for name in ("turn_right", "call_accuracy", "call_precision", "call_recall", "call_exact"):
        whole, parts = summary.figures[name], [part[name] for part in summary.by_type.values()]
        assert (sum(one.hits for one in parts), sum(one.total for one in parts)) == (whole.hits, whole.total)
    assert sum(one.expected for one in summary.tools) == sum(wanted != NO_CALL for wanted, _ in pairs)
    assert sum(one.exact for one in summary.tools) == summary.figures["call_exact"].hits


def test_importing_the_metrics_loads_none_of_these_libraries() -> None:
    code = "import sys, studio.metrics; print(sorted({'numpy', 'scipy', 'sklearn', 'rapidfuzz'} & {*sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=DATA.parent, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
