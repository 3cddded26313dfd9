"""The report card: comparison with the baseline, and a page that shows everything and runs nothing but its own."""

from __future__ import annotations

import base64
import hashlib
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
from studio.validation.behind import behind_comparison
from studio.validation.breakdown import BY_TYPE, argument_rows, matrix, tool_rows, type_differences, type_rows
from studio.validation.chart import CHARTED, chart_lines
from tests.validation.conftest import CELLAR, card_of

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> &amp; \"quoted\" 'too' {{ 7 * 7 }}"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "validation.md"


class Page(HTMLParser):
    """What a browser would make of a page: its tags, attributes, links and places, its scripts and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.places: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self.policy = ""
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(found)
        self.links += [found["href"]] if "href" in found else []
        self.places += [found["id"]] if "id" in found else []
        if tag == "script":
            self.scripts.append((found.get("type", ""), ""))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.cdata_elem == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)
        elif self.cdata_elem is None:
            self.text += data


def plain(card: ReportCard) -> str:
    """The page without scripts."""
    return report_html(card, interactive=False)


@pytest.fixture(scope="module")
def regressed(held_out: list[TurnCase], vocabulary: Vocabulary) -> ReportCard:
    """The authors' own turns as the baseline, and a model that always talks about the weather."""
    authors = [case.authored for case in held_out]
    return card_of(held_out, vocabulary, authors=authors, weather=["It rains."] * len(held_out))


@pytest.fixture(scope="module")
def mixed(held_out: list[TurnCase], vocabulary: Vocabulary) -> ReportCard:
    """The author, and a model that takes every skill for arcana and tells every outcome as a success."""

    def confused(case: TurnCase) -> str:
        return re.sub(r"^\*FAILED\*", "*SUCCESS*", re.sub(r"\[roll: \w+[^\]]*\]", "[roll: arcana]", case.authored))

    answers = {"author": [case.authored for case in held_out], "confused": [confused(case) for case in held_out]}
    return card_of(held_out, vocabulary, **answers)


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
    page = Page(plain(regressed))
    for one in regressed.models:
        for name in FIGURES:
            assert figure_text(one.summary.figures[name]) in page.text
    assert page.tags.count("details") == len(regressed.turns)
    assert all(turn.key in page.text and turn.authored in page.text for turn in regressed.turns)
    assert "weather against authors" in page.text
    assert all(wording.title in page.text for wording in CHECKS.values())
    assert "does not ask for dice" in page.text


def test_the_page_needs_nothing_from_anywhere(regressed: ReportCard) -> None:
    html = plain(regressed)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not {"src", "onclick", "onerror", "action"} & page.attributes
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?:|url\(|@import", html)
    assert "default-src 'none'" in page.policy
    assert "script-src" not in page.policy
    assert "prefers-color-scheme: dark" in html


def test_the_interactive_page_lets_its_own_scripts_run_and_no_other(regressed: ReportCard) -> None:
    page = Page(report_html(regressed))
    code = [text for kind, text in page.scripts if kind != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code]
    policy = dict(part.split(maxsplit=1) for part in page.policy.split("; "))
    assert policy["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert (policy["default-src"], policy["connect-src"], policy["img-src"]) == ("'none'", "'none'", "data:")
    assert "plotly.js v" in code[0][:100]
    assert not {"link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not {"src", "onclick", "onerror", "action"} & page.attributes
    assert all(link.startswith("#") for link in page.links)


def test_the_data_of_the_interactive_chart_are_the_figures_and_lead_to_their_turns(mixed: ReportCard) -> None:
    page = Page(report_html(mixed))
    (data,) = (text for kind, text in page.scripts if kind == "application/json")
    views = json.loads(data)
    assert [view["name"] for view in views] == ["All scenes", "exploration", "mixed"]
    for view, kind in zip(views, [None, "exploration", "mixed"], strict=True):
        for trace, model in zip(view["data"], mixed.models, strict=True):
            figures = model.summary.by_type[kind] if kind else model.summary.figures
            known = [figures[name] for name in CHARTED if figures[name].value is not None]
            assert trace["x"] == [one.value for one in known]
            assert {custom[2] for custom in trace["customdata"]} <= set(page.places)


@pytest.mark.parametrize("interactive", [False, True])
def test_every_link_leads_somewhere_and_every_turn_can_be_reached(mixed: ReportCard, interactive: bool) -> None:
    page = Page(report_html(mixed, interactive=interactive))
    assert len(page.places) == len(set(page.places))
    assert {link.removeprefix("#") for link in page.links} - {"close"} <= set(page.places)
    turns = {f"t{number}" for number in range(1, len(mixed.turns) + 1)}
    assert turns <= {link.removeprefix("#") for link in page.links}


def test_a_number_leads_to_just_the_turns_that_it_counts(mixed: ReportCard) -> None:
    html = re.sub(r"</?span[^>]*>", "", plain(mixed))
    confused = mixed.models[1].summary
    found = confused.figures["turn_right"]
    anchor = re.search(rf'<a href="#(n\d+)">{re.escape(figure_text(found))}</a>', html)
    assert anchor
    section = html[html.index(f'id="{anchor[1]}"') :].split("</section>")[0]
    against, every = (re.findall(r'href="#t(\d+)"', part) for part in section.split("<b>")[1:])
    keys = [one.key for one in mixed.turns]
    assert [keys[int(number) - 1] for number in against] == list(found.faults)
    assert [keys[int(number) - 1] for number in every] == list(found.turns)


def test_a_cell_of_the_matrix_leads_to_its_turns(mixed: ReportCard) -> None:
    html = plain(mixed)
    part = html[html.index("What confused asked for") :]
    row = part[part.index("<th>stealth</th>") :].split("</tr>")[0]
    (anchor,) = re.findall(r'href="#(n\d+)">1<', row)
    section = html[html.index(f'id="{anchor}"') :].split("</section>")[0]
    assert "stealth → arcana" in section
    assert len(re.findall(r'href="#t\d+"', section)) == 1
    assert "wrong" in row


def test_what_is_worse_is_marked_where_it_stands(regressed: ReportCard) -> None:
    html = plain(regressed)
    figures = html[html.index('id="figures"') : html.index('id="types"')]
    right = figures[figures.index(FIGURES["turn_right"].title) :].split("</tr>")[0]
    assert right.count('class="lost"') == 1
    assert ">worse<" in right
    types = html[html.index('id="types"') :]
    kinds = [kind for kind, one in type_differences(regressed.models[1]) if one.name == "turn_right"]
    assert kinds
    assert types.split("</table>")[0].count('class="lost"') >= len(kinds)


def test_a_model_that_is_worse_in_one_kind_of_scene_alone_is_told_so(
    held_out: list[TurnCase], vocabulary: Vocabulary
) -> None:
    authors = [case.authored for case in held_out]
    spoiled = ["It rains." if case.scenario_type == "mixed" else case.authored for case in held_out]
    card = card_of(held_out, vocabulary, authors=authors, spoiled=spoiled)
    found = type_differences(card.models[1])
    assert {(kind, one.verdict) for kind, one in found} == {("mixed", "worse")}
    worst = next(one for _, one in found if one.name == "turn_right")
    lost = [case.key for case in held_out if case.scenario_type == "mixed" and case.authored != "It rains."]
    assert set(worst.lost) <= set(lost)
    behind = behind_comparison(worst, card.models[1], "mixed")
    assert sum(map(len, behind.lists.values())) == len(lost)
    assert "By scenario type." in Page(plain(card)).text


@pytest.mark.parametrize("interactive", [False, True])
def test_hostile_text_stays_text(vocabulary: Vocabulary, interactive: bool) -> None:
    text = CELLAR.replace("I creep down the stairs.", HOSTILE).replace("The steps are slick", HOSTILE)
    scenario = MarkdownParser(vocabulary).parse_text(text)
    scenario.metadata["source"] = f"{HOSTILE}.md"
    cases = scenario_cases([scenario], vocabulary)
    card = card_of(cases, vocabulary, first=[HOSTILE] * len(cases), second=["It rains."] * len(cases))
    named = card.models[0].model.model_copy(update={"label": HOSTILE, "name": HOSTILE, "parents": {HOSTILE: HOSTILE}})
    card = card.model_copy(update={"models": (card.models[0].model_copy(update={"model": named}), card.models[1])})
    page = Page(report_html(card, interactive=interactive))
    rain = ["Rain."] * len(cases)
    harmless = Page(report_html(card_of(cases, vocabulary, first=rain, second=rain), interactive=interactive))
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


def test_every_skill_has_its_row_with_what_each_model_made_of_it(mixed: ReportCard) -> None:
    rows = {row.title: row.cells for row in tool_rows(mixed.models)}
    assert rows["sleight of hand"][0].text == "100 % (1 of 1), 21 to 100 %"
    assert rows["sleight of hand"][0].notes == ("1 exact", "outcome told as rolled: 1 of 1")
    assert rows["sleight of hand"][1].text == "0 % (0 of 1), 0 to 79 %"
    assert rows["sleight of hand"][1].notes == ("outcome told as rolled: 0 of 1",)
    assert rows["arcana"][0].text == "nothing to count"
    assert rows["arcana"][1].notes == ("11 asked for needlessly",)


def test_every_scenario_type_has_its_figures(mixed: ReportCard) -> None:
    rows = type_rows(mixed.models)
    assert [(row.part, row.title) for row in rows] == [
        (kind, FIGURES[name].title) for kind in ("exploration", "mixed") for name in BY_TYPE
    ]
    right = [row.cells for row in rows if row.title == FIGURES["turn_right"].title]
    assert [cells[0].text.split(",")[0] for cells in right] == ["100 % (11 of 11)", "100 % (12 of 12)"]


def test_the_details_of_requests_have_their_rows(mixed: ReportCard) -> None:
    rows = {row.title: row.cells for row in argument_rows(mixed.models)}
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
    page = Page(plain(mixed))
    for row in [*type_rows(mixed.models), *tool_rows(mixed.models), *argument_rows(mixed.models)]:
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
    html = plain(mixed)
    right = chart_lines([one.summary for one in mixed.models])[0].marks[1]
    assert 0 < (right.value or 0) < 100
    assert f'<b style="left:{right.value}%">' in html
    assert f'<i style="left:{right.low}%;' in html
    assert html.count('class="lane ') == len(CHARTED) * len(mixed.models)


def test_a_report_from_before_these_tables_is_still_read_and_shown(mixed: ReportCard, tmp_path: Path) -> None:
    old = mixed.model_dump(mode="json")
    for model in old["models"]:
        del model["summary"]["arguments"], model["by_type"]
        for score in model["summary"]["tools"]:
            for new in ("exact", "precision_interval", "recall_interval", "outcomes", "outcomes_right", "faults"):
                del score[new]
        for verdict in model["verdicts"]:
            del verdict["outcome"]["tools"]
    (tmp_path / "report.json").write_text(json.dumps(old), encoding="utf-8")
    page = Page(plain(load_report(tmp_path)))
    assert "Skill by skill" in page.text
    assert "Details of the requests" not in page.text
    assert "0 exact" not in page.text  # it was not counted then
