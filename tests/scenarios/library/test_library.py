"""Reading, saving, creating, renaming, deleting: no edit is ever lost and no name ever leaves the workspace."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.scenarios.library import (
    ScenarioConflictError,
    ScenarioLibrary,
    ScenarioLibraryError,
    ScenarioMissingError,
    ScenarioNameError,
)
from studio.scenarios.library.files import revision_of
from studio.workspace import Workspace

BASE = "one\ntwo\nthree\nfour\nfive\n"


@given(content=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_survive_reading_and_saving(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    library = ScenarioLibrary(Workspace(tmp_path_factory.mktemp("bytes")))
    made = library.create("combat", "a")
    library.path(made.id).write_bytes(content)
    document = library.read(made.id)
    assert document.revision == revision_of(content)
    assert document.is_utf8 == (content.decode("utf-8", errors="ignore").encode() == content)
    library.save(made.id, document.text + "\r\n", document.revision)
    assert library.path(made.id).read_bytes() == content + b"\r\n"


def test_byte_order_mark_and_line_ends_are_kept(library: ScenarioLibrary) -> None:
    text = "\ufeff---\r\ntitle: x\r\n---\r\n\n<User>a</User>\r"
    made = library.create("combat", "a", text)
    assert library.path(made.id).read_bytes() == text.encode()
    assert library.read(made.id).text == text


def test_the_second_of_two_tabs_gets_both_texts_and_a_merge(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", BASE)
    library.save(made.id, BASE.replace("one", "ONE"), made.revision)
    mine = BASE.replace("five", "FIVE")
    with pytest.raises(ScenarioConflictError) as caught:
        library.save(made.id, mine, made.revision)
    conflict = caught.value
    assert (conflict.mine, conflict.stored, conflict.base) == (mine, BASE.replace("one", "ONE"), BASE)
    merge = conflict.merged()
    assert merge is not None
    assert merge.text == "ONE\ntwo\nthree\nfour\nFIVE\n"
    library.save(made.id, merge.text, conflict.stored_revision)
    assert library.read(made.id).text == merge.text


def test_the_same_text_from_two_tabs_is_no_conflict(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", BASE)
    first = library.save(made.id, "new", made.revision)
    assert library.save(made.id, "new", made.revision) == first


def test_a_conflict_survives_being_sent_between_processes() -> None:
    error = ScenarioConflictError("combat/a", mine="m", stored="s", stored_revision="r", base="b")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, as multiprocessing sends them
    assert (copy.mine, copy.stored, copy.stored_revision, copy.base, str(copy)) == ("m", "s", "r", "b", str(error))


def test_an_external_edit_is_a_conflict_whose_base_comes_from_the_draft(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", BASE)
    mine = BASE.replace("one", "ONE")
    library.keep_draft(made.id, "tab", mine, made.revision)
    library.path(made.id).write_text(BASE + "six\n")
    with pytest.raises(ScenarioConflictError) as caught:
        library.save(made.id, mine, made.revision, session="tab")
    merge = caught.value.merged()
    assert merge is not None
    assert merge.text == mine + "six\n"
    assert library.draft(made.id, "tab") is not None


def test_saving_a_deleted_scenario_is_a_conflict_that_keeps_the_text(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", BASE)
    library.delete(made.id)
    with pytest.raises(ScenarioConflictError) as caught:
        library.save(made.id, "mine", made.revision)
    assert (caught.value.mine, caught.value.stored, caught.value.merged()) == ("mine", None, None)
    assert not library.path(made.id).exists()


@pytest.mark.parametrize("name", ["Dragon", "dragon", "DRAGON", "dragon.md", " dragon "])
def test_a_name_that_differs_in_case_only_is_taken(library: ScenarioLibrary, name: str) -> None:
    library.create("combat", "Dragon")
    with pytest.raises(ScenarioNameError) as caught:
        library.create("combat", name)
    assert "2" in caught.value.next_step
    assert library.create("roleplay", name).id.startswith("roleplay/")


def test_composed_and_decomposed_accents_are_one_name(library: ScenarioLibrary) -> None:
    library.create("combat", "caf\u00e9")
    with pytest.raises(ScenarioNameError):
        library.create("combat", "cafe\u0301")


def test_a_name_can_change_its_case(library: ScenarioLibrary) -> None:
    made = library.create("combat", "dragon", "x")
    library.save(made.id, "y", made.revision)
    assert library.rename(made.id, "Dragon").id == "combat/Dragon"
    assert [one.id for one in library.entries()] == ["combat/Dragon"]
    assert len(library.versions("combat/Dragon")) == 2


def test_renaming_moves_history_and_drafts_and_the_type_in_the_front_matter(library: ScenarioLibrary) -> None:
    text = '---\r\ntitle: x\r\nscenario_type: "combat" # why\r\n---\r\nscenario_type: combat\r\n'
    made = library.create("combat", "a", "first")
    revision = library.save(made.id, text, made.revision)
    library.keep_draft(made.id, "tab", "unsaved", revision)
    moved = library.rename(made.id, "b", scenario_type="roleplay")
    assert moved.text == text.replace('"combat" #', '"roleplay" #')
    assert [one.reason for one in library.versions("roleplay/b")] == ["renamed", "saved", "found"]
    assert library.versions("combat/a") == []
    draft = library.draft("roleplay/b", "tab")
    assert draft is not None
    assert draft.text == "unsaved"


def test_renaming_onto_another_scenario_is_refused(library: ScenarioLibrary) -> None:
    library.create("combat", "a", "A")
    library.create("combat", "b", "B")
    with pytest.raises(ScenarioNameError):
        library.rename("combat/a", "B")
    assert (library.read("combat/a").text, library.read("combat/b").text) == ("A", "B")


def test_a_copy_gets_a_free_name_and_the_same_bytes(library: ScenarioLibrary) -> None:
    library.create("combat", "a", "\ufeffA\r\n")
    names = [library.duplicate("combat/a").id for _ in range(3)]
    assert names == ["combat/a copy", "combat/a copy 2", "combat/a copy 3"]
    assert {library.read(one).text for one in names} == {"\ufeffA\r\n"}


def test_deleting_can_be_undone_with_its_history(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "first")
    library.save(made.id, "second", made.revision)
    entry = library.delete(made.id)
    assert library.entries() == []
    assert [(one.scenario_id, one.deleted_at) for one in library.deleted()] == [(made.id, entry.deleted_at)]
    assert library.undelete(entry.bin_id).text == "second"
    assert [one.reason for one in library.versions(made.id)] == ["saved", "found"]
    assert library.deleted() == []


def test_undoing_a_deletion_never_overwrites(library: ScenarioLibrary) -> None:
    entry = library.delete(library.create("combat", "a", "old").id)
    library.create("combat", "A", "new")
    with pytest.raises(ScenarioNameError):
        library.undelete(entry.bin_id)
    assert library.undelete(entry.bin_id, name="a old").text == "old"
    assert library.read("combat/A").text == "new"


def test_the_bin_can_be_emptied(library: ScenarioLibrary) -> None:
    for name in ("a", "b"):
        library.delete(library.create("combat", name).id)
    library.forget_deleted(library.deleted()[0].bin_id)
    assert [one.scenario_id for one in library.deleted()] == ["combat/a"]
    assert library.forget_deleted() == 1
    with pytest.raises(ScenarioMissingError):
        library.undelete("../../x")


def test_deleting_what_somebody_else_changed_is_refused(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "first")
    library.save(made.id, "second", made.revision)
    with pytest.raises(ScenarioConflictError):
        library.delete(made.id, expected_revision=made.revision)
    assert library.read(made.id).text == "second"


def test_a_lone_surrogate_is_refused_in_words_and_nothing_is_written(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "first")
    with pytest.raises(ScenarioLibraryError):
        library.save(made.id, "\ud800", made.revision)
    assert library.read(made.id).text == "first"


def test_a_folder_in_place_of_a_file_is_told_in_words(library: ScenarioLibrary) -> None:
    library.path("combat/a").mkdir(parents=True)
    with pytest.raises(ScenarioLibraryError):
        library.read("combat/a")
    with pytest.raises(ScenarioNameError):
        library.create("combat", "a")


def test_a_link_is_not_followed(library: ScenarioLibrary, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("secret")
    folder = library.workspace.scenarios_dir / "combat"
    folder.mkdir(parents=True)
    (folder / "a.md").symlink_to(secret)
    for action in (library.read, library.delete, lambda one: library.save(one, "x", revision_of(b"secret"))):
        with pytest.raises(ScenarioNameError):
            action("combat/a")
    assert secret.read_text() == "secret"
    assert library.entries() == []


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="./\\~: \0\nabCON", max_size=20),
    st.sampled_from(
        ["..", "../x", "/etc/passwd", "a/../../b", "CON", "nul.md", "a\0b", "x" * 500, ".hidden", "\ud800"]
    ),
)


@given(name=HOSTILE, kind=st.one_of(st.just("combat"), HOSTILE))
@settings(max_examples=400, deadline=None)
def test_names_from_users_never_leave_the_workspace(
    tmp_path_factory: pytest.TempPathFactory, name: str, kind: str
) -> None:
    top = tmp_path_factory.mktemp("names")
    library = ScenarioLibrary(Workspace(top / "campaign"))
    library.create("combat", "there", "here")
    attempts = (
        lambda: library.create(kind, name, "x"),
        lambda: library.rename("combat/there", name, scenario_type=kind),
        lambda: library.save(f"{kind}/{name}", "x", revision_of(b"here")),
        lambda: library.delete(f"{kind}/{name}"),
        lambda: library.keep_draft(f"{kind}/{name}", name, "x", None),
        lambda: library.undelete(name),
        lambda: library.read_version("combat/there", name),
    )
    for attempt in attempts:
        try:
            attempt()
        except StudioError:
            continue
    assert [one.name for one in top.iterdir()] == ["campaign"]
    assert {one.name for one in (top / "campaign").iterdir()} <= {"data", ".studio"}
    folders = {
        one.relative_to(library.workspace.scenarios_dir).parts[0] for one in library.workspace.scenarios_dir.rglob("*")
    }
    assert folders <= {"combat", "roleplay", "exploration", "mixed"}
