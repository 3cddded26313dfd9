"""Numbers in a reader's words: sizes, durations, counts, moments and hashes."""

from __future__ import annotations

import re
from datetime import datetime

_SHORTCODE = re.compile(r":(?=[a-z0-9_+/-]+:)")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_FOREVER = 1000 * _DAY  # an estimate beyond this is no estimate


def size(count: float) -> str:
    """Bytes as a person reads them: `98 MB`. Decimal units, as file managers and phones show them."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def duration(seconds: float | None) -> str:
    """Seconds as `45 s`, `3 min 20 s` or `2 h 5 min`; a dash when unknown."""
    if seconds is None or not 0 <= seconds < _FOREVER:
        return "–"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def about(seconds: float) -> str:
    """An estimate, no finer than it can be: `less than a minute`, `about 12 minutes`, `about 2 h 40 min`."""
    minutes = round(seconds / _MINUTE)
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return f"about {count(minutes if minutes < 20 else 5 * round(minutes / 5), 'minute')}"
    if seconds < _DAY:
        hours, rest = divmod(round(minutes, -1), 60)
        return f"about {hours} h {rest} min" if rest else f"about {hours} h"
    return f"about {count(round(seconds / _DAY), 'day')}" if seconds < _FOREVER else "years"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 turn`, `1,204 turns`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def moment(timestamp: float, now: float) -> str:
    """A Unix time as seen from `now`: `just now`, `5 min ago`, `3 h ago`, or the date."""
    age = now - timestamp
    if age < _MINUTE:
        return "just now"
    if age < _HOUR:
        return f"{age // _MINUTE:.0f} min ago"
    if age < _DAY:
        return f"{age // _HOUR:.0f} h ago"
    return datetime.fromtimestamp(timestamp).strftime("%d %b %Y, %H:%M")


def short_hash(digest: str, digits: int = 12) -> str:
    """The first digits of a SHA-256, enough to compare by eye; a dash when there is none."""
    return digest[:digits] if digest else "–"


def plain(text: str) -> str:
    """User text for a Streamlit label or message: every character that its markdown gives a meaning is escaped.

    A shortcode (`:material/home:`) gets a word joiner (U+2060) inside: Streamlit looks for those after unescaping.
    """
    apart = _SHORTCODE.sub(":\u2060", text)
    return "".join(f"\\{character}" if character in "\\`*_{}[]()<>#+-.!|~$:^&" else character for character in apart)


def printable(text: str) -> str:
    """Text as a browser can be given it: bytes that were not UTF-8 (lone surrogates) become question marks."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
