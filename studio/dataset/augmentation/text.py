"""What all operations need: a text read with positions, edits that touch nothing else, numbers that prose mentions."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.scenarios import Vocabulary
from studio.scenarios.reading import Reading, Turn, printable

_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL: list[str] = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
)


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters `start..end` by `text`."""

    start: int
    end: int
    text: str


def applied(text: str, edits: Iterable[Edit]) -> str | None:
    """The text after edits that must not overlap; None when they change nothing."""
    pieces, position = [], 0
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if edit.start < position:
            raise ValueError(f"edits overlap at {edit.start}")
        pieces += [text[position : edit.start], edit.text]
        position = edit.end
    changed = "".join([*pieces, text[position:]])
    return None if changed == text else changed


def read(text: str, vocabulary: Vocabulary) -> Reading:
    """The text with positions; bytes that were not UTF-8 count as one other character each."""
    return Reading(printable(text), vocabulary)


def generator(seed: int, purpose: str) -> random.Random:
    """Chance that is the same on every machine, and another one for every purpose."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - variety, not secrets


def newline_of(text: str) -> str:
    """The line end that a text uses: its first one."""
    match = re.search(r"\r\n|\n|\r", text)
    return match[0] if match else "\n"


def story_of(turns: Sequence[Turn]) -> str:
    """What players and the DM say in some turns, without their requests of rolls: those numbers tell nothing."""
    return "\n".join(_prose(turn) for turn in turns if turn.speaker != "TOOLCALL")


def mentions(story: str, number: int) -> bool:
    """Whether prose says a number, in digits or as an English word."""
    if re.search(rf"(?<![\d+/]){number}(?!\d)", story):
        return True
    word = _number_word(number)
    return bool(word) and re.search(rf"\b{word}\b", story, re.IGNORECASE) is not None


def _prose(turn: Turn) -> str:
    pieces, position = [], 0
    for one in turn.directives:
        if one.tool is not None and one.tool.rolls:
            pieces.append(turn.content[position : one.start])
            position = one.end
    return "".join([*pieces, turn.content[position:]])


def _number_word(number: int) -> str:
    if 0 <= number < len(_SMALL):
        return _SMALL[number]
    tens, rest = divmod(number, 10)
    if not 2 <= tens < len(_TENS):
        return ""
    return _TENS[tens] + (rf"[\s-]{_SMALL[rest]}" if rest else "")
