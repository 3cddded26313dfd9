"""Unsaved text outlives the process, says how it stands to the file, and goes when it is saved."""

from pathlib import Path

import pytest

from studio.scenarios.library import ScenarioConflictError, ScenarioLibrary
from studio.workspace import Workspace


def test_a_draft_is_found_by_another_process_object_after_a_crash(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "saved")
    library.keep_draft(made.id, "tab one", "typed\r\n", made.revision)
    again = ScenarioLibrary(library.workspace)
    (waiting,) = again.waiting_drafts()
    assert (waiting.scenario_id, waiting.session, waiting.size) == (made.id, "tab one", 7)
    draft = again.draft(made.id, "tab one")
    assert draft is not None
    assert (draft.text, draft.base_text, draft.state) == ("typed\r\n", "saved", "current")


def test_two_tabs_have_a_draft_each(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "saved")
    library.keep_draft(made.id, "one", "first", made.revision)
    library.keep_draft(made.id, "two", "second", made.revision)
    assert [one.text for one in library.drafts(made.id)] == ["second", "first"]
    library.save(made.id, "first", made.revision, session="one")
    (left,) = library.drafts(made.id)
    assert (left.text, left.state, left.base_text) == ("second", "outdated", "saved")


def test_a_draft_says_when_its_file_is_gone_or_was_never_saved(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "saved")
    library.keep_draft(made.id, "tab", "typed", made.revision)
    library.keep_draft("mixed/new", "tab", "typed", None)
    library.delete(made.id)
    orphan, new = library.draft(made.id, "tab"), library.draft("mixed/new", "tab")
    assert orphan is not None
    assert new is not None
    assert (orphan.state, orphan.text, new.state) == ("orphan", "typed", "new")
    library.create("mixed", "new", "typed", session="tab")
    assert library.draft("mixed/new", "tab") is None


def test_typing_back_to_the_saved_text_removes_the_draft(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "saved")
    library.keep_draft(made.id, "tab", "typed", made.revision)
    library.keep_draft(made.id, "tab", "saved", made.revision)
    assert library.waiting_drafts() == []


def test_the_base_is_kept_after_the_file_changed(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "base\n")
    library.keep_draft(made.id, "tab", "base\nmine\n", made.revision)
    library.path(made.id).write_text("theirs\nbase\n")
    library.keep_draft(made.id, "tab", "base\nmine too\n", made.revision)
    draft = library.draft(made.id, "tab")
    assert draft is not None
    assert (draft.state, draft.base_text) == ("outdated", "base\n")
    with pytest.raises(ScenarioConflictError) as caught:
        library.save(made.id, draft.text, made.revision, session="tab")
    assert caught.value.base == "base\n"


def test_a_damaged_draft_is_passed_over(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "saved")
    library.keep_draft(made.id, "one", "typed", made.revision)
    library.keep_draft(made.id, "two", "typed too", made.revision)
    path = next((library.workspace.state_dir / "drafts").rglob("*.draft"))
    path.write_bytes(path.read_bytes()[:-9])
    assert len(library.drafts(made.id)) == 1


def test_hostile_session_names_stay_inside(tmp_path: Path) -> None:
    library = ScenarioLibrary(Workspace(tmp_path / "campaign"))
    for session in ("../../x", "/etc/x", "\0", "", "x" * 5000):
        library.keep_draft("combat/a", session, "typed", None)
        draft = library.draft("combat/a", session)
        assert draft is not None
        assert draft.session == session
    assert [one.name for one in tmp_path.iterdir()] == ["campaign"]


def test_old_drafts_are_bounded(library: ScenarioLibrary) -> None:
    for number in range(60):
        library.keep_draft("combat/a", f"tab {number}", "typed", None)
    assert len(library.drafts("combat/a")) == 50
