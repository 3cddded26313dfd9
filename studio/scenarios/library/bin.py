"""Deleted scenarios, each in its own folder under `.studio/bin/` with its history, until somebody empties the bin.

The newest `MAX_DELETED` are kept. A crash in the middle of a deletion leaves the scenario, or the scenario and a copy
of it here. Callers hold the library's lock.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.scenarios.library.errors import ScenarioMissingError
from studio.scenarios.library.files import telling
from studio.scenarios.library.history import Clock
from studio.workspace import atomic_write

MAX_DELETED = 500


class DeletedScenario(BaseModel):
    """One deletion that can be undone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bin_id: str = Field(pattern=r"^[\w-]{1,64}$")
    scenario_id: str
    deleted_at: datetime
    size: int = Field(description="Bytes.")
    revision: str


class Bin:
    """The deleted scenarios of one workspace."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._root = folder
        self._clock = clock

    def entries(self) -> list[DeletedScenario]:
        """What can be restored, newest first."""
        found = [entry for path in self._root.glob("[!.]*/entry.json") if (entry := _read(path))]
        return sorted(found, key=lambda entry: (entry.deleted_at, entry.bin_id), reverse=True)

    def find(self, bin_id: str) -> DeletedScenario:
        """One entry. Raises `ScenarioMissingError`."""
        entry = next((entry for entry in self.entries() if entry.bin_id == bin_id), None)
        if entry is None:
            raise ScenarioMissingError(
                "That is not in the bin any more.", next_step="Look at the list of deleted files."
            )
        return entry

    def add(self, scenario_id: str, content: bytes, revision: str) -> DeletedScenario:
        """Put a copy into the bin; it is complete before the caller removes the file."""
        now = self._clock()
        with telling("The scenario cannot be moved to the bin.", scenario_id):
            self._root.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=".part-", dir=self._root))
            bin_id = f"{now:%Y%m%dT%H%M%S}-{making.name.removeprefix('.part-')}"
            entry = DeletedScenario(
                bin_id=bin_id, scenario_id=scenario_id, deleted_at=now, size=len(content), revision=revision
            )
            atomic_write(making / "scenario.md", content)
            atomic_write(making / "entry.json", entry.model_dump_json(indent=1))
            making.rename(self._root / bin_id)
            self._drop_oldest()
        return entry

    def content(self, entry: DeletedScenario) -> bytes:
        """The bytes of a deleted scenario. Raises `ScenarioMissingError`."""
        try:
            return (self._root / entry.bin_id / "scenario.md").read_bytes()
        except OSError as error:
            raise ScenarioMissingError("The deleted file is gone.", why=str(error), where=entry.scenario_id) from error

    def history_folder(self, entry: DeletedScenario) -> Path:
        """Where the history of a deleted scenario lies."""
        return self._root / entry.bin_id / "history"

    def remove(self, entry: DeletedScenario) -> None:
        """Forget a deletion for good."""
        with telling("The bin cannot be emptied.", entry.scenario_id):
            shutil.rmtree(self._root / entry.bin_id)

    def _drop_oldest(self) -> None:
        if sum(1 for _ in self._root.iterdir()) > MAX_DELETED:
            for entry in self.entries()[MAX_DELETED:]:
                self.remove(entry)


def _read(path: Path) -> DeletedScenario | None:
    """An entry, None when it is damaged or its folder is not the one it names."""
    try:
        entry = DeletedScenario.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return entry if path.parent.name == entry.bin_id else None
