"""What holds for every command: where the workspace is, what goes to which output, and the exit status."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio import __version__
from studio.cli import GROUPS, commands, parsers
from studio.commands import Context, Progress, clock_text, progress_text, size_text, table, to_plain
from studio.workspace import ENVIRONMENT_VARIABLE, PROJECT_ROOT, Workspace
from tests.commands.running import FINE, UNREACHABLE, Outcome, Studio, process

LISTS = ("bases", "models", "runs")
OWN_ENTRY = """name: my-campaign-base
title: The base of this campaign
family: qwen3
source: {kind: folder}
"""


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A workspace whose catalogue says that it is this one."""
    folder = tmp_path / "marked" / "config" / "model_configs"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(OWN_ENTRY)
    return tmp_path / "marked"


def is_marked(outcome: Outcome) -> bool:
    return "my-campaign-base" in [entry["name"] for entry in outcome.document]


def test_the_workspace_may_stand_before_or_after_the_command(studio: Studio, marked: Path) -> None:
    assert is_marked(studio("--workspace", marked, "bases", "--json"))
    assert is_marked(studio("--json", "bases", "--workspace", marked))
    assert is_marked(studio("bases", f"--workspace={marked}", "--json"))


def test_the_workspace_may_come_from_the_environment_and_an_option_wins(
    studio: Studio, marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_marked(studio("bases", "--json"))
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(marked))
    assert is_marked(studio("bases", "--json"))
    assert not is_marked(studio("--workspace", tmp_path / "another", "bases", "--json"))


def test_looking_creates_nothing(studio: Studio, tmp_path: Path) -> None:
    for command in LISTS:
        assert studio("--workspace", tmp_path / "new", command).status == 0
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", LISTS)
def test_json_is_one_document_and_nothing_else(studio: Studio, empty_workspace: Workspace, command: str) -> None:
    before, after = (
        studio("--json", command, "--workspace", empty_workspace.root),
        studio(command, "--json", "--workspace", empty_workspace.root),
    )
    assert isinstance(before.document, list)
    assert before == after
    assert before.err == ""


def test_an_error_is_a_sentence_and_with_json_a_document_too(studio: Studio, empty_workspace: Workspace) -> None:
    arguments = ("--workspace", empty_workspace.root, "chat", "nobody", "--script", PROJECT_ROOT / "README.md")
    said, told = studio(*arguments), studio(*arguments, "--json")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("chat: There is no model called 'nobody'.")
    assert (told.status, told.document["error"]) == (1, "ConversionError")
    assert told.document["what"] in told.err


def test_a_setting_that_cannot_be_used_is_wrong_usage(studio: Studio, marked: Path) -> None:
    (marked / "config" / "model_configs" / "own.yaml").write_text("name: broken\nfamiliy: qwen3\n")
    outcome = studio("--workspace", marked, "bases")
    assert outcome.status == 2
    assert "own.yaml" in outcome.err
    assert "familiy" in outcome.err


@pytest.mark.parametrize(
    "arguments", [(), ("conjure",), ("bases", "--loud"), ("validate",), ("stop",), ("chat", "x", "--seed", "seven")]
)
def test_wrong_usage_is_told_on_standard_error_alone(studio: Studio, arguments: tuple[str, ...]) -> None:
    outcome = studio(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert "usage: python -m studio" in outcome.err


def test_options_are_not_guessed_from_their_beginning(studio: Studio) -> None:
    assert studio("bases", "--js").status == 2
    assert studio("--work", ".", "bases").status == 2


def test_a_workspace_that_is_a_file_is_refused(studio: Studio) -> None:
    outcome = studio("--workspace", PROJECT_ROOT / "README.md", "bases", "--json")
    assert (outcome.status, outcome.document["where"]) == (1, "--workspace")


def test_the_version_is_printed(studio: Studio) -> None:
    assert studio("--version") == Outcome(0, f"studio {__version__}\n", "")


@pytest.mark.parametrize("name", parsers())
def test_every_command_explains_itself_and_its_options(studio: Studio, name: str) -> None:
    outcome = studio(*filter(None, [name]), "--help")
    assert outcome.status == 0
    silent = [one.dest for one in parsers()[name]._actions if not one.help and one.dest != "command"]
    assert silent == []


def test_every_command_has_a_name_of_its_own_and_a_line_of_help() -> None:
    names = [command.name for command in commands()]
    assert len(names) == len(set(names))
    assert all(command.help and command.help[0].islower() and not command.help.endswith(".") for command in commands())


def test_each_group_has_the_commands_that_the_command_line_looks_for_in_it() -> None:
    assert {group: tuple(one.name for one in commands([group])) for group in GROUPS} == GROUPS


def test_a_command_loads_no_other_group(tmp_path: Path) -> None:
    program = (
        "import sys; from studio.cli import main; main(sys.argv[1:]);"
        "print(*(name for name in sys.modules if name.startswith('studio.commands.')))"
    )
    command = [sys.executable, "-c", program, "--json", "--workspace", str(tmp_path), "runs"]
    ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("studio.commands.") for name in ended.stdout.splitlines()[-1].split()}
    assert loaded & set(GROUPS) == {"queue"}


@pytest.mark.parametrize("arguments", [["trian", "validate"], ["--help", "validate"]])
def test_a_command_that_is_unclear_is_answered_with_all_that_there_are(studio: Studio, arguments: list[str]) -> None:
    outcome = studio(*arguments)
    assert all(name in outcome.out + outcome.err for names in GROUPS.values() for name in names)


def test_what_the_system_refuses_is_a_sentence(studio: Studio, workspace: Workspace) -> None:
    (workspace.root / "data").mkdir()
    workspace.processed_dir.write_text("a file where a folder belongs")
    shipped = PROJECT_ROOT / "data" / "scenarios" / "combat"
    outcome = studio("--workspace", workspace.root, "preprocess", shipped)
    assert outcome.status == 1
    lines = outcome.err.splitlines()
    assert any(line.startswith(f"preprocess: {workspace.processed_dir}") for line in lines), "a line of its own"
    assert "Traceback" not in outcome.err


def test_a_reader_who_leaves_ends_the_command_quietly() -> None:
    with process("validate", "data/scenarios", "--format", "sarif") as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 0


def test_ctrl_c_ends_a_command_with_130_and_a_sentence() -> None:
    with process("validate", "-", stdin=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stderr
        running.stdin.write("x" * 1_000_000)  # more than a pipe holds: when all is written, the command reads
        running.stdin.flush()
        while "pipe_read" not in Path(f"/proc/{running.pid}/wchan").read_text():
            time.sleep(0.05)  # and now it waits for an end that never comes
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
    assert running.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said


def test_printing_needs_no_utf8_terminal(tmp_path: Path, write: Callable[[str, str], Path]) -> None:
    write("Éowyn – Tür.md", FINE.replace("</DM>", "\u200b</DM>"))
    environment = {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    with process("validate", tmp_path, environment=environment) as running:
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")
    assert "S018" in out


def test_the_command_line_starts_without_the_network(tmp_path: Path) -> None:
    with process("--workspace", tmp_path, "bases", "--json", environment=UNREACHABLE) as running:
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "smollm2-135m-instruct" in out


def test_results_that_json_does_not_know_become_text() -> None:
    assert to_plain({"path": Path("a"), 1: (2.5, None)}) == {"path": "a", "1": [2.5, None]}


def test_json_is_ascii_whatever_a_file_held() -> None:
    out = io.StringIO()
    Context(Workspace(Path()), as_json=True, out=out).show("", ["Faerûn \udc80"])
    assert out.getvalue().isascii()


def test_progress_says_how_much_how_fast_and_how_long() -> None:
    assert progress_text(42, 120, "steps", 20) == "42 of 120 steps, 2.1 steps/s, 0:37 left"
    assert progress_text(0, 10, "files", 0) == "0 of 10 files"
    assert progress_text(2e6, 0, "bytes", 1) == "2 MB, 2 MB/s"
    assert (clock_text(61), clock_text(3723)) == ("1:01", "1:02:03")


def test_progress_is_shown_rarely_and_at_the_end() -> None:
    ticks = iter([0.0, 1.0, 6.0, 6.1, 7.0])
    out = io.StringIO()
    progress = Progress("Reading", out, clock=lambda: next(ticks))
    for done in (1, 2, 3, 4):
        progress(done, 4, "files")
    lines = out.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["Reading: 2 of 4 files", "Reading: 4 of 4 files"]


def test_progress_is_silent_when_the_result_is_for_a_program() -> None:
    err = io.StringIO()
    Context(Workspace(Path()), as_json=True, err=err).progress("Reading")(4, 4, "files")
    assert err.getvalue() == ""


def test_tables_line_up_and_sizes_read_well() -> None:
    assert table([("a", "1"), ("long", "2")], ("NAME", "N")) == "NAME  N\na     1\nlong  2"
    assert (size_text(98_000_000), size_text(1_250_000_000)) == ("98.0 MB", "1.25 GB")
