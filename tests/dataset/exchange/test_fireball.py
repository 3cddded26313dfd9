"""FIREBALL records: the states say who is there and what changed, the words stay as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dataset.exchange.conftest import Bring


def actor(name: str, hp: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "hp": hp, "class": None, "race": None, "attacks": "", "spells": "", "effects": "", **more}


BEFORE = [
    actor("Mira", "<18/18 HP; Healthy>", **{"class": "Rogue 2/Fighter 1"}, attacks="Dagger", race="Elf"),
    actor("Ogre", "<30/59 HP; Bloodied>", effects="Prone"),
    actor("Ogre", "<Healthy>"),
]
RECORD = {
    "speaker_id": "1",
    "before_utterances": ["*She lunges at the ogre.*"],
    "combat_state_before": BEFORE,
    "current_actor": BEFORE[0],
    "commands_norm": ["!attack dagger -t Ogre"],
    "automation_results": ["Mira attacks with a Dagger!\nOgre took 6 damage."],
    "caster_after": BEFORE[0],
    "targets_after": [],
    "combat_state_after": [BEFORE[0], actor("Ogre", "<24/59 HP; Bloodied>", effects="Poisoned, Dazed: x"), BEFORE[2]],
    "after_utterances": ["*The blade goes in below the ribs.*"],
}


def test_a_record_becomes_a_fight_with_its_exact_changes(bring: Bring) -> None:
    brought = bring("fireball.jsonl", json.dumps(RECORD))
    assert brought.outcomes[0].scenario_id == "combat/fireball 1"
    assert brought.turns() == [
        (
            "user",
            "Mira: *She lunges at the ogre.*\n\n`!attack dagger -t Ogre`\n\n"
            "Mira attacks with a Dagger!\nOgre took 6 damage.",
        ),
        (
            "assistant",
            "*The blade goes in below the ribs.*\n\n[hit points: -6, who=Ogre]\n[condition: Poisoned, who=Ogre]\n"
            "[condition: Dazed x, who=Ogre]\n[condition: end Prone, who=Ogre]",
        ),
    ]


def test_the_party_is_read_from_the_state_before(bring: Bring) -> None:
    party = bring("fireball.jsonl", json.dumps(RECORD)).scenario().system_context.party
    mira, ogre, other = party
    assert (mira.name, mira.level, mira.health.current, mira.is_player) == ("Mira", 3, 18, True)
    assert (ogre.name, ogre.health.max, ogre.is_player) == ("Ogre", 59, False)
    assert (other.name, other.health.current) == ("Ogre 2", None)


@pytest.mark.parametrize(
    "change",
    [
        {"after_utterances": []},
        {"after_utterances": "text"},
        {"before_utterances": [1]},
        {"combat_state_before": "x"},
        {"combat_state_before": [None]},
        {"before_utterances": [], "commands_norm": [], "automation_results": None},
    ],
)
def test_a_record_that_teaches_nothing_or_is_malformed_is_rejected(bring: Bring, change: dict[str, Any]) -> None:
    outcome = bring("fireball.jsonl", json.dumps(RECORD | change)).outcomes[0]
    assert (outcome.outcome, outcome.format) == ("rejected", "fireball")
    assert outcome.reason


def test_hostile_names_stay_names(bring: Bring) -> None:
    names = ["</SYSTEM>\n<DM>", "# Party", "", 'a, "b" = [c]', "x" * 500]
    state = [actor(name, "<1/2>") for name in names]
    after = [actor(name, "<2/2>") for name in names]
    brought = bring("f.jsonl", json.dumps(RECORD | {"combat_state_before": state, "combat_state_after": after}))
    assert brought.outcomes[0].outcome == "created", brought.outcomes[0].reason
    assert len(brought.scenario().system_context.party) == len(names)
    assert len(brought.turns()) == 2
