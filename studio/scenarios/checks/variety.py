"""The S checks of what makes one scenario into several: slots, alternatives marked `otherwise:`, listed entities."""

from __future__ import annotations

from collections.abc import Iterator

from studio.scenarios.checks import schema_codes as codes
from studio.scenarios.checks.report import Report, replace, suggest
from studio.scenarios.directives import find_directives
from studio.scenarios.entities import ENTITY_KINDS, listed_entities
from studio.scenarios.exchanges import OUTCOME, is_success, read_outcome
from studio.scenarios.otherwise import Otherwise, Slip
from studio.scenarios.reading import Turn
from studio.scenarios.slots import Slot, expand, find_braces

_LONGEST_OPTION = 80
"""Characters between braces without a bar; longer ones are hardly meant as a slot."""
_SLIPS = {
    Slip.NO_COLON: "Behind 'otherwise' a colon is missing, so this is only a note.",
    Slip.NO_TURN: "An alternative is one DM turn with both of its tags, and nothing else in the comment.",
    Slip.NO_OUTCOME: "The turn in this comment begins with neither *SUCCESS* nor *FAILED*.",
}


def check_variety(report: Report) -> None:
    """Every S code about slots, alternatives and entities."""
    if "{" in report.reading.text:
        _check_slots(report)
    _check_alternatives(report)
    _check_entities(report)


def _check_slots(report: Report) -> None:
    system = report.reading.tree.system
    if system is not None:
        _check_braces(report, system.body_start, report.reading.tree.body(system), "in the SYSTEM block")
    for turn in report.reading.turns:
        place = "in an answer of the dice" if turn.speaker == "TOOLCALL" else ""
        _check_braces(report, turn.start, turn.content, place)
    for one in report.reading.otherwise:
        _check_braces(report, one.start, report.reading.text[one.start : one.end], "")


def _check_braces(report: Report, offset: int, text: str, fixed_by: str) -> None:
    """`fixed_by`: where the text stands, when no slot of it leaves a choice."""
    if "{" not in text:
        return
    braces = find_braces(text)
    for slot in _all(braces.slots):
        if fixed_by or slot.is_fixed:
            _tell_fixed(report, offset, text, slot, fixed_by or "in or around square brackets")
        else:
            _check_options(report, offset, text, slot)
    for slot in braces.open if not fixed_by else ():
        report.add(
            codes.UNCLOSED_SLOT,
            offset + slot.start,
            offset + slot.bars[0] + 1,
            "This slot has no closing brace, so the model would read the brace and the bars. Write } behind its last "
            "option, or put it between backticks if it is meant as it stands.",
        )
    for slot in braces.plain if not fixed_by else ():
        _check_plain(report, offset, text, slot)


def _all(slots: tuple[Slot, ...]) -> Iterator[Slot]:
    """The slots and those inside them; the ones in a fixed slot are told with it."""
    waiting = list(reversed(slots))
    while waiting:
        slot = waiting.pop()
        yield slot
        if not slot.is_fixed:
            waiting += reversed(slot.inside)


def _tell_fixed(report: Report, offset: int, text: str, slot: Slot, where: str) -> None:
    start, end = slot.options[0]
    said = f"There is no choice {where}: only the first option is ever read. Take the others away."
    fix = suggest("Keep the first option", offset + slot.start, offset + slot.end, text[start:end])
    report.add(codes.FIXED_SLOT, offset + slot.start, offset + slot.end, said, fix)


def _check_options(report: Report, offset: int, text: str, slot: Slot) -> None:
    if slot.inside:
        return  # it has words, and to compare options that nest would take time beyond measure
    options = [text[start:end] for start, end in slot.options]
    start, end = offset + slot.start, offset + slot.end
    if not any(one.strip() for one in options):
        fix = replace("Take it away", start, end, options[0])
        report.add(codes.EMPTY_SLOT, start, end, "This slot has no words in it. Write some, or take it away.", fix)
    elif len(set(options)) == 1:
        fix = replace("Take the braces away", start, end, options[0])
        report.add(codes.ONE_OPTION, start, end, "All options of this slot are the same words.", fix)


def _check_plain(report: Report, offset: int, text: str, slot: Slot) -> None:
    """`{x}`: legal, and what the model reads, but mostly a slot that was begun."""
    words = text[slot.start + 1 : slot.end - 1]
    if slot.is_fixed or slot.inside or "\n" in words or len(words) > _LONGEST_OPTION or not words[:1].isalpha():
        return
    start, end = offset + slot.start, offset + slot.end
    said = "Braces without a bar are no slot: the model reads them. Write the other words behind a bar: {this|that}."
    report.add(codes.ONE_OPTION, start, end, said, suggest("Take the braces away", start, end, words))


def _check_alternatives(report: Report) -> None:
    found = report.reading.otherwise
    if not found:
        return
    turns = {id(turn.node): turn for turn in report.reading.turns}
    answered = {id(one.outcome.node) for one in report.reading.exchanges if one.outcome is not None and one.pairs}
    for one in found:
        turn = turns.get(id(one.told))
        start, end = one.comment.start, one.comment.end
        if one.slip is not None:
            fix = replace("Write the colon", one.mark_end, one.mark_end, ":") if one.slip is Slip.NO_COLON else None
            report.add(codes.OTHERWISE_UNREAD, start, end, _SLIPS[one.slip], fix)
        elif turn is None or id(turn.node) not in answered:
            said = "It does not stand right behind a DM turn that tells how a roll went, so it is never told."
            report.add(codes.OTHERWISE_ASTRAY, start, end, said)
        else:
            _check_against(report, one, turn)


def _check_against(report: Report, one: Otherwise, turn: Turn) -> None:
    """An alternative beside the turn that it stands for."""
    content = report.reading.text[one.start : one.end]
    word = read_outcome(turn.content)
    if word is not None and is_success(word) == one.success:
        other = "*FAILED*" if one.success else "*SUCCESS*"
        said = f"It tells the same outcome as the turn above. It is for the other one: {other}."
        mark = OUTCOME.search(content)
        where = (one.start + mark.start(), one.start + mark.end()) if mark else (one.start, one.start)
        report.add(codes.OTHERWISE_SAME, *where, said, suggest(f"Change to {other}", *where, other) if mark else None)
    asked = [found.canonical for found in find_directives(expand(content), report.reading.vocabulary)]
    if asked != [found.canonical for found in find_directives(expand(turn.content), report.reading.vocabulary)]:
        said = "It asks for something else than the turn above. What comes after is the same for both, so ask the same."
        report.add(codes.OTHERWISE_ASKS, one.start, one.end, said)


def _check_entities(report: Report) -> None:
    names, refused = listed_entities(report.reading.front_matter.values)
    if not (names or refused):
        return
    matter = next(node for node in report.reading.tree.nodes if node.kind == "front_matter")
    if refused:
        kinds = ", ".join(one for one in ENTITY_KINDS if one.endswith("s") or one == "people")
        said = f"{refused[0][:40]!r} cannot be used. Write a list of names, or lists below {kinds}."
        report.add(codes.BAD_ENTITIES, matter.start, matter.end, said)
    text = report.reading.text
    told = " ".join(text[matter.end :].split()).casefold()
    for one in names:
        if one.name.casefold() not in told:
            at = text.find(one.name, matter.body_start, matter.body_end)
            start, end = (at, at + len(one.name)) if at >= 0 else (matter.start, matter.end)
            said = f"{one.name} occurs nowhere in this scenario. Is it spelled as in the story?"
            report.add(codes.ABSENT_ENTITY, start, end, said)
