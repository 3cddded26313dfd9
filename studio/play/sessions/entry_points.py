"""Where one can sit down in a scenario: between which of its turns, and who speaks next there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from studio.scenarios import Speaker, TrainingScenario


@dataclass(frozen=True)
class EntryPoint:
    """A border between turns: `new_session(scenario, turns=...)` begins there.

    Attributes:
        turns: how many turns of the scenario have been played by then.
        dm_speaks: the Dungeon Master speaks next (`go_on`); else the player does.
    """

    turns: int
    dm_speaks: bool


def entry_points(scenario: TrainingScenario) -> list[EntryPoint]:
    """The beginning, each place where the player may speak, and each where the DM is about to. In order."""
    speakers = [one.speaker for one in scenario.conversation]
    found = [_border(turns, speakers) for turns in range(1, len(speakers) + 1)]
    return [EntryPoint(0, dm_speaks=speakers[:1] == ["DM"]), *(one for one in found if one)]


def _border(turns: int, speakers: list[Speaker]) -> EntryPoint | None:
    before, after = speakers[turns - 1], speakers[turns] if turns < len(speakers) else None
    if before == "DM":
        return EntryPoint(turns, dm_speaks=False) if after in ("User", None) else None
    return EntryPoint(turns, dm_speaks=True) if after in ("DM", None) else None
