"""`validate`: findings with their places, safe fixes, and output for people and programs."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.scenarios import RULES, validate_paths
from studio.scenarios.library import ScenarioLibrary
from studio.workspace import PROJECT_ROOT, Workspace
from tests.commands.running import FINE, HEAD, Studio, finished, process

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


def sarif_of(studio: Studio, *paths: Path) -> dict[str, Any]:
    """The one run of a SARIF log, checked for what the standard (OASIS, 2.1.0) demands of every log."""
    log = json.loads(studio("validate", *paths, "--format", "sarif").out)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    assert log["$schema"].startswith("https://")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert ids == list(RULES)
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in driver["rules"])
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} == {"error", "warning", "note"}
    assert run["columnKind"] == "unicodeCodePoints"
    return run


def test_a_sarif_log_says_where_in_what_words_and_how_to_fix_it(studio: Studio, write: Write) -> None:
    path = write("märchen 1.md", WRONG_SUM)
    (result,) = sarif_of(studio, path)["results"]
    assert result["message"]["text"]
    (location,) = result["locations"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("file:///")
    assert uri.endswith("/m%C3%A4rchen%201.md")
    region = location["physicalLocation"]["region"]
    assert all(region[name] >= 1 for name in ("startLine", "startColumn", "endLine", "endColumn"))
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"] == {"uri": uri}
    (replacement,) = change["replacements"]
    cut = replacement["deletedRegion"]
    assert WRONG_SUM[cut["charOffset"] : cut["charOffset"] + cut["charLength"]] == "18"
    assert replacement["insertedContent"]["text"] == "17"


def test_a_relative_path_stays_relative_in_sarif(
    studio: Studio, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a b.md", WRONG_SUM)
    monkeypatch.chdir(tmp_path)
    (result,) = sarif_of(studio, Path("a b.md"))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.md"


UNREADABLE = Path("/proc/self/mem")
"""A file that is there and cannot be read from its beginning, also not by an administrator."""


def test_a_file_that_cannot_be_read_is_an_error_in_every_format(studio: Studio, write: Write) -> None:
    fine = write("a.md", FINE)
    outcome = studio("validate", UNREADABLE, fine)
    assert (outcome.status, "1 could not be read" in outcome.out) == (1, True)
    files = studio("validate", UNREADABLE, fine, "--json").document["files"]
    assert [(bool(one["error"]), one["valid"]) for one in files] == [(True, False), (False, True)]
    (invocation,) = sarif_of(studio, UNREADABLE, fine)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["level"] == "error"
    assert studio("validate", UNREADABLE, "--format", "github").out.startswith("::error file=/proc/self/mem::")


def test_every_github_line_is_one_workflow_command(studio: Studio, write: Write) -> None:
    text = WRONG_SUM.replace("Steps on", "100% of, the: steps\ton") + "\n::error::injected\n"
    lines = studio("validate", write("a,b%.md", text), "--format", "github").out.splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert re.fullmatch(
            r"::(error|warning|notice) file=[^,:]*,line=\d+,endLine=\d+,col=\d+,endColumn=\d+,title=[STRW]\d{3}::.+",
            line,
        )


def test_an_empty_file_has_the_two_errors_that_help_to_begin(studio: Studio, write: Write) -> None:
    document = studio("validate", write("zero.md", ""), "--json").document
    assert codes(document) == ["S001", "S009"]
    assert all(one["fix"] for one in document["files"][0]["diagnostics"])


def test_a_pipe_is_refused_and_nobody_waits_for_it(studio: Studio, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    outcome = studio("validate", tmp_path / "pipe.md")
    assert (outcome.status, outcome.out) == (1, "")
    assert "no ordinary file" in outcome.err


def test_a_folder_leaves_pipes_and_broken_links_out(studio: Studio, write: Write, tmp_path: Path) -> None:
    path = write("party/a.md", FINE)
    os.mkfifo(tmp_path / "party" / "pipe.md")
    (tmp_path / "party" / "gone.md").symlink_to(tmp_path / "nowhere.md")
    assert [one["path"] for one in studio("validate", path.parent, "--json").document["files"]] == [str(path)]


def test_a_broken_link_that_is_named_is_an_error(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    assert studio("validate", tmp_path / "gone.md").status == 1


def test_an_editor_can_check_what_is_not_saved_yet() -> None:
    outcome = finished("validate", "-", "--stdin-name", "new.md", "--json", text=WRONG_SUM)
    (file,) = outcome.document["files"]
    assert (outcome.status, file["path"], codes(outcome.document)) == (1, "new.md", ["T005"])
    fixed = finished("validate", "-", "--fix", text=SLOPPY)
    assert (fixed.status, fixed.out) == (0, FINE)
    assert "0 errors" in fixed.err


@pytest.mark.parametrize("options", [("-", "other.md"), ("-", "--fix", "--json"), ("-", "--format", "xml"), ()])
def test_what_cannot_go_together_is_wrong_usage(studio: Studio, options: tuple[str, ...]) -> None:
    assert studio("validate", *options).status == 2


def test_a_fixed_scenario_of_the_workspace_keeps_its_former_text(studio: Studio, write: Write, tmp_path: Path) -> None:
    path = write("home/data/scenarios/mixed/sloppy.md", SLOPPY)
    assert studio("--workspace", tmp_path / "home", "validate", path, "--fix").status == 0
    library = ScenarioLibrary(Workspace.find(tmp_path / "home"))
    texts = [library.read_version("mixed/sloppy", one.revision) for one in library.versions("mixed/sloppy")]
    assert (path.read_text(), texts) == (FINE, [FINE, SLOPPY])


def many(write: Write, count: int) -> Path:
    """A folder with so much text that it is checked by several processes, and says more than a pipe holds back."""
    long = FINE + "<User>On.</User>\n\n<DM>The corridor goes on.\t</DM>\n" * 900
    paths = [write(f"many/{number:03}.md", long) for number in range(count)]
    return paths[0].parent


def test_interrupting_it_ends_cleanly(write: Write, tmp_path: Path) -> None:
    with process("validate", many(write, 60), start_new_session=True) as running:
        assert running.stdout
        running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted" in err
    assert not list(tmp_path.rglob("*.part"))


def test_only_a_terminal_sees_progress(write: Write, tmp_path: Path) -> None:
    folder = many(write, 12)
    assert "files/s" not in finished("validate", folder).err
    ours, theirs = pty.openpty()
    with process("validate", folder, stderr=theirs) as running:
        os.close(theirs)
        running.communicate(timeout=120)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "Checking: 12 of 12 files" in shown
    assert "files/s" in shown
