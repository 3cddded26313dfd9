"""Runs the command line as a user would, in this process: `studio("validate", path)` gives status and output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.cli import main
from studio.workspace import ENVIRONMENT_VARIABLE
from tests.commands.running import Outcome, Studio


@pytest.fixture(autouse=True)
def _no_chosen_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)


@pytest.fixture
def studio(capsys: pytest.CaptureFixture[str]) -> Studio:
    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            status = main([str(one) for one in arguments])
        except SystemExit as ended:  # argparse: wrong usage, --help, --version
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a scenario file into the test's folder: `write("a.md", text)`."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    return make
