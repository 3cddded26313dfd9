"""A library in an empty workspace, and a clock that ticks one second at every look."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace

START = datetime(2026, 1, 1, tzinfo=UTC)


def ticking() -> Callable[[], datetime]:
    seconds = count()
    return lambda: START + timedelta(seconds=next(seconds))


@pytest.fixture
def library(tmp_path: Path) -> ScenarioLibrary:
    return ScenarioLibrary(Workspace(tmp_path / "campaign"), clock=ticking())
