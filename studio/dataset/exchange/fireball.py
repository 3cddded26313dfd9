"""FIREBALL records (Zhu et al. 2023, arXiv 2305.01528) -> messages: one command of a Discord game and its words.

A record says what was said before, which Avrae commands were run, what the bot answered, the state of every actor
before and after, and what was said then. The bot's answers hold no dice, so no roll is made of them; they are context.
Changes of hit points and effects are taken from the two states, which are exact. Not read: descriptions, actions,
indexes, ids of people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.dataset.exchange.models import Record, RejectedError
from studio.scenarios import Message, Vocabulary, format_directive

_HEALTH = re.compile(r"<?\s*(-?\d{1,5})\s*/\s*(\d{1,5})")
_CLASS = re.compile(r"([^\d/]{1,40}?)\s+(\d{1,2})(?=\s*(?:/|$))")
_NOT_A_NAME = re.compile(r'[\s#<>\[\]{},:="*|]+')
_MOST_ACTORS = 40
_SOURCE = "FIREBALL"


def read_fireball(value: Any, record: Record, vocabulary: Vocabulary) -> None:
    """Fill `record` from a value with FIREBALL's fields.

    Raises:
        RejectedError: nothing was said before or after the command, or the fields are malformed.
    """
    if not isinstance(value, Mapping):
        raise RejectedError("It is no object with FIREBALL's fields.")
    before, after = _texts(value, "before_utterances"), _texts(value, "after_utterances")
    if not after:
        raise RejectedError("Nobody tells what happened (after_utterances is empty): there is nothing to learn.")
    actors, later = _actors(value, "combat_state_before"), _actors(value, "combat_state_after")
    commands = _texts(value, "commands_norm") or _texts(value, "command_norm")
    said = [*before, *(f"`{one.replace('`', chr(39))}`" for one in commands), *_texts(value, "automation_results")]
    if not said:
        raise RejectedError("There is nothing before the narration: no utterance, no command, no result.")
    if len(value.get("combat_state_before") or []) > _MOST_ACTORS:
        record.note(f"Only the first {_MOST_ACTORS} actors are in the party.")
    changes = _changes(actors, later, vocabulary)
    told = "\n\n".join([*after, "\n".join(changes)] if changes else after)
    record.messages = [
        Message("system", _system(value, actors)),
        Message("user", _led(value, "\n\n".join(said), actors)),
        Message("assistant", told),
    ]
    record.scenario_type = record.scenario_type or "combat"
    record.metadata.setdefault("tags", [_SOURCE.lower(), "discord"])


def _texts(value: Mapping[str, Any], key: str) -> list[str]:
    written = value.get(key)
    if written is None:
        return []
    if not isinstance(written, list) or not all(isinstance(one, str) for one in written):
        raise RejectedError(f"{key} is no list of texts.")
    return [one.strip() for one in written if one.strip()]


def _actors(value: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    """Name -> state; a name that stands twice is counted: `Goblin`, `Goblin 2`."""
    written = value.get(key) or []
    if not isinstance(written, list) or not all(isinstance(one, Mapping) for one in written):
        raise RejectedError(f"{key} is no list of actors.")
    actors: dict[str, Mapping[str, Any]] = {}
    taken: set[str] = set()
    for state in written[:_MOST_ACTORS]:
        stem = name = _NOT_A_NAME.sub(" ", str(state.get("name") or "")).strip()[:60] or "Somebody"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} {number}"
        taken.add(name.casefold())
        actors[name] = state
    return actors


def _system(value: Mapping[str, Any], actors: Mapping[str, Mapping[str, Any]]) -> str:
    sheets = [_sheet(name, state) for name, state in actors.items()]
    current = value.get("current_actor")
    turn = f" It is the turn of {_line(current.get('name'))}." if isinstance(current, Mapping) else ""
    return "\n\n".join(
        [
            "# Role\nYou are the Dungeon Master of a D&D Campaign",
            "# World\nNot told.",
            f"# Location\nA fight is going on.{turn}",
            "\n\n".join(["# Party", *sheets]),
        ]
    )


def _sheet(name: str, state: Mapping[str, Any]) -> str:
    lines = [f"## {name}", "- Player Character" if state.get("class") else "- NPC"]
    classes = _CLASS.findall(str(state.get("class") or ""))
    if classes:
        lines += [
            f"- {' / '.join(one.strip(' /') for one, _ in classes)}",
            f"- Level {sum(int(n) for _, n in classes)}",
        ]
    if (race := _line(state.get("race"))) and race != "None":
        lines.append(f"- Race: {race}")
    if health := _health(state):
        lines.append(f"- Health: {max(health[0], 0)}/{health[1]}")
    lines += [f"- {title}: {listed}" for title, key in _LISTS if (listed := _line(state.get(key)))]
    return "\n".join(lines)


_LISTS = (("Can attack with", "attacks"), ("Spells", "spells"), ("Under effects", "effects"))


def _line(value: object) -> str:
    """Text, or a list of texts, on one line; empty for nothing."""
    written = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return " ".join(written.split())[:600]


def _health(state: Mapping[str, Any]) -> tuple[int, int] | None:
    match = _HEALTH.match(str(state.get("hp") or ""))
    return (int(match[1]), int(match[2])) if match else None


def _led(value: Mapping[str, Any], text: str, actors: Mapping[str, Mapping[str, Any]]) -> str:
    """The player's turn under the name of the character who acts, when the record knows one."""
    caster = value.get("caster_after")
    name = _NOT_A_NAME.sub(" ", str(caster.get("name") or "")).strip() if isinstance(caster, Mapping) else ""
    return f"{name}: {text}" if name in actors else text


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], vocabulary: Vocabulary) -> list[str]:
    """Requests for what differs between two states of the same actors."""
    changes = []
    for name in (name for name in before if name in after):
        was, now = _health(before[name]), _health(after[name])
        if was and now and now[0] != was[0] and "hit_points" in vocabulary.by_name:
            arguments = {"amount": f"{now[0] - was[0]:+d}", "who": name}
            changes.append(format_directive(vocabulary.by_name["hit_points"], arguments))
        if "condition" in vocabulary.by_name:
            changes += _effects(name, before[name], after[name], vocabulary)
    return changes


def _effects(name: str, before: Mapping[str, Any], after: Mapping[str, Any], vocabulary: Vocabulary) -> list[str]:
    had, has = (_names(state.get("effects")) for state in (before, after))
    begun = [("begin", one) for one in has if one not in had]
    ended = [("end", one) for one in had if one not in has]
    tool = vocabulary.by_name["condition"]
    return [format_directive(tool, {"state": state, "condition": one, "who": name}) for state, one in [*begun, *ended]]


def _names(effects: object) -> list[str]:
    cleaned = (_NOT_A_NAME.sub(" ", one).strip()[:60] for one in _line(effects).split(","))
    return [one for one in cleaned if one]
