"""Reports in a Dungeon Master's words: the verdict, the turns behind a figure, the chart, and what is chosen first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from gguf import GGUFWriter

from studio.bases import BaseModel, list_bases
from studio.jobs import JobState, Progress
from studio.metrics import TurnCase, scenario_cases
from studio.metrics.comparison import Verdict
from studio.scenarios import MarkdownParser, Vocabulary, load_vocabulary
from studio.ui.measure import (
    GROUPS,
    PARENT_BASE,
    VERDICTS,
    answers,
    changed_words,
    first_choice,
    headlines,
    measured_title,
    part_rows,
    stress_block,
    turn_block,
    verdict,
    whole_runs,
    work_sentence,
)
from studio.ui.measure_chart import CHARTED, charted_figure, report_chart
from studio.ui.playable import Playable, list_playable
from studio.validation import FIGURES, ReportCard
from studio.validation.behind import behind_comparison, figure_lists
from studio.validation.breakdown import tool_rows, type_rows
from studio.workspace import Workspace
from tests.metrics.conftest import shipped_cases
from tests.ui.html_check import Reading
from tests.validation.conftest import CELLAR, GATE, card_of

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(2))"


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def cases(words: Vocabulary) -> list[TurnCase]:
    """Every DM turn of the held-out scenarios that the studio ships."""
    return shipped_cases(words)


@pytest.fixture(scope="module")
def few(words: Vocabulary) -> list[TurnCase]:
    """Seven DM turns of two short scenarios: too few to show anything."""
    return scenario_cases([MarkdownParser(words).parse_text(text) for text in (CELLAR, GATE)], words)


@pytest.fixture(scope="module")
def worse(cases: list[TurnCase], words: Vocabulary) -> ReportCard:
    """The authors themselves, and a model that always talks about the weather."""
    authors = [case.authored for case in cases]
    return card_of(cases, words, authors=authors, weather=["It rains."] * len(cases))


def write_gguf(path: Path, values: dict[str, str]) -> None:
    """A sound GGUF with these values and one small tensor."""
    path.parent.mkdir(parents=True)
    writer = GGUFWriter(path, "llama")
    for key, value in values.items():
        writer.add_string(key, value)
    writer.add_tensor("token_embd.weight", np.zeros((2, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# -- the verdict


def test_a_model_that_lost_what_the_baseline_had_is_worse_and_it_says_where(worse: ReportCard) -> None:
    (found,) = headlines(worse)
    assert (found.tone, found.title) == ("worse", "weather is worse than authors")
    assert "Turns that are right (100% →" in found.sentences[0]
    assert found.sentences[0].startswith("Worse: ")
    assert verdict(worse) == "worse"


def test_a_model_that_won_is_better_and_nothing_is_worse(cases: list[TurnCase], words: Vocabulary) -> None:
    authors = [case.authored for case in cases]
    card = card_of(cases, words, weather=["It rains."] * len(cases), authors=authors)
    (found,) = headlines(card)
    assert (found.tone, found.title) == ("better", "authors is better than weather")
    assert found.sentences[-1] == "Nothing is shown to be worse."


def test_a_model_can_be_better_in_one_thing_and_worse_in_another(cases: list[TurnCase], words: Vocabulary) -> None:
    authors = [case.authored for case in cases]
    rude = [f"As an AI language model, I say: {text}" for text in authors]
    card = card_of(cases, words, weather=["It rains."] * len(cases), rude=rude)
    (found,) = headlines(card)
    assert found.tone == "mixed"
    assert [one.split(":")[0] for one in found.sentences] == ["Better", "Worse"]
    assert "Stays in its role" in found.sentences[1]


def test_no_difference_shown_is_not_called_no_difference(few: list[TurnCase], words: Vocabulary) -> None:
    authors = [case.authored for case in few]
    card = card_of(few, words, authors=authors, nearly=["It rains.", *authors[1:]])
    (found,) = headlines(card)
    assert (found.tone, found.title) == ("same", "No difference shown between nearly and authors")
    assert "not the same as no difference" in found.sentences[0]
    assert "7 turns" in found.sentences[0]


def test_a_model_alone_is_told_by_its_own_turns(few: list[TurnCase], words: Vocabulary) -> None:
    card = card_of(few, words, authors=[case.authored for case in few])
    (found,) = headlines(card)
    assert (found.tone, found.title) == ("alone", "authors has 7 of 7 turns right")
    assert "65% to 100%" in found.sentences[0]  # Wilson: 1 / (1 + 1.96² / 7)


def test_the_worst_of_several_models_is_the_verdict_of_the_report(cases: list[TurnCase], words: Vocabulary) -> None:
    authors = [case.authored for case in cases]
    rain = ["It rains."] * len(cases)
    card = card_of(cases, words, authors=authors, same=authors, weather=rain)
    assert [one.tone for one in headlines(card)] == ["same", "worse"]
    assert verdict(card) == "worse"


def test_a_report_without_models_has_nothing_to_say(few: list[TurnCase], words: Vocabulary) -> None:
    card = card_of(few, words)
    assert headlines(card) == []
    assert verdict(card) == "alone"


# -- the turns behind a number


def test_every_figure_is_in_one_group_and_every_verdict_has_a_colour() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(FIGURES)
    assert set(VERDICTS) == set(get_args(Verdict))
    assert set(CHARTED) <= set(FIGURES)


def test_behind_a_figure_are_first_the_turns_against_the_model(worse: ReportCard) -> None:
    authors, weather = (one.summary.figures["call_recall"] for one in worse.models)
    lists = figure_lists(weather)
    assert list(lists) == ["Against it", "All"]
    assert lists["Against it"] == lists["All"] == weather.turns
    assert list(figure_lists(authors)) == ["All"]


def test_behind_a_comparison_are_the_turns_that_changed(worse: ReportCard) -> None:
    asks = {one.name: one for one in worse.models[1].comparisons}["call_accuracy"]
    lists = behind_comparison(asks, worse.models[1]).lists
    assert lists == {"Lost": asks.lost, "Right in both": lists["Right in both"]}
    assert sorted(asks.lost + lists["Right in both"]) == sorted(one.key for one in worse.turns)
    assert changed_words(asks) == f"{len(asks.lost)} lost"
    assert changed_words(asks.model_copy(update={"lost": ()})) == "no turn changed"
    assert changed_words(asks.model_copy(update={"lost": ("a",), "gained": ("b", "c")})) == "1 lost, 2 won"


def test_the_answers_to_a_turn_begin_with_the_model_that_was_asked_for(worse: ReportCard) -> None:
    key = worse.models[1].comparisons[1].lost[0]
    found = answers(worse, key, "weather")
    assert [(one.label, one.right) for one in found] == [("weather", False), ("authors", True)]
    assert found[0].text == "It rains."
    assert "does not ask for dice" in found[0].faults
    assert found[1].faults == ()


def test_a_turn_shows_player_author_model_and_fault_as_text(words: Vocabulary) -> None:
    text = CELLAR.replace("I creep down the stairs.", HOSTILE).replace("The steps are slick", HOSTILE)
    cases = scenario_cases([MarkdownParser(words).parse_text(text)], words)
    card = card_of(cases, words, **{HOSTILE: [HOSTILE] * len(cases)})
    html = turn_block(card.turns[0], answers(card, card.turns[0].key), words)
    found = Reading(html)
    found.assert_harmless()
    assert found.text.count("<img src=x onerror=alert(1)>") == 4  # player, author, model and the model's name
    assert "does not ask for dice" in found.text
    assert "not right" in found.text


def test_an_enormous_player_turn_is_cut_and_stays_text(words: Vocabulary) -> None:
    found = Reading(stress_block(HOSTILE * 100, HOSTILE, "", words))
    found.assert_harmless()
    assert len(found.text) < 900
    assert "(nothing)" in found.text


# -- tables and chart


def test_a_part_of_the_report_is_a_table_with_a_column_per_model(worse: ReportCard) -> None:
    rolls = part_rows(worse, tool_rows(worse.models), "Roll")
    assert len(rolls) == len(worse.models[0].summary.tools)
    assert all(list(row) == ["Roll", "authors", "weather"] for row in rolls)
    assert all(row["authors"].startswith("100 % (") for row in rolls)
    assert all(row["weather"].startswith("0 % (0 of ") for row in rolls)
    scenes = part_rows(worse, type_rows(worse.models), "Figure")
    assert {row["Scene"] for row in scenes} == set(worse.models[0].summary.by_type)


def test_the_chart_has_every_model_with_the_ends_of_its_intervals(worse: ReportCard) -> None:
    chart = report_chart(worse)
    assert [one.name for one in chart.data] == ["authors", "weather"]
    for trace, model in zip(chart.data, worse.models, strict=True):
        shown = [model.summary.figures[name] for name in CHARTED if model.summary.figures[name].value is not None]
        assert list(trace.x) == [one.value for one in shown]
        ends = zip(trace.x, trace.error_x.arrayminus, trace.error_x.array, strict=True)
        for (value, below, above), one in zip(ends, shown, strict=True):
            assert one.interval
            assert (value - below, value + above) == pytest.approx((one.interval.low, one.interval.high), abs=1e-9)
    assert "less is better" in "".join(chart.layout.yaxis.ticktext)


def test_a_click_on_a_dot_is_a_model_and_a_figure(worse: ReportCard) -> None:
    (first, *_), (_, second, *_) = (trace.customdata for trace in report_chart(worse).data)
    assert charted_figure(worse, [{"curve_number": 0, "customdata": list(first)}]) == (0, "turn_right")
    assert charted_figure(worse, [{"curve_number": 1, "customdata": list(second)}]) == (1, "call_accuracy")


@pytest.mark.parametrize(
    "point", [{}, {"curve_number": 2, "customdata": ["turn_right"]}, {"curve_number": 0, "customdata": [1, 2, "words"]}]
)
def test_a_click_on_anything_else_in_the_chart_is_none(worse: ReportCard, point: dict[str, object]) -> None:
    assert charted_figure(worse, [point]) is None
    assert charted_figure(worse, []) is None


def test_a_hostile_name_is_no_markup_in_the_chart(few: list[TurnCase], words: Vocabulary) -> None:
    chart = report_chart(card_of(few, words, **{"<b>%{x}</b>": ["It rains."] * len(few)}))
    assert chart.data[0].name == "&lt;b&gt;%{x}&lt;/b&gt;"
    assert chart.data[0].hovertemplate.count("%{x") == 1


# -- what to measure


def test_without_a_file_the_first_choice_is_nothing(empty_workspace: Workspace) -> None:
    assert first_choice(empty_workspace, []) == (None, None)


def test_a_base_alone_is_measured_against_nothing(workspace: Workspace) -> None:
    (base,) = list_playable(workspace)
    assert first_choice(workspace, [base]) == (base, None)


def test_a_file_of_ones_own_is_measured_against_a_base(workspace: Workspace) -> None:
    (base,) = list_playable(workspace)
    made = workspace.gguf_dir / "first" / "first.Q8_0.gguf"
    made.parent.mkdir(parents=True)
    made.hardlink_to(base.path)
    own, found = first_choice(workspace, list_playable(workspace))
    assert own
    assert own.path == made
    assert found == base


def playable(run: str, file: str, *, is_base: bool = False) -> Playable:
    path = Path(run) / file
    return Playable(id=f"{run}/{file}", title=file, path=path, bytes=1, is_base=is_base)


def test_the_files_of_a_run_are_chosen_together() -> None:
    files = [playable("new", "a"), playable("old", "a"), playable("new", "b"), playable("base", "c", is_base=True)]
    assert whole_runs(files, []) == ["new/a", "new/b"]
    assert whole_runs(files, ["old/a", "base/c"]) == ["old/a", "base/c"]
    assert whole_runs(files, ["new/b"]) == ["new/a", "new/b"]
    assert whole_runs(files[3:], []) == []


@pytest.mark.parametrize("number", [0, 1])
def test_of_several_bases_the_one_that_a_file_was_made_from_is_its_baseline(
    workspace: Workspace, gemma3: BaseModel, borrow: Callable[[BaseModel], BaseModel], number: int
) -> None:
    borrow(gemma3)
    parent = [one.base for one in list_bases(workspace) if one.base][number]
    write_gguf(workspace.gguf_dir / "first" / "first.Q8_0.gguf", {PARENT_BASE: parent.fingerprint})
    own, found = first_choice(workspace, list_playable(workspace))
    assert own
    assert not own.is_base
    assert found
    assert found.path == parent.gguf


@pytest.mark.parametrize(
    ("progress", "left", "sentence"),
    [
        (Progress(), None, "Loading the model"),
        (Progress(done=12, total=40, unit="turns"), None, "12 of 40 turns"),
        (Progress(done=12, total=40, unit="turns"), 65.0, "12 of 40 turns, 1 min 05 s left"),
    ],
)
def test_the_work_says_how_far_it_is(progress: Progress, left: float | None, sentence: str) -> None:
    assert work_sentence(JobState(kind="evaluate", progress=progress, seconds_left=left)) == sentence


def test_a_measurement_is_called_by_its_models() -> None:
    assert measured_title(JobState(kind="evaluate")) == "evaluate"
    assert measured_title(JobState(kind="evaluate", title="Evaluate x")) == "Evaluate x"
    asked = {"models": [{"label": "old"}, {"label": "new"}, {"label": "newer"}]}
    assert measured_title(JobState.model_validate({"kind": "x", "arguments": asked})) == "new, newer against old"
    alone = {"models": [{"label": "old"}]}
    assert measured_title(JobState.model_validate({"kind": "x", "arguments": alone})) == "old"
