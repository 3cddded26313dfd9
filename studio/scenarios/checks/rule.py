"""What a diagnostic code means: its title, usual severity, why it matters, and an example of it and of its cure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.scenarios.models import Severity

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
ExampleKind = Literal["file", "turns", "sheet"]

_SHEET = """- Player Character
- Rogue
- Level 3
- Health: 22/22
- Exp: 900/2700
- Inventory: Rope, Dagger
- Skills: Stealth +7, Perception +5
- Abilities: Str +0, Dex +3, Con +1, Int -1, Wis +2, Cha +0
- Attacks: Dagger +5 (1d4+3)"""
_TURNS = """<User>I look around.</User>

<DM>Nothing moves in the dark.</DM>"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One code. `example` shows it, `cure` the same text without it; `kind` says what part of a file both are."""

    code: str
    title: str
    severity: Severity
    why: str
    kind: ExampleKind
    example: str
    cure: str

    @property
    def example_file(self) -> str:
        """A whole scenario with the mistake in it."""
        return example_file(self.kind, self.example)

    @property
    def cure_file(self) -> str:
        """A whole scenario without it."""
        return example_file(self.kind, self.cure)


def example_file(kind: ExampleKind, fragment: str) -> str:
    """A scenario around a fragment: the turns, the lines of Sarah's sheet, or nothing when it is a file already."""
    if kind == "file":
        return fragment
    sheet, turns = (fragment, _TURNS) if kind == "sheet" else (_SHEET, fragment)
    return (
        "<SYSTEM>\n# Role\nYou are the Dungeon Master.\n\n# World\nFaerun\n\n# Location\nA cellar\n\n# Party\n\n"
        f"## Sarah\n{sheet}\n</SYSTEM>\n\n{turns}\n"
    )
