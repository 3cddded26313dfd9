"""What scenarios and training rows show a model, counted: which rolls at which difficulty with which end, and by whom.

Everything is a count that adds up: one pass over the scenarios, memory that does not grow with them, and the counts of
two shards added together are the counts of both. What is missing and worth writing is in `suggestions.py`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from studio.errors import DatasetError
from studio.scenarios import (
    ConversationTurn,
    ToolCall,
    TrainingScenario,
    Vocabulary,
    is_success,
    load_vocabulary,
    read_outcome,
)
from studio.scenarios.slots import expand
from studio.scenarios.srd import load_srd

Outcome = Literal["success", "failed", "untold"]
"""How the DM turn after the dice tells it; `untold` where it tells neither, or does not come."""
OUTCOMES: tuple[Outcome, ...] = ("success", "failed", "untold")
NO_DC = 0
BANDS = (5, 10, 15, 20, 25, 30, NO_DC)
"""Very easy to nearly impossible (SRD 5.1, "Typical Difficulty Classes"), and `NO_DC` for a request without one."""
WORDS_PER_BIN, LAST_WORDS_BIN = 10, 500
"""Turn lengths are counted in steps of so many words; everything from the last one on is one bin."""
MOST_ROLLS = 100
"""Scenarios with more rolls are counted as having this many."""
TOKENS_PER_BIN = 64
NEAR_LIMIT = 0.9
"""A row longer than this share of the limit is near it: a few words more, and it is cut."""
LONGEST_KEPT = 20
OTHER_CLASS = "other"


@dataclass(frozen=True, slots=True)
class Roll:
    """One request of a DM turn. `turn` counts the conversation's turns from 0; `dc` is None where none is given."""

    turn: int
    tool: str
    outcome: Outcome
    dc: int | None


def band_of(dc: int | None) -> int:
    """The band of a difficulty class: the smallest of 5, 10 ... 30 that is not below it; `NO_DC` for None."""
    if dc is None:
        return NO_DC
    return next((band for band in BANDS if band >= dc and band != NO_DC), BANDS[-2])


def requests_of(conversation: list[ConversationTurn]) -> Iterator[Roll]:
    """Every request of a conversation, rolls and others, with the outcome that was told and the dc that was given.

    The DM turn that follows the answers tells the outcome. Where several rolls were asked for at once and a roll has a
    dc, its own total decides, because the word of the narration can only speak of one of them.
    """
    for index, turn in enumerate(conversation):
        if turn.speaker == "DM" and turn.tool_calls:
            told = _told(conversation, index + 1)
            alone = len(turn.tool_calls) == 1
            for call in turn.tool_calls:
                dc = _number(call.arguments.get("dc"))
                outcome = told if alone or dc is None else _decided(call, dc) or told
                yield Roll(index, call.tool_name, outcome, dc)


def _told(conversation: list[ConversationTurn], start: int) -> Outcome:
    for index in range(start, len(conversation)):
        turn = conversation[index]
        if turn.speaker == "DM":
            word = read_outcome(turn.content) if index > start else None
            return "untold" if word is None else "success" if is_success(word) else "failed"
        if turn.speaker == "User":
            break
    return "untold"


def _decided(call: ToolCall, dc: int) -> Outcome | None:
    total = _number((call.result or "").rpartition("=")[2].strip(" *"))
    return None if total is None else "success" if total >= dc else "failed"


def _number(written: str | None) -> int | None:
    try:
        return int(written) if written else None
    except ValueError:
        return None


class _Counts:
    """What both kinds of counts share: they add up, and they travel as JSON."""

    def include(self, other: Self) -> None:
        """Take in the counts of `other`, which is not changed."""
        for one in fields(self):  # type: ignore[arg-type]
            setattr(self, one.name, self._joined(one.name, other))

    def __add__(self, other: Self) -> Self:
        """The counts of both; neither is changed."""
        both = deepcopy(self)
        both.include(other)
        return both

    def _joined(self, name: str, other: Self) -> Any:
        mine, theirs = getattr(self, name), getattr(other, name)
        if isinstance(mine, Counter):
            mine.update(theirs)
            return mine
        return mine + theirs

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON can hold them: a table is a list of [key, ..., count], in the order of the keys."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The counts that `as_dict` gave.

        Raises:
            DatasetError: these are none.
        """
        try:
            return cls(**{one.name: _counted(data[one.name]) for one in fields(cls)})  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                "These counts cannot be read.", why=str(error), next_step="Count the scenarios again."
            ) from error


@dataclass
class Coverage(_Counts):
    """What a set of scenarios shows. Every table is a Counter; a key of several parts is a tuple."""

    scenarios: int = 0
    characters: int = 0
    types: Counter[str] = field(default_factory=Counter)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """(tool, outcome, DC band); a tool without outcomes is always `untold`."""
    people: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(class of the SRD in lower case or `other`, level from 1 to 20 or 0 for an unknown one)."""
    rolls: Counter[int] = field(default_factory=Counter)
    """Dice rolls in a scenario -> scenarios."""
    turns: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(speaker, smallest number of words of the bin) -> turns."""
    dm_turns: Counter[str] = field(default_factory=Counter)
    """`call` for DM turns that ask the engine for something, `no call` for the others."""

    def add(self, scenario: TrainingScenario, vocabulary: Vocabulary | None = None) -> None:
        """Count one scenario more."""
        words = vocabulary or load_vocabulary()
        self.scenarios += 1
        self.types[scenario.scenario_type] += 1
        for one in scenario.system_context.party:
            self.characters += 1
            self.people[load_srd().class_of(one.class_name) or OTHER_CLASS, _level(one.level)] += 1
        for turn in scenario.conversation:
            self.turns[turn.speaker, _words_bin(expand(turn.content))] += 1
            if turn.speaker == "DM":
                self.dm_turns["call" if turn.tool_calls else "no call"] += 1
        self._add_requests(scenario, words)

    def _add_requests(self, scenario: TrainingScenario, vocabulary: Vocabulary) -> None:
        dice = 0
        for one in requests_of(scenario.conversation):
            tool = vocabulary.by_name.get(one.tool)
            dice += tool is None or tool.rolls
            decided = tool is not None and tool.has_outcome
            self.requests[one.tool, one.outcome if decided else "untold", band_of(one.dc)] += 1
        self.rolls[min(dice, MOST_ROLLS)] += 1

    def asked(self) -> Counter[str]:
        """Tool -> how often it is asked for."""
        return self._by(lambda key: key[0])

    def outcomes(self) -> Counter[tuple[str, str]]:
        """(tool, outcome) -> requests."""
        return self._by(lambda key: key[:2])

    def never_used(self, vocabulary: Vocabulary) -> list[str]:
        """The tools of the vocabulary that nothing asks for, in its order."""
        asked = self.asked()
        return [tool.name for tool in vocabulary.tools if not asked[tool.name]]

    def _by(self, part: Callable[[tuple[str, str, int]], Any]) -> Counter[Any]:
        found: Counter[Any] = Counter()
        for key, number in self.requests.items():
            found[part(key)] += number
        return found


@dataclass
class RowCoverage(_Counts):
    """How long training rows are and how much of them is trained. `limit` is the longest a row may be, in tokens."""

    limit: int
    rows: int = 0
    tokens: int = 0
    trained: int = 0
    near_limit: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Smallest number of tokens of a bin (`TOKENS_PER_BIN` wide) -> rows."""
    shares: Counter[int] = field(default_factory=Counter)
    """Trained tokens in percent, in steps of ten (100 counts as 90) -> rows."""
    longest: list[tuple[int, str, int]] = field(default_factory=list)
    """(tokens, source, first turn) of the longest rows near the limit, longest first, at most `LONGEST_KEPT`."""

    def add(self, source: str, first_turn: int, tokens: int, trained: int) -> None:
        """Count one row more."""
        self.rows += 1
        self.tokens += tokens
        self.trained += trained
        self.lengths[tokens // TOKENS_PER_BIN * TOKENS_PER_BIN] += 1
        self.shares[min(90, 100 * trained // tokens // 10 * 10 if tokens else 0)] += 1
        if tokens > NEAR_LIMIT * self.limit:
            self.near_limit += 1
            self.longest = _longest([*self.longest, (tokens, source, first_turn)])

    @property
    def trained_share(self) -> float:
        """Share of the tokens that carry loss, 0 to 1."""
        return self.trained / self.tokens if self.tokens else 0.0

    def _joined(self, name: str, other: Self) -> Any:
        if name == "limit":
            return _same_limit(self.limit, other.limit)
        joined = super()._joined(name, other)
        return _longest(joined) if name == "longest" else joined

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON can hold them."""
        return super().as_dict() | {"longest": [list(one) for one in self.longest]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The counts that `as_dict` gave. Raises `DatasetError`."""
        read = super().from_dict({**data, "longest": 0})
        read.longest = [(int(tokens), str(source), int(turn)) for tokens, source, turn in data["longest"]]
        return read


def coverage_of(scenarios: Iterable[TrainingScenario], vocabulary: Vocabulary | None = None) -> Coverage:
    """The counts of scenarios, read one at a time and not kept."""
    found, words = Coverage(), vocabulary or load_vocabulary()
    for scenario in scenarios:
        found.add(scenario, words)
    return found


def row_coverage(rows: Iterable[tuple[str, int, int, int]], limit: int) -> RowCoverage:
    """The counts of rows, each as (source, first turn, tokens, trained tokens); `limit` in tokens."""
    found = RowCoverage(limit)
    for row in rows:
        found.add(*row)
    return found


def _level(level: int | None) -> int:
    return level if level is not None and 1 <= level <= 20 else 0


def _words_bin(content: str) -> int:
    return min(len(content.split()) // WORDS_PER_BIN * WORDS_PER_BIN, LAST_WORDS_BIN)


def _longest(rows: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    return heapq.nsmallest(LONGEST_KEPT, rows, key=lambda row: (-row[0], row[1], row[2]))


def _same_limit(mine: int, theirs: int) -> int:
    if mine != theirs:
        raise DatasetError(
            "Rows of two different limits cannot be counted together.",
            why=f"One is {mine} tokens, the other {theirs}.",
            next_step="Process the scenarios again with one limit.",
        )
    return mine


def _plain(value: Any) -> Any:
    if not isinstance(value, Counter):
        return value
    return sorted([*(key if isinstance(key, tuple) else (key,)), number] for key, number in value.items())


def _counted(value: Any) -> Any:
    if isinstance(value, list):
        return Counter({tuple(key) if len(key) > 1 else key[0]: int(number) for *key, number in value})
    return int(value)
