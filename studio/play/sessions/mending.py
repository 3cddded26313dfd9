"""Makes a played conversation a valid scenario: takes out what no engine ever answered, and says what it took.

Only what cannot be learned from goes: requests that nobody understood or answered, results that nobody asked for,
empty turns and broken characters. What the Dungeon Master told is never changed; an outcome against the dice, for one,
is a person's to put right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from studio.scenarios import ResultLine, ResultProblem, Vocabulary
from studio.scenarios.reading import Reading, Turn

_BROKEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]+")
_UNFINISHED = re.compile(r"\[[^\[\]\n]*$")
"""A bracket that a reply was cut off in."""
_ROUNDS = 8
"""Taking something out may leave something else without its other half; real sessions need two rounds."""
_LONGEST = 80


@dataclass(frozen=True)
class Mended:
    """A scenario's text, and what was taken out of it, a sentence each."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cut:
    start: int
    end: int
    note: str = ""


def mend(text: str, vocabulary: Vocabulary) -> Mended:
    """The text without what makes a played conversation invalid. Never raises; a second call changes nothing."""
    clean = _BROKEN.sub("", text)
    notes = ["Characters that cannot be read were taken out."] if clean != text else []
    for _ in range(_ROUNDS):
        cuts = list(_cuts(Reading(clean, vocabulary)))
        if not cuts:
            break
        clean = _without(clean, cuts)
        notes += [one.note for one in cuts if one.note]
    return Mended(clean, tuple(dict.fromkeys(notes)))


def _cuts(reading: Reading) -> Iterator[_Cut]:
    for turn in reading.turns:
        if not turn.content:
            yield _Cut(turn.node.start, turn.node.end)
        if turn.speaker == "DM":
            for one in turn.directives:
                if not one.valid:
                    yield _request(turn, one.start, one.end, "it could not be understood")
            known = max((one.end for one in turn.directives), default=0)
            if unfinished := _UNFINISHED.search(turn.content, known):
                yield _request(turn, *unfinished.span(), "it was not finished")
    for exchange in reading.exchanges:
        if exchange.asked is not None and not exchange.is_last:
            for one in exchange.unanswered:
                if one.valid and one.tool is not None and one.tool.needs_answer:
                    yield _request(exchange.asked, one.start, one.end, "nothing answered it")
        for turn, line in exchange.stray:
            if line.tool is not None or ResultProblem.UNREADABLE in line.problems:
                yield _line(turn, line)


def _request(turn: Turn, start: int, end: int, why: str) -> _Cut:
    """A request with the space before it, where nothing but space follows in its line."""
    written = turn.content[start:end]
    after = turn.content[end:]
    if not after.split("\n", 1)[0].strip():
        start = len(turn.content[:start].rstrip())
    return _Cut(turn.start + start, turn.start + end, f"{_short(written)} was taken out: {why}.")


def _line(turn: Turn, line: ResultLine) -> _Cut:
    """A line of a TOOLCALL turn with its end."""
    end = line.end + turn.content[line.end :].startswith("\n")
    note = f"The result {_short(line.written.strip())} was taken out: nothing asked for it."
    return _Cut(turn.start + line.start, turn.start + end, note)


def _without(text: str, cuts: list[_Cut]) -> str:
    for one in sorted(cuts, key=lambda cut: cut.start, reverse=True):
        text = text[: one.start] + text[one.end :]
    return text


def _short(written: str) -> str:
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…"
