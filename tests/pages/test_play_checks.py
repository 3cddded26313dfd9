"""Spot checks on the page: made, edited, played by the real model as a job, compared and deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.jobs import list_jobs
from studio.play import save_session
from studio.play.spot_checks.results import list_results, save_result
from studio.play.spot_checks.suite import load_suite, save_suite, suite_names, suites_folder
from studio.scenarios import load_vocabulary
from studio.workspace import Workspace, atomic_write
from tests.pages.visit import Visit
from tests.play.played import HIDES, ROLLED, played
from tests.play.test_spot_checks import result, suite

VOCABULARY = load_vocabulary()


def checks() -> Visit:
    return Visit("play", view="checks")


def test_a_new_spot_check_is_made_and_its_lines_are_edited(empty_workspace: Workspace, scenarios: Path) -> None:
    visit = checks().click("check_new").choose("text_input", "new_check_title", "Hides *well*")
    visit.choose("selectbox", "new_check_scene", "combat/tavern-brawl").click("new_check_create")
    visit.choose("text_area", "check_player_0", "Sarah: I hide.").choose("selectbox", "check_kind_0_0", "asks_for")
    visit.choose("text_input", "check_text_0_0", "luck").click("check_save")
    assert any("luck" in one for one in visit.errors)
    visit.choose("text_input", "check_text_0_0", "stealth").click("check_add_0")
    visit.choose("selectbox", "check_kind_0_1", "hit_points").choose("text_input", "check_text_0_1", "Sarah 21")
    visit.click("check_add_line").choose("text_area", "check_player_1", "I wait.")
    visit.choose("selectbox", "check_kind_1_0", "asks_for_nothing").choose("number_input", "check_repeat", 2)
    visit.click("check_save")
    assert visit.errors == []
    (name,) = suite_names(empty_workspace)
    made = load_suite(empty_workspace, name, VOCABULARY)
    assert [one.player for one in made.lines] == ["Sarah: I hide.", "I wait."]
    assert (made.lines[0].expect.asks_for, made.lines[0].expect.state[0].hit_points) == ("stealth", 21)
    assert made.lines[1].expect.asks_for_nothing
    assert (made.repeat, made.scenario) == (2, "combat/tavern-brawl")
    assert "Hides *well*" in visit.words
    assert "2 lines · 3 expectations" in visit.words


def test_a_session_becomes_a_spot_check_and_can_be_deleted(empty_workspace: Workspace) -> None:
    save_session(empty_workspace, played(ROLLED, HIDES))
    visit = checks().click("check_new").choose("text_input", "new_check_title", "That evening")
    visit.choose("selectbox", "new_check_source", "evening").choose("selectbox", "new_check_scene", "")
    visit.click("new_check_create").click("check_back")
    (name,) = suite_names(empty_workspace)
    assert len(load_suite(empty_workspace, name, VOCABULARY).lines) == 2
    visit.click(f"check_delete_{name}").click("check_delete_now")
    assert suite_names(empty_workspace) == []


def test_results_of_models_stand_side_by_side_and_a_broken_suite_says_so(empty_workspace: Workspace) -> None:
    save_suite(empty_workspace, "hiding", suite(), VOCABULARY)
    atomic_write(suites_folder(empty_workspace) / "odd.yaml", "lines: [")
    for one in (result([True, False]), result([True, True], minutes=1, sha256="cd" * 32)):
        save_result(empty_workspace, one)
    visit = checks()
    assert "(abababab): 1 of 2 passed" in visit.words
    assert "(cdcdcdcd): 2 of 2 passed" in visit.words
    assert visit.words.count('class="verdict good"') == 3
    assert visit.words.count('class="verdict bad"') == 1
    assert any("odd.yaml" in one for one in visit.errors)
    assert visit.click("check_delete_odd").errors == []


@pytest.mark.slow
def test_the_real_model_plays_them_while_the_page_is_free(workspace: Workspace) -> None:
    save_suite(workspace, "hiding", suite(), VOCABULARY)
    visit = checks().click("check_run")
    (job,) = list_jobs(workspace.jobs_dir)
    assert job.wait(120).status == "done", job.tail_log()
    assert len(list_results(workspace, "hiding")) == 1
    assert "0 of 1 passed" in visit.run().words or "1 of 1 passed" in visit.words
    assert "asks for stealth" in visit.words
