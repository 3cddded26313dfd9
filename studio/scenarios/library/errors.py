"""What can go wrong in the library: names, conflicts, the bin, imports and the forms that edit a party.

Every class is a `StudioError`; a conflict also carries both texts, so that whoever catches it can lose nothing.
"""

from __future__ import annotations

from typing import Any

from studio.errors import StudioError
from studio.scenarios.library.merge import Merge, merge_texts


class ScenarioLibraryError(StudioError):
    """A scenario of the library cannot be read, written, found or restored."""


class ScenarioNameError(ScenarioLibraryError):
    """A name cannot be used: it is no file name, or a scenario has it already (upper and lower case are the same)."""


class ScenarioMissingError(ScenarioLibraryError):
    """There is no such scenario, version, draft or deleted file."""


class PartyError(ScenarioLibraryError):
    """A change to the party cannot be written so that it reads back as meant."""


class SnippetError(ScenarioLibraryError):
    """Nothing can be rolled or inserted at that place."""


class ScenarioConflictError(ScenarioLibraryError):
    """Somebody else saved, renamed or deleted the scenario since it was opened. Nothing was written.

    Attributes:
        scenario_id: which scenario.
        mine: the text that was to be saved.
        stored: the text of the file now, None when the file is gone.
        stored_revision: its revision, empty when the file is gone.
        base: the text that both started from, None when nobody kept it.
    """

    def __init__(
        self, scenario_id: str, *, mine: str, stored: str | None, stored_revision: str = "", base: str | None = None
    ) -> None:
        gone = stored is None
        super().__init__(
            "The scenario was deleted or renamed meanwhile."
            if gone
            else "Somebody else changed the scenario meanwhile.",
            why="Saving would have lost a change, so nothing was written; your text is still here.",
            next_step="Save it under a new name." if gone else "Compare both texts, then merge them or choose one.",
            where=scenario_id,
        )
        self.scenario_id = scenario_id
        self.mine = mine
        self.stored = stored
        self.stored_revision = stored_revision
        self.base = base

    def merged(self) -> Merge | None:
        """Both changes in one text, or None when the common start or the file itself is gone."""
        if self.base is None or self.stored is None:
            return None
        return merge_texts(self.base, self.mine, self.stored)

    def __reduce__(self) -> tuple[Any, ...]:
        values = (self.scenario_id, self.mine, self.stored, self.stored_revision, self.base)
        return _conflict, values


def _conflict(
    scenario_id: str, mine: str, stored: str | None, stored_revision: str, base: str | None
) -> ScenarioConflictError:
    return ScenarioConflictError(scenario_id, mine=mine, stored=stored, stored_revision=stored_revision, base=base)
