"""What the review of variations shows: operations in plain words, lists and filters, and what a variation changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from pathlib import PurePosixPath
from typing import Literal

from studio.dataset.augmentation import Proposal, Refused, Status
from studio.ui.wording import count, printable

Part = tuple[Literal["same", "was", "now"], str]
PAGE = 12
"""Variations on one page of the list."""
MOST_CHANGES = 150
"""Changed places that are drawn; a browser gets slow beyond some hundred."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_AROUND = 48
"""Characters that stay the same and are shown on either side of a change."""


@dataclass(frozen=True, slots=True)
class Wording:
    """An operation in a Dungeon Master's words. `how`: what to write where no scenario offers what it needs."""

    title: str
    sentence: str
    how: str = ""


WORDINGS: dict[str, Wording] = {
    "paraphrase slots": Wording(
        "Other wordings",
        "Takes another of the wordings that you wrote as {one|another}.",
        "Write choices into a turn, for example {A bell rings|Somewhere a bell begins to ring}, and each variation "
        "takes one of them.",
    ),
    "entity renaming": Wording(
        "Other names", "Gives people, places and things other names, everywhere in the scene and everywhere the same."
    ),
    "re-rolled dice": Wording(
        "Other dice",
        "Throws the dice again. The verdict stays, or your own turn for the other verdict is told.",
    ),
    "difficulty": Wording("Other difficulties", "Moves a dc=, but never past the total that was rolled."),
    "skill bonus": Wording("Other skills", "Changes a skill on a sheet within the rules, and every sum that uses it."),
    "party order": Wording("Another party order", "Lists the companions in another order. Nothing else changes."),
    "levels": Wording("Other levels", "Moves a level up or down with hit points and experience, within the rules."),
    "no rolls": Wording(
        "Talk without dice",
        "Keeps an unbroken part of the scene in which nobody rolls. Read it: it may speak of what is gone.",
    ),
}
ALTERNATIVES = (
    "To let other dice change how a scene goes, write the other outcome into a comment right below the turn: "
    "<!-- otherwise: <DM>*FAILED* The stair groans.</DM> -->"
)
_STATUSES: dict[Status, tuple[str, str]] = {
    "proposed": ("Waiting", "pending"),
    "accepted": ("Accepted", "check_circle"),
    "rejected": ("Rejected", "cancel"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One changed place: its line in the scenario (from 1), and what stays, goes and comes."""

    line: int
    parts: tuple[Part, ...]


def status_title(status: Status, number: int) -> str:
    """`Waiting 12`."""
    return f"{_STATUSES[status][0]} {number:,}"


def status_icon(status: Status) -> str:
    """The name of the icon of a status."""
    return _STATUSES[status][1]


def operations_title(operations: Sequence[str]) -> str:
    """`Other names, other dice`. Wordings are chosen in any variation, so they are named only when alone."""
    told = [one for one in operations if one != "paraphrase slots"] or list(operations)
    titles = [WORDINGS[one].title if one in WORDINGS else one for one in told]
    return ", ".join([*titles[:1], *(title[:1].lower() + title[1:] for title in titles[1:])])


def scene_title(parent: str) -> str:
    """`combat/tavern-brawl.md` -> `tavern-brawl`."""
    return printable(PurePosixPath(parent).stem)


def titles(proposals: Sequence[Proposal]) -> dict[str, str]:
    """A title for each variation by name; those of one scenario and operation are numbered."""
    kinds = Counter((one.parent, one.operations) for one in proposals)
    seen: Counter[tuple[str, tuple[str, ...]]] = Counter()
    found: dict[str, str] = {}
    for one in proposals:
        kind = (one.parent, one.operations)
        seen[kind] += 1
        number = f" {seen[kind]}" if kinds[kind] > 1 else ""
        found[one.name] = f"{scene_title(one.parent)} · {operations_title(one.operations)}{number}"
    return found


def filtered(
    proposals: Sequence[Proposal], status: Status | None, operation: str | None, parent: str | None
) -> list[Proposal]:
    """The variations that pass every filter that is set."""
    return [
        one
        for one in proposals
        if status in (None, one.status)
        and (operation is None or operation in one.operations)
        and parent in (None, one.parent)
    ]


def reach_sentence(found: int, looked_at: int, total: int) -> str:
    """How many scenarios an operation can vary; an estimate where only some were looked at."""
    if looked_at < total:
        return f"about {round(found / looked_at * total):,} of {total:,}"
    return f"{found:,} of {total:,}"


def outcome_sentence(made: int, new: int, refused: int) -> str:
    """What a call for proposals came to."""
    parts = [f"{count(new, 'new variation')} to look at." if new else "Nothing new came out."]
    if made > new:
        parts.append(f"{made - new:,} were there already and keep their decision.")
    if refused:
        parts.append(f"{refused:,} could not be made.")
    return " ".join(parts)


def refused_rows(refused: Sequence[Refused]) -> list[dict[str, str]]:
    """What was not made, and why, a row each."""
    return [
        {
            "Scenario": scene_title(one.parent),
            "Variation": operations_title(one.operations) if one.operations else "All",
            "Why": printable(one.reason),
        }
        for one in refused
    ]


def changes(before: str, after: str) -> list[Change]:
    """What differs between two texts, word by word, with a little of what stays around it."""
    old, new = before.splitlines(), after.splitlines()
    found: list[Change] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "replace" and b - a == d - c:
            pairs = zip(old[a:b], new[c:d], strict=True)
            found += [Change(a + 1 + place, tuple(_words(*pair))) for place, pair in enumerate(pairs)]
        elif kind != "equal":
            gone: list[Part] = [("was", "\n".join(old[a:b]))] if b > a else []
            come: list[Part] = [("now", "\n".join(new[c:d]))] if d > c else []
            found.append(Change(a + 1, (*gone, *come)))
    return found


def changes_html(found: Sequence[Change]) -> str:
    """The changed places as HTML in which nothing that a person wrote is markup."""
    if not found:
        return '<div class="changes"><p class="more">Only its origin in the front matter is new.</p></div>'
    rows = "".join(_change_html(one) for one in found[:MOST_CHANGES])
    left = len(found) - MOST_CHANGES
    more = f'<p class="more">And {count(left, "more change")}.</p>' if left > 0 else ""
    return f'<div class="changes">{rows}{more}</div>'


def _change_html(one: Change) -> str:
    tags: Mapping[str, tuple[str, str]] = {"same": ("", ""), "was": ("<del>", "</del>"), "now": ("<ins>", "</ins>")}
    text = "".join(f"{tags[kind][0]}{escape(printable(words))}{tags[kind][1]}" for kind, words in one.parts)
    return f'<div class="change"><span class="line" title="Line in the scenario">{one.line}</span><p>{text}</p></div>'


def _words(old: str, new: str) -> Iterator[Part]:
    """Two lines, word by word; long stretches that stay are shortened."""
    was, now = _WORDS.findall(old), _WORDS.findall(new)
    codes = SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    for place, (kind, a, b, c, d) in enumerate(codes):
        if kind == "equal":
            yield "same", _shortened("".join(was[a:b]), first=place == 0, last=place == len(codes) - 1)
            continue
        if b > a:
            yield "was", "".join(was[a:b])
        if d > c:
            yield "now", "".join(now[c:d])


def _shortened(text: str, *, first: bool, last: bool) -> str:
    """A stretch that stays: its end before the first change, its beginning after the last one, both in between."""
    head, tail = (0 if first else _AROUND), (0 if last else _AROUND)
    if len(text) <= head + tail + 24:
        return text
    begin = text[:head].rsplit(" ", 1)[0] + " … " if head else "… "
    return begin.rstrip() if not tail else begin + text[len(text) - tail :].split(" ", 1)[-1]
