"""Did you mean: the known word that is most like what was written."""

from __future__ import annotations

from collections.abc import Collection

_LONGEST = 80
"""Longer text (characters) is no misspelled word, and comparing it costs time."""


def closest(written: str, known: Collection[str], at_least: int, *, folded: bool = False) -> str | None:
    """The known word most like `written` (normalized edit similarity in percent), or None below `at_least`.

    With `folded` all words are in lower case already, which makes long lists about three times faster.
    """
    from rapidfuzz import fuzz, process, utils

    if len(written) > _LONGEST:
        return None
    processor = None if folded else utils.default_process
    words = known if isinstance(known, tuple) else list(known)
    found = process.extractOne(written, words, scorer=fuzz.ratio, processor=processor, score_cutoff=at_least)
    return str(found[0]) if found else None
