"""The R checks of what happens in the turns: conditions, spell slots, items, and natural twenties.

They count what the requests take and give, starting from the sheets; a change without `who` is nobody's.
"""

from __future__ import annotations

import re
from collections import Counter

from studio.scenarios.checks import game_codes as codes
from studio.scenarios.checks.report import Report, suggest
from studio.scenarios.directives import Directive
from studio.scenarios.exchanges import is_success, read_outcome
from studio.scenarios.models import Character
from studio.scenarios.srd import Srd, count_of, fold

_ITEMS = 300
"""Items of one sheet that are looked up; nobody carries more."""
_DEGREE = re.compile(r"(?:\s+(?:level\s+)?|\s*\()\d+\)?$")


def check_changes(report: Report, srd: Srd) -> None:
    """The R codes that look at turns."""
    ledger = _Ledger(report)
    for turn in report.reading.turns:
        for directive in turn.directives:
            place = turn.start + directive.start, turn.start + directive.end
            if directive.tool_name == "condition":
                _check_condition(report, directive, place, srd)
            elif directive.tool_name == "spell_slot":
                ledger.slot(directive, place)
            elif directive.tool_name == "inventory":
                ledger.item(directive, place)
            elif directive.tool_name == "rest":
                ledger.rest(directive)
    _check_naturals(report)


class _Ledger:
    """What each of the party has left, as far as the requests say."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._party = {one.name.casefold(): one for one in report.reading.party}
        self._slots = {name: Counter(one.spell_slots) for name, one in self._party.items() if one.spell_slots}
        self._items = {name: _carried(one) for name, one in self._party.items()}

    def slot(self, directive: Directive, place: tuple[int, int]) -> None:
        """A slot is used or comes back."""
        who, level = directive.arguments.get("who", "").casefold(), directive.arguments.get("level", "")[:1]
        if who not in self._slots or not level.isdecimal():
            return
        one, left, number = self._party[who], self._slots[who], int(level)
        if directive.arguments.get("change") == "restore":
            left[number] = min(left[number] + 1, one.spell_slots.get(number, 0))
        elif number not in one.spell_slots:
            said = (
                f"{one.name}'s sheet has no spell slots of level {level}. "
                "Add them to the line Spell Slots, or use another level."
            )
            self._report.add(codes.NO_SUCH_SLOT, *place, said)
        elif left[number] <= 0:
            said = f"{one.name} has used all {one.spell_slots[number]} spell slots of level {level} in this scene."
            self._report.add(codes.NO_SUCH_SLOT, *place, said)
        else:
            left[number] -= 1

    def rest(self, directive: Directive) -> None:
        """A long rest brings every slot back."""
        who = directive.arguments.get("who", "").casefold()
        if directive.arguments.get("rest") == "long":
            for name in self._slots.keys() & ({who} if who else self._slots.keys()):
                self._slots[name] = Counter(self._party[name].spell_slots)

    def item(self, directive: Directive, place: tuple[int, int]) -> None:
        """An item comes or goes."""
        who, written = directive.arguments.get("who", "").casefold(), directive.arguments.get("item", "")
        item, count = fold(written), count_of(written)
        if who not in self._items or not item:
            return
        carried, name = self._items[who], self._party[who].name
        if directive.arguments.get("action") == "add":
            carried[item] += count
            return
        held = next((one for one in (item, *carried) if carried[one] > 0 and (item in one or one in item)), None)
        if held is None:
            self._report.add(
                codes.NOT_CARRIED,
                *place,
                f"{name} does not carry {written[:60]}. Add it to the inventory, or give it in a turn before.",
            )
        elif carried[held] < count and item == held:
            self._report.add(codes.NOT_CARRIED, *place, f"{name} carries {carried[held]} of {held[:60]}, not {count}.")
        else:
            carried[held] = max(0, carried[held] - count)


def _carried(one: Character) -> Counter[str]:
    found: Counter[str] = Counter()
    for item in one.inventory[:_ITEMS]:
        found[fold(item)] += count_of(item)
    return found


def _check_condition(report: Report, directive: Directive, place: tuple[int, int], srd: Srd) -> None:
    written = _DEGREE.sub("", directive.arguments.get("condition", "").lower())
    guess = report.guess(written, srd.conditions) if written and written not in srd.conditions else None
    if guess:
        start, end = place
        at = (
            report.reading.text.lower().find(written, start, end) if not report.is_full(codes.UNKNOWN_CONDITION) else -1
        )
        fix = suggest(f"Change to {guess}", at, at + len(written), guess) if at >= 0 else None
        said = f"The SRD does not have the condition {written[:60]}. Did you mean {guess}?"
        report.add(codes.UNKNOWN_CONDITION, start, end, said, fix)


def _check_naturals(report: Report) -> None:
    for exchange in report.reading.exchanges:
        attacks = [pair for pair in exchange.pairs if pair.directive.tool_name == "attack" and pair.line.dice]
        word = read_outcome(exchange.outcome.content) if exchange.outcome else None
        if len(attacks) != 1 or word is None or exchange.outcome is None:
            continue
        die = attacks[0].line.dice[0]
        if die in (1, 20) and is_success(word) != (die == 20):
            start, end = exchange.outcome.start, exchange.outcome.start + word.end()
            right = "*SUCCESS*" if die == 20 else "*FAILED*"
            said = f"A natural {die} always {'hits' if die == 20 else 'misses'}: the word here is {right}."
            fix = suggest(f"Write {right} (then look at the story behind it)", start, end, right)
            report.add(codes.NATURAL_TWENTY, start, end, said, fix)
