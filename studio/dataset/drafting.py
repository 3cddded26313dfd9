"""A scenario begun for a suggestion: a template's setting, the request that is missing, its dice, and gaps to fill in.

Numbers are real: the bonus is the sheet's and the sum adds up. Every sentence is left to the author as a «gap».
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.dataset.suggestions import Needs, Suggestion, load_needs
from studio.scenarios import (
    Character,
    MarkdownParser,
    Tool,
    Vocabulary,
    bonus_for,
    dice_for,
    find_directives,
    format_directive,
    format_result,
    load_vocabulary,
    parse_tree,
)
from studio.scenarios.library import Template
from studio.scenarios.library.templates import fill

_FRAME = {"initiative", "begin_combat", "end_combat"}
"""What every fight asks for; a scenario that shows one of them is a fight and nothing more."""
_IN_COMBAT = {"attack", "damage", "death_save"}
_DICE = re.compile(r"(\d*)d(\d+)")
_SIDES, _HIGH, _LOW, _MARGIN = 20, 15, 4, 2
_DEATH_SAVE_DC = 10


@dataclass(frozen=True, slots=True)
class _Party:
    """Whose sheets count: the player characters, in the order of the block."""

    players: list[Character]
    everyone: list[Character]

    def turn(self, actor: Character | None, words: str) -> str:
        """A player's turn; whoever is not the first player character says the name."""
        first = self.players[0] if self.players else None
        return f"<User>{actor.name + ': ' if actor and actor is not first else ''}«{words}»</User>"


def draft_for(
    suggestion: Suggestion, template: Template, *, vocabulary: Vocabulary | None = None, needs: Needs | None = None
) -> tuple[str, str]:
    """Title and text of a new scenario that shows what is suggested, in the setting of `template`.

    The opening of the template is kept up to its first request. The text is valid; what it lacks are the gaps (W008).
    """
    words = vocabulary or load_vocabulary()
    tool = words.by_name[suggestion.tool]
    text = fill(template, title=suggestion.title, scenario_type=suggestion.scenario_type)
    parser = MarkdownParser(words)
    everyone = parser.extract_system_context(text).party
    party = _Party([one for one in everyone if one.is_player] or everyone, everyone)
    blocks = _blocks(suggestion, tool, party, words, needs or load_needs())
    made = "\n\n".join([_opening(text, words), *blocks]) + "\n"
    return suggestion.title, made.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else made


def _opening(text: str, vocabulary: Vocabulary) -> str:
    """The text until the player's turn before the first request, or until the end of the setting."""
    tree = parse_tree(text)
    end = tree.system.end if tree.system else len(text)
    for turn in tree.nodes:
        if turn.block == "DM" and turn.start >= end:
            if find_directives(tree.body(turn), vocabulary):
                break
            end = turn.end
    return text[:end].rstrip()


def _blocks(suggestion: Suggestion, tool: Tool, party: _Party, vocabulary: Vocabulary, needs: Needs) -> list[str]:
    fight = tool.name in _FRAME or tool.name in _IN_COMBAT
    end = "\n\n[end combat]" if fight else ""
    return [
        *(_battle_begins(party, vocabulary) if fight else []),
        *([] if tool.name in _FRAME else _case(suggestion, tool, party, vocabulary, needs)),
        "<User>«What does the player do now?»</User>",
        f"<DM>«What follows from it, and what could they do next?»{end}</DM>",
    ]


def _case(suggestion: Suggestion, tool: Tool, party: _Party, vocabulary: Vocabulary, needs: Needs) -> list[str]:
    """The turns that show what is suggested."""
    if tool.has_outcome:
        return _rolled(suggestion, tool, party)
    if tool.kind == "damage":
        return _hit(tool, party, vocabulary)
    actor = party.players[0] if party.players else None
    if not tool.rolls:
        request = needs.need(tool.name).example or format_directive(tool, {})
        return [party.turn(actor, "What does the player do?"), f"<DM>«What happens?»\n\n{request}</DM>"]
    line = _line(tool, {}, actor, _HIGH)
    ask = f"<DM>«Why are dice thrown?»\n\n{format_directive(tool, {})}</DM>"
    return [party.turn(actor, "What does the player do?"), ask, _told(line), "<DM>«What comes of it?»</DM>"]


def _rolled(suggestion: Suggestion, tool: Tool, party: _Party) -> list[str]:
    """A roll that ends as suggested, by the character whose bonus fits it best."""
    success = suggestion.outcome == "success"
    fitting = sorted(party.players, key=lambda one: bonus_for(one, tool, {})[0], reverse=success)
    actor = fitting[0] if fitting else None
    bonus = bonus_for(actor, tool, _weapon(tool, actor))[0]
    dc, note = _reachable(suggestion.dc, bonus, success=success)
    arguments = _weapon(tool, actor) | ({"dc": str(dc)} if dc else {})
    target = dc or (_DEATH_SAVE_DC if tool.name == "death_save" else None)
    word = "*SUCCESS*" if success else "*FAILED*"
    follows = "What does the success bring?" if success else "What does the failure cost? Leave another way open."
    return [
        *([note] if note else []),
        party.turn(actor, f"What does the player do that calls for {_kind(tool)}?"),
        f"<DM>«What makes it hard, and what is at stake?»\n\n{format_directive(tool, arguments)}</DM>",
        _told(_line(tool, arguments, actor, _die(target, bonus, success=success))),
        f"<DM>{word} «{follows}»</DM>",
    ]


def _hit(tool: Tool, party: _Party, vocabulary: Vocabulary) -> list[str]:
    """An attack that hits, and its damage."""
    attack, actor = vocabulary.by_name["attack"], party.players[0] if party.players else None
    arguments = _weapon(attack, actor)
    return [
        party.turn(actor, "Whom does the player attack?"),
        f"<DM>«What makes this blow matter?»\n\n{format_directive(attack, arguments)}</DM>",
        _told(_line(attack, arguments, actor, _HIGH)),
        f"<DM>*SUCCESS* «Where does it strike?»\n\n{format_directive(tool, arguments)}</DM>",
        _told(_line(tool, arguments, actor, _LOW)),
        "<DM>«What does the hit do to them?»</DM>",
    ]


def _battle_begins(party: _Party, vocabulary: Vocabulary) -> list[str]:
    initiative = vocabulary.by_name["initiative"]
    first = party.players[0] if party.players else None
    others = [one for one in party.everyone if one is not first]
    lines = [_line(initiative, {}, first, _HIGH)]
    lines += [_line(initiative, {}, one, _LOW + place, actor=one.name) for place, one in enumerate(others)]
    ask = f"{format_directive(initiative, {})}\n{format_directive(vocabulary.by_name['begin_combat'], {})}"
    return [
        "<User>«What does the player do as danger comes near?»</User>",
        f"<DM>«Who attacks, and from where?»\n\n{ask}</DM>",
        _told("\n".join(lines)),
        "<DM>«Who acts first, and what is within reach?»</DM>",
    ]


def _reachable(dc: int | None, bonus: int, *, success: bool) -> tuple[int | None, str]:
    """The dc nearest to the wanted one that a d20 with this bonus can meet, or miss; and a note when it is another."""
    if dc is None:
        return None, ""
    if success and dc > _SIDES + bonus:
        near, why = _SIDES + bonus, f"the best bonus of this party ({bonus:+}) cannot succeed at {dc}"
    elif not success and dc <= 1 + bonus:
        near, why = 2 + bonus, f"the smallest bonus of this party ({bonus:+}) cannot fail at {dc}"
    else:
        return dc, ""
    return near, f"<!-- DC {near} and not {dc}: {why}. Change the sheet to write that case. -->"


def _die(dc: int | None, bonus: int, *, success: bool) -> int:
    """What the d20 shows: a little better, or a little worse, than it takes."""
    if dc is None:
        return _HIGH if success else _LOW
    least = max(1, dc - bonus)
    return min(_SIDES, least + _MARGIN) if success else max(1, least - 1 - _MARGIN)


def _line(
    tool: Tool, arguments: dict[str, str], character: Character | None, die: int, actor: str | None = None
) -> str:
    """A result line in which every die shows `die`, or its highest number if that is less."""
    bonus, label = bonus_for(character, tool, arguments)
    dice = _DICE.match(dice_for(character, tool, arguments))
    count, sides = (int(dice[1] or 1), int(dice[2])) if dice else (1, _SIDES)
    shown = (bonus or None) if tool.kind == "damage" else bonus
    return format_result(tool.name, [min(die, sides)] * count, shown, label, actor=actor)


def _weapon(tool: Tool, character: Character | None) -> dict[str, str]:
    attacks = character.attacks if character and tool.kind == "attack" else []
    return {"weapon": attacks[0].name.lower()} if attacks else {}


def _kind(tool: Tool) -> str:
    return {"skill": tool.spoken, "attack": "an attack roll"}.get(tool.kind, f"a roll of {tool.spoken}")


def _told(lines: str) -> str:
    return f"<TOOLCALL>{lines}</TOOLCALL>"
