"""Pieces of text for the editor to put in: a request, and the answer to one, really rolled with the sheet's bonus.

Dice are thrown by whoever calls: `Dice` is what `play.turns.dice.DiceBox` does, which throws with d20 and a random
source of its own. Nothing here reads files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from studio.scenarios.directives import Directive, find_directives, format_directive
from studio.scenarios.exchanges import is_success, read_outcome
from studio.scenarios.library.errors import SnippetError
from studio.scenarios.library.sheet_lines import newline_of
from studio.scenarios.models import Character, Speaker
from studio.scenarios.reading import Reading, Turn
from studio.scenarios.results import Mode, format_result
from studio.scenarios.sheet import bonus_for, dice_for
from studio.scenarios.tree import Node, parse_tree
from studio.scenarios.vocabulary import Tool, Vocabulary, load_vocabulary


class Throw(Protocol):
    """Dice as they fell."""

    @property
    def dice(self) -> tuple[int, ...]:
        """The dice that count, in order."""
        ...

    @property
    def bonus(self) -> int | None:
        """The number in the expression itself, None when it has none."""
        ...

    @property
    def mode(self) -> Mode | None:
        """Advantage or disadvantage, when it was thrown so."""
        ...

    @property
    def pair(self) -> tuple[int, int] | None:
        """Both dice of advantage or disadvantage."""
        ...


class Dice(Protocol):
    """Whatever throws dice."""

    def throw(self, expression: str, mode: Mode | None = None) -> Throw:
        """Throw `2d6+3` or the like; `mode` is advantage or disadvantage on a single d20."""
        ...


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text with something put in, and where the cursor belongs now (offset in characters)."""

    text: str
    cursor: int


def directive_text(tool: str, arguments: Mapping[str, str] | None = None, vocabulary: Vocabulary | None = None) -> str:
    """A request as it should be written: `[roll: stealth, dc=14]`.

    Raises:
        SnippetError: the vocabulary has no such tool, or the arguments do not make a valid request of it.
    """
    words = vocabulary or load_vocabulary()
    found = words.find(tool)
    if found is None:
        raise SnippetError(f"There is no request {tool!r}.", next_step="Choose one from the list.")
    text = format_directive(found, dict(arguments or {}))
    read = find_directives(text, words)
    if len(read) != 1 or not read[0].valid or read[0].written != text:
        raise SnippetError(f"{text} would not be understood.", next_step="Check the values of the form.")
    return text


def rolled_line(
    tool: Tool, arguments: Mapping[str, str], character: Character | None, dice: Dice, *, actor: str | None = None
) -> str:
    """The result line of one roll: dice thrown now, the bonus from the sheet.

    Raises:
        SnippetError: the tool asks for no roll.
    """
    if not tool.rolls:
        raise SnippetError(f"{tool.spoken!r} asks for no roll.", next_step="Choose a roll.")
    values = dict(arguments)
    mode: Mode | None = "advantage" if "advantage" in values else "disadvantage" if "disadvantage" in values else None
    thrown = dice.throw(dice_for(character, tool, values), mode)
    bonus, label = bonus_for(character, tool, values)
    shown = thrown.bonus if tool.kind == "damage" else bonus
    return format_result(tool.name, thrown.dice, shown, label, actor=actor, mode=thrown.mode, pair=thrown.pair)


def insert(text: str, position: int, snippet: str) -> Insertion:
    """Put a snippet on a line of its own at `position` (an offset), in the line ends of the text."""
    at = min(max(position, 0), len(text))
    newline = newline_of(text)
    words = re.sub(r"\r\n|\r|\n", lambda _: newline, snippet)
    line_before = re.split(r"[\r\n]", text[:at])[-1]
    line_after = re.split(r"[\r\n]", text[at:], maxsplit=1)[0]
    head = newline if line_before.strip() and not line_before.rstrip().endswith(">") else ""
    tail = newline if line_after.strip() and not line_after.lstrip().startswith("</") else ""
    return Insertion(text[:at] + head + words + tail + text[at:], at + len(head) + len(words))


def insert_turn(text: str, position: int, speaker: Speaker, content: str = "") -> Insertion:
    """Put a new turn of `speaker` after the block at or before `position`; the cursor stands at its content."""
    blocks = [node for node in parse_tree(text).nodes if node.kind == "block" and node.start <= position]
    at = blocks[-1].end if blocks else len(text)
    newline = newline_of(text)
    head = "" if not text[:at].strip() else newline * 2
    rest = text[at:]
    tail = "" if rest[:1] in ("", "\r", "\n") else newline
    opened = text[:at] + head + f"<{speaker}>"
    return Insertion(opened + content.replace("\n", newline) + f"</{speaker}>" + tail + rest, len(opened))


def insert_request(text: str, position: int, request: str) -> Insertion:
    """Put a request of the DM where the cursor is: into the DM turn there, else into a new one after that block."""
    inside = any(node.block == "DM" and node.body_start <= position <= node.body_end for node in parse_tree(text).nodes)
    return insert(text, position, request) if inside else insert_turn(text, position, "DM", f"\n\n{request}")


def insert_otherwise(text: str, position: int, vocabulary: Vocabulary | None = None) -> Insertion:
    """Put an empty alternative behind the DM turn at or before `position`, which tells how a roll went.

    It has the other outcome and the requests of that turn. Where the turn has an alternative, the cursor goes there.

    Raises:
        SnippetError: the turn tells no outcome.
    """
    reading = Reading(text, vocabulary or load_vocabulary())
    turn = _dm_turn(reading, position)
    word = read_outcome(turn.content) if turn else None
    if turn is None or word is None or not any(one.outcome is turn and one.pairs for one in reading.exchanges):
        raise SnippetError(
            "The turn here does not tell how a roll went.",
            next_step="Put the cursor into the DM turn after the dice.",
        )
    if there := next((one for one in reading.otherwise if one.told is turn.node), None):
        return Insertion(text, there.end)
    newline = newline_of(text)
    begun = f"{newline * 2}<!-- otherwise:{newline}<DM>{'*FAILED*' if is_success(word) else '*SUCCESS*'} "
    asked = "".join(f"{newline * 2}{one.written}" for one in turn.directives)
    at = turn.node.end
    return Insertion(f"{text[:at]}{begun}{asked}</DM>{newline}-->{text[at:]}", at + len(begun))


def open_requests(text: str, position: int, vocabulary: Vocabulary | None = None) -> list[Directive]:
    """The rolls that the DM turn at or before `position` asks for and that nothing answers yet."""
    reading = Reading(text, vocabulary or load_vocabulary())
    turn = _dm_turn(reading, position)
    return _unanswered(reading, turn) if turn else []


def insert_answer(text: str, position: int, dice: Dice, vocabulary: Vocabulary | None = None) -> Insertion:
    """Roll what the DM turn at or before `position` asks for and put the answer in a TOOLCALL turn after it.

    Whoever the request names rolls, else whoever spoke (`Sarah: I sneak`), else the first player character. Initiative
    without a name is rolled by the whole party.

    Raises:
        SnippetError: nothing there waits for a roll.
    """
    words = vocabulary or load_vocabulary()
    reading = Reading(text, words)
    turn = _dm_turn(reading, position)
    waiting = _unanswered(reading, turn) if turn else []
    if turn is None or not waiting:
        raise SnippetError(
            "No roll is waiting for an answer here.", next_step="Put the cursor into a DM turn that asks for a roll."
        )
    lines = [line for directive in waiting for line in _answers(reading, turn, directive, dice)]
    return _put_answer(reading, turn, lines)


def _dm_turn(reading: Reading, position: int) -> Turn | None:
    before = [turn for turn in reading.turns if turn.speaker == "DM" and turn.node.start <= position]
    return before[-1] if before else None


def _unanswered(reading: Reading, turn: Turn) -> list[Directive]:
    exchange = next((one for one in reading.exchanges if one.asked is turn), None)
    waiting = exchange.unanswered if exchange else []
    return [one for one in waiting if one.tool is not None and one.tool.rolls]


def _answers(reading: Reading, turn: Turn, directive: Directive, dice: Dice) -> list[str]:
    tool = directive.tool
    if tool is None:
        return []
    character = _actor(reading, turn, directive)
    lines = [rolled_line(tool, directive.arguments, character, dice)]
    if tool.kind == "initiative" and "who" not in directive.arguments:
        others = [one for one in reading.party if one is not character]
        lines += [rolled_line(tool, directive.arguments, one, dice, actor=one.name) for one in others]
    return lines


def _actor(reading: Reading, turn: Turn, directive: Directive) -> Character | None:
    """Whose sheet counts; nobody's when the request names somebody without one."""
    exchange = next((one for one in reading.exchanges if one.asked is turn), None)
    name = directive.arguments.get("who") or (exchange.speaker_name if exchange else None)
    if name:
        return next((one for one in reading.party if one.name.casefold() == name.casefold()), None)
    players = [one for one in reading.party if one.is_player] or reading.party
    return players[0] if players else None


def _put_answer(reading: Reading, turn: Turn, lines: list[str]) -> Insertion:
    """After the lines of the TOOLCALL turn that follows, or in a new one."""
    newline = newline_of(reading.text)
    following = _next_turn(reading, turn.node)
    if following is not None and following.speaker == "TOOLCALL":
        at = following.start + len(following.content)
        added = (newline if following.content else "") + newline.join(lines)
    else:
        at = turn.node.end
        added = f"{newline}{newline}<TOOLCALL>{newline.join(lines)}</TOOLCALL>"
    return Insertion(reading.text[:at] + added + reading.text[at:], at + len(added))


def _next_turn(reading: Reading, node: Node) -> Turn | None:
    return next((turn for turn in reading.turns if turn.node.start > node.start), None)
