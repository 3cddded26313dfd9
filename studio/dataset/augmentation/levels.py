"""Other levels within the rules: all players of one level go up or down by one, with what the tables say of it.

Hit points, experience and spell slots follow. Levels with another proficiency bonus are not reached, because every
roll of the scene would change with them; neither do levels change in a scene that speaks of hit points or experience.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio.dataset.augmentation.text import generator, mentions, read, story_of
from studio.scenarios import Character, Gauge, Progress, Vocabulary
from studio.scenarios.library import PartyEditor, PartyError
from studio.scenarios.library.party_start import LEVELS, experience_of, proficiency
from studio.scenarios.reading import Reading
from studio.scenarios.srd import load_srd

_COUNTED = re.compile(r"hit points?|\bhp\b|\bxp\b|experience points?|\blevels?\b", re.IGNORECASE)
_COUNTING_TOOLS = frozenset({"hit_points", "experience", "spell_slot", "rest"})
_LEVEL_TAG = re.compile(r"(?<![\w-])level-(\d{1,2})(?![\w-])")


class OtherLevels:
    """The operation: the players are one level higher or lower."""

    name = "levels"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text with other levels; None when no level fits the rules and the story."""
        reading = read(text, vocabulary)
        players = _players(reading)
        level = reading.party[players[0]].level if players else None
        if level is None or _counts(reading, [reading.party[place] for place in players]):
            return None
        near = [one for one in (level - 1, level + 1) if one in LEVELS and proficiency(one) == proficiency(level)]
        generator(seed, self.name).shuffle(near)
        return next(_changed(text, reading, players, near, vocabulary), None)


def _players(reading: Reading) -> list[int]:
    """The places of the players who have the level of the first one."""
    own = [place for place, one in enumerate(reading.party) if one.is_player and one.level in LEVELS]
    return [place for place in own if reading.party[place].level == reading.party[own[0]].level]


def _counts(reading: Reading, players: list[Character]) -> bool:
    """Whether the story says numbers that a level changes."""
    tools = {one.tool_name for turn in reading.turns for one in turn.directives}
    story = story_of(reading.turns)
    said = [one.health.max for one in players if one.health.max is not None]
    return (
        not tools.isdisjoint(_COUNTING_TOOLS)
        or _COUNTED.search(story) is not None
        or any(mentions(story, number) for number in said)
    )


def _changed(
    text: str, reading: Reading, players: list[int], levels: list[int], vocabulary: Vocabulary
) -> Iterator[str]:
    """The text at each of the levels that the sheets can take."""
    for level in levels:
        editor = PartyEditor(text, vocabulary)
        try:
            for place in players:
                editor.set_character(place, _at_level(reading.party[place], level))
        except (PartyError, ValueError):
            continue
        if editor.text != text:
            yield _tagged(editor.text, reading.party[players[0]].level or 0, level, vocabulary)


def _at_level(one: Character, level: int) -> Character:
    """The character at another level.

    Raises:
        ValueError: the sheet has numbers that the tables do not explain, so that nobody knows what they would be.
    """
    kind, srd = load_srd().class_of(one.class_name), load_srd()
    old = one.level
    if kind is None or old is None:
        raise ValueError("no class of the SRD")
    update: dict[str, object] = {"level": level, "experience": _experience(one, old, level)}
    if one.health.max is not None:
        update["health"] = _health(one, srd.hit_dice[kind], level - old)
    if one.spell_slots:
        if one.spell_slots != srd.slots.get(kind, {}).get(old):
            raise ValueError("other spell slots than the table's")
        update["spell_slots"] = dict(srd.slots[kind].get(level, {}))
    return one.model_copy(update=update)


def _health(one: Character, die: int, change: int) -> Gauge:
    """Each level adds the rounded average of the hit die and the constitution modifier."""
    gain = change * max(1, die // 2 + 1 + one.stats.get("constitution", 0))
    most = (one.health.max or 0) + gain
    current = one.health.current if one.health.current is not None else most
    hurt = (one.health.max or 0) - current
    if most < 1 or most - hurt < 1:
        raise ValueError("too few hit points")
    return Gauge(current=most - hurt, max=most)


def _experience(one: Character, old: int, level: int) -> Progress:
    """As far into the new level as it was into the old one."""
    now, before, after = one.experience, experience_of(old), experience_of(level)
    if now.current is None:
        return now
    begins, ends = after.current or 0, after.next_level
    span = (before.next_level or 0) - (before.current or 0)
    done = min(max(now.current - (before.current or 0), 0), span - 1) if span > 0 else 0
    reached = begins + (done * (ends - begins) // span if ends and span > 0 else 0)
    return Progress(current=reached, next_level=ends if now.next_level is not None else None)


def _tagged(text: str, old: int, level: int, vocabulary: Vocabulary) -> str:
    """The text with a tag such as `level-2` of its front matter corrected."""
    node = next((node for node in read(text, vocabulary).tree.nodes[:2] if node.kind == "front_matter"), None)
    if node is None:
        return text
    body = text[node.body_start : node.body_end]
    body = _LEVEL_TAG.sub(lambda match: f"level-{level}" if int(match[1]) == old else match[0], body)
    return text[: node.body_start] + body + text[node.body_end :]
