"""Measure over versions: the history, any two side by side, and reports opened, listed and deleted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.conversion.metadata import ADAPTER, BASE_NAME, RUN
from studio.jobs import JobState, Status
from studio.jobs.process import process_start
from studio.jobs.state import save_state
from studio.scenarios import load_vocabulary
from studio.validation import ReportCard
from studio.validation.card import REPORT_FILE, ModelResult
from studio.validation.jobs import EVALUATION_KIND
from studio.validation.reports import read_history
from studio.workspace import Workspace, atomic_write
from tests.metrics.conftest import shipped_cases
from tests.pages.visit import Visit
from tests.validation.conftest import card_of

SHARES = {"first": 23, "second": 0, "third": 14}
"""Versions and how many of the 23 turns each loses."""
Keep = Callable[..., Path]


@pytest.fixture(scope="module")
def cards() -> dict[str, ReportCard]:
    """One report per version, of texts that no model wrote, judged for real."""
    words = load_vocabulary()
    cases = shipped_cases(words)
    authors = [case.authored for case in cases]
    found = {}
    for number, (run, lost) in enumerate(SHARES.items()):
        card = card_of(cases, words, **{f"{run}.Q8_0": ["It rains."] * lost + authors[lost:]})
        found[run] = card.model_copy(update={"created": float(number), "models": tuple(map(_trained, card.models))})
    return found


def _trained(result: ModelResult) -> ModelResult:
    run = result.model.label.partition(".")[0]
    origin = {BASE_NAME: "smol", ADAPTER: f"adapter of {run}", RUN: run}
    return result.model_copy(update={"model": result.model.model_copy(update={"parents": origin})})


@pytest.fixture
def keep(empty_workspace: Workspace) -> Keep:
    """A measurement's folder as its worker leaves it: `keep("evaluate-1", card)`."""

    def make(name: str, card: ReportCard | None = None, status: Status = "done", **state: object) -> Path:
        folder = empty_workspace.jobs_dir / name
        folder.mkdir(parents=True)
        process = {"pid": os.getpid(), "process_start": process_start(os.getpid()) or ""}
        asked = {"arguments": {"models": [{"label": one.model.label} for one in card.models]}} if card else {}
        known = {"kind": EVALUATION_KIND, "title": name, "created": time.time(), **process, **asked, **state}
        save_state(folder, JobState.model_validate({"status": status, **known}))
        if card:
            atomic_write(folder / REPORT_FILE, card.model_dump_json())
        return folder

    return make


@pytest.fixture
def versions(keep: Keep, cards: dict[str, ReportCard], empty_workspace: Workspace) -> dict[str, str]:
    """Three versions, each with a report of its own; their ids by run."""
    for run, card in cards.items():
        keep(f"evaluate-{run}", card)
    (lineage,) = read_history(empty_workspace)
    return {one.model.run: one.id for one in lineage.versions}


def headings(visit: Visit) -> list[str]:
    return [one.value for one in visit.app.subheader]


def chart(visit: Visit) -> list[dict[str, object]]:
    """The dots of the chart: what a click on each would open."""
    (found,) = [one.proto for one in visit.app.get("plotly_chart") if "history_chart" in one.proto.id]
    return [one for one in json.loads(found.spec)["data"] if "customdata" in one]


def test_without_a_second_version_there_is_no_history(keep: Keep, cards: dict[str, ReportCard]) -> None:
    assert headings(Visit("measure")) == []
    keep("evaluate-first", cards["first"])
    assert headings(Visit("measure")) == ["Reports"]


def test_a_version_that_became_worse_is_told_and_leads_to_the_turns_that_were_lost(versions: dict[str, str]) -> None:
    visit = Visit("measure")
    assert headings(visit) == ["History", "Reports"]
    assert "third.Q8_0 is worse than second.Q8_0: Turns that are right (100% →" in visit.words.replace("**", "")
    visit.click(f"compare_worse_{versions['third']}")
    assert visit.address == {"before": versions["second"], "after": versions["third"]}
    assert visit.title == "Comparison"
    assert visit.errors[0].startswith("**third.Q8_0 is worse than second.Q8_0**")
    assert visit.has("changed_1_turn_right")
    assert visit.click("all_reports").address == {}


def test_the_chart_shows_every_version_in_order_with_the_worse_one_in_red(versions: dict[str, str]) -> None:
    visit = Visit("measure")
    (dots,) = chart(visit)
    assert dots["name"] == "Q8_0"
    spec = json.loads(next(one.proto.spec for one in visit.app.get("plotly_chart")))
    assert spec["layout"]["xaxis"]["ticktext"] == ["first", "second", "third"]
    assert [one["text"].replace("<br>", "") for one in spec["layout"]["annotations"]] == [
        "worse than the version before"
    ]
    colors = dots["marker"]["color"]  # type: ignore[index]
    assert colors[0] == colors[1] != colors[2]
    visit.choose("selectbox", "history_figure", "faithful")
    assert chart(visit)[0]["customdata"][0][0] == versions["first"]  # type: ignore[index]


def test_versions_are_listed_newest_first_and_open_their_report(versions: dict[str, str]) -> None:
    visit = Visit("measure")
    rows = [key.removeprefix("row_version_") for key in visit.keys if key.startswith("row_version_")]
    assert rows == [versions[run] for run in ("third", "second", "first")]
    assert "better than first.Q8_0" in visit.words
    assert visit.click(f"row_version_{versions['first']}").address == {"report": "evaluate-first"}


def test_any_two_versions_can_be_compared(versions: dict[str, str]) -> None:
    visit = Visit("measure")
    visit.choose("selectbox", "pair_after", versions["third"])
    visit.choose("selectbox", f"pair_before_{versions['third']}", versions["first"])
    visit.click("pair_compare")
    assert visit.address == {"before": versions["first"], "after": versions["third"]}
    assert "third.Q8_0 is better than first.Q8_0" in visit.words
    assert len([key for key in visit.keys if key.startswith("changed_1_")]) >= 6


@pytest.mark.parametrize("address", [{"before": "gone", "after": "gone"}, {"before": "<b>", "after": "../x"}])
def test_a_version_that_is_not_there_is_told(versions: dict[str, str], address: dict[str, str]) -> None:
    visit = Visit("measure", **address)
    assert visit.errors[0].startswith("**This version is not there.**")
    assert visit.click("all_reports").has("row_evaluate-first")


def test_versions_on_other_turns_are_not_joined_and_not_offered(
    keep: Keep, cards: dict[str, ReportCard], empty_workspace: Workspace
) -> None:
    keep("evaluate-first", cards["first"])
    second = cards["second"]
    keep("evaluate-second", second.model_copy(update={"turns": second.turns[:-1]}))
    visit = Visit("measure")
    assert [one["name"] for one in chart(visit)] == ["Q8_0, test 1 (23 turns)", "Q8_0, test 2 (22 turns)"]
    assert not [key for key in visit.keys if key.startswith("compare_")]
    assert visit.app.button(key="pair_compare").disabled


# -- the list


def test_a_measurement_at_work_can_be_opened_and_not_deleted(keep: Keep) -> None:
    keep("evaluate-1", status="running")
    visit = Visit("measure")
    assert not visit.has("delete_evaluate-1")
    assert visit.click("row_evaluate-1").address == {"report": "evaluate-1"}
    assert visit.has("stop_evaluate-1")


def test_a_report_is_deleted_after_a_question_and_leaves_the_history(
    versions: dict[str, str], empty_workspace: Workspace
) -> None:
    visit = Visit("measure").click("delete_evaluate-third")
    assert "What the models wrote is kept" in visit.words
    visit.click("delete_not")
    assert (empty_workspace.jobs_dir / "evaluate-third").exists()
    visit.click("delete_evaluate-third").click("delete_now")
    assert not (empty_workspace.jobs_dir / "evaluate-third").exists()
    assert visit.toasts == ["third.Q8_0 is deleted."]
    assert not visit.has("row_evaluate-third")
    assert not visit.has(f"row_version_{versions['third']}")
    assert visit.has(f"row_version_{versions['second']}")


def test_older_reports_are_shown_when_asked_for(keep: Keep) -> None:
    for number in range(45):
        keep(f"evaluate-{number}", status="stopped", created=float(number))
    visit = Visit("measure")

    def rows() -> list[str]:
        return [key for key in visit.keys if key.startswith("row_")]

    assert (len(rows()), rows()[0]) == (20, "row_evaluate-44")
    assert visit.app.button(key="reports_older").label == "Show older (25)"
    visit.click("reports_older").click("reports_older")
    assert len(rows()) == 45
    assert not visit.has("reports_older")


def test_models_that_have_no_history_together_can_be_compared_all_the_same(
    keep: Keep, cards: dict[str, ReportCard]
) -> None:
    for run in ("first", "second"):
        (found,) = cards[run].models
        stamp = found.model.model_copy(update={"parents": {}})
        keep(f"evaluate-{run}", cards[run].model_copy(update={"models": (found.model_copy(update={"model": stamp}),)}))
    visit = Visit("measure")
    assert headings(visit) == ["Reports"]
    assert visit.click("pair_compare").title == "Comparison"
    assert "is worse than second.Q8_0" in visit.words or "is better than first.Q8_0" in visit.words
