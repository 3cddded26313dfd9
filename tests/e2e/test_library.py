"""The library of scenarios in a browser, from an empty workspace on. Later tests use what earlier ones made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.bases import BaseModel
from studio.scenarios.library import ScenarioLibrary, placeholders
from studio.workspace import Workspace, atomic_write
from tests.conftest import link_into
from tests.e2e.driver import keyed, press, settle, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TITLE = "The Locked Room"
READY = "No problems. This scenario is ready for training."
HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script> **b** [l](javascript:window.hacked=1)"
HOSTILE_NAME = "a_b*c [d] <b>e 🐉"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, smollm2: BaseModel) -> Workspace:
    """What a new user has: a base model, and nothing written yet."""
    workspace = Workspace(tmp_path_factory.mktemp("new campaign"))
    link_into(workspace, smollm2)
    return workspace


@pytest.fixture
def files(campaign: Workspace) -> ScenarioLibrary:
    return ScenarioLibrary(campaign)


@pytest.fixture
def crowd(campaign: Workspace) -> Iterator[ScenarioLibrary]:
    """A thousand more files, for one test."""
    folder = campaign.scenarios_dir / "combat"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"crowd-{number:04d}.md" for number in range(1000)]
    for number, path in enumerate(paths):
        title = "Élan at the Ford" if number == 777 else f"Scene {number}"
        path.write_text(f"---\ntitle: {title}\n---\n<User>Hi.</User>\n", encoding="utf-8")
    yield ScenarioLibrary(campaign)
    for path in paths:
        path.unlink(missing_ok=True)


def tree(page: Page) -> Locator:
    return page.get_by_role("tree", name="Scenario files")


def tree_row(page: Page, name: str) -> Locator:
    return tree(page).get_by_role("treeitem", name=name)


def choose(page: Page, entry: str) -> None:
    """An entry of the File menu."""
    press(page, "file_menu")
    page.get_by_text(entry, exact=True).last.click()


def write(page: Page, text: str) -> None:
    page.frame_locator("iframe[title^='streamlit_ace']").locator(".ace_content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def heading(page: Page, words: str) -> Locator:
    return page.get_by_role("heading", name=words, exact=True)


def test_a_new_user_comes_from_an_empty_page_to_a_valid_scenario(page: Page, files: ScenarioLibrary) -> None:
    visit(page, "/")
    page.get_by_role("button", name="Write a scenario").click()
    expect(page.get_by_text("Write your first scenario")).to_be_visible()
    expect(tree_row(page, "Combat, 0")).to_be_visible()
    page.get_by_role("button", name="A conversation").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("mark").first).to_be_visible()
    dialog.get_by_label("Title").fill(TITLE)
    dialog.get_by_label("Title").press("Enter")

    expect(heading(page, TITLE)).to_be_visible()
    [entry] = files.entries()
    text = files.read(entry.id).text
    assert (entry.type, entry.title) == ("roleplay", TITLE)
    assert placeholders(text), "there is something left to write"
    for place, gap in reversed(list(enumerate(placeholders(text)))):
        text = f"{text[: gap.start]}The candle gutters for the {place}th time and she looks away.{text[gap.end :]}"
    write(page, text)
    save = keyed(page, "save").get_by_role("button")
    expect(save).to_be_enabled()
    expect(page.get_by_text(READY)).to_be_visible()
    save.click()
    expect(save).to_be_disabled()
    assert files.read(entry.id).text == text

    page.get_by_role("link", name="Overview").click()
    expect(keyed(page, "next_words").get_by_role("heading", name="Train")).to_be_visible()


def test_a_copy_is_renamed_deleted_and_brought_back_even_after_a_reload(page: Page, files: ScenarioLibrary) -> None:
    [entry] = files.entries()
    text = files.read(entry.id).text
    visit(page, f"/scenarios?file={entry.id}")
    choose(page, "Duplicate")
    page.wait_for_url("**copy**")
    choose(page, "Rename or move")
    page.get_by_role("dialog").get_by_label("Name").fill("another room")
    press(page, "rename_now")
    page.wait_for_url("**another**")
    assert {one.id for one in files.entries()} == {entry.id, "roleplay/another room"}
    assert files.read("roleplay/another room").text == text

    choose(page, "Delete")
    press(page, "delete_now")
    expect(keyed(page, "undo_bar")).to_contain_text("roleplay/another room is in the bin.")
    assert [one.id for one in files.entries()] == [entry.id]
    page.reload()
    press(page, "undo_delete")
    expect(keyed(page, "undo_bar")).to_be_hidden()
    assert files.read("roleplay/another room").text == text
    assert files.deleted() == []


def test_a_zip_comes_in_with_a_report_and_goes_out_as_it_lies_on_disk(
    page: Page, files: ScenarioLibrary, tmp_path: Path
) -> None:
    packed = tmp_path / "pack.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("combat/hostile.md", f"---\ntitle: '{HOSTILE}'\n---\n<User>Hi.</User>\r\n")
        archive.writestr("../../evil.md", "<User>Hi.</User>\n")
        archive.writestr("combat/latin.md", b"caf\xe9")
        archive.writestr("combat/bomb.md", b"\n" * 60_000_000)
        archive.writestr("combat/nothing.md", b"")
    visit(page, "/scenarios")
    press(page, "import")
    keyed(page, "import_files").locator("input[type=file]").set_input_files(packed)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported 2 scenarios, left out 3.")).to_be_visible()
    press(page, "import_done")
    expect(tree_row(page, "Combat, 2")).to_be_visible()
    assert not list(files.workspace.root.parent.rglob("evil.md"))
    settle(page)  # a button of a page that is being drawn anew gives nothing

    with page.expect_download() as download:
        press(page, "export")
    exported = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    lying = {one.id + ".md": files.path(one.id).read_bytes() for one in files.entries()}
    assert {name: exported.read(name) for name in exported.namelist()} == lying


def test_one_file_goes_out_as_it_lies_on_disk(page: Page, files: ScenarioLibrary) -> None:
    visit(page, "/scenarios?file=combat/hostile")
    choose(page, "Download")
    with page.expect_download() as download:
        press(page, "download_file")
    assert download.value.suggested_filename == "hostile.md"
    assert Path(download.value.path()).read_bytes() == files.path("combat/hostile").read_bytes()


def test_hostile_titles_and_names_are_text_in_the_tree_and_in_the_list(page: Page, files: ScenarioLibrary) -> None:
    atomic_write(files.workspace.scenarios_dir / "mixed" / f"{HOSTILE_NAME}.md", "<User>Hi.</User>\n")
    visit(page, "/scenarios")
    expect(tree(page).get_by_text(HOSTILE, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=HOSTILE, exact=False)).to_be_visible()
    tree(page).get_by_text(HOSTILE_NAME, exact=True).click()
    expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_url("**file=mixed**")
    tree(page).get_by_text(HOSTILE, exact=True).click()
    expect(heading(page, HOSTILE)).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0


def test_a_file_among_a_thousand_is_found_by_typing_and_opened_by_keys(page: Page, crowd: ScenarioLibrary) -> None:
    visit(page, "/scenarios")
    expect(tree_row(page, "Combat, 1,002")).to_be_visible()
    search = page.get_by_role("searchbox", name="Search files")
    search.fill("ELAN ford")
    expect(tree(page).get_by_role("treeitem")).to_have_count(2)
    search.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(heading(page, "Élan at the Ford")).to_be_visible()
    expect(tree_row(page, "Élan at the Ford")).to_have_attribute("aria-selected", "true")

    search.fill("")
    expect(tree_row(page, "Élan at the Ford")).to_have_count(0)
    tree(page).focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    expect(tree(page).locator(".active")).to_have_attribute("aria-level", "1")
    page.keyboard.type("scene 7")
    expect(tree(page).locator(".active")).to_contain_text("Scene 7")
    assert tree(page).get_by_role("treeitem").count() < 40, "only rows on screen are in the document"
    search.fill("nothing is called so")
    expect(page.get_by_text("No file is called that.")).to_be_visible()


def test_the_tree_asks_for_a_new_file_of_its_type(page: Page) -> None:
    visit(page, "/scenarios")
    page.get_by_role("button", name="New exploration scenario").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("radio", name="A discovery")).to_be_checked()
    dialog.get_by_role("button", name="Create and open").click()
    expect(heading(page, "New discovery")).to_be_visible()
    settle(page)
    expect(tree_row(page, "New discovery")).to_have_attribute("aria-selected", "true")
