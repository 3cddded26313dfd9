"""Who speaks in a play-by-post text, and who that is at the table: forms of a post's head, counts, and the mapping.

Heads that are read: `Name:`, `**Name**` and `**Name:**`, `[Name]`, `<Name>`, `Name says "..."`, a copy of a Discord
channel (`Name - Today at 5:32 PM`), each with or without a time in brackets before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pydantic

from studio.errors import DatasetError

Part = Literal["DM", "Player", "Companion", "Dice", "Drop"]
PARTS: tuple[Part, ...] = ("DM", "Player", "Companion", "Dice", "Drop")
AT_THE_TABLE: tuple[Part, ...] = ("Player", "Companion")
"""Who has a character, and speaks to the DM under its name."""
_MOST_SPEAKERS = 2_000
_LONGEST = 2_000
"""Characters of a line that are looked at for a head."""
_NAME = r"[^\W_](?:[\w.'’#&-]|[ ](?=[^\W_(])){0,39}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp][Mm])?"
_DATE = r"(?:today|yesterday|[a-z]+day|\d{1,4}[/.-]\w{1,9}[/.-]\d{1,4})"
_WHEN = rf"(?:{_DATE},?\s+(?:at\s+)?{_CLOCK}|{_CLOCK})"
_TIME = re.compile(rf"\s*(?:\[{_WHEN}\]|\({_WHEN}\))\s*", re.IGNORECASE)
_DISCORD = re.compile(rf"\s*({_NAME}?)\s*(?:\b(?:APP|BOT)\b)?\s*(?:[—–-]\s*|\s)\s*{_WHEN}\s*", re.IGNORECASE)
_BOLD = re.compile(rf"\s*(?:\*\*|__)({_NAME})\s*(?::\s*(?:\*\*|__)|(?:\*\*|__)\s*(?::|$))\s*(.*)", re.DOTALL)
_BRACKET = re.compile(rf"\s*(?:\[({_NAME})\]|<({_NAME})>)\s*:?\s*(.*)", re.DOTALL)
_SAYS = re.compile(rf"\s*({_NAME}?) (?:says|said|asks|asked|replies|replied)[,:]?\s*([\"“].*)", re.DOTALL)
_PLAIN = re.compile(rf"\s*({_NAME})\s*:(?!//)\s*(.*)", re.DOTALL)
_DM = re.compile(r"(?:the\s+)?(?:dm|gm|dungeon\s?master|game\s?master|narrator|keeper|storyteller)\b.*", re.IGNORECASE)
_BOT = re.compile(r"avrae|dice\s?(?:maiden|parser|bot|roller)|rollem|rpbot|sidekick|roll20|tupperbox", re.IGNORECASE)
_OUT = re.compile(r"ooc|out of character|system|server|mod(?:erator)?", re.IGNORECASE)
_NOT_A_SPEAKER = frozenset(
    {"http", "https", "note", "ps", "edit", "roll", "total", "damage", "hp", "ac", "dc", "to hit"}
)


class Speaker(pydantic.BaseModel):
    """A name that heads posts, how often it does, and what it seems to be at the table."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: str
    posts: int
    line: int = pydantic.Field(description="Line of the first post.")
    part: Part
    doubtful: bool = pydantic.Field(False, description="A bare `Name:` that came once: read as text unless mapped.")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a post: who, and what stands behind it on the same line. `sure` is False for a bare `Name:`."""

    name: str
    rest: str
    sure: bool = True


@dataclass(frozen=True)
class Mapping:
    """Who is who: name (case does not matter) -> part, and the name under which a player speaks."""

    parts: dict[str, Part] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> Mapping:
        """Read `SPEAKER=WHO`, where WHO is DM, Player, Companion, Dice, Drop, or the name of the character it plays.

        Raises:
            DatasetError: a pair is malformed.
        """
        parts: dict[str, Part] = {}
        names: dict[str, str] = {}
        for pair in pairs:
            speaker, equals, who = (one.strip() for one in pair.rpartition("="))
            if not (equals and speaker and who):
                raise DatasetError(
                    f"{pair!r} does not say who is who.",
                    next_step="Write SPEAKER=WHO; WHO is DM, Player, Companion, Dice, Drop, or the character's name.",
                    where="--map",
                )
            part = next((one for one in PARTS if one.casefold() == who.casefold()), None)
            parts[speaker.casefold()] = part or "Player"
            if part is None:
                names[speaker.casefold()] = character_name(who)
        return cls(parts, names)

    def part(self, speaker: str) -> Part:
        """The part of a speaker: as mapped, else as its name suggests, else a player."""
        return self.parts.get(speaker.casefold()) or guess_part(speaker)

    def name(self, speaker: str) -> str:
        """What a player's turns are led by."""
        return self.names.get(speaker.casefold()) or character_name(speaker)


def guess_part(name: str) -> Part:
    """What a speaker is at the table, by the name alone."""
    for pattern, part in ((_DM, "DM"), (_BOT, "Dice"), (_OUT, "Drop")):
        if pattern.fullmatch(name) or (pattern is _BOT and pattern.search(name)):
            return next(one for one in PARTS if one == part)
    return "Player"


def character_name(written: str) -> str:
    """A name as our language takes it: no tag of a chat account, no brackets."""
    without = re.sub(r"#\d{4}$", "", written.strip())
    return re.sub(r"[\s#<>\[\](){},:=\"*|]+", " ", without).strip()[:40] or "Somebody"


def read_head(line: str) -> Head | None:
    """The head of a post that a line begins with, or None."""
    text = line[:_LONGEST]
    if (copied := _DISCORD.fullmatch(text)) and copied[1]:
        return Head(_stripped(copied[1]), "")
    timed = _TIME.match(text)
    text = text[timed.end() :] if timed else text
    rest_of_line = line[_LONGEST:]
    for pattern in (_BOLD, _BRACKET, _SAYS, _PLAIN):
        match = pattern.fullmatch(text)
        if match is not None:
            *names, rest = match.groups()
            name = next(one for one in names if one)
            return _head(name, rest + rest_of_line, sure=pattern is not _PLAIN or timed is not None)
    if timed is not None and re.fullmatch(_NAME, text.strip()):
        return Head(text.strip(), "")
    return None


def _head(name: str, rest: str, *, sure: bool) -> Head | None:
    name = _stripped(name)
    few = len(name.split()) <= 4 and name.casefold() not in _NOT_A_SPEAKER
    return Head(name, rest, sure) if few and not name.isdigit() else None


def _stripped(name: str) -> str:
    return re.sub(r"\s+(?:APP|BOT)$", "", name.strip())


class Survey:
    """Counts heads over a whole text; a bare `Name:` counts as a speaker when it comes twice or is mapped or the DM."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._found: dict[str, tuple[str, int, int, bool]] = {}

    def see(self, line: str, number: int) -> None:
        """Look at one line."""
        head = read_head(line)
        if head is None:
            return
        key = head.name.casefold()
        name, posts, first, sure = self._found.get(key, (head.name, 0, number, False))
        if posts or len(self._found) < _MOST_SPEAKERS:
            self._found[key] = (name, posts + 1, first, sure or head.sure)

    def speakers(self, *, doubtful: bool = False) -> list[Speaker]:
        """Who speaks, those with the most posts first; `doubtful` adds the names that count only when mapped."""
        found = [
            Speaker(name=name, posts=posts, line=line, part=self._mapping.part(name), doubtful=not self._counts(key))
            for key, (name, posts, line, _) in self._found.items()
            if doubtful or self._counts(key)
        ]
        return sorted(found, key=lambda one: (one.doubtful, -one.posts, one.line))

    def _counts(self, key: str) -> bool:
        name, posts, _, sure = self._found[key]
        return sure or posts > 1 or key in self._mapping.parts or guess_part(name) != "Player"


def nobody_is_dm(speakers: Sequence[Speaker]) -> str:
    """The reason why a text without a DM is refused, with what to do."""
    if not speakers:
        return "No speaker was found. Begin every post with a name and a colon, such as 'DM: The door opens.'"
    listed = ", ".join(f"{one.name} ({one.posts})" for one in speakers[:8])
    return f"Nobody is the DM. Speakers: {listed}. Say who it is, for example --map '{speakers[0].name}=DM'."
