"""What is exported is what the studio trains on; it comes back the same, and other trainers' tools load it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from studio.dataset.exchange import EXPORT_FORMATS, ExportFormat, export_scenarios, import_foreign
from studio.errors import DatasetError, WorkspaceError
from studio.scenarios import MarkdownParser, Message, fix_text, to_messages
from studio.workspace import PROJECT_ROOT, Workspace

SHIPPED = PROJECT_ROOT / "data" / "scenarios"
PARSER = MarkdownParser()


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def messages_of(workspace: Workspace, scenario_id: str | None) -> list[Message]:
    return to_messages(PARSER.parse_scenario(workspace.scenarios_dir / f"{scenario_id}.md"))


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_the_shipped_scenarios_come_back_the_same(
    empty_workspace: Workspace, tmp_path: Path, format: ExportFormat
) -> None:
    output = tmp_path / "scenarios.jsonl"
    report = export_scenarios(empty_workspace, SHIPPED, output, format)
    outcomes = list(import_foreign(empty_workspace, [output]))
    paths = sorted(SHIPPED.rglob("*.md"))
    assert (report.written, report.left_out, len(outcomes)) == (len(paths), [], len(paths))
    for path, outcome in zip(paths, outcomes, strict=True):
        shipped, back = PARSER.parse_scenario(path), empty_workspace.scenarios_dir / f"{outcome.scenario_id}.md"
        returned = PARSER.parse_scenario(back)
        assert outcome.notes == ()
        assert to_messages(returned) == to_messages(shipped)
        assert (returned.scenario_type, returned.system_context) == (shipped.scenario_type, shipped.system_context)
        assert [returned.metadata[key] for key in ("title", "tags")] == [
            shipped.metadata[key] for key in ("title", "tags")
        ]


def test_a_row_holds_exactly_the_messages_of_the_studio(empty_workspace: Workspace, tmp_path: Path) -> None:
    output = tmp_path / "scenarios.jsonl"
    export_scenarios(empty_workspace, SHIPPED, output, "messages")
    for path, row in zip(sorted(SHIPPED.rglob("*.md")), rows(output), strict=True):
        assert row["messages"] == [one.as_dict() for one in to_messages(PARSER.parse_scenario(path))]
        assert row["metadata"]["source"] == path.relative_to(SHIPPED).as_posix()


def test_sharegpt_has_its_own_names_for_the_same_turns(empty_workspace: Workspace, tmp_path: Path) -> None:
    export_scenarios(empty_workspace, SHIPPED, tmp_path / "a.jsonl", "messages")
    export_scenarios(empty_workspace, SHIPPED, tmp_path / "b.jsonl", "sharegpt")
    names = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}
    for ours, theirs in zip(rows(tmp_path / "a.jsonl"), rows(tmp_path / "b.jsonl"), strict=True):
        assert theirs["conversations"] == [{"from": names[m["role"]], "value": m["content"]} for m in ours["messages"]]


FRAGMENTS = ("<DM", "</dm", "</", "<!-- ", " -->", "&lt;DM>", "```", "\n---\n", "# Party\n", "**DM:** ", "\t", "“")
WORDS = (st.text(max_size=80) | st.lists(st.sampled_from(FRAGMENTS), max_size=5).map("".join)).filter(str.strip)
TURNS = st.lists(st.tuples(st.sampled_from(["User", "DM"]), WORDS), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), TURNS, st.sampled_from(EXPORT_FORMATS))
def test_any_valid_conversation_comes_back_the_same(
    system: str, turns: list[tuple[str, str]], format: ExportFormat
) -> None:
    blocks = [f"<{speaker}>{text}</{speaker}>" for speaker, text in turns]
    text = "\n\n".join([f"<SYSTEM>\n# Role\nDM {system}\n</SYSTEM>", *blocks, "<DM>The end.</DM>"])
    fixed = fix_text(text, PARSER)
    assume(all(one.severity != "error" for one in fixed.diagnostics))
    with tempfile.TemporaryDirectory() as folder:
        workspace, scenario, output = Workspace(Path(folder) / "ws"), Path(folder) / "a.md", Path(folder) / "a.jsonl"
        scenario.write_bytes(fixed.text.encode("utf-8", "surrogateescape"))
        assert export_scenarios(workspace, scenario, output, format).written == 1
        (outcome,) = import_foreign(workspace, [output])
        assert outcome.outcome == "created", outcome.reason
        assert messages_of(workspace, outcome.scenario_id) == to_messages(PARSER.parse_text(fixed.text))


LOAD = """
import json, sys
from datasets import load_dataset
from trl.data_utils import is_conversational, maybe_convert_to_chatml
data = load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
row = maybe_convert_to_chatml(data[0])
print(json.dumps([data.num_rows, data.column_names, row["messages"], is_conversational(row)]))
"""


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_datasets_and_trl_take_the_file(empty_workspace: Workspace, tmp_path: Path, format: ExportFormat) -> None:
    output = tmp_path / "scenarios.jsonl"
    export_scenarios(empty_workspace, SHIPPED, output, format)
    command = [sys.executable, "-c", LOAD, str(output), str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, columns, messages, conversational = json.loads(done.stdout.splitlines()[-1])
    first = rows(output)[0]
    assert (count, set(columns), conversational) == (len(rows(output)), set(first), True)
    if format == "messages":
        assert messages == first["messages"]


def test_a_scenario_with_an_error_is_left_out_and_named(empty_workspace: Workspace, tmp_path: Path) -> None:
    folder, output = tmp_path / "mine", tmp_path / "a.jsonl"
    shutil.copytree(SHIPPED / "combat", folder)
    (folder / "broken.md").write_text("<User>Hello?</User>\n")
    report = export_scenarios(empty_workspace, folder, output, "messages")
    assert (report.written, len(rows(output))) == (3, 3)
    assert [one["path"] for one in report.left_out] == ["broken.md"]


def test_nothing_to_export_and_nowhere_to_write_are_said(empty_workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no scenario"):
        export_scenarios(empty_workspace, tmp_path / "empty", tmp_path / "a.jsonl", "messages")
    with pytest.raises(WorkspaceError):
        export_scenarios(empty_workspace, tmp_path / "nowhere", tmp_path / "a.jsonl", "messages")
    with pytest.raises(DatasetError, match="file of its own"):
        export_scenarios(empty_workspace, SHIPPED, SHIPPED / "combat" / "tavern-brawl.md", "messages")
    assert not (tmp_path / "a.jsonl").exists()


def test_no_brace_of_a_slot_is_exported(empty_workspace: Workspace, tmp_path: Path) -> None:
    text = (SHIPPED / "combat" / "tavern-brawl.md").read_text(
        encoding="utf-8"
    ) + "\n<User>I {go|run}.</User>\n\n<DM>{So|Then} go.</DM>\n"
    (tmp_path / "slots.md").write_text(text, encoding="utf-8")
    export_scenarios(empty_workspace, tmp_path / "slots.md", tmp_path / "out.jsonl", "messages")
    (row,) = rows(tmp_path / "out.jsonl")
    assert [one["content"] for one in row["messages"][-2:]] == ["I go.", "So go."]
