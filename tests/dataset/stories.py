"""Scenarios for tests: valid, short, and each in words of its own."""

from __future__ import annotations

import random
from pathlib import Path

_SYSTEM = """<SYSTEM>
# Role
You are the Dungeon Master of a D&D Campaign

# Party

## Sarah
- Player Character
- Rogue
- Level 3
- Skills: Perception +5
</SYSTEM>
"""
_SYLLABLES = ["ba", "ke", "lo", "mi", "nu", "ra", "se", "ti", "vo", "wy", "za", "dre", "fal", "gor", "hin", "jus"]


def story(seed: object, *, exchanges: int = 4, extra: str = "") -> str:
    """A scenario whose words depend on `seed` alone; `extra` is a last sentence of the Dungeon Master."""
    chance = random.Random(str(seed))
    turns = "\n\n".join(_exchange(chance) for _ in range(exchanges))
    return f"{_SYSTEM}\n{turns}\n\n<User>{prose(chance, 8)}</User>\n\n<DM>{prose(chance, 12)} {extra}</DM>\n"


def prose(chance: random.Random, words: int) -> str:
    """A sentence of made-up words."""
    return " ".join("".join(chance.choices(_SYLLABLES, k=3)) for _ in range(words)).capitalize() + "."


def write_stories(folder: Path, count: int, *, kind: str = "combat", start: int = 0) -> Path:
    """So many stories below `folder / kind`."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / kind / f"story-{number:03}.md").write_text(story(number), encoding="utf-8")
    return folder


def _exchange(chance: random.Random) -> str:
    die = chance.randint(2, 19)
    verdict = "*SUCCESS*" if die >= 10 else "*FAILED*"
    return (
        f"<User>{prose(chance, 9)}</User>\n\n<DM>{prose(chance, 14)}\n\n[roll: perception, dc=15]</DM>\n\n"
        f"<TOOLCALL>perception: {die} + 5(skill) = *{die + 5}*</TOOLCALL>\n\n<DM>{verdict} {prose(chance, 20)}</DM>"
    )
