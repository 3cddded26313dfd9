"""What the import dialog works out: what a file is, who is who, what would become of it, and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.dataset.exchange import BATCH, ImportOptions
from studio.scenarios.library import ImportReport, ScenarioLibrary, Upload
from studio.ui.imports import (
    MOST_REASONS,
    Preview,
    arrived,
    bring_in,
    look_through,
    mapping_of,
    objection,
    outcome_sentence,
    recognise,
    staged,
)
from studio.workspace import Workspace

POSTS = "DM: A door.\nbob: I open it.\nDM: It creaks.\nbob: I go in.\nSmells: wet straw.\n"


def chat(number: int, **more: Any) -> dict[str, Any]:
    turns = [{"from": "human", "value": f"I open door {number}."}, {"from": "gpt", "value": "It creaks."}]
    return {"system": "Be the DM.", "conversations": turns, **more}


def chats(*records: object, name: str = "chats.jsonl") -> Upload:
    return Upload(name=name, content="\n".join(json.dumps(one) for one in records).encode())


def seen(workspace: Workspace, upload: Upload, options: ImportOptions | None = None, **more: int) -> Preview:
    return list(look_through(workspace, upload, options or ImportOptions(), **more))[-1]


@pytest.mark.parametrize(
    "sent",
    [
        "../../etc/passwd.txt",
        "C:\\games\\a.txt",
        "a\0b.txt",
        "x" * 5000 + ".txt",
        ".txt",
        "\ud800.txt",
        "..",
        "é" * 300,
    ],
)
def test_an_upload_is_one_file_of_its_own_folder_whatever_its_name(sent: str) -> None:
    with staged(Upload(name=sent, content=b"text")) as path:
        assert path.read_bytes() == b"text"
        assert [one.name for one in path.parent.iterdir()] == [path.name]
        assert path.name.endswith(".txt") == sent.endswith(".txt")
    assert not path.parent.exists()


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\x7fELF\x02\0\0\0", b"PK\x03\x04\0\0"])
def test_what_holds_no_text_is_refused_with_a_reason(content: bytes) -> None:
    assert objection(content)


@pytest.mark.parametrize("content", [POSTS.encode(), POSTS.encode("utf-16"), b"caf\xe9"])
def test_text_in_any_encoding_may_be_looked_at(content: bytes) -> None:
    assert objection(content) == ""


def test_a_text_is_recognised_with_its_speakers_and_the_names_that_may_be_some() -> None:
    found = recognise(Upload(name="game.txt", content=POSTS.encode()))
    assert found.format == "play-by-post"
    told = [(one.name, one.posts, one.part, one.doubtful) for one in found.speakers]
    assert told == [("DM", 2, "DM", False), ("bob", 2, "Player", False), ("Smells", 1, "Player", True)]


def test_a_dataset_is_recognised_behind_a_broken_record_and_needs_no_speakers() -> None:
    content = b'{"broken": \n' + json.dumps(chat(1)).encode()
    found = recognise(Upload(name="a.jsonl", content=content))
    assert (found.format, found.speakers) == ("sharegpt", ())
    assert recognise(chats({"instruction": "x"})).format is None


def test_a_mapping_takes_parts_and_names_and_leaves_text_alone() -> None:
    mapping = mapping_of({"bob": ("Companion", "Sir <b>"), "Smells": (None, ""), "zoe=x": ("Player", " ")})
    assert mapping.parts == {"bob": "Companion", "zoe=x": "Player"}
    assert mapping.names == {"bob": "Sir b"}


def test_a_preview_counts_what_would_be_made_and_groups_the_reasons(empty_workspace: Workspace) -> None:
    chosen = [chat(1), {**chat(2), "system": ""}, {**chat(3), "system": ""}, {"messages": [{"role": "wizard"}]}, {}]
    preview = seen(empty_workspace, chats(*chosen))
    assert (
        preview.sentence() == "3 conversations become scenarios, 2 are left out. Found: 3 ShareGPT, 1 OpenAI messages."
    )
    rows = [(one["What"], one["Times"], one["First line"]) for one in preview.rows()]
    assert rows == [("conversation left out", 1, 4), ("conversation left out", 1, 5), ("to know", 2, 2)]
    assert ScenarioLibrary(empty_workspace).entries() == []


def test_a_preview_ends_where_a_file_has_too_many(empty_workspace: Workspace) -> None:
    upload = chats(*(chat(number) for number in range(4)))
    assert not seen(empty_workspace, upload, most=4).too_many
    preview = seen(empty_workspace, upload, most=3)
    assert preview.too_many
    assert preview.total == 3


def test_a_preview_of_nothing_but_different_faults_stays_small(empty_workspace: Workspace) -> None:
    faulty = ({"messages": [{"role": f"role {number}"}]} for number in range(MOST_REASONS + 5))
    preview = seen(empty_workspace, chats(*faulty))
    assert (len(preview.rows()), preview.unlisted) == (MOST_REASONS, 5)


def test_an_import_that_is_stopped_has_reported_all_that_was_written(empty_workspace: Workspace) -> None:
    upload = chats(*(chat(number) for number in range(BATCH + 5)))
    stopped, whole, library = ImportReport(), ImportReport(), ScenarioLibrary(empty_workspace)
    steps = bring_in(empty_workspace, upload, ImportOptions(), stopped)
    assert next(steps) == BATCH
    steps.close()
    assert sorted(arrived(stopped)) == sorted(one.id for one in library.entries())
    assert list(bring_in(empty_workspace, upload, ImportOptions(), whole)) == [BATCH, BATCH + 5]
    assert outcome_sentence(whole) == f"Imported 5 scenarios, found unchanged {BATCH}."
    assert len(library.entries()) == BATCH + 5


@pytest.mark.parametrize(
    ("clash", "sentence", "texts"),
    [
        ("rename", "Imported 1 scenario.", 2),
        ("replace", "Imported 0 scenarios, replaced 1.", 1),
        ("skip", "Imported 0 scenarios, left out 1.", 1),
    ],
)
def test_a_taken_name_is_treated_as_asked(empty_workspace: Workspace, clash: Any, sentence: str, texts: int) -> None:
    library, report = ScenarioLibrary(empty_workspace), ImportReport()
    library.create("mixed", "Doors", "mine")
    upload = chats(chat(1, title="Doors"))
    assert list(bring_in(empty_workspace, upload, ImportOptions(clash=clash), report)) == [1]
    assert outcome_sentence(report) == sentence
    assert report.files[0].source == "chats.jsonl, line 1"
    assert len(library.entries()) == texts
    assert (library.read("mixed/Doors").text == "mine") == (clash != "replace")


def test_a_hostile_file_name_is_reported_as_text(empty_workspace: Workspace, tmp_path: Path) -> None:
    report = ImportReport()
    list(bring_in(empty_workspace, chats(chat(1), name="<b>\x1b[2J\n.jsonl"), ImportOptions(), report))
    assert all(one.isprintable() for one in report.files[0].source)
    assert report.count("created") == 1
