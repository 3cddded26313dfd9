"""The report card: comparison with the baseline, and a page that shows everything and runs nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from studio import metrics
from studio.errors import EvaluationError
from studio.metrics import TurnCase, scenario_cases
from studio.scenarios import MarkdownParser, Vocabulary
from studio.validation import CHECKS, FIGURES, ReportCard, figure_text, load_report, report_html
from studio.validation.breakdown import BY_TYPE, argument_rows, matrix, tool_rows, type_rows
from studio.validation.chart import CHARTED, chart_lines
from tests.validation.conftest import CELLAR, card_of

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> &amp; \"quoted\" 'too' {{ 7 * 7 }}"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "validation.md"


class Page(HTMLParser):
    """What a browser would make of a page: its tags, its attributes and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def regressed(held_out: list[TurnCase], vocabulary: Vocabulary) -> ReportCard:
    """The authors' own turns as the baseline, and a model that always talks about the weather."""
    authors = [case.authored for case in held_out]
    return card_of(held_out, vocabulary, authors=authors, weather=["It rains."] * len(held_out))


def test_a_model_that_loses_what_the_baseline_had_is_a_regression(
    regressed: ReportCard, held_out: list[TurnCase]
) -> None:
    assert [one.model.label for one in regressed.regressed] == ["weather"]
    asks = [case.key for case in held_out if case.expected]
    calls = {one.name: one for one in regressed.models[1].comparisons}["call_accuracy"]
    assert (calls.first, calls.second) == (1.0, pytest.approx(1 - len(asks) / len(held_out)))
    assert calls.lost == tuple(asks)
    assert calls.verdict == "worse"
    assert regressed.models[0].comparisons == ()


def test_the_better_model_is_no_regression(held_out: list[TurnCase], vocabulary: Vocabulary) -> None:
    authors = [case.authored for case in held_out]
    card = card_of(held_out, vocabulary, weather=["It rains."] * len(held_out), authors=authors)
    assert card.regressed == ()
    assert {one.name: one.verdict for one in card.models[1].comparisons}["turn_right"] == "better"


def test_two_lost_turns_are_too_few_to_fail_a_gate(held_out: list[TurnCase], vocabulary: Vocabulary) -> None:
    authors = [case.authored for case in held_out]
    card = card_of(held_out, vocabulary, authors=authors, nearly=["It rains.", "It rains.", *authors[2:]])
    assert card.regressed == ()
    assert card.models[1].summary.figures["turn_right"].value != 1


def test_a_report_is_the_same_after_writing_and_reading(regressed: ReportCard, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(regressed.model_dump_json(), encoding="utf-8")
    assert load_report(path) == load_report(tmp_path) == regressed
    path.write_text(regressed.model_dump_json()[:-9], encoding="utf-8")
    with pytest.raises(EvaluationError):
        load_report(path)


def test_the_page_shows_figures_comparison_and_every_turn(regressed: ReportCard) -> None:
    page = Page(report_html(regressed))
    for one in regressed.models:
        for name in FIGURES:
            assert figure_text(one.summary.figures[name]) in page.text
    assert page.tags.count("details") == len(regressed.turns)
    assert all(turn.key in page.text and turn.authored in page.text for turn in regressed.turns)
    assert "weather against authors" in page.text
    assert all(wording.title in page.text for wording in CHECKS.values())
    assert "does not ask for dice" in page.text


def test_the_page_needs_nothing_from_anywhere(regressed: ReportCard) -> None:
    html = report_html(regressed)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "a"} & set(page.tags)
    assert not {"src", "href", "onclick", "onerror", "action"} & page.attributes
    assert not re.search(r"https?:|url\(|@import", html)
    assert "default-src 'none'" in html
    assert "prefers-color-scheme: dark" in html


def test_hostile_text_stays_text(vocabulary: Vocabulary) -> None:
    text = CELLAR.replace("I creep down the stairs.", HOSTILE).replace("The steps are slick", HOSTILE)
    scenario = MarkdownParser(vocabulary).parse_text(text)
    scenario.metadata["source"] = f"{HOSTILE}.md"
    cases = scenario_cases([scenario], vocabulary)
    card = card_of(cases, vocabulary, first=[HOSTILE] * len(cases), second=["It rains."] * len(cases))
    named = card.models[0].model.model_copy(update={"label": HOSTILE, "name": HOSTILE, "parents": {HOSTILE: HOSTILE}})
    card = card.model_copy(update={"models": (card.models[0].model_copy(update={"model": named}), card.models[1])})
    page = Page(report_html(card))
    harmless = Page(
        report_html(card_of(cases, vocabulary, first=["Rain."] * len(cases), second=["Rain."] * len(cases)))
    )
    assert set(page.tags) <= {*harmless.tags, "br"}
    assert page.attributes == harmless.attributes
    assert page.text.count(HOSTILE) >= 6  # title, author, player, model, label, parents: whole and as written


def test_every_figure_and_check_has_its_words(regressed: ReportCard) -> None:
    assert list(FIGURES) == list(regressed.models[0].summary.figures)
    assert set(CHECKS) == set(metrics.CHECKS)


@pytest.mark.parametrize("title", sorted({one.title for one in [*FIGURES.values(), *CHECKS.values()]}))
def test_the_document_explains_every_figure(title: str) -> None:
    assert f"| {title} |" in DOCUMENT.read_text(encoding="utf-8")


def test_a_figure_without_turns_is_no_number(vocabulary: Vocabulary, held_out: list[TurnCase]) -> None:
    silent = card_of(held_out, vocabulary, silent=[""] * len(held_out)).models[0].summary.figures
    assert figure_text(silent["call_precision"]) == "nothing to count"
    assert figure_text(silent["empty"]).startswith(f"100 % ({len(held_out)} of {len(held_out)}), ")


@pytest.fixture(scope="module")
def mixed(held_out: list[TurnCase], vocabulary: Vocabulary) -> ReportCard:
    """The author, and a model that takes every skill for arcana and tells every outcome as a success."""

    def confused(case: TurnCase) -> str:
        return re.sub(r"^\*FAILED\*", "*SUCCESS*", re.sub(r"\[roll: \w+[^\]]*\]", "[roll: arcana]", case.authored))

    answers = {"author": [case.authored for case in held_out], "confused": [confused(case) for case in held_out]}
    return card_of(held_out, vocabulary, **answers)


def test_every_skill_has_its_row_with_what_each_model_made_of_it(mixed: ReportCard) -> None:
    rows = {row.title: row.cells for row in tool_rows([one.summary for one in mixed.models])}
    assert rows["sleight of hand"][0].text == "100 % (1 of 1), 21 to 100 %"
    assert rows["sleight of hand"][0].notes == ("1 exact", "outcome told as rolled: 1 of 1")
    assert rows["sleight of hand"][1].text == "0 % (0 of 1), 0 to 79 %"
    assert rows["sleight of hand"][1].notes == ("outcome told as rolled: 0 of 1",)
    assert rows["arcana"][0].text == "nothing to count"
    assert rows["arcana"][1].notes == ("11 asked for needlessly",)


def test_every_scenario_type_has_its_figures(mixed: ReportCard) -> None:
    rows = type_rows([one.summary for one in mixed.models])
    assert [(row.part, row.title) for row in rows] == [
        (kind, FIGURES[name].title) for kind in ("exploration", "mixed") for name in BY_TYPE
    ]
    right = [row.cells for row in rows if row.title == FIGURES["turn_right"].title]
    assert [cells[0].text.split(",")[0] for cells in right] == ["100 % (11 of 11)", "100 % (12 of 12)"]


def test_the_details_of_requests_have_their_rows(mixed: ReportCard) -> None:
    rows = {row.title: row.cells for row in argument_rows([one.summary for one in mixed.models])}
    assert rows["dc"][0].text.startswith("100 % (4 of 4)")
    assert rows["dc"][1].text == "nothing to count"  # no request of the right kind, so no details to compare


def test_the_matrix_shows_what_was_asked_for_instead(mixed: ReportCard) -> None:
    author, confused = (matrix(one.summary) for one in mixed.models)
    assert author is not None
    assert confused is not None
    assert author.columns == tuple(title for title, _ in author.rows)
    assert all(one.tone in ("right", "") for _, counts in author.rows for one in counts)
    assert confused.columns == ("arcana", "nothing")
    stealth = dict(confused.rows)["stealth"]
    assert [(one.value, one.tone) for one in stealth] == [(1, "wrong"), (0, "")]
    assert stealth[0].turns == ("roadside-shrine.md#19",)
    assert dict(confused.rows)["nothing"][1].value == 12


def test_the_page_shows_the_tables_by_part(mixed: ReportCard) -> None:
    page = Page(report_html(mixed))
    summaries = [one.summary for one in mixed.models]
    for row in [*type_rows(summaries), *tool_rows(summaries), *argument_rows(summaries)]:
        assert row.title in page.text
        assert all(cell.text in page.text and "; ".join(cell.notes) in page.text for cell in row.cells)
    assert "What confused asked for" in page.text


def test_the_chart_places_every_share_and_its_interval_on_a_line_from_0_to_100(mixed: ReportCard) -> None:
    for line, name in zip(chart_lines([one.summary for one in mixed.models]), CHARTED, strict=True):
        assert line.wording is FIGURES[name]
        for mark, model in zip(line.marks, mixed.models, strict=True):
            figure = model.summary.figures[name]
            assert figure.better == "higher"
            assert mark.text == figure_text(figure)
            if figure.value is None or figure.interval is None:
                assert mark.value is None
                continue
            assert (mark.value, mark.low, mark.high) == pytest.approx(
                (100 * figure.value, 100 * figure.interval.low, 100 * figure.interval.high), abs=0.05
            )


def test_the_chart_is_drawn_at_those_places(mixed: ReportCard) -> None:
    html = report_html(mixed)
    right = chart_lines([one.summary for one in mixed.models])[0].marks[1]
    assert 0 < (right.value or 0) < 100
    assert f'<b style="left:{right.value}%">' in html
    assert f'<i style="left:{right.low}%;' in html
    assert html.count('class="lane ') == len(CHARTED) * len(mixed.models)


def test_a_report_from_before_these_tables_is_still_read_and_shown(mixed: ReportCard, tmp_path: Path) -> None:
    old = mixed.model_dump(mode="json")
    for model in old["models"]:
        del model["summary"]["arguments"]
        for score in model["summary"]["tools"]:
            for new in ("exact", "precision_interval", "recall_interval", "outcomes", "outcomes_right", "faults"):
                del score[new]
        for verdict in model["verdicts"]:
            del verdict["outcome"]["tools"]
    (tmp_path / "report.json").write_text(json.dumps(old), encoding="utf-8")
    page = Page(report_html(load_report(tmp_path)))
    assert "Skill by skill" in page.text
    assert "Details of the requests" not in page.text
    assert "0 exact" not in page.text  # it was not counted then
