"""Applies the fixes of diagnostics to a text. Where two overlap, the shorter one is applied and the other waits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from studio.scenarios.models import Diagnostic, Fix
from studio.scenarios.parser import MarkdownParser

_ROUNDS = 50
_MOST_PER_CODE = 100_000
_CHARACTERS = frozenset({"S014", "S015", "S016", "S017", "S018"})
"""Codes about single characters. They are fixed before anything else: an invisible one may hide a tag."""


@dataclass(frozen=True, slots=True)
class FixedText:
    """A text after fixing, how many fixes were applied, and what is left to look at."""

    text: str
    applied: int
    diagnostics: list[Diagnostic]


def apply_fixes(text: str, diagnostics: Iterable[Diagnostic], *, unsafe: bool = True) -> str:
    """`text` with every fix that does not overlap a shorter one; with `unsafe=False` only the safe ones."""
    return _apply(text, _compatible(_wanted(diagnostics, unsafe)))


def fix_text(text: str, parser: MarkdownParser, *, unsafe: bool = False) -> FixedText:
    """Fix, look again, and so on until nothing is left that a fix could do (or after fifty rounds)."""
    applied, thorough = 0, _without_limit(parser)
    diagnostics = thorough.validate_format(text).diagnostics
    for _ in range(_ROUNDS):
        first = [one for one in diagnostics if one.code in _CHARACTERS]
        fixes = _compatible(_wanted(first, unsafe) or _wanted(diagnostics, unsafe))
        fixed = _apply(text, fixes)
        if fixed == text:
            break
        text, applied = fixed, applied + len(fixes)
        diagnostics = thorough.validate_format(text).diagnostics
    return FixedText(text, applied, parser.validate_format(text).diagnostics)


def _without_limit(parser: MarkdownParser) -> MarkdownParser:
    """The same checks with every finding: a fix must not stop in the middle of a file because a list is full."""
    limits = parser.settings.limits.model_copy(update={"per_code": _MOST_PER_CODE})
    return MarkdownParser(parser.vocabulary, parser.settings.model_copy(update={"limits": limits}))


def _wanted(diagnostics: Iterable[Diagnostic], unsafe: bool) -> list[Fix]:
    return [one.fix for one in diagnostics if one.fix is not None and (unsafe or one.fix.safe)]


def _compatible(fixes: list[Fix]) -> list[Fix]:
    """The fixes that can be applied together, in the order of the text: shorter ones first come in."""
    chosen: list[Fix] = []
    for fix in sorted(fixes, key=lambda one: (one.end - one.start, one.start)):
        position = bisect_left(chosen, (fix.start, fix.end), key=lambda one: (one.start, one.end))
        after_previous = position == 0 or _apart(chosen[position - 1], fix)
        before_next = position == len(chosen) or _apart(fix, chosen[position])
        if after_previous and before_next:
            chosen.insert(position, fix)
    return chosen


def _apart(first: Fix, second: Fix) -> bool:
    return first.end <= second.start and (first.start, first.end) != (second.start, second.end)


def _apply(text: str, fixes: list[Fix]) -> str:
    pieces, position = [], 0
    for fix in fixes:
        pieces += [text[position : fix.start], fix.text]
        position = fix.end
    return "".join([*pieces, text[position:]])
