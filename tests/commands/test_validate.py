"""`validate`: findings with their places, safe fixes, and output for people and programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.scenarios import validate_paths
from studio.workspace import PROJECT_ROOT
from tests.commands.running import FINE, HEAD, Studio, finished

Write = Callable[[str, str], Path]
WRONG_SUM = HEAD + (
    "<User>Do I hear anything?</User>\n\n<DM>You listen.\n\n[roll: perception]</DM>\n\n"
    "<TOOLCALL>perception: 12 + 5(skill) = *18*</TOOLCALL>\n\n<DM>*SUCCESS* Steps on the stair.</DM>\n"
)
SLOPPY = HEAD + "<player>Hello?</player>\n\n<DM>Nobody\tanswers.</DM>\n"
"""A tag in another spelling, twice, and a tab: three safe fixes."""
WRONG_CLOSE = HEAD + "<User>Hello?</DM>\n\n<dm>Nobody answers.</dm>\n"
"""An error whose fix a person must agree to, and two safe fixes."""


def codes(document: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[str]:
    return [one["code"] for file in document["files"] for one in file["diagnostics"]]


def test_the_shipped_scenarios_are_fine(studio: Studio) -> None:
    outcome = studio("validate", PROJECT_ROOT / "data")
    assert (outcome.status, outcome.out) == (0, "13 files: 0 errors, 0 warnings, 0 infos.\n")


def test_a_finding_has_its_place_and_an_error_ends_with_1(studio: Studio, write: Write) -> None:
    path = write("sum.md", WRONG_SUM)
    outcome = studio("validate", path)
    assert outcome.status == 1
    line = WRONG_SUM[: WRONG_SUM.index("perception: 12")].count("\n") + 1
    assert f"{path}:{line}:11: error T005 " in outcome.out


def test_a_warning_is_no_failure(studio: Studio, write: Write) -> None:
    outcome = studio("validate", write("sloppy.md", SLOPPY))
    assert outcome.status == 0
    assert "warning S007" in outcome.out


def test_files_and_folders_are_checked_once_each_and_hidden_ones_left_out(studio: Studio, write: Write) -> None:
    path, folder = write("party/a.md", FINE), write("party/deep/b.md", FINE).parent.parent
    write("party/.drafts/c.md", FINE)
    write("party/notes.txt", "no scenario")
    other = write("other.md", FINE)
    document = studio("validate", path, folder, other, path, "--json").document
    assert [Path(one["path"]) for one in document["files"]] == [path, folder / "deep" / "b.md", other]


@pytest.mark.parametrize("format_of", [(), ("--json",), ("--format", "sarif"), ("--fix",)])
def test_a_missing_path_is_named_and_nothing_is_checked(
    studio: Studio, write: Write, tmp_path: Path, format_of: tuple[str, ...]
) -> None:
    outcome = studio("validate", write("a.md", FINE), tmp_path / "gone.md", *format_of)
    assert outcome.status == 1
    assert "gone.md: There is no such file or folder." in outcome.err
    assert outcome.out == "" or outcome.document["where"].endswith("gone.md")


def test_a_folder_without_scenarios_is_said_to_be_one(studio: Studio, tmp_path: Path) -> None:
    outcome = studio("validate", tmp_path)
    assert (outcome.status, outcome.out) == (1, "")
    assert "There is no scenario file." in outcome.err


def test_the_json_document_is_the_one_that_the_docs_describe(studio: Studio, write: Write) -> None:
    path = write("sum.md", WRONG_SUM)
    document = studio("validate", path, "--json").document
    assert set(document) == {"files", "valid", "fixed"}
    assert (document["valid"], document["fixed"]) == (False, [])
    (file,) = document["files"]
    assert {**file, "diagnostics": 0} == {"path": str(path), "valid": False, "error": "", "diagnostics": 0}
    (found,) = file["diagnostics"]
    assert set(found) == {"code", "severity", "span", "message", "why", "fix"}
    assert set(found["span"]) == {"start", "end", "line", "column", "end_line", "end_column"}
    assert set(found["fix"]) == {"title", "start", "end", "text", "safe"}
    assert WRONG_SUM[found["fix"]["start"] : found["fix"]["end"]] == "18"


def test_many_files_are_checked_in_parallel_with_the_same_findings(write: Write, tmp_path: Path) -> None:
    long = FINE + "<User>On.</User>\n\n<DM>The corridor goes on.\t</DM>\n" * 400
    for number in range(40):
        write(f"many/{number:02}.md", WRONG_SUM if number % 7 == 0 else long)
    outcome = finished("validate", tmp_path / "many", "--json")
    alone = list(validate_paths([tmp_path / "many"], workers=1))
    assert sum(one.bytes for one in alone) > 600_000
    assert (outcome.status, outcome.err) == (1, "")
    assert [(one["path"], len(one["diagnostics"])) for one in outcome.document["files"]] == [
        (one.path, len(one.diagnostics)) for one in alone
    ]


def test_fix_writes_the_safe_fixes_and_says_how_many(studio: Studio, write: Write) -> None:
    path = write("sloppy.md", SLOPPY)
    outcome = studio("validate", path, "--fix")
    assert outcome.status == 0
    assert path.read_text() == FINE
    assert outcome.out == "1 file: 0 errors, 0 warnings, 0 infos.\n"
    assert outcome.err == f"{path}: 3 fixes applied.\n"


def test_fix_leaves_alone_what_may_change_the_meaning(studio: Studio, write: Write) -> None:
    path = write("close.md", WRONG_CLOSE)
    outcome = studio("validate", path, "--fix", "--json")
    assert outcome.status == 1
    assert path.read_text() == WRONG_CLOSE.replace("<dm>", "<DM>").replace("</dm>", "</DM>")
    assert codes(outcome.document) == ["S004"]
    assert outcome.document["fixed"] == [{"path": str(path), "applied": 2}]


def test_fixing_again_changes_nothing(studio: Studio, write: Write) -> None:
    path = write("close.md", WRONG_CLOSE)
    studio("validate", path, "--fix")
    before = (path.read_bytes(), path.stat().st_ino)
    outcome = studio("validate", path, "--fix")
    assert "nothing to fix" in outcome.err
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_without_fix_no_file_is_written(studio: Studio, write: Write) -> None:
    path = write("sloppy.md", SLOPPY)
    studio("validate", path)
    assert path.read_text() == SLOPPY


def test_fix_follows_a_link_and_keeps_it(studio: Studio, write: Write, tmp_path: Path) -> None:
    path, link = write("sloppy.md", SLOPPY), tmp_path / "link.md"
    link.symlink_to(path)
    assert studio("validate", link, "--fix").status == 0
    assert link.is_symlink()
    assert path.read_text() == FINE


def test_a_fix_that_cannot_be_written_is_an_error_of_its_file(studio: Studio, write: Write) -> None:
    path = write("n" * 252 + ".md", SLOPPY)  # no room for a temporary file's name beside it
    outcome = studio("validate", path, "--fix")
    assert outcome.status == 1
    assert "The fixes cannot be written." in outcome.out
    assert path.read_text() == SLOPPY


def test_bytes_that_are_not_utf8_are_reported_and_printed(studio: Studio, write: Write) -> None:
    path = write("bytes.md", FINE.replace("Nobody", "[roll: st\udce9alth]"))
    assert "S017" in studio("validate", path).out
    assert "S017" in codes(studio("validate", path, "--json").document)


def test_the_workspaces_own_vocabulary_and_severities_count(studio: Studio, write: Write, tmp_path: Path) -> None:
    shipped = (PROJECT_ROOT / "config" / "tools.yaml").read_text()
    write("home/config/tools.yaml", shipped.replace("  stealth: {kind", "  juggling: {kind", 1))
    write("home/config/diagnostics.yaml", "severity: {T005: off}\n")
    path = write("sum.md", WRONG_SUM.replace("perception", "juggling"))
    assert studio("validate", path).status == 1
    assert studio("--workspace", tmp_path / "home", "validate", path).status == 0


def test_a_configuration_that_cannot_be_used_is_named(studio: Studio, write: Write, tmp_path: Path) -> None:
    write("home/config/diagnostics.yaml", "severity: {T005: loud}\n")
    outcome = studio("--workspace", tmp_path / "home", "validate", write("a.md", FINE), "--json")
    assert (outcome.status, outcome.document["error"]) == (2, "ConfigError")
    assert "diagnostics.yaml" in outcome.document["where"]


def test_editors_and_code_hosts_get_their_own_formats(studio: Studio, write: Write) -> None:
    path = write("sum.md", WRONG_SUM)
    log = json.loads(studio("validate", path, "--format", "sarif").out)
    (result,) = log["runs"][0]["results"]
    assert (log["version"], result["ruleId"], result["level"]) == ("2.1.0", "T005", "error")
    annotation = studio("validate", path, "--format", "github").out
    assert annotation.startswith(f"::error file={path},line=")
