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
    visit.choose("text_input", "new_title", "The *Bridge* at Dusk")
    visit.choose("radio", "new_template", "combat")
    visit.click("new_create")
    assert visit.title == "The *Bridge* at Dusk"
    assert visit.address["file"].startswith("combat/")
    assert ScenarioLibrary(empty_workspace).counts()["combat"] == 1


def test_a_new_scenario_needs_a_title() -> None:
    visit = Visit("scenarios").click("new_scenario")
    assert visit.app.button(key="new_create").disabled


def test_files_and_archives_are_imported_and_bad_ones_named(empty_workspace: Workspace) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("combat/ambush.md", "<User>Hello.</User>\n")
        archive.writestr("../../evil.md", "<User>Hello.</User>\n")
    visit = Visit("scenarios").click("import")
    visit.app.file_uploader(key="import_files").upload("pack.zip", packed.getvalue(), "application/zip")
    visit.run().click("import_now")
    assert "left out 1" in visit.words
    assert "evil.md" in visit.words
    assert [one.name for one in ScenarioLibrary(empty_workspace).entries()] == ["ambush"]


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
