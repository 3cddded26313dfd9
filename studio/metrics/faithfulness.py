"""Whether a turn agrees with the sheets: the party's names, what a character carries, and hit points.

Only what can be checked against the sheets and the conversation is: a new innkeeper's name is invention and welcome,
the heroine's name misspelled is a fault. Hit points are held against the maximum, not against every loss told before.
"""

from __future__ import annotations

import re

from studio.metrics.cases import TurnCase

_NAME = re.compile(r"\b[A-Z][\w’']+")
_GAUGE = re.compile(r"(?<![\w/+.-])(\d{1,4})\s?/\s?(\d{1,4})(?![\w/])")
_LEFT = re.compile(
    r"\b(?:you are|you're|are now|is now|now|down to|left with|up to)\s+(?:at\s+)?(\d{1,4})\s+(?:hit points|hp)\b", re.I
)
_COUNT = re.compile(r"^(?:\d+\s+|an?\s+|the\s+)|\s*(?:[x×]\s*\d+|\(.*\)|\+\d)\s*$", re.IGNORECASE)
_GEAR = {
    "sword", "longsword", "shortsword", "greatsword", "rapier", "scimitar", "dagger", "axe", "battleaxe", "greataxe",
    "handaxe", "mace", "warhammer", "hammer", "maul", "flail", "halberd", "spear", "trident", "quarterstaff", "bow",
    "longbow", "shortbow", "crossbow", "sling", "shield", "spellbook", "lute", "wand", "whip", "javelin", "morningstar",
}  # fmt: skip
"""Things that are on a sheet or in the story when somebody has them."""
NEAR = 80
"""Similarity (percent) from which another spelling is taken for the same name."""


def name_faults(text: str, case: TurnCase) -> list[str]:
    """Capitalized words that are nearly a party member's name and stand nowhere in the conversation."""
    from rapidfuzz import fuzz

    known = {one.casefold() for message in case.context for one in _NAME.findall(message.content)}
    names = [part for one in case.system.party for part in one.name.split() if len(part) > 3]
    written = dict.fromkeys(_bare(one) for one in _NAME.findall(text))
    return [
        one
        for one in written
        if one.casefold() not in known
        and len(one) > 3
        and any(one.casefold() != name.casefold() and fuzz.ratio(one, name) >= NEAR for name in names)
    ]


def item_faults(text: str, case: TurnCase) -> list[str]:
    """`your longbow` where the acting character's sheet has none and it is another's, or nobody's in the story."""
    actor = case.actor
    if actor is None:
        return []
    own = _belongings_of(case, actor.name)
    others = {one for member in case.system.party if member is not actor for one in _belongings_of(case, member.name)}
    story = {word for message in case.context[1:] for word in re.findall(r"[a-z']+", message.content.lower())}
    faults = []
    for item in sorted(_GEAR | others, key=len, reverse=True):
        claim = re.search(rf"\byour (?:[a-z-]+ )?{re.escape(item)}\b", text, re.IGNORECASE)
        if claim and not _has(own, item) and (item not in story or item in others):
            faults.append(claim[0])
    return faults


def hit_point_faults(text: str, case: TurnCase) -> list[str]:
    """Hit points above the maximum, and `N/M` whose maximum is nobody's and was not said before."""
    highest = {one.health.max for one in case.system.party if one.health.max is not None}
    said = {match[0].replace(" ", "").split("/")[1] for one in case.context for match in _GAUGE.finditer(one.content)}
    gauges = [
        match[0]
        for match in _GAUGE.finditer(text)
        if int(match[1]) > int(match[2]) or (int(match[2]) not in highest and match[2] not in said)
    ]
    return gauges + [match[0] for match in _LEFT.finditer(text) if highest and int(match[1]) > max(highest)]


def _bare(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def _has(own: set[str], item: str) -> bool:
    return any(item in one.split() or one in item.split() or item == one for one in own)


def _belongings_of(case: TurnCase, name: str) -> set[str]:
    member = case.system.character(name)
    if member is None:
        return set()
    written = [*member.inventory, *(one.name for one in member.attacks), *member.spells]
    return {folded for one in written if len(folded := _COUNT.sub("", _COUNT.sub("", one.strip())).lower()) > 2}
