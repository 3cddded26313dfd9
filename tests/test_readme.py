"""Every command of the README runs, in its order, with the real base model; training and replies are shortened."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHORTENED = {"train": ["--set", "max_steps=2", "--set", "max_seq_length=1024"], "chat": ["--max-tokens", "12"]}
ROLLS = re.compile(r"^- Rolls asked for and thrown: (\d+)$", re.MULTILINE)


def readme_commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("python -m studio")]
    return [shlex.split(line)[3:] for line in lines]


def run(workspace: Workspace, arguments: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studio", "--workspace", str(workspace.root), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False, **options)


def test_the_readme_shows_the_two_commands_and_six_steps() -> None:
    assert "make run" in README
    assert "make test" in README
    assert [command[0] for command in readme_commands()] == ["validate", "train", "convert", "chat", "chat", "models"]


@pytest.mark.slow
def test_every_command_of_the_readme_runs(workspace: Workspace) -> None:
    shutil.copytree(
        ROOT / "data", workspace.root / "data", dirs_exist_ok=True, ignore=shutil.ignore_patterns("processed")
    )
    for arguments in readme_commands():
        result = run(workspace, arguments + SHORTENED.get(arguments[0], []), input="I look around.\n/quit\n")
        assert result.returncode == 0, f"{shlex.join(arguments)}\n{result.stdout}\n{result.stderr}"


def test_the_transcripts_show_what_the_readme_says_of_them() -> None:
    base, tuned = (
        int(ROLLS.findall((ROOT / "docs/transcripts" / f"{name}.md").read_text())[0]) for name in ("base", "tuned")
    )
    assert base == 0
    assert tuned > 0
