"""Where the numbers of a report file lead: every list of turns gets a name, and the file shows each list once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from studio.validation.behind import Behind
from studio.validation.card import TurnShown


@dataclass(frozen=True)
class TurnLink:
    """A turn in a list: the name of its place in the file, and its line in the scenario."""

    anchor: str
    line: int


@dataclass(frozen=True)
class TurnList:
    """One list of a number: what it is, and its turns by scenario."""

    name: str
    size: int
    scenarios: tuple[tuple[str, tuple[TurnLink, ...]], ...]


@dataclass(frozen=True)
class Place:
    """The lists behind one number, and the name by which the number leads to them."""

    anchor: str
    behind: Behind
    lists: tuple[TurnList, ...]


@dataclass
class Anchors:
    """Names for turns (`t1`, `t2` ...) and for the lists behind numbers (`n1`, `n2` ...), in the order of asking."""

    turns: Sequence[TurnShown]
    places: list[Place] = field(default_factory=list)
    _known: dict[tuple[object, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shown = {one.key: (TurnLink(f"t{number}", one.line), one) for number, one in enumerate(self.turns, 1)}

    def of(self, behind: Behind) -> str:
        """The name of the lists behind a number; empty when it is about no turn of the report."""
        known = (behind.title, behind.meaning, behind.label, *behind.lists.items())
        if known not in self._known:
            self._known[known] = self._add(behind)
        return self._known[known]

    def _add(self, behind: Behind) -> str:
        lists = [self._list(name, keys) for name, keys in behind.lists.items()]
        found = tuple(one for one in lists if one.size)
        if not found:
            return ""
        self.places.append(Place(f"n{len(self.places) + 1}", behind, found))
        return self.places[-1].anchor

    def _list(self, name: str, keys: Iterable[str]) -> TurnList:
        found = [self._shown[key] for key in keys if key in self._shown]
        by_scenario = groupby(found, key=lambda one: one[1].scenario)
        return TurnList(
            name, len(found), tuple((name, tuple(link for link, _ in group)) for name, group in by_scenario)
        )
