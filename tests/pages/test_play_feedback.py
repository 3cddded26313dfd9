"""Under a reply: thumbs, reasons, corrections; in the editor: review, and the way to a run that learns from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.play import Sampling, load_session, save_session
from studio.play.teaching.feedback import note_correction, rate, rating_of
from studio.play.teaching.ratings import FORGOT_A_ROLL
from studio.scenarios import MarkdownParser
from studio.scenarios.library import ScenarioLibrary
from studio.scenarios.review import waits_for_review
from studio.workspace import Workspace
from tests.pages.conftest import MakeRun
from tests.pages.visit import Visit
from tests.play.played import HIDES, NOON, ROLLED, played


def thumbs(visit: Visit, turn: int) -> str:
    """The key of the thumbs under a turn."""
    return next(one.key for one in visit.app.get("feedback") if f"_{turn}_" in str(one.key))


def rated(visit: Visit, turn: int, value: int | None) -> Visit:
    next(one for one in visit.app.get("feedback") if one.key == thumbs(visit, turn)).set_value(value)
    return visit.run()


def teach(visit: Visit, turn: int, entry: str) -> Visit:
    return visit._act(lambda: visit.app.menu_button(key=f"teach_{turn}").click(entry))


def test_thumbs_and_reasons_are_kept_and_taken_back(empty_workspace: Workspace) -> None:
    save_session(empty_workspace, played(ROLLED, HIDES))
    visit = rated(Visit("play", chat="evening"), 1, 0)
    visit.app.pills(key="tags_evening_1").set_value([FORGOT_A_ROLL])
    visit.choose("text_input", "own_tags_evening_1", "no *smell*").choose("text_area", "note_evening_1", "Who looked?")
    visit.click("keep_why_1")
    found = rating_of(load_session(empty_workspace, "evening"), 1)
    assert found is not None
    assert (found.good, found.tags, found.note) == (False, (FORGOT_A_ROLL, "no *smell*"), "Who looked?")
    assert "no *smell*" in visit.words
    rated(visit, 1, None)
    assert load_session(empty_workspace, "evening").ratings == []


def test_should_have_rolled_becomes_a_scenario_that_waits(empty_workspace: Workspace) -> None:
    save_session(empty_workspace, played(ROLLED, HIDES))
    visit = teach(Visit("play", chat="evening"), 1, "Should have asked for a roll")
    visit.choose("selectbox", "request_1_tool", "stealth").choose("text_input", "request_1_stealth_dc", "many")
    assert not visit.has("correction_save")
    visit.choose("text_input", "request_1_stealth_dc", "14")
    assert "[roll: stealth, dc=14]" in visit.words
    visit.choose("text_area", "correction_told_evening_1", "A board creaks.").click("correction_save")
    assert "It waits for your review" in " ".join(visit.toasts)
    rating = rating_of(load_session(empty_workspace, "evening"), 1)
    assert rating is not None
    assert rating.tags == (FORGOT_A_ROLL,)
    scenario = MarkdownParser().parse_text(ScenarioLibrary(empty_workspace).read(rating.correction).text)
    assert waits_for_review(scenario.metadata)
    assert [one.speaker for one in scenario.conversation[-4:]] == ["User", "DM", "TOOLCALL", "DM"]
    assert scenario.conversation[-1].content.endswith("A board creaks.")
    assert [one for one in scenario.diagnostics if one.severity == "error"] == []
    visit.click("corrected_1")
    assert visit.title.startswith("An evening, turn 2")


def test_words_that_would_be_wrong_are_told_and_cannot_be_saved(empty_workspace: Workspace) -> None:
    save_session(empty_workspace, played(ROLLED))
    visit = teach(Visit("play", chat="evening"), 0, "Put it in better words")
    visit.choose("text_area", "correction_part_0_0", "Hush. [roll: luck]")
    assert "[roll: luck] was taken out" in visit.words
    visit.choose("text_area", "correction_part_0_2", "")
    visit.choose("text_area", "correction_part_0_0", "Hush.\n\n[roll: perception, dc=20]")
    visit.choose("text_area", "correction_part_0_2", "*SUCCESS* You hear them.")
    assert visit.app.button(key="correction_save").disabled
    assert any("SUCCESS" in one.value or "FAILED" in one.value for one in visit.app.warning)


def test_the_editor_marks_a_correction_as_reviewed_and_leads_to_training(
    empty_workspace: Workspace, make_run: MakeRun
) -> None:
    make_run("tavern", adapter=True)
    save_session(empty_workspace, played(ROLLED, HIDES))
    visit = teach(Visit("play", chat="evening"), 1, "Should not have asked").click("correction_save")
    kept = load_session(empty_workspace, "evening").ratings[0].correction
    visit = Visit("scenarios", file=kept)
    assert "It waits for your review" in visit.words
    visit.click("review_done")
    text = ScenarioLibrary(empty_workspace).read(kept).text
    assert "review: done" in text
    assert not waits_for_review(MarkdownParser().parse_text(text).metadata)
    assert "what tavern learned" in visit.words
    visit.click("review_train")
    assert (visit.title, visit.address.get("from")) == ("Train", "tavern")


def test_a_scenario_that_a_person_wrote_has_nothing_to_review(scenarios: Path) -> None:
    visit = Visit("scenarios", file="combat/tavern-brawl")
    assert not visit.has("review_done")
    assert not visit.has("review_train")


def test_what_waits_for_somebody_is_listed_with_the_spot_checks(empty_workspace: Workspace) -> None:
    session = played(ROLLED, HIDES)
    rate(session, 0, good=True, at=NOON)
    rate(session, 1, good=False, at=NOON, tags=["too *long*"])
    save_session(empty_workspace, session)
    other = played(HIDES, session_id="other")
    save_session(empty_workspace, other)
    teach(Visit("play", chat="other"), 0, "Should not have asked").click("correction_save")
    visit = Visit("play", view="checks")
    assert "too *long*" in visit.words
    assert "1 good, 2 bad" in visit.words
    waiting = [one for one in visit.keys if one.startswith("review_")]
    assert len(waiting) == 1
    assert visit.click("open_chat_0").address["chat"] == "evening"
    note_correction(session, 1, "mixed/x", NOON)
    save_session(empty_workspace, session)
    assert "open_chat_0" not in Visit("play", view="checks").keys


def test_a_whole_session_is_kept_as_a_scenario_that_waits(empty_workspace: Workspace) -> None:
    save_session(empty_workspace, played(ROLLED, HIDES, [("user", "And?"), ("assistant", "Hm. [roll: luck]")]))
    visit = Visit("play", chat="evening").click("keep_session")
    assert "[roll: luck] was taken out" in visit.words
    visit.click("keep_now")
    assert (visit.title, visit.address["file"]) == ("An evening", "mixed/An evening")
    assert "A whole session with tavern.Q8_0.gguf" in visit.words
    assert "roll: luck" not in ScenarioLibrary(empty_workspace).read("mixed/An evening").text


@pytest.mark.slow
def test_the_model_of_the_session_drafts_what_happens_then(workspace: Workspace) -> None:
    session = played(HIDES)
    session.playable = "base/smollm2-135m-instruct/base.gguf"
    session.settings.sampling = Sampling(temperature=0, max_tokens=8)
    save_session(workspace, session)
    visit = teach(Visit("play", chat="evening"), 0, "Should have asked for a roll")
    visit.choose("text_input", "request_0_perception_dc", "2").click("correction_draft")
    draft = str(visit.app.text_area(key="correction_told_evening_0").value)
    assert draft.startswith("*SUCCESS* ")
    assert len(draft) > len("*SUCCESS* ")
    visit.click("correction_again").click("correction_save")
    assert rating_of(load_session(workspace, "evening"), 0) is not None
