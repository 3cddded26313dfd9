"""What the file tree is told, what the browser may ask of it, and what imports say afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.scenarios import load_vocabulary
from studio.scenarios.library import ImportedFile, ImportReport, ScenarioEntry, ScenarioLibrary
from studio.ui.file_tree import MOST_SHOWN, glance, rows_to_mark, shown_title, tree_groups
from studio.ui.imports import outcome_rows, outcome_sentence
from studio.workspace import PROJECT_ROOT, Workspace

OPEN_ROLL = "<User>I hide.</User>\n\n<DM>Where?\n\n[roll: stealth]</DM>\n\n<User>There.</User>\n\n<DM>Fine.</DM>\n"


def entry(scenario_id: str, title: str = "") -> ScenarioEntry:
    return ScenarioEntry(scenario_id, title, size=10, modified_ns=0)


def test_every_type_is_a_group_also_without_a_file() -> None:
    groups = tree_groups([entry("roleplay/talk", "The Talk"), entry("roleplay/bare")])
    assert [one["type"] for one in groups] == ["combat", "roleplay", "exploration", "mixed"]
    assert [one["rows"] for one in groups] == [[], [("talk", "The Talk"), ("bare", "")], [], []]
    assert all(one["icon"] for one in groups)


def test_the_rows_stay_the_same_message_when_only_texts_change(tmp_path: Path) -> None:
    library = ScenarioLibrary(Workspace(tmp_path))
    made = library.create("combat", "a", "---\ntitle: One\n---\n")
    before = json.dumps(tree_groups(library.entries()))
    library.save("combat/a", "---\ntitle: One\n---\n<User>More.</User>\n", made.revision)
    assert json.dumps(tree_groups(library.entries())) == before


def test_marks_are_read_for_the_open_file_and_the_rows_on_screen_once_each() -> None:
    known = {one.id: one for one in (entry("combat/a"), entry("combat/b"), entry("mixed/c"))}
    asked = ["combat/b", "mixed/c", "combat/b"]
    assert [one.id for one in rows_to_mark(asked, known, "mixed/c")] == ["mixed/c", "combat/b"]
    assert rows_to_mark([], known) == []


@pytest.mark.parametrize("asked", [None, "combat/a", {"combat/a": 1}, 7, [None, 3, ["combat/a"], "../../etc/passwd"]])
def test_whatever_else_the_browser_sends_names_no_file(asked: object) -> None:
    known = {"combat/a": entry("combat/a")}
    assert rows_to_mark(asked, known, "../../etc/passwd") == []


def test_no_more_rows_are_read_at_once_than_fit_on_a_screen() -> None:
    known = {f"combat/{number}": entry(f"combat/{number}") for number in range(1000)}
    assert len(rows_to_mark(list(known), known)) == MOST_SHOWN


@pytest.mark.parametrize(
    ("text", "mark"),
    [("", "error"), (OPEN_ROLL, "error"), ((PROJECT_ROOT / "data/scenarios/combat/tavern-brawl.md").read_text(), "ok")],
    ids=["empty", "open roll", "shipped"],
)
def test_a_mark_is_the_worst_that_is_in_a_file(text: str, mark: str) -> None:
    assert glance(text, "combat", load_vocabulary()).mark == mark


def test_a_glance_counts_turns_and_rolls() -> None:
    text = (PROJECT_ROOT / "data/scenarios/combat/tavern-brawl.md").read_text()
    seen = glance(text, "combat", load_vocabulary())
    assert seen.turns == text.count("</") - 1, "every block but the SYSTEM block is a turn"
    assert seen.rolls == text.count("</TOOLCALL>")
    assert (seen.errors, seen.warnings) == (0, 0)


def test_a_file_without_a_title_is_called_by_its_name() -> None:
    assert shown_title(entry("combat/the-old-inn")) == "The old inn"
    assert shown_title(entry("combat/x", "The *Inn*")) == "The *Inn*"


def test_an_import_is_told_in_a_sentence_and_a_row_per_file_those_left_out_first() -> None:
    report = ImportReport(
        files=[
            ImportedFile(source="pack.zip/a.md", outcome="created", scenario_id="combat/a"),
            ImportedFile(source="pack.zip/\udc80.md", outcome="skipped", reason="It is encrypted."),
            ImportedFile(source="b.md", outcome="same", scenario_id="mixed/b"),
        ]
    )
    assert outcome_sentence(report) == "Imported 1 scenario, found unchanged 1, left out 1."
    rows = outcome_rows(report)
    assert [one["Outcome"] for one in rows] == ["left out", "imported", "already there"]
    assert rows[0] == {"File": "pack.zip/?.md", "Outcome": "left out", "Scenario": "", "Why": "It is encrypted."}
