"""The import dialog: other people's formats are recognised, looked through, mapped, brought in and opened."""

from __future__ import annotations

import json
import re

import pytest

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace, atomic_write
from tests.pages.visit import Visit

POSTS = """Tom: A cellar, and something breathes in it.
sarah_k: I creep closer.
Grim: I hold the lantern up.
Tom: It is a child.
sarah_k: I wave.
Grim: I wave, too.
bob: lol
Tom: It waves back.
"""
CHAT = {"conversations": [{"from": "human", "value": "I knock."}, {"from": "gpt", "value": "Silence."}]}


def with_files(*files: tuple[str, str | bytes]) -> Visit:
    visit = Visit("scenarios").click("import")
    for name, content in files:
        data = content.encode() if isinstance(content, str) else content
        visit.app.file_uploader(key="import_files").upload(name, data, "application/octet-stream")
    return visit.run()


def set_part(visit: Visit, speaker: str, part: str | None) -> None:
    row = next(one for one in visit.app.selectbox if one.label.replace("\\", "") == f"{speaker} is")
    row.set_value(part)


def can_import(visit: Visit) -> bool:
    return not visit.app.button(key="import_now").disabled


def markup(visit: Visit) -> list[str]:
    """Texts in which a tag, a link, or a colour of the file's own is not escaped."""
    shown = [*visit.app.markdown, *visit.app.get("html"), *visit.app.button]
    texts = [str(getattr(one, "value", "")) for one in shown] + [str(one.label) for one in visit.app.button]
    return [one for one in texts if re.search(r"(?<!\\)(?:<img|\[l|:red\[)", one)]


def ids(workspace: Workspace) -> list[str]:
    return [one.id for one in ScenarioLibrary(workspace).entries()]


def test_a_play_by_post_text_asks_who_tells_the_story_and_comes_in_as_mapped(empty_workspace: Workspace) -> None:
    visit = with_files(("cellar.txt", POSTS))
    assert "Who tells the story?" in visit.words
    assert "Tom · 3 posts, first in line 1" in visit.words.replace(":gray[", "").replace("]", "")
    assert not can_import(visit)
    set_part(visit, "Tom", "DM")
    set_part(visit, "Grim", "Companion")
    set_part(visit, "bob", "Drop")
    next(one for one in visit.app.text_input if one.placeholder == "sarah_k").set_value("Sarah")
    visit.run()
    assert "1 conversation becomes a scenario." in visit.words
    assert "Left out: a post of bob, who takes no part." in visit.app.dataframe[0].value["Why"].tolist()
    visit.click("import_now")
    assert "Imported 1 scenario." in visit.words
    text = ScenarioLibrary(empty_workspace).read("mixed/cellar 1").text
    assert "<User>Sarah: I creep closer." in text
    assert "## Grim\n- NPC Companion" in text
    assert "lol" not in text
    visit.click("import_open_mixed/cellar 1")
    assert visit.address == {"file": "mixed/cellar 1"}
    assert visit.title == "cellar 1"


def test_a_name_that_comes_once_is_text_unless_somebody_says_who_it_is(empty_workspace: Workspace) -> None:
    visit = with_files(("cellar.txt", POSTS.replace("Tom", "DM")))
    assert "1 line may be posts, too" in [one.label for one in visit.app.expander]
    visit.click("import_now")
    assert "Grim: I wave, too.\nbob: lol" in ScenarioLibrary(empty_workspace).read("mixed/cellar 1").text


def test_a_dataset_is_recognised_and_every_record_that_is_left_out_is_named(empty_workspace: Workspace) -> None:
    broken = '{"messages": [{"role": "<b>wizard</b>", "content": "x"}]}'
    visit = with_files(("chats.jsonl", f"{json.dumps(CHAT)}\n{broken}\nrubbish\n"))
    assert "1 conversation becomes a scenario, 2 are left out." in visit.words
    assert visit.app.dataframe[0].value["First line"].tolist() == [2, 3, 1]
    assert ids(empty_workspace) == []
    visit.choose("segmented_control", "import_type", "roleplay").click("import_now")
    assert "Imported 1 scenario, left out 2." in visit.words
    report = visit.app.dataframe[0].value
    assert report["File"].tolist() == ["chats.jsonl, line 2", "chats.jsonl, line 3", "chats.jsonl, line 1"]
    assert "<b>wizard</b>" not in visit.words
    assert ids(empty_workspace) == ["roleplay/chats 1"]
    visit.click("import_more")
    assert not can_import(visit)
    assert ids(empty_workspace) == ["roleplay/chats 1"]


def test_the_format_can_be_insisted_on(empty_workspace: Workspace) -> None:
    visit = with_files(("chats.jsonl", json.dumps(CHAT)))
    choice = next(one for one in visit.app.selectbox if one.label == "Read as")
    assert choice.options[0] == "ShareGPT (recognised)"
    choice.set_value("play-by-post")
    visit.run()
    assert "Nobody speaks in it." in visit.errors[0]
    assert not can_import(visit)


def test_markdown_and_other_formats_come_in_together_and_bad_files_are_named(empty_workspace: Workspace) -> None:
    visit = with_files(
        ("scene.md", "<User>Hello.</User>\n"), ("chats.json", json.dumps([CHAT])), ("photo.txt", b"\x89PNG\0\0"),
        ("empty.json", ""),
    )  # fmt: skip
    assert [one.split(".")[0] for one in visit.errors] == ["It holds binary data, not text", "It is empty"]
    visit.click("import_now")
    assert "Imported 2 scenarios, left out 2." in visit.words
    assert sorted(ids(empty_workspace)) == ["mixed/chats 1", "mixed/scene"]
    assert visit.app.dataframe[0].value["File"].tolist()[:2] == ["photo.txt", "empty.json"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{" * 5000),
        ("a.jsonl", "[1, 2, 3]\n\"x\"\n"),
        ("a.txt", "no speaker at all\n"),
        ("a.json", b"\xff\xfe{\x00"),
        ("a.jsonl", b"\x81\x8d\x8f\n" * 30),
    ],
)  # fmt: skip
def test_rubbish_gets_a_clear_error_and_leaves_everything_as_it_is(
    empty_workspace: Workspace, name: str, content: str | bytes
) -> None:
    ScenarioLibrary(empty_workspace).create("mixed", "mine", "mine")
    visit = with_files((name, content))
    assert len(visit.errors) == 1
    assert not can_import(visit)
    assert ids(empty_workspace) == ["mixed/mine"]


def test_hostile_names_and_speakers_are_shown_as_they_are_written(empty_workspace: Workspace) -> None:
    name = "**b** <img src=x onerror=alert(1)> [l](javascript:x) :red[x].txt"
    visit = with_files((name, "DM: Hi.\na_b_: I **wave** <img src=x onerror=alert(1)>.\na_b_: <b>Hm</b>.\nDM: Hi.\n"))
    assert name in visit.words
    assert "a_b_ · 2 posts" in visit.words.replace(":gray[", "")
    assert not markup(visit)
    visit.click("import_now")
    assert "Imported 1 scenario." in visit.words
    assert not markup(visit)


def test_a_vocabulary_that_cannot_be_read_is_told_in_the_dialog(empty_workspace: Workspace) -> None:
    visit = Visit("scenarios").click("import")
    atomic_write(empty_workspace.config_dir / "tools.yaml", "tools: [unclosed")
    visit.app.file_uploader(key="import_files").upload("chats.json", json.dumps(CHAT).encode(), "application/json")
    visit.run()
    assert any("tools.yaml" in one for one in visit.errors)
    assert not can_import(visit)
