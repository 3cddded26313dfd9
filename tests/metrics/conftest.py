"""A small scenario whose every DM turn can be judged by hand, and the shipped ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.metrics import TurnCase, scenario_cases, turn_cases
from studio.scenarios import MarkdownParser, Vocabulary, load_vocabulary

DATA = Path(__file__).resolve().parents[2] / "data"

TEXT = """---
title: The Cellar
scenario_type: exploration
---

<SYSTEM>
# Role
You are the Dungeon Master of a D&D Campaign

# Party

## Sarah
- Player Character
- Rogue
- Health: 22/22
- Skills: Stealth +7, Perception +5
- Attacks: Shortsword +5 (1d6+3)
- Inventory: Shortsword, 20 arrows, Thieves' Tools

## Thorin
- Player Character
- Fighter
- Health: 28/28
- Attacks: Warhammer +5 (1d8+3)
- Inventory: Warhammer, Shield
</SYSTEM>

<User>I creep down the stairs.</User>

<DM>The steps are slick with moss.

[roll: stealth, dc=15]</DM>

<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>

<DM>*SUCCESS* Nothing stirs below. A goblin snores on a barrel.</DM>

<User>Thorin: I hit the goblin.</User>

<DM>You raise the hammer, Thorin.

[roll: attack, target=goblin, weapon=warhammer]</DM>

<TOOLCALL>attack: 14 + 5(attack) = *19*</TOOLCALL>

<DM>*SUCCESS* He wakes too late.

[roll: damage, dice=1d8+3]</DM>

<TOOLCALL>damage: 4 + 3(bonus) = *7*</TOOLCALL>

<DM>Seven damage, and the goblin rolls off the barrel. What now?</DM>
"""


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="session")
def cellar(vocabulary: Vocabulary) -> list[TurnCase]:
    """Turns 1 (stealth), 3 (its outcome), 5 (attack), 7 (outcome and damage), 9 (damage told)."""
    return turn_cases(MarkdownParser(vocabulary).parse_text(TEXT), vocabulary, "cellar.md")


@pytest.fixture(scope="session")
def make_case(vocabulary: Vocabulary) -> Callable[[str], TurnCase]:
    """The last DM turn of the cellar with other turns in place of its own: `make_case("<User>...")`."""

    def make(turns: str) -> TurnCase:
        head = TEXT[: TEXT.index("</SYSTEM>")] + "</SYSTEM>\n\n"
        return turn_cases(MarkdownParser(vocabulary).parse_text(head + turns), vocabulary, "made.md")[-1]

    return make


@pytest.fixture(scope="session")
def shipped(vocabulary: Vocabulary) -> list[TurnCase]:
    """Every DM turn of every scenario in data/."""
    return cases_below(DATA, vocabulary)


def cases_below(folder: Path, vocabulary: Vocabulary) -> list[TurnCase]:
    """Every DM turn of the scenarios in a folder, in the order of their names."""
    parser = MarkdownParser(vocabulary)
    return scenario_cases([parser.parse_scenario(path) for path in sorted(folder.rglob("*.md"))], vocabulary)


def shipped_cases(vocabulary: Vocabulary) -> list[TurnCase]:
    """Every DM turn of the held-out scenarios that the studio ships."""
    return cases_below(DATA / "validation", vocabulary)
