"""Real processes save, rename and die at the same files: no edit is lost and nothing is left half done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import PROJECT_ROOT, Workspace

HEAD = """
import sys
from pathlib import Path
from studio.scenarios.library import ScenarioConflictError, ScenarioLibrary
from studio.workspace import Workspace
library = ScenarioLibrary(Workspace(Path(sys.argv[1])))
"""
APPEND_LINES = (
    HEAD
    + """
for number in range(40):
    document = library.read("combat/a")
    text, revision = document.text + f"{sys.argv[2]} {number}\\n", document.revision
    while True:
        try:
            library.save("combat/a", text, revision)
            break
        except ScenarioConflictError as conflict:
            text, revision = conflict.stored + f"{sys.argv[2]} {number}\\n", conflict.stored_revision
"""
)
SAVE_ONCE = (
    HEAD
    + """
sys.stdin.readline()
try:
    library.save("combat/a", sys.argv[2], sys.argv[3])
    print("saved")
except ScenarioConflictError as conflict:
    print("conflict with", conflict.stored)
"""
)
SAVE_FOR_EVER = (
    HEAD
    + """
print("ready", flush=True)
revision = library.read("combat/a").revision
for number in range(1_000_000):
    revision = library.save("combat/a", f"{number}\\n" * 20_000, revision)
"""
)
RENAME_FOR_EVER = (
    HEAD
    + """
print("ready", flush=True)
for number in range(1_000_000):
    library.rename(f"combat/{'ab'[number % 2]}", "ba"[number % 2])
"""
)
CREATE_NAMES = (
    HEAD
    + """
from studio.scenarios.library import ScenarioNameError
made = 0
for number in range(40):
    try:
        library.create("combat", f"n{number}", sys.argv[2])
        made += 1
    except ScenarioNameError:
        pass
print(made)
"""
)


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str], said: str | None = None) -> str:
    out, err = process.communicate(said, timeout=120)
    assert process.returncode == 0, err
    return out.strip()


@pytest.mark.slow
def test_two_processes_appending_to_one_file_lose_no_line(library: ScenarioLibrary) -> None:
    library.create("combat", "a", "")
    root = str(library.workspace.root)
    for process in [start(APPEND_LINES, root, name) for name in ("left", "right")]:
        finished(process)
    lines = library.read("combat/a").text.splitlines()
    assert sorted(lines) == sorted(f"{name} {number}" for name in ("left", "right") for number in range(40))
    assert len(library.versions("combat/a")) == 81


@pytest.mark.slow
def test_of_two_processes_that_save_the_same_revision_one_wins_and_the_other_is_told(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "base")
    processes = {name: start(SAVE_ONCE, str(library.workspace.root), name, made.revision) for name in ("left", "right")}
    for process in processes.values():
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {name: finished(process) for name, process in processes.items()}
    winner = library.read(made.id).text
    loser = ({"left", "right"} - {winner}).pop()
    assert said == {winner: "saved", loser: f"conflict with {winner}"}


@pytest.mark.slow
def test_two_processes_never_make_the_same_scenario(library: ScenarioLibrary) -> None:
    processes = [start(CREATE_NAMES, str(library.workspace.root), name) for name in ("left", "right")]
    assert sum(int(finished(process)) for process in processes) == 40
    assert len(library.entries()) == 40


def kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_a_process_killed_while_saving_leaves_a_whole_text_and_all_former_ones(tmp_path: Path) -> None:
    for attempt in range(6):
        library = ScenarioLibrary(Workspace(tmp_path / str(attempt)))
        library.create("combat", "a", "start\n")
        kill_after(start(SAVE_FOR_EVER, str(library.workspace.root)), 0.05 + 0.037 * attempt)
        document = library.read("combat/a")
        lines = document.text.splitlines()
        assert lines == ["start"] or (len(lines) == 20_000 and len(set(lines)) == 1)
        library.save(document.id, "after", document.revision)
        former = [library.read_version("combat/a", one.revision) for one in library.versions("combat/a")]
        last = 0 if lines == ["start"] else int(lines[0]) + 1
        assert former == ["after", *(f"{number}\n" * 20_000 for number in reversed(range(last))), "start\n"][:200]


@pytest.mark.slow
def test_a_process_killed_while_renaming_leaves_one_file_with_its_history(tmp_path: Path) -> None:
    for attempt in range(6):
        library = ScenarioLibrary(Workspace(tmp_path / str(attempt)))
        made = library.create("combat", "a", "start")
        library.save(made.id, "second", made.revision)
        kill_after(start(RENAME_FOR_EVER, str(library.workspace.root)), 0.05 + 0.037 * attempt)
        library.create("mixed", "any action finishes what was begun")
        (entry,) = library.entries("combat")
        assert library.read(entry.id).text == "second"
        assert [one.reason for one in library.versions(entry.id)] == ["saved", "found"]


def test_a_rename_cut_off_between_its_steps_is_finished_by_the_next_action(library: ScenarioLibrary) -> None:
    made = library.create("combat", "a", "start")
    library.save(made.id, "second", made.revision)
    note = library.workspace.state_dir / "library" / "rename.json"
    note.write_text('["combat/a", "combat/b"]')
    os.link(library.path("combat/a"), library.path("combat/b"))
    library.create("mixed", "next")
    assert [one.id for one in library.entries("combat")] == ["combat/b"]
    assert len(library.versions("combat/b")) == 2
    assert not note.exists()
