"""`bring(name, content)`: imports a file into an empty workspace and gives the outcomes and the scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from studio.dataset.exchange import ImportOptions, Mapping, RecordOutcome, import_foreign
from studio.scenarios import MarkdownParser, TrainingScenario, to_messages
from studio.workspace import Workspace


@dataclass(frozen=True)
class Brought:
    """What an import left behind."""

    workspace: Workspace
    outcomes: list[RecordOutcome]

    def scenario(self, at: int = 0) -> TrainingScenario:
        """The scenario of the outcome at that place."""
        scenario_id = self.outcomes[at].scenario_id
        assert scenario_id is not None, self.outcomes[at].reason
        return MarkdownParser().parse_scenario(self.workspace.scenarios_dir / f"{scenario_id}.md")

    def turns(self, at: int = 0) -> list[tuple[str, str]]:
        """Role and text of its messages without the system message."""
        return [(one.role, one.content) for one in to_messages(self.scenario(at)) if one.role != "system"]

    def notes(self, at: int = 0) -> list[tuple[int, str]]:
        """Line and text of the notes of an outcome."""
        return [(one.line, one.text) for one in self.outcomes[at].notes]


Bring = Callable[..., Brought]


@pytest.fixture
def bring(empty_workspace: Workspace, tmp_path: Path) -> Bring:
    def run(name: str, content: str | bytes, maps: Sequence[str] = (), **options: Any) -> Brought:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        chosen = ImportOptions(mapping=Mapping.parse(maps), **options)
        return Brought(empty_workspace, list(import_foreign(empty_workspace, [path], chosen)))

    return run
