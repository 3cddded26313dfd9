"""The list of scenarios: filter, search, new, import, bin, and a folder that is not as it should be."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace, atomic_write
from tests.pages.visit import Visit

BRAWL = "combat/tavern-brawl"


def rows(visit: Visit) -> list[str]:
    return [key.removeprefix("row_") for key in visit.keys if key.startswith("row_") and not key.startswith("row_bin")]


def test_an_empty_library_says_what_to_do() -> None:
    visit = Visit("scenarios")
    assert "Write your first scenario" in visit.words
    assert rows(visit) == []


def test_the_shipped_scenarios_are_listed_with_their_titles_and_verdicts(scenarios: Path) -> None:
    visit = Visit("scenarios")
    assert len(rows(visit)) == 11
    assert "Tavern Brawl" in visit.words
    assert visit.words.count("ready") >= 11


@pytest.mark.parametrize("kind", ["combat", "roleplay", "exploration", "mixed"])
def test_a_type_shows_its_own_scenarios_only(scenarios: Path, kind: str) -> None:
    visit = Visit("scenarios").choose("segmented_control", "library_type", kind)
    assert {one.partition("/")[0] for one in rows(visit)} == {kind}


def test_search_finds_titles_and_text(scenarios: Path) -> None:
    atomic_write(scenarios / "mixed" / "odd.md", "<User>I ask the xylophone.</User>\n")
    visit = Visit("scenarios").choose("text_input", "library_search", "brawl")
    assert rows(visit)[0] == BRAWL
    visit.choose("text_input", "library_search", "xylophone")
    assert rows(visit) == ["mixed/odd"]
    assert "line 1" in visit.words
    visit.choose("text_input", "library_search", "no such words anywhere")
    assert "No scenario matches" in visit.words


def test_a_click_opens_the_scenario_in_the_address(scenarios: Path) -> None:
    visit = Visit("scenarios").click(f"row_{BRAWL}")
    assert visit.address == {"file": BRAWL}
    assert visit.title == "Tavern Brawl"


def test_a_new_scenario_from_a_template_opens_with_its_title(empty_workspace: Workspace) -> None:
    visit = Visit("scenarios").click("new_scenario")
    visit.choose("radio", "new_template", "combat")
    visit.app.text_input(key="new_title").set_value("The *Bridge* at Dusk")
    visit.click("new_create")
    assert visit.title == "The *Bridge* at Dusk"
    assert visit.address["file"].startswith("combat/")
    assert ScenarioLibrary(empty_workspace).counts()["combat"] == 1


def test_a_new_scenario_without_a_title_gets_one_that_is_free(empty_workspace: Workspace) -> None:
    for expected in ("New conversation", "New conversation 2"):
        visit = Visit("scenarios").click("new_scenario")
        visit.choose("radio", "new_template", "roleplay").click("new_create")
        assert visit.title == expected
        assert visit.address == {"file": f"roleplay/{expected}"}


def test_the_dialog_shows_how_the_chosen_template_goes(empty_workspace: Workspace) -> None:
    visit = Visit("scenarios").click("new_scenario")
    assert "I hold up a hand and listen." in visit.words
    visit.choose("radio", "new_template", "exploration")
    assert "<mark>«What makes the search hard?»</mark>" in visit.words


def test_a_template_of_the_workspace_with_markup_is_shown_as_text(empty_workspace: Workspace) -> None:
    hostile = "<!-- <b>Heist</b>: in and **out**. -->\n\n<User>«<img src=x onerror=alert(1)>»</User>\n"
    atomic_write(empty_workspace.config_dir / "templates" / "aaa.md", hostile)
    visit = Visit("scenarios").click("new_scenario").choose("radio", "new_template", "aaa")
    shown = [one.value for one in visit.app.get("html") if "story" in one.value]
    assert shown
    assert not any("<img" in one for one in shown)


def test_an_empty_page_offers_each_template_as_a_start(empty_workspace: Workspace) -> None:
    visit = Visit("scenarios")
    starts = [key for key in visit.keys if key.startswith("start_")]
    assert starts == [f"start_{one}" for one in ("combat", "exploration", "mixed", "roleplay", "blank")]
    visit.click("start_blank")
    assert visit.app.radio(key="new_template").value == "blank"


def test_an_empty_page_offers_the_examples_of_the_studio(empty_workspace: Workspace) -> None:
    visit = Visit("scenarios").click("examples")
    assert len(rows(visit)) == 11
    assert visit.toasts == ["Imported 11 scenarios."]
    assert not visit.has("examples")


def pack(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


def imported(data: bytes, clash: str = "rename") -> Visit:
    visit = Visit("scenarios").click("import")
    visit.app.file_uploader(key="import_files").upload("pack.zip", data, "application/zip")
    return visit.choose("segmented_control", "import_clash", clash).click("import_now")


def test_files_and_archives_are_imported_and_bad_ones_named(empty_workspace: Workspace) -> None:
    visit = imported(pack(**{"combat/ambush.md": "<User>Hello.</User>\n", "../../evil.md": "<User>Hello.</User>\n"}))
    assert "Imported 1 scenario, left out 1." in visit.words
    report = visit.app.dataframe[0].value
    assert report["File"].tolist() == ["pack.zip/../../evil.md", "pack.zip/combat/ambush.md"]
    assert report["Why"][0] == "Its name leads out of the archive."
    assert [one.name for one in ScenarioLibrary(empty_workspace).entries()] == ["ambush"]


@pytest.mark.parametrize(
    ("clash", "sentence", "texts"),
    [
        ("rename", "Imported 1 scenario.", {"combat/a": "old", "combat/a 2": "new"}),
        ("replace", "Imported 0 scenarios, replaced 1.", {"combat/a": "new"}),
        ("skip", "Imported 0 scenarios, left out 1.", {"combat/a": "old"}),
    ],
)
def test_what_becomes_of_a_taken_name_is_asked(
    empty_workspace: Workspace, clash: str, sentence: str, texts: dict[str, str]
) -> None:
    library = ScenarioLibrary(empty_workspace)
    library.create("combat", "a", "old")
    assert sentence in imported(pack(**{"combat/a.md": "new"}), clash).words
    assert {one.id: library.read(one.id).text for one in library.entries()} == texts


def test_an_export_names_what_the_filters_leave(scenarios: Path) -> None:
    visit = Visit("scenarios")
    assert visit.app.get("download_button")[0].label == "Export all"
    visit.choose("segmented_control", "library_type", "mixed")
    assert visit.app.get("download_button")[0].label == "Export 2 scenarios"


@pytest.mark.parametrize(
    "named",
    [
        "../../etc/passwd",
        "combat/../../../etc/passwd",
        "/etc/passwd",
        "C:\\Windows\\win.ini",
        "combat/..",
        "combat/",
        "combat",
        "combat/a\0b",
        "combat/" + "x" * 5000,
        "combat/CON",
        "combat/<script>alert(1)</script>",
        "nowhere/a",
        "..\\combat\\a",
    ],
)
def test_an_address_that_names_no_scenario_shows_why_and_the_way_back(scenarios: Path, named: str) -> None:
    secret = scenarios.parent.parent / "etc" / "passwd.md"
    atomic_write(secret, "<User>A secret.</User>\n")
    visit = Visit("scenarios", file=named)
    assert len(visit.errors) == 1
    assert "secret" not in visit.words
    visit.click("back")
    assert visit.address == {}
    assert len(rows(visit)) == 11


def test_a_link_among_the_scenarios_does_not_open_what_it_leads_to(scenarios: Path, tmp_path: Path) -> None:
    atomic_write(tmp_path / "outside.md", "<User>A secret.</User>\n")
    (scenarios / "combat" / "link.md").symlink_to(tmp_path / "outside.md")
    visit = Visit("scenarios", file="combat/link")
    assert len(visit.errors) == 1
    assert "A secret" not in visit.words


def test_undo_brings_a_deleted_scenario_back(scenarios: Path) -> None:
    visit = Visit("scenarios", file=BRAWL)
    visit.menu("Delete").click("delete_now")
    assert not (scenarios / f"{BRAWL}.md").exists()
    visit.click("undo_delete")
    assert (scenarios / f"{BRAWL}.md").exists()
    assert visit.toasts == [f"{BRAWL} is back."]


def test_undo_of_a_name_that_was_taken_meanwhile_tells_so_and_keeps_both(scenarios: Path) -> None:
    visit = Visit("scenarios", file=BRAWL)
    visit.menu("Delete").click("delete_now")
    atomic_write(scenarios / f"{BRAWL}.md", "<User>Another one.</User>\n")
    visit.click("undo_delete")
    assert len(visit.errors) == 1
    assert (scenarios / f"{BRAWL}.md").read_text() == "<User>Another one.</User>\n"
    assert visit.has("undo_delete")


def test_the_way_back_survives_a_reload_and_goes_when_it_is_closed(scenarios: Path) -> None:
    deleted = ScenarioLibrary(Workspace(scenarios.parent.parent)).delete(BRAWL)
    visit = Visit("scenarios", deleted=deleted.bin_id)
    assert f"{BRAWL} is in the bin." in visit.words.replace("**", "")
    visit.click("undo_close")
    assert not visit.has("undo_delete")
    assert visit.address == {}


@pytest.mark.parametrize("bin_id", ["../../etc", "", "20990101T000000-nothere", "<b>x</b>"])
def test_an_address_that_names_nothing_in_the_bin_offers_no_undo(scenarios: Path, bin_id: str) -> None:
    assert not Visit("scenarios", deleted=bin_id).has("undo_delete")


def test_the_bin_lists_what_was_deleted_and_brings_it_back(scenarios: Path) -> None:
    library = ScenarioLibrary(Workspace(scenarios.parent.parent))
    deleted = [library.delete(one) for one in (BRAWL, "mixed/campaign-arc")]
    visit = Visit("scenarios").click("bin")
    assert "just now" in visit.words
    visit.click(f"bring_back_{deleted[0].bin_id}")
    assert visit.toasts == [f"{BRAWL} is back."]
    assert [one.scenario_id for one in library.deleted()] == ["mixed/campaign-arc"]


def test_bringing_back_onto_a_taken_name_is_told_in_the_bin(scenarios: Path) -> None:
    library = ScenarioLibrary(Workspace(scenarios.parent.parent))
    deleted = library.delete(BRAWL)
    library.create(*BRAWL.split("/"), "mine")
    visit = Visit("scenarios").click("bin").click(f"bring_back_{deleted.bin_id}")
    assert len(visit.errors) == 1
    assert library.read(BRAWL).text == "mine"


def test_the_bin_is_emptied_after_a_second_click(scenarios: Path) -> None:
    library = ScenarioLibrary(Workspace(scenarios.parent.parent))
    library.delete(BRAWL)
    visit = Visit("scenarios").click("bin")
    assert "gone for good" in visit.words
    assert len(library.deleted()) == 1
    visit.click("bin_empty_now")
    assert library.deleted() == []
    assert not visit.has("bin")


def test_a_file_too_large_for_a_list_is_a_row_without_a_verdict(scenarios: Path) -> None:
    atomic_write(scenarios / "mixed" / "huge.md", "---\ntitle: Huge\n---\n" + "<User>Hi.</User>\n" * 70_000)
    visit = Visit("scenarios").choose("segmented_control", "library_type", "mixed")
    assert "1 MB" in visit.words
    assert "open to check" in visit.words


def test_a_broken_and_a_binary_file_are_rows_like_any_other(scenarios: Path) -> None:
    atomic_write(scenarios / "mixed" / "broken.md", "---\ntitle: [\n---\n<SYSTEM>\n<User>half")
    atomic_write(scenarios / "mixed" / "binary.md", bytes(range(256)) * 8)
    atomic_write(scenarios / "mixed" / "empty.md", "")
    visit = Visit("scenarios").choose("segmented_control", "library_type", "mixed")
    assert {"mixed/broken", "mixed/binary", "mixed/empty"} <= set(rows(visit))
    assert "error" in visit.words


def test_names_and_titles_with_markup_are_shown_as_they_are_written(scenarios: Path) -> None:
    title = "**Bold** [link](http://x) `code` $x$ <b>tag</b> # :red[x] ~s~"
    atomic_write(scenarios / "mixed" / "a_b*c [d].md", f"---\ntitle: '{title}'\n---\n<User>Hi.</User>\n")
    visit = Visit("scenarios").choose("segmented_control", "library_type", "mixed")
    assert title in [one.replace("\\", "") for one in (button.label for button in visit.app.button)]
    visit.click("row_mixed/a_b*c [d]")
    assert visit.title == title
    assert "**Bold**" not in visit.app.title[0].value


def test_files_that_the_list_cannot_show_are_named_with_the_reason(scenarios: Path) -> None:
    atomic_write(scenarios / "lost.md", "<User>Hi.</User>\n")
    atomic_write(scenarios / "combat" / "old.markdown", "<User>Hi.</User>\n")
    visit = Visit("scenarios")
    assert "lost.md" in visit.words
    assert "Its name does not end in .md; rename it." in visit.words


def test_a_thousand_scenarios_come_in_pages(empty_workspace: Workspace) -> None:
    folder = empty_workspace.scenarios_dir / "combat"
    folder.mkdir(parents=True)
    for number in range(1000):
        (folder / f"scene-{number:04d}.md").write_text("<User>Hi.</User>\n")
    visit = Visit("scenarios")
    assert (len(rows(visit)), rows(visit)[0]) == (25, "combat/scene-0000")
    visit.app.pagination[0].set_value(40)
    visit.run()
    assert (len(rows(visit)), rows(visit)[-1]) == (25, "combat/scene-0999")
    visit.choose("text_input", "library_search", "scene-0777")
    assert rows(visit)[0] == "combat/scene-0777"


def test_a_vocabulary_that_cannot_be_read_is_told(empty_workspace: Workspace, scenarios: Path) -> None:
    atomic_write(empty_workspace.config_dir / "tools.yaml", "tools: [unclosed")
    assert any("tools.yaml" in one for one in Visit("scenarios").errors)
    assert any("tools.yaml" in one for one in Visit("scenarios", file=BRAWL).errors)
