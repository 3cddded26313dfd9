"""What there is to judge: every DM turn of a scenario, with all that stood before it and what its author wrote.

Teacher forcing: the conversation before a turn is always the author's, whatever a model said for earlier turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.scenarios import (
    Character,
    ConversationTurn,
    Directive,
    Message,
    ResultLine,
    SystemContext,
    TrainingScenario,
    Vocabulary,
    acting_name,
    find_directives,
    parse_result_lines,
    to_messages,
)


@dataclass(frozen=True)
class GivenRoll:
    """A result line that the DM turn has just been given, and the request that it answers (None when nothing asked)."""

    line: ResultLine
    request: Directive | None

    @property
    def has_outcome(self) -> bool:
        """Whether the next DM turn must say success or failure."""
        return self.line.tool is not None and self.line.tool.has_outcome

    @property
    def success(self) -> bool | None:
        """What the total says against the request's `dc`; None without a dc or a total.

        The rule is the scenario checker's: a total of at least the dc succeeds. A natural 1 or 20 changes nothing.
        """
        difficulty = self.request.arguments.get("dc", "") if self.request else ""
        if not difficulty.isdecimal() or self.line.total is None:
            return None
        return self.line.total >= int(difficulty)


def scenario_of(key: str) -> str:
    """The scenario of a turn by the turn's key; empty when the key names none."""
    return key.rpartition("#")[0]


@dataclass(frozen=True)
class TurnCase:
    """One DM turn to be written. `index` counts the turns of the conversation from 0; `line` is the file's, from 1."""

    scenario: str
    scenario_type: str
    index: int
    line: int
    context: tuple[Message, ...]
    authored: str
    expected: tuple[Directive, ...]
    rolls: tuple[GivenRoll, ...]
    player_text: str
    system: SystemContext

    @property
    def key(self) -> str:
        """What figures refer to a turn by: `harbor-night.md#3`."""
        return f"{self.scenario}#{self.index}"

    @property
    def actor(self) -> Character | None:
        """Who speaks in the player's last turn: the `Name:` it begins with, else the first player character."""
        name = acting_name(self.player_text, [one.name for one in self.system.party])
        players = [one for one in self.system.party if one.is_player] or self.system.party
        return self.system.character(name) if name else next(iter(players), None)


def turn_cases(scenario: TrainingScenario, vocabulary: Vocabulary, name: str = "") -> list[TurnCase]:
    """Every DM turn of a scenario, in order. `name` is how figures call it; else its file, else its title."""
    messages = to_messages(scenario)
    head = len(messages) - len(scenario.conversation)
    said = [one.content for one in messages[head:]]  # as the model reads it: without slots
    called = name or str(scenario.metadata.get("source") or scenario.metadata.get("title") or "scenario")
    return [
        TurnCase(
            scenario=called,
            scenario_type=scenario.scenario_type,
            index=index,
            line=turn.line,
            context=tuple(messages[: head + index]),
            authored=said[index],
            expected=tuple(one for one in find_directives(said[index], vocabulary) if one.valid),
            rolls=_given(scenario.conversation, said, index, vocabulary),
            player_text=_player_text(scenario.conversation, said, index),
            system=scenario.system_context,
        )
        for index, turn in enumerate(scenario.conversation)
        if turn.speaker == "DM"
    ]


def scenario_cases(scenarios: Sequence[TrainingScenario], vocabulary: Vocabulary) -> list[TurnCase]:
    """The DM turns of several scenarios; scenarios of one name are numbered so that every key is unique."""
    cases: list[TurnCase] = []
    seen: dict[str, int] = {}
    for scenario in scenarios:
        name = str(scenario.metadata.get("source") or scenario.metadata.get("title") or "scenario")
        seen[name] = seen.get(name, 0) + 1
        cases += turn_cases(scenario, vocabulary, name if seen[name] == 1 else f"{name} ({seen[name]})")
    return cases


def _given(
    turns: Sequence[ConversationTurn], said: Sequence[str], index: int, vocabulary: Vocabulary
) -> tuple[GivenRoll, ...]:
    """The lines of the TOOLCALL turns right before turn `index`, each with its request of the DM turn before them."""
    start = index
    while start and turns[start - 1].speaker == "TOOLCALL":
        start -= 1
    asks = start < index and start > 0 and turns[start - 1].speaker == "DM"
    open_requests = find_directives(said[start - 1], vocabulary) if asks else []
    rolls = []
    for line in (line for words in said[start:index] for line in parse_result_lines(words, vocabulary)):
        request = _request_for(line, open_requests)
        rolls.append(GivenRoll(line, request))
        if request is not None and line.actor is None:
            open_requests = [one for one in open_requests if one is not request]
    return tuple(rolls)


def _request_for(line: ResultLine, requests: list[Directive]) -> Directive | None:
    same = [one for one in requests if line.tool is not None and one.tool is line.tool]
    named = [one for one in same if line.actor and one.arguments.get("who", "").casefold() == line.actor.casefold()]
    return next(iter(named or same), None)


def _player_text(turns: Sequence[ConversationTurn], said: Sequence[str], index: int) -> str:
    return next((said[before] for before in reversed(range(index)) if turns[before].speaker == "User"), "")
