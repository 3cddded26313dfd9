"""What the tree of scenario files is told: a group per type, and marks for the rows that are on screen.

Rows and marks travel apart: the rows change when a file comes, goes or is renamed, the marks with every edit. Reading
a file for its mark takes milliseconds, so that only what somebody looks at is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from studio.scenarios import SCENARIO_TYPES, MarkdownParser, Severity, Vocabulary
from studio.scenarios.library import ScenarioEntry

MOST_SHOWN = 80
"""Rows that are read for their marks at once; more do not fit on a screen."""
GLANCE_BYTES = 1_000_000
"""Files larger than this are not read for a list."""
TYPE_ICONS = {"combat": "swords", "roleplay": "forum", "exploration": "explore", "mixed": "auto_stories"}
Mark = Literal["error", "warning", "ok"]


@dataclass(frozen=True, slots=True)
class Glance:
    """What a list says of a file. `None` in place of one: it is too large to be read for a list."""

    turns: int = 0
    rolls: int = 0
    errors: int = 0
    warnings: int = 0

    @property
    def mark(self) -> Mark:
        """The worst that is in it."""
        return "error" if self.errors else "warning" if self.warnings else "ok"


class TreeGroup(TypedDict):
    """One type. A row is the file's name and its title; the title is empty when it has none."""

    type: str
    icon: str
    rows: list[tuple[str, str]]


def glance(text: str, scenario_type: str, vocabulary: Vocabulary) -> Glance:
    """Turns, answered rolls, errors and warnings of a text. `scenario_type`: of the folder that it lies in."""
    scenario = MarkdownParser(vocabulary).parse_text(text, default_type=scenario_type)
    levels = [one.severity for one in scenario.diagnostics]
    return Glance(
        turns=len(scenario.conversation),
        rolls=sum(turn.speaker == "TOOLCALL" for turn in scenario.conversation),
        errors=levels.count(Severity.ERROR),
        warnings=levels.count(Severity.WARNING),
    )


def tree_groups(entries: Iterable[ScenarioEntry]) -> list[TreeGroup]:
    """Every type in its order, also those without a file, with their files in the order of the list."""
    rows: dict[str, list[tuple[str, str]]] = {kind: [] for kind in SCENARIO_TYPES}
    for one in entries:
        rows[one.type].append((one.name, one.title))
    return [{"type": kind, "icon": TYPE_ICONS[kind], "rows": rows[kind]} for kind in SCENARIO_TYPES]


def shown_title(entry: ScenarioEntry) -> str:
    """How a list calls a file: its title, else its name as words."""
    return entry.title or entry.name.replace("-", " ").capitalize()


def rows_to_mark(asked: object, known: Mapping[str, ScenarioEntry], current: str | None = None) -> list[ScenarioEntry]:
    """The files whose marks the tree needs: those on screen, as the browser names them, and the open one.

    Args:
        asked: what the browser sent, which may be anything; whatever is not the id of a file is left out.
        known: the files by id.
    """
    ids = [one for one in asked if isinstance(one, str)][:MOST_SHOWN] if isinstance(asked, list | tuple) else []
    wanted = dict.fromkeys([current, *ids] if current else ids)
    return [known[one] for one in wanted if one in known]
