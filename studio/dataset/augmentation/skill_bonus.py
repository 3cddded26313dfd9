"""Other skill bonuses: a number on the sheet changes within the rules, and every result that used it with its sum.

Where the sheet gives the ability, the bonus is that modifier, with proficiency, or for rogues and bards with expertise;
else it moves by one or two. It changes only when every verdict stays and it is clear whose rolls those are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from studio.dataset.augmentation.rolls import Roll, acting, rolls_of
from studio.dataset.augmentation.text import Edit, applied, generator, mentions, read, story_of
from studio.scenarios import Character, Tool, Vocabulary, bonus_for
from studio.scenarios.library import PartyEditor, PartyError
from studio.scenarios.library.party_start import proficiency
from studio.scenarios.reading import Reading
from studio.scenarios.srd import load_srd

_EXPERTS = {"rogue": 1, "bard": 2}
"""Class -> level from which it may double its proficiency in a skill."""


class OtherSkillBonus:
    """The operation: another bonus of one skill of one character."""

    name = "skill bonus"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text with another bonus and its sums; None when no bonus can change."""
        reading = read(text, vocabulary)
        found = list(_possible(reading))
        chance = generator(seed, self.name)
        chance.shuffle(found)
        for who, tool, bonus, edits in found:
            changed = _on_the_sheet(applied(text, edits) or text, who, tool.name, bonus, vocabulary)
            if changed is not None:
                return changed
        return None


def _possible(reading: Reading) -> Iterator[tuple[int, Tool, int, list[Edit]]]:
    """Place in the party, skill, new bonus, and the edits of the results, for every change that keeps the story."""
    rolls = [roll for roll in rolls_of(reading) if roll.tool.kind == "skill"]
    story = story_of(reading.turns)
    for who, one in enumerate(reading.party):
        for tool in {roll.tool.name: roll.tool for roll in rolls}.values():
            own = _rolls_of(reading, one, tool, rolls) if tool.name in one.stats else None
            for bonus in _choices(one, tool) if own else ():
                edits = _edits(own or [], bonus - one.stats[tool.name], story)
                if edits is not None:
                    yield who, tool, bonus, edits


def _rolls_of(reading: Reading, one: Character, tool: Tool, rolls: list[Roll]) -> list[Roll] | None:
    """The rolls of a skill that are certainly this character's; None when one may be and may not be.

    A roll of nobody in particular belongs to the only one whose sheet has its bonus.
    """
    mine = []
    for roll in (roll for roll in rolls if roll.tool is tool):
        actor = acting(reading, roll)
        used = sum(part.amount for part in roll.line.modifiers if part.label.casefold() in (tool.label, ""))
        if actor is not None and actor.name != one.name:
            continue
        able = [
            other.name for other in reading.party if bonus_for(other, tool, roll.pair.directive.arguments)[0] == used
        ]
        if actor is None and one.name not in able:
            continue
        if used != one.stats[tool.name] or (actor is None and able != [one.name]):
            return None
        mine.append(roll)
    return mine


def _choices(one: Character, tool: Tool) -> list[int]:
    old, modifier = one.stats[tool.name], one.stats.get(tool.ability)
    if modifier is None or one.level is None or not 1 <= one.level <= 20:
        return [bonus for bonus in (old - 2, old - 1, old + 1, old + 2) if -1 <= bonus <= 8]
    trained = proficiency(one.level)
    expert = _EXPERTS.get(load_srd().class_of(one.class_name) or "", 99) <= one.level
    legal = [modifier, modifier + trained, *([modifier + 2 * trained] if expert else [])]
    return [bonus for bonus in legal if bonus != old]


def _edits(rolls: list[Roll], change: int, story: str) -> list[Edit] | None:
    """The results with the new bonus; None when one of them would tell another story."""
    edits = []
    for roll in rolls:
        labelled = [part for part in roll.line.modifiers if part.label.casefold() in (roll.tool.label, "")]
        if len(labelled) != 1 or not roll.keeps(roll.total + change) or mentions(story, roll.total):
            return None
        parts = tuple(
            replace(part, amount=part.amount + change) if part is labelled[0] else part for part in roll.line.modifiers
        )
        edit = roll.rewrite(modifiers=parts)
        if edit is None:
            return None
        edits.append(edit)
    return edits


def _on_the_sheet(text: str, who: int, skill: str, bonus: int, vocabulary: Vocabulary) -> str | None:
    """The text with the bonus of a skill changed on one sheet; None when the sheet cannot be written so."""
    try:
        editor = PartyEditor(text, vocabulary)
        stats = editor.party[who].stats
        skills = {tool.name for tool in vocabulary.tools if tool.kind == "skill"}
        editor.set_skills(who, {key: value for key, value in stats.items() if key in skills} | {skill: bonus})
    except PartyError:
        return None
    return editor.text
