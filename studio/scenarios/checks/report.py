"""Collects what the checks find: severity by setting, place by offset, no more of one code than a person can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from studio.scenarios.checks.rule import Rule
from studio.scenarios.checks.tool_call_codes import UNKNOWN_ACTOR
from studio.scenarios.models import Diagnostic, Fix, Severity
from studio.scenarios.reading import Reading
from studio.scenarios.settings import CheckSettings
from studio.scenarios.spelling import closest

_GUESSES = 2_000
"""Did-you-mean searches in one file; a file with more unknown words than that is not misspelled but something else."""


class Edit(NamedTuple):
    """A fix in the making: replace `start..end` by `text`."""

    title: str
    start: int
    end: int
    text: str
    safe: bool = True


class Report:
    """The diagnostics of one text, in the making."""

    def __init__(self, reading: Reading, settings: CheckSettings, overrides: dict[str, Severity | None]) -> None:
        self.reading = reading
        self.limits = settings.limits
        self._severity = {**settings.severity, **overrides} if overrides else settings.severity
        self._found: list[Diagnostic] = []
        self._counts: Counter[str] = Counter()
        self._guesses = 0

    def add(self, rule: Rule, start: int, end: int, message: str, fix: Edit | None = None) -> None:
        """Note one finding at the offsets `start..end` of the file."""
        severity = self._severity.get(rule.code, rule.severity)
        if severity is None:
            return
        self._counts[rule.code] += 1
        if self._counts[rule.code] > self.limits.per_code:
            return
        if fix is not None and self.reading.text[fix.start : fix.end] == fix.text:
            fix = None  # it would change nothing
        self._found.append(
            Diagnostic(
                code=rule.code,
                severity=severity,
                span=self.reading.lines.span(start, end),
                message=_printable(message),
                why=rule.why,
                fix=Fix(**fix._asdict()) if fix else None,
            )
        )

    def is_full(self, rule: Rule) -> bool:
        """Whether further findings of a code are only counted, so that working out a fix would be in vain."""
        return self._counts[rule.code] >= self.limits.per_code

    def guess(self, written: str, known: Collection[str], at_least: int = 0, *, folded: bool = False) -> str | None:
        """The known word that was probably meant, or None; `at_least` in percent, 0 for the limit of the settings."""
        self._guesses += 1
        if self._guesses > _GUESSES:
            return None
        return closest(written, known, at_least or self.limits.close_match, folded=folded)

    def check_name(self, name: str, start: int, end: int) -> None:
        """T023 when a name between `start` and `end` is almost one of the party. Others (a goblin) are fine."""
        names = [one.name for one in self.reading.party if one.name]
        if not name or not names or name.casefold() in {one.casefold() for one in names}:
            return
        guess = self.guess(name, names)
        if guess is None or _numbered(name, guess):
            return
        at = self.reading.text.rfind(name, start, end)
        fix = suggest(f"Change to {guess}", at, at + len(name), guess) if at >= 0 else None
        self.add(UNKNOWN_ACTOR, start, end, f"Nobody of the party is called {name[:60]}. Did you mean {guess}?", fix)

    def finish(self) -> list[Diagnostic]:
        """Everything found, in the order of the text; what was left out is counted in the last message of its code."""
        for code, count in self._counts.items():
            if (left_out := count - self.limits.per_code) > 0:
                self._note_left_out(code, left_out)
        return sorted(self._found, key=lambda one: (one.span.start, one.span.end, one.code))

    def _note_left_out(self, code: str, left_out: int) -> None:
        last = max(position for position, one in enumerate(self._found) if one.code == code)
        message = f"{self._found[last].message} ({left_out} more like this)"
        self._found[last] = self._found[last].model_copy(update={"message": message})


def _numbered(name: str, other: str) -> bool:
    """`Guard 1` and `Guard 2`: two of a kind, no slip of the pen."""
    return name.rstrip("0123456789 ") == other.rstrip("0123456789 ") and name[-1:].isdigit()


def _printable(message: str) -> str:
    """Messages quote the file, which may hold bytes that are not UTF-8; nobody downstream can encode those."""
    return message if message.isascii() else message.encode("utf-8", "backslashreplace").decode("utf-8")


def replace(title: str, start: int, end: int, text: str) -> Edit:
    """The edit that puts `text` in the place of `start..end` and keeps the meaning."""
    return Edit(title, start, end, text)


def suggest(title: str, start: int, end: int, text: str) -> Edit:
    """The same for an edit that may change the meaning: a person has to agree to it."""
    return Edit(title, start, end, text, safe=False)
