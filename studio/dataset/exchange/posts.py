"""Play-by-post text -> records: posts by speaker, out-of-character talk left out, dice of bots turned into answers.

A rule (`---`, `***`, `===`) or a heading begins a new scene, and so does the next player's post after `MOST_POSTS`.
Nothing is invented: a request is added only where complete dice stand in the text, because an answer needs one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from studio.dataset.exchange.dice import DiceLine, holds_dice, read_dice
from studio.dataset.exchange.models import Note, Record, Rejected, shown
from studio.dataset.exchange.speakers import AT_THE_TABLE, Mapping, Speaker, Survey, nobody_is_dm, read_head
from studio.dataset.exchange.streams import Line, read_lines
from studio.dataset.exchange.writing import DEFAULT_SYSTEM, tidy_title
from studio.scenarios import Message, Role, Vocabulary, find_directives

MOST_POSTS = 120
"""Posts of one scenario; longer scenes are cut before a player's post."""
_MOST_CHARACTERS = 400_000
_RULE = re.compile(r"\s*(?:-{3,}|\*{3,}|={3,}|_{3,}|(?:\* ){2,}\*)\s*")
_HEADING = re.compile(r"#{1,3}[ \t]+(\S.{0,120})")
_CONTINUES_ROLL = re.compile(r"\s*(?:=\s*-?\d{1,5}|[(\[][\d\s+,]{1,80}[)\]](?:\s*[+-]\s*\d{1,3}){0,4})\s*")
_OUT_OF_CHARACTER = re.compile(
    r"\s*(?:\(\(.*|.*\)\)\s*|[(\[]\s*OOC\b.*|OOC\s*[:>-].*|//(?!\S*\.).*)", re.IGNORECASE | re.DOTALL
)


def survey(path: Path, mapping: Mapping | None = None, *, doubtful: bool = False) -> list[Speaker]:
    """Who speaks in a text, those with the most posts first, and what each is taken for.

    With `doubtful` also, at the end, every name that may as well be text: `Smells: wet straw.`

    Raises:
        DatasetError: the file cannot be read.
    """
    counted = Survey(mapping or Mapping())
    for line in read_lines(path):
        counted.see(line.text, line.number)
    return counted.speakers(doubtful=doubtful)


def read_posts(path: Path, mapping: Mapping, vocabulary: Vocabulary) -> Iterator[Record | Rejected]:
    """The scenes of a text, one after another.

    Raises:
        DatasetError: the file cannot be read.
    """
    speakers = survey(path, mapping)
    if not any(one.part == "DM" for one in speakers):
        yield Rejected(shown(path), 1, nobody_is_dm(speakers), "play-by-post")
        return
    known = {one.name.casefold() for one in speakers}
    scene = _Scene(shown(path), 1, mapping, vocabulary)
    for post in _posts(read_lines(path), known):
        if scene.is_full(post) or post.begins_scene:
            yield from scene.records()
            scene = _Scene(shown(path), post.line, mapping, vocabulary, title=post.title)
        scene.add(post)
    yield from scene.records()


@dataclass(slots=True)
class _Post:
    """What one speaker wrote at once; without a speaker a break between scenes, or text before the first head."""

    speaker: str
    lines: list[Line]
    line: int
    begins_scene: bool = False
    title: str = ""


def _posts(lines: Iterator[Line], known: set[str]) -> Iterator[_Post]:
    post, size = _Post("", [], 1), 0
    for line in lines:
        heading, head = _HEADING.fullmatch(line.text), read_head(line.text)
        speaks = head is not None and head.name.casefold() in known
        if heading or _RULE.fullmatch(line.text):
            yield post
            yield _Post("", [], line.number + (not heading), True, tidy_title(heading[1]) if heading else "")
            post, size = _Post("", [], line.number + 1), 0
        elif head is not None and speaks:
            yield post
            post, size = _Post(head.name, [Line(line.number, head.rest, note=line.note)], line.number), 0
        elif size > _MOST_CHARACTERS:
            yield post
            post, size = _Post(post.speaker, [line], line.number), 0
        else:
            post.lines.append(line)
        size += len(line.text)
    yield post


@dataclass(slots=True)
class _Scene:
    file: str
    line: int
    mapping: Mapping
    vocabulary: Vocabulary
    title: str = ""
    notes: list[Note] = field(default_factory=list)
    _turns: list[tuple[Role, str, str]] = field(default_factory=list)
    """Role, who, text."""
    _rolls: list[DiceLine] = field(default_factory=list)
    _companions: set[str] = field(default_factory=set)
    _posts: int = 0
    _size: int = 0

    def is_full(self, post: _Post) -> bool:
        """Whether a post begins the next part of a scene that has grown too long."""
        full = self._posts >= MOST_POSTS or self._size > _MOST_CHARACTERS
        return bool(post.speaker) and (self._size > 2 * _MOST_CHARACTERS or (full and self._is_player(post)))

    def add(self, post: _Post) -> None:
        for line in post.lines:
            self._tell(line.problem and f"Left out: {line.problem}", line.number)
            self._tell(line.note, line.number)
        if not post.speaker:
            stray = [line for line in post.lines if line.text.strip()]
            if stray:
                more = f" and {len(stray) - 1} more lines" if len(stray) > 1 else ""
                self._tell(f"Left out: nobody says {stray[0].text.strip()[:60]!r}{more}.", stray[0].number)
            return
        part = self.mapping.part(post.speaker)
        if part == "Drop":
            self._tell(f"Left out: a post of {post.speaker}, who takes no part.", post.line)
            return
        self._posts += 1
        text: list[str] = []
        above = ""
        for line in _whole_rolls(post.lines):
            if _OUT_OF_CHARACTER.fullmatch(line.text):
                self._tell(f"Left out as out of character: {line.text.strip()[:60]!r}.", line.number)
                continue
            roll = self._roll(line, above, post, part)
            above = line.text
            if roll is None:
                text.append(line.text)
                continue
            self._say(part, post.speaker, text[:-1] if roll.replaces_above else text)
            text = []
            self._answer(roll)
        self._say(part, post.speaker, text)

    def records(self) -> Iterator[Record | Rejected]:
        """What has been gathered, if anybody said anything."""
        if self._turns:
            record = Record(self.file, self.line, "play-by-post", self._messages(), self.title, notes=self.notes)
            record.metadata["tags"] = ["play-by-post"]
            yield record
        elif self.notes:
            reason = "Nothing is left of this part once out-of-character talk and unnamed text are left out."
            yield Rejected(self.file, self.line, reason, "play-by-post", tuple(self.notes))

    def _is_player(self, post: _Post) -> bool:
        return self.mapping.part(post.speaker) in AT_THE_TABLE

    def _roll(self, line: Line, above: str, post: _Post, part: str) -> DiceLine | None:
        if not holds_dice(line.text):
            return None
        actor = self.mapping.name(post.speaker) if part in AT_THE_TABLE else None
        roll = read_dice(line.text, above, actor, self.vocabulary)
        if roll is None and "=" in line.text:
            self._tell("The dice stay text: a number, or what was rolled, is missing.", line.number)
        return roll

    def _say(self, part: str, speaker: str, lines: list[str]) -> None:
        text = "\n".join(line.rstrip() for line in lines).strip()
        if not text:
            return
        role: Role = "assistant" if part == "DM" else "user"
        last_role, last_name = self._turns[-1][:2] if self._turns else ("system", "")
        who = self.mapping.name(speaker) if part in AT_THE_TABLE else last_name if role == last_role else ""
        if part == "Companion":
            self._companions.add(who)
        self._size += len(text)
        if (role, who) == (last_role, last_name):
            self._turns[-1] = (role, who, f"{self._turns[-1][2]}\n\n{text}")
        else:
            self._turns.append((role, who, f"{who}: {text}" if who else text))

    def _answer(self, roll: DiceLine) -> None:
        """A result line behind the request that it answers; the request is added to the DM's turn when it has none."""
        self._rolls.append(roll)
        results = self._turns.pop()[2] if self._turns and self._turns[-1][0] == "tool" else ""
        if not self._turns or self._turns[-1][0] != "assistant":
            self._turns.append(("assistant", "", ""))
        told = self._turns[-1][2]
        if self._asked(told, roll) <= _answered(results, roll):
            separator = "\n" if told.endswith("]") else "\n\n"
            self._turns[-1] = ("assistant", "", f"{told}{separator}{roll.request}".strip())
        self._turns.append(("tool", "", f"{results}\n{roll.result}".strip()))

    def _asked(self, told: str, roll: DiceLine) -> int:
        return sum(1 for one in find_directives(told, self.vocabulary) if one.tool is roll.tool)

    def _messages(self) -> list[Message]:
        names = dict.fromkeys(who for role, who, _ in self._turns if role == "user" and who)
        system = "\n\n".join([DEFAULT_SYSTEM, *(self._sheet(name) for name in names)])
        return [Message("system", system), *(Message(role, text) for role, _, text in self._turns)]

    def _sheet(self, name: str) -> str:
        """A player's sheet with the bonuses that the dice have shown; two that differ are none."""
        lines = [f"## {name}", "- NPC Companion" if name in self._companions else "- Player Character"]
        for title, kind in (("Skills", "skill"), ("Saves", "save")):
            shown = {
                one.tool.spoken.removesuffix(" save").title(): one.bonus
                for one in self._rolls
                if one.who == name and one.tool.kind == kind and not self._differs(one)
            }
            if shown:
                lines.append(f"- {title}: {', '.join(f'{skill} {bonus:+d}' for skill, bonus in shown.items())}")
        return "\n".join(lines)

    def _differs(self, roll: DiceLine) -> bool:
        return any((one.tool, one.who) == (roll.tool, roll.who) and one.bonus != roll.bonus for one in self._rolls)

    def _tell(self, text: str, line: int) -> None:
        if text:
            self.notes.append(Note(line=line, text=text))


def _whole_rolls(lines: list[Line]) -> list[Line]:
    """The lines, those of a roll that Roll20 spreads over three as one (with its line breaks, should it stay text)."""
    whole: list[Line] = []
    for line in lines:
        last = whole[-1].text if whole else ""
        if _CONTINUES_ROLL.fullmatch(line.text) and "=" not in last and holds_dice(last):
            whole[-1] = Line(whole[-1].number, f"{last}\n{line.text}")
        else:
            whole.append(line)
    return whole


def _answered(results: str, roll: DiceLine) -> int:
    return sum(1 for line in results.splitlines() if line.partition(":")[0].partition(" (")[0] == roll.tool.name)
