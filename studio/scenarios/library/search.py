"""Finds scenarios by what somebody types: in names and titles (with typing mistakes), then in the text.

Text is searched as written, case ignored; it is read from the files at that moment, so nothing can be out of date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from rapidfuzz import fuzz, process, utils

from studio.scenarios.library.entries import ScenarioEntry
from studio.scenarios.library.files import decode

_CLOSE_ENOUGH = 82.0
"""rapidfuzz score (0 to 100) from which a name with typing mistakes counts."""
_AROUND = 40
MAX_QUERY = 200


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A scenario that was found. For a hit in the text, `line` counts from 1 and `excerpt` shows the place."""

    entry: ScenarioEntry
    where: Literal["name", "title", "text"]
    line: int = 0
    excerpt: str = ""


def search(
    entries: list[ScenarioEntry], query: str, read: Callable[[str], bytes | None], limit: int
) -> Iterator[SearchHit]:
    """Hits in order of worth, one per scenario: names and titles first, then texts in the order of the list.

    Args:
        read: gives the bytes of an id, None when the file is gone.
    """
    wanted = " ".join(query.split())[:MAX_QUERY]
    if wanted:
        yield from islice(_hits(entries, wanted, read), limit)


def _hits(entries: list[ScenarioEntry], wanted: str, read: Callable[[str], bytes | None]) -> Iterator[SearchHit]:
    seen = set()
    for hit in _name_hits(entries, wanted):
        if hit.entry.id not in seen:
            seen.add(hit.entry.id)
            yield hit
    rest = [entry for entry in entries if entry.id not in seen]
    yield from _text_hits(rest, wanted, read)


def _name_hits(entries: list[ScenarioEntry], wanted: str) -> Iterator[SearchHit]:
    folded = wanted.casefold()
    for entry in entries:
        if folded in entry.id.casefold():
            yield SearchHit(entry, "name")
        elif folded in entry.title.casefold():
            yield SearchHit(entry, "title")
    for where in ("name", "title"):
        yield from _close_hits(entries, wanted, where)


def _close_hits(entries: list[ScenarioEntry], wanted: str, where: Literal["name", "title"]) -> Iterator[SearchHit]:
    if len(wanted) < 4:  # so short that nearly everything is close
        return
    choices = {number: _words(getattr(entry, where)) for number, entry in enumerate(entries)}
    close = process.extract(_words(wanted), choices, scorer=fuzz.partial_ratio, score_cutoff=_CLOSE_ENOUGH, limit=None)
    for choice, _, number in close:
        if len(choice) * 2 >= len(wanted):
            yield SearchHit(entries[number], where)


def _text_hits(
    entries: Iterable[ScenarioEntry], wanted: str, read: Callable[[str], bytes | None]
) -> Iterator[SearchHit]:
    pattern = re.compile(r"\s+".join(map(re.escape, wanted.split())), re.IGNORECASE)
    first_word = wanted.split()[0].lower().encode() if wanted.isascii() else b""
    for entry in entries:
        content = read(entry.id)
        if content is None or first_word not in content.lower():
            continue
        text = decode(content)
        if match := pattern.search(text):
            yield SearchHit(entry, "text", text.count("\n", 0, match.start()) + 1, _excerpt(text, match))


def _excerpt(text: str, match: re.Match[str]) -> str:
    start, end = max(0, match.start() - _AROUND), min(len(text), match.end() + _AROUND)
    line = " ".join(text[start:end].split())
    shown = f"{'…' if start else ''}{line}{'…' if end < len(text) else ''}"
    return shown.encode("utf-8", errors="replace").decode("utf-8")


def _words(name: str) -> str:
    return utils.default_process(name)
