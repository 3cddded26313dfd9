"""Measuring: what to do first, a measurement that goes on, report cards and the turns behind their figures."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.jobs import Job, JobState, Progress, Status
from studio.jobs.process import process_start
from studio.jobs.state import STOP_FILE, save_state
from studio.metrics import TurnCase, judge_turn
from studio.scenarios import Vocabulary, load_vocabulary
from studio.validation import SAYS, SAYS_NOT, ReportCard, load_report, report_html
from studio.validation.benchmark import BENCHMARK_FILE
from studio.validation.breakdown import type_differences
from studio.validation.card import REPORT_FILE
from studio.validation.jobs import BENCHMARK_KIND, EVALUATION_KIND, HTML_FILE
from studio.validation.stress import judge_stress, stress_cases
from studio.workspace import Workspace, atomic_write
from tests.metrics.conftest import shipped_cases
from tests.pages.conftest import Borrow, MakeRun
from tests.pages.visit import Visit
from tests.ui.html_check import Reading
from tests.ui.test_speed import benchmark, device_row
from tests.validation.conftest import card_of, make_campaign

HOSTILE = "<img src=x onerror=alert(1)>"
MakeJob = Callable[..., Path]
MakeReport = Callable[..., ReportCard]


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def cases(words: Vocabulary) -> list[TurnCase]:
    """Every DM turn of the held-out scenarios that the studio ships."""
    return shipped_cases(words)


@pytest.fixture
def held_out(empty_workspace: Workspace) -> Workspace:
    """This test's workspace with two short held-out scenarios."""
    return make_campaign(empty_workspace.root)


@pytest.fixture
def make_job(empty_workspace: Workspace) -> MakeJob:
    """Write a measurement's folder as its launcher and worker would: `make_job("evaluate-1", "running", ["new"])`."""

    def make(name: str, status: Status = "done", labels: Sequence[str] = (), **state: object) -> Path:
        folder = empty_workspace.jobs_dir / name
        folder.mkdir(parents=True)
        kind = BENCHMARK_KIND if name.startswith(BENCHMARK_KIND) else EVALUATION_KIND
        process = {"pid": os.getpid(), "process_start": process_start(os.getpid()) or ""}
        known = {"kind": kind, "title": name, "created": time.time(), "finished": time.time(), **process, **state}
        asked = {"arguments": {"models": [{"label": one} for one in labels]}}
        save_state(folder, JobState.model_validate({"status": status, **asked, **known}))
        return folder

    return make


@pytest.fixture
def keep_report(make_job: MakeJob) -> Callable[[str, ReportCard], ReportCard]:
    """Write the folder of a finished evaluation with that report."""

    def keep(name: str, card: ReportCard) -> ReportCard:
        folder = make_job(name, labels=[one.model.label for one in card.models])
        atomic_write(folder / REPORT_FILE, card.model_dump_json())
        atomic_write(folder / HTML_FILE, report_html(card))
        return card

    return keep


@pytest.fixture
def make_report(
    keep_report: Callable[[str, ReportCard], ReportCard], cases: list[TurnCase], words: Vocabulary
) -> MakeReport:
    """A finished evaluation of texts that no model wrote, judged for real: `make_report("evaluate-1", a=[...])`."""

    def make(name: str, **texts: Sequence[str]) -> ReportCard:
        return keep_report(name, card_of(cases, words, **texts))

    return make


@pytest.fixture(scope="module")
def judged_worse(cases: list[TurnCase], words: Vocabulary) -> ReportCard:
    """The authors themselves as the baseline, and a model that always talks about the weather."""
    return card_of(cases, words, authors=[one.authored for one in cases], weather=["It rains."] * len(cases))


@pytest.fixture
def worse(keep_report: Callable[[str, ReportCard], ReportCard], judged_worse: ReportCard) -> ReportCard:
    """`judged_worse` as the finished evaluation `evaluate-1` of this test's workspace."""
    return keep_report("evaluate-1", judged_worse)


def devices_shown(visit: Visit) -> str:
    """The imitated devices that are on show, as HTML."""
    return "".join(one.value for one in visit.app.get("html") if 'class="devices"' in one.value)


def blocks(visit: Visit) -> list[str]:
    """The turns that are on show, as HTML."""
    return [one.value for one in visit.app.get("html") if 'class="story measured"' in one.value]


# -- what to do first


def test_measuring_needs_a_base_model_first() -> None:
    visit = Visit("measure")
    assert "A base model first" in visit.words
    assert not visit.has("measure_start")
    assert visit.click("empty_download").title == "Setup"


def test_a_finished_run_needs_its_model_file_first(make_run: MakeRun) -> None:
    make_run("first", adapter=True)
    visit = Visit("measure")
    assert "A model file first" in visit.words
    assert visit.click("empty_inventory_2").title == "Models"


def test_a_base_that_only_training_can_use_leads_to_training(
    tiny_llama: BaseModel, borrow: Borrow, held_out: Workspace
) -> None:
    borrow(tiny_llama)
    visit = Visit("measure")
    assert "A model first" in visit.words
    assert visit.click("empty_model_training").title == "Train"


def test_an_untrained_base_is_offered_with_the_way_to_more(workspace: Workspace, held_out: Workspace) -> None:
    visit = Visit("measure")
    assert visit.app.multiselect(key="measure_models").value == ["base/smollm2-135m-instruct/base.gguf"]
    assert visit.app.selectbox(key="measure_baseline").value == ""
    assert "Train your own" in visit.words
    assert "in 2 scenarios" in visit.words
    assert "No report yet" in visit.words


def test_ones_own_file_is_measured_against_its_base(workspace: Workspace, held_out: Workspace) -> None:
    made = workspace.gguf_dir / "first" / "first.Q8_0.gguf"
    made.parent.mkdir(parents=True)
    made.hardlink_to(workspace.base_dir / "smollm2-135m-instruct" / "base.gguf")
    visit = Visit("measure")
    assert visit.app.multiselect(key="measure_models").value == ["gguf/first/first.Q8_0.gguf"]
    assert visit.app.selectbox(key="measure_baseline").value == "base/smollm2-135m-instruct/base.gguf"


def test_all_files_of_a_run_are_chosen_with_one_click(workspace: Workspace, held_out: Workspace) -> None:
    for name in ("first.Q8_0.gguf", "first.Q4_0.gguf"):
        made = workspace.gguf_dir / "first" / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.hardlink_to(workspace.base_dir / "smollm2-135m-instruct" / "base.gguf")
    visit = Visit("measure")
    assert len(visit.app.multiselect(key="measure_models").value) == 1
    visit.click("measure_every")
    assert len(visit.app.multiselect(key="measure_models").value) == 2
    assert not visit.has("measure_every")


def test_without_held_out_scenarios_nothing_can_be_started(workspace: Workspace) -> None:
    visit = Visit("measure")
    assert any("no scenario to ask" in one.value for one in visit.app.warning)
    assert visit.app.button(key="measure_start").disabled
    visit.choose("segmented_control", "measure_way", "speed")
    assert not visit.app.button(key="measure_start").disabled


def test_without_a_model_nothing_can_be_started(workspace: Workspace, held_out: Workspace) -> None:
    visit = Visit("measure").choose("multiselect", "measure_models", [])
    assert visit.app.button(key="measure_start").disabled


# -- a measurement that goes on


def test_a_measurement_in_progress_shows_time_left_and_stop(make_job: MakeJob) -> None:
    progress = Progress(done=3, total=12, unit="turns")
    folder = make_job("evaluate-1", "running", ["old", "new"], progress=progress, seconds_left=65.0)
    for visit in (Visit("measure"), Visit("measure", report="evaluate-1")):
        assert "new against old" in visit.words
        assert "3 of 12 turns, 1 min 05 s left" in [one.proto.text for one in visit.app.get("progress")]
    assert not (folder / STOP_FILE).exists()
    visit.click("stop_evaluate-1")
    assert (folder / STOP_FILE).exists()
    assert visit.app.button(key="stop_evaluate-1").disabled


def test_a_measurement_that_failed_says_why_and_offers_the_way_on(make_job: MakeJob) -> None:
    error = {"what": "The model cannot be loaded.", "why": "It is *torn*.", "next_step": "Make it again."}
    make_job("evaluate-1", "failed", ["new"], error=error)
    visit = Visit("measure", report="evaluate-1")
    assert visit.errors == ["**The model cannot be loaded.**\n\nIt is *torn*.\n\nMake it again."]
    assert visit.has("go_on_evaluate-1")
    assert "failed" in Visit("measure").words


def test_a_measurement_whose_question_is_lost_says_so(make_job: MakeJob) -> None:
    make_job("evaluate-1", "stopped", ["new"])
    visit = Visit("measure", report="evaluate-1")
    assert "Stopped before the end" in [one.value[:22] for one in visit.app.info]
    assert "cannot be gone on with" in visit.click("go_on_evaluate-1").errors[0]


def test_a_measurement_whose_model_is_gone_says_so(
    workspace: Workspace, held_out: Workspace, make_job: MakeJob
) -> None:
    gone = {"label": "old", "path": str(workspace.gguf_dir / "old.gguf"), "sha256": ""}
    asked = {"workspace": str(workspace.root), "models": [gone], "scenarios": []}
    make_job("evaluate-1", "stopped", arguments=asked)
    visit = Visit("measure", report="evaluate-1").click("go_on_evaluate-1")
    assert "This model file is not there." in visit.errors[0]


@pytest.mark.slow
def test_a_measurement_is_stopped_gone_on_with_and_read(workspace: Workspace, held_out: Workspace) -> None:
    visit = Visit("measure").choose("number_input", "report_tokens", 8).choose("checkbox", "report_stress", value=False)
    visit.click("measure_start")
    name = visit.address["report"]
    job = Job(held_out.jobs_dir / name)
    job.stop()
    assert job.wait(100).is_finished
    visit.run()
    if visit.has(f"go_on_{name}"):  # it may have ended before it was stopped
        visit.click(f"go_on_{name}")
    state = job.wait(100)
    assert (state.status, state.error) == ("done", None)
    visit.run()
    card = load_report(job.directory)
    assert len(card.turns) == 7
    right = card.models[0].summary.figures["turn_right"]
    assert f"smollm2-135m-instruct has {right.hits} of 7 turns right" in visit.words
    shown = blocks(visit.click("figure_words_0"))
    assert len(shown) == 7
    assert card.models[0].verdicts[0].text.split()[0] in Reading(shown[0]).text


# -- a report card


def test_a_report_says_first_what_is_worse_and_where(worse: ReportCard) -> None:
    visit = Visit("measure", report="evaluate-1")
    assert visit.title == "Report card"
    assert visit.errors[0].startswith("**weather is worse than authors**\n\nWorse: Turns that are right (100% →")
    buttons = [key for key in visit.keys if key.startswith("changed_1_")]
    verdicts = [next(one.verdict for one in worse.models[1].comparisons if key.endswith(one.name)) for key in buttons]
    assert verdicts == sorted(verdicts, key=lambda one: one != "worse")
    assert verdicts[0] == "worse"


def test_every_figure_stands_beside_the_baselines_with_its_range(worse: ReportCard) -> None:
    visit = Visit("measure", report="evaluate-1")
    for number, model in enumerate(worse.models):
        found = model.summary.figures["turn_right"]
        label = visit.app.button(key=f"figure_turn_right_{number}").label
        assert label.startswith(f"{found.value:.0%}".replace("%", " %"))
        assert f"({found.hits} of {found.total}), " in label
    chart = json.loads(visit.app.get("plotly_chart")[0].proto.spec)
    assert [one["name"] for one in chart["data"]] == ["authors", "weather"]


def test_a_click_on_what_was_lost_shows_player_author_model_and_fault(worse: ReportCard) -> None:
    lost = next(one for one in worse.models[1].comparisons if one.name == "call_accuracy").lost
    visit = Visit("measure", report="evaluate-1").click("changed_1_call_accuracy")
    shown = [Reading(one).text for one in blocks(visit)]
    assert len(shown) == min(len(lost), 10)
    turn = next(one for one in worse.turns if one.key == lost[0])
    assert turn.before[-1].content.split()[0] in shown[0]
    assert "The author's turn" in shown[0]
    assert turn.authored.split("\n")[0].split(".")[0].lstrip("*") in shown[0]
    assert "It rains." in shown[0]
    assert "does not ask for dice" in shown[0]


def test_the_turns_behind_a_figure_are_all_or_those_against_the_model(worse: ReportCard) -> None:
    figure = worse.models[1].summary.figures["turn_right"]
    assert 0 < len(figure.faults) < len(figure.turns)
    visit = Visit("measure", report="evaluate-1").click("figure_turn_right_1")
    assert len(blocks(visit)) == min(len(figure.faults), 10)
    first = blocks(visit)
    visit.choose("segmented_control", "turns_list_Against it_All", "All")
    assert len(blocks(visit)) == min(len(figure.turns), 10)
    assert blocks(visit) != first


def choose_cell(visit: Visit, table: str, row: int, column: str) -> Visit:
    """A click on a cell of a table."""
    visit.app.session_state[table] = {"selection": {"rows": [], "columns": [], "cells": [(row, column)]}}
    return visit.run()


def test_a_cell_of_a_table_leads_to_its_turns_and_is_not_opened_again_by_itself(worse: ReportCard) -> None:
    kind = sorted(worse.models[1].summary.by_type)[0]
    figure = worse.models[1].summary.by_type[kind]["turn_right"]
    visit = choose_cell(Visit("measure", report="evaluate-1"), "report_types", 0, "weather")
    assert len(blocks(visit)) == min(len(figure.faults), 10)
    assert f"{kind}: Turns that are right" in visit.words
    assert blocks(visit.run()) == []
    assert blocks(choose_cell(visit, "report_types", 0, "Figure")) == []


def test_a_cell_of_the_matrix_leads_to_the_turns_where_that_was_asked_for(worse: ReportCard) -> None:
    visit = Visit("measure", report="evaluate-1")
    tables = {one.key: one.value for one in visit.app.dataframe}
    assert list(tables["report_matrix_1"].columns) == ["nothing"]
    row = list(tables["report_matrix_1"].index).index("stealth")
    assert len(blocks(choose_cell(visit, "report_matrix_1", row, "nothing"))) == 1
    assert "The author asked for stealth, the model for nothing." in visit.words


def test_kinds_of_scene_in_which_a_model_is_worse_are_named_with_their_turns(worse: ReportCard) -> None:
    visit = Visit("measure", report="evaluate-1")
    found = {key for key in visit.keys if key.startswith("changed_kind_1_")}
    assert found == {f"changed_kind_1_{one.name}_{kind}" for kind, one in type_differences(worse.models[1])}
    assert found
    visit.click(sorted(found)[0])
    assert blocks(visit)


def test_a_figure_that_is_worse_says_so_in_its_place(worse: ReportCard) -> None:
    visit = Visit("measure", report="evaluate-1")
    assert visit.app.button(key="figure_turn_right_1").label.endswith(":red[worse]")
    assert "[" not in visit.app.button(key="figure_turn_right_0").label


def test_what_a_model_wrote_is_never_markup(make_report: MakeReport, cases: list[TurnCase]) -> None:
    make_report("evaluate-1", **{HOSTILE: [HOSTILE] * len(cases), "*other*": ["It rains."] * len(cases)})
    visit = Visit("measure", report="evaluate-1").click("figure_turn_right_0")
    assert blocks(visit)
    for one in blocks(visit):
        Reading(one).assert_harmless()
        assert HOSTILE in Reading(one).text
    raw = [one.value for kind in ("markdown", "subheader", "caption") for one in visit.app.get(kind)]
    assert not any("<img" in one.replace("\\<", "") for one in raw)
    assert any("\\*other\\* against" in one for one in raw)


def test_the_turns_that_try_to_break_a_model_can_be_read(
    make_job: MakeJob, cases: list[TurnCase], words: Vocabulary
) -> None:
    card = card_of(cases, words, first=["It rains."] * len(cases))
    hard = [
        judge_stress(kind, case, judge_turn(case, "*SUCCESS* You win.", words), "end_of_turn")
        for kind, case in stress_cases(cases)
    ]
    card = card.model_copy(update={"models": (card.models[0].model_copy(update={"stress": tuple(hard)}),)})
    atomic_write(make_job("evaluate-1") / REPORT_FILE, card.model_dump_json())
    visit = Visit("measure", report="evaluate-1")
    assert "first: 0 of 8 without a visible fault" in visit.words.replace("**", "")
    visit.click("stress_open_0")
    shown = [Reading(one).text for one in blocks(visit)]
    assert len(shown) == 8
    assert "No dice." in shown[2]
    assert "You win." in shown[2]
    assert "grants an outcome without dice" in visit.words


# -- the reports so far


def test_reports_are_listed_with_verdict_and_files_and_open_by_click(
    worse: ReportCard, make_report: MakeReport, cases: list[TurnCase]
) -> None:
    make_report("evaluate-2", weather=["It rains."] * len(cases), authors=[one.authored for one in cases])
    visit = Visit("measure")
    badges = [one.value for one in visit.app.get("markdown") if "-badge[" in one.value]
    assert sorted(("worse" in one, "better" in one) for one in badges) == [(False, True), (True, False)]
    files = {one.proto.id.split("-")[-1] for one in visit.app.get("download_button")}
    assert files == {f"download_{what}_evaluate-{number}".split("-")[-1] for what in ("page",) for number in (1, 2)}
    visit.click("row_evaluate-1")
    assert visit.address == {"report": "evaluate-1"}
    assert "weather is worse than authors" in visit.words
    assert visit.click("all_reports").address == {}


def test_a_damaged_report_is_told_and_the_others_are_listed(worse: ReportCard, make_job: MakeJob) -> None:
    atomic_write(make_job("evaluate-2") / REPORT_FILE, "{")
    visit = Visit("measure")
    assert "cannot be read" in visit.words
    assert visit.has("row_evaluate-1")
    assert "The report cannot be read." in visit.click("row_evaluate-2").errors[0]


@pytest.mark.parametrize("name", ["evaluate-9", "../../checkpoints", "*x*"])
def test_a_report_that_is_not_there_is_told(worse: ReportCard, name: str) -> None:
    visit = Visit("measure", report=name)
    assert visit.errors[0].startswith("**This report is not there.**")
    assert visit.click("all_reports").has("row_evaluate-1")


# -- speed


def test_a_benchmark_compares_speeds_and_says_what_they_are_worth(make_job: MakeJob) -> None:
    folder = make_job("benchmark-1", labels=["old", "new"])
    atomic_write(folder / BENCHMARK_FILE, benchmark(("old", 100, 10), ("new", 150, 5)).model_dump_json())
    visit = Visit("measure", report="benchmark-1")
    assert visit.title == "Speed"
    assert "new writes 0.50 times and reads 1.50 times as fast as old" in visit.words
    table = visit.app.dataframe[0].value
    assert list(table["Writes, ratio"]) == ["–", "0.50 times"]
    assert "this computer at this hour" in visit.words
    assert "more than phone allows" in visit.words
    assert "Imitated devices" not in visit.words
    assert "measured" in Visit("measure").words
    assert visit.choose("segmented_control", "speed_which", "Memory").app.get("plotly_chart")


def test_imitated_devices_have_a_verdict_and_say_what_it_is_worth(make_job: MakeJob) -> None:
    folder = make_job("benchmark-1", labels=["old", "new"])
    rows = (device_row("old"), device_row("new", fits=False))
    report = benchmark(("old", 100, 10), ("new", 150, 5)).model_copy(update={"simulated": rows})
    atomic_write(folder / BENCHMARK_FILE, report.model_dump_json())
    words = Visit("measure", report="benchmark-1").words
    assert "new does not fit Phone" in words
    assert SAYS in words
    assert SAYS_NOT in words
    assert "This computer has 2 cores; the devices spare up to 4." in words


def test_the_form_says_how_many_measurements_it_will_take(workspace: Workspace) -> None:
    visit = Visit("measure").choose("segmented_control", "measure_way", "speed")
    visit.choose("multiselect", "speed_threads", [1]).choose("multiselect", "speed_lengths", [128, 512])
    assert "That is 6 measurements" in visit.words
    visit.choose("multiselect", "speed_devices", ["tablet", "phone_2gb"])
    assert "That is 12 measurements" in visit.words


@pytest.mark.slow
def test_a_benchmark_is_started_from_the_page_and_read(workspace: Workspace) -> None:
    visit = Visit("measure").choose("segmented_control", "measure_way", "speed")
    visit.choose("number_input", "speed_rounds", 1).choose("multiselect", "speed_lengths", [128])
    visit.choose("multiselect", "speed_threads", [1]).choose("multiselect", "speed_devices", ["phone_2gb"])
    visit.choose("number_input", "speed_tokens", 4).click("measure_start")
    state = Job(workspace.jobs_dir / visit.address["report"]).wait(100)
    assert (state.status, state.error) == ("done", None)
    table = visit.run().app.dataframe[0].value
    assert list(table["Model"]) == ["smollm2-135m-instruct"]
    assert list(table["Threads"]) == [1]
    assert "smollm2-135m-instruct" in devices_shown(visit)
    assert "does not fit" not in devices_shown(visit)
