"""What the turns of a row teach beside their words: which tools they ask for, which outcomes they tell, when they ask.

An outcome belongs to the DM turn that tells it, not to the one that asked: that is where the model has to get it right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.dataset.coverage import requests_of
from studio.scenarios import TrainingScenario, Vocabulary, load_vocabulary


@dataclass(frozen=True, slots=True)
class Lessons:
    """Tool of every request, every outcome that is told, and for every DM turn whether it asks for something."""

    tools: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    calls: list[bool] = field(default_factory=list)


class SceneLessons:
    """The lessons of one scenario, read once, for any part of it."""

    def __init__(self, scenario: TrainingScenario, vocabulary: Vocabulary | None = None) -> None:
        words = vocabulary or load_vocabulary()
        turns = scenario.conversation
        requests = list(requests_of(turns))
        self._dm = [index for index, turn in enumerate(turns) if turn.speaker == "DM"]
        following = dict(zip(self._dm, self._dm[1:], strict=False))
        decided = {tool.name for tool in words.tools if tool.has_outcome}
        self._asked = [(one.turn, one.tool) for one in requests]
        self._told = [
            (following[one.turn], one.outcome) for one in requests if one.tool in decided and one.outcome != "untold"
        ]
        self._calls = [(index, bool(turns[index].tool_calls)) for index in self._dm]

    def within(self, first: int, last: int) -> Lessons:
        """What the turns from `first` (counted from 0) up to, not with, `last` teach."""
        return Lessons(
            [tool for turn, tool in self._asked if first <= turn < last],
            [outcome for turn, outcome in self._told if first <= turn < last],
            [asks for turn, asks in self._calls if first <= turn < last],
        )
