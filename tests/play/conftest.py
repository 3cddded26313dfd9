"""One real host for the tests that do not hurt it, and sessions in a small real scenario."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from studio.bases import BaseModel
from studio.play import ChatSession, HostOptions, ModelHost, PlaySettings, Sampling, new_session
from studio.scenarios import MarkdownParser, Vocabulary, load_vocabulary

SYSTEM = """# Role
You are the Dungeon Master of a D&D Campaign

# Party

## Chris
- Player Character
- Wizard
- Health: 18/18
- Abilities: Dex +2, Int +4
- Skills: Perception +5

## Sarah
- Player Character
- Rogue
- Health: 22/22
- Abilities: Dex +3
- Skills: Stealth +7, Perception +5
- Saves: Dexterity +5
- Attacks: Shortsword +5 (1d6+3), Dagger +5 (1d4)

## Thorin
- NPC Companion
- Dwarf Fighter
- Health: 28/28
"""
SCENARIO = f"<SYSTEM>\n{SYSTEM}</SYSTEM>\n"


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def host(smollm2: BaseModel) -> Iterator[ModelHost]:
    with ModelHost(smollm2.directory / "base.gguf", HostOptions(threads=1)) as host:
        yield host


@pytest.fixture
def make_session() -> Callable[..., ChatSession]:
    def make(max_tokens: int = 24, seed: int = 7, text: str = SCENARIO, **settings: object) -> ChatSession:
        return new_session(
            MarkdownParser().parse_text(text),
            session_id="tavern",
            created=datetime(2026, 1, 1, tzinfo=UTC),
            seed=seed,
            settings=PlaySettings.model_validate({"sampling": Sampling(max_tokens=max_tokens), **settings}),
        )

    return make
