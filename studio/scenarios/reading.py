"""One text read once: tree, front matter, sections, sheets, turns with their requests and answers, all with positions.

`meaning.py` makes a scenario of it and the checks look at it; neither reads the text a second time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import yaml

from studio.scenarios.directives import Directive, find_directives
from studio.scenarios.exchanges import Exchange, pair_exchanges
from studio.scenarios.grammar import SPEAKER_OF_BLOCK
from studio.scenarios.markdown import Heading, headings
from studio.scenarios.models import Character, Speaker
from studio.scenarios.otherwise import Otherwise, find_otherwise
from studio.scenarios.positions import LineIndex
from studio.scenarios.results import ResultLine, parse_result_lines
from studio.scenarios.sheet import Sheet, read_sheet
from studio.scenarios.tree import Node, Tree, parse_tree
from studio.scenarios.vocabulary import Vocabulary

MAX_FRONT_MATTER = 65_536
"""Characters of front matter that are read; more is a mistake or an attack."""
_DEEPEST = 64
"""Levels of nesting in front matter; the YAML library ends the whole process on some ten thousand."""
_OPENERS = re.compile(r"[\[{:?-]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Turn:
    """One turn. `start` is the offset of `content` (stripped) in the file; offsets of its parts are into `content`."""

    node: Node
    speaker: Speaker
    start: int
    content: str
    directives: list[Directive]
    results: list[ResultLine]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The YAML at the top of a file; `error` says why it could not be read."""

    values: dict[str, Any]
    error: str = ""


class Reading:
    """Everything that a text holds, found lazily and once. Content never makes it raise."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.tree: Tree = parse_tree(text)

    @cached_property
    def lines(self) -> LineIndex:
        """Offsets -> lines and columns."""
        return LineIndex(self.text)

    @cached_property
    def front_matter(self) -> FrontMatter:
        """The front matter; empty when there is none."""
        node = next((node for node in self.tree.nodes[:2] if node.kind == "front_matter"), None)
        return read_yaml(self.tree.body(node)) if node else FrontMatter({})

    @cached_property
    def sections(self) -> list[Heading]:
        """The headings of the SYSTEM block, offsets into the file."""
        node = self.tree.system
        if node is None:
            return []
        return [_moved(one, node.body_start) for one in headings(self.tree.body(node))]

    @cached_property
    def sheets(self) -> list[Sheet]:
        """The party, in order."""
        sheets, inside = [], False
        for one in self.sections:
            if one.level == 1:
                inside = one.title.casefold() == "party"
            elif one.level == 2 and inside:
                place = (one.start, one.end)
                sheets.append(read_sheet(one.title, place, self.text, one.body_start, one.body_end, self.vocabulary))
        return sheets

    @cached_property
    def party(self) -> list[Character]:
        """The characters of the sheets."""
        return [sheet.character for sheet in self.sheets]

    @cached_property
    def turns(self) -> list[Turn]:
        """The turns, in order."""
        return [self._turn(node) for node in self.tree.turns]

    @cached_property
    def exchanges(self) -> list[Exchange]:
        """What each DM turn asked for and what answered it."""
        return pair_exchanges(self.turns, [one.name for one in self.party])

    @cached_property
    def otherwise(self) -> list[Otherwise]:
        """The alternatives that the author wrote in comments, readable or not."""
        return find_otherwise(self.tree)

    def section(self, title: str) -> str:
        """The text of a first-level section of the SYSTEM block, with deeper sections, stripped."""
        start = end = -1
        for one in self.sections:
            if start >= 0 and one.level == 1:
                break
            if one.level == 1 and one.title.casefold() == title:
                start = one.body_start
            end = one.body_end
        return self.text[start:end].strip() if start >= 0 else ""

    def _turn(self, node: Node) -> Turn:
        body = self.text[node.body_start : node.body_end]
        content = body.strip()
        before = len(body) - len(body.lstrip()) if content and len(content) < len(body) else 0
        start = node.body_start + before
        speaker = SPEAKER_OF_BLOCK[node.block or "User"]
        return Turn(
            node,
            speaker,
            start,
            content,
            find_directives(content, self.vocabulary) if speaker != "TOOLCALL" else [],
            parse_result_lines(content, self.vocabulary) if speaker == "TOOLCALL" else [],
        )


def read_yaml(text: str) -> FrontMatter:
    """Front matter read with the safe loader; size-limited, because YAML can be made expensive."""
    if len(text) > MAX_FRONT_MATTER:
        return FrontMatter({}, f"it is longer than {MAX_FRONT_MATTER} characters")
    try:
        if refusal := _refusal(text):
            return FrontMatter({}, refusal)
        content = yaml.load(text, Loader=_YAML)  # noqa: S506 - a safe loader, the C one where there is one
        json.dumps(content, default=_date_as_text)
    except yaml.YAMLError as error:
        return FrontMatter({}, str(getattr(error, "problem", "") or error).splitlines()[0])
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        return FrontMatter({}, f"a value in it cannot be read ({str(error).partition(';')[0][:80]})")
    if content is not None and not isinstance(content, dict):
        return FrontMatter({}, "it is no list of `key: value` lines")
    return FrontMatter({str(key): value for key, value in (content or {}).items()})


def _refusal(text: str) -> str:
    """Why YAML that is harmless to look at is not loaded; looked at only when it could nest deeply or has aliases."""
    if "*" not in text and len(_OPENERS.findall(text)) < _DEEPEST:
        return ""
    depth = 0
    for event in yaml.parse(text, Loader=_YAML):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return f"it is nested more than {_DEEPEST} levels deep"
        if isinstance(event, yaml.AliasEvent):
            return "it uses YAML aliases, which the studio does not follow"
    return ""


def printable(text: str) -> str:
    """The text with U+FFFD for every lone surrogate (a byte that was not UTF-8); its length stays."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _date_as_text(value: object) -> str:
    """What front matter may hold is what JSON can say, and dates."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a value of the type {type(value).__name__} means nothing here")


def _moved(one: Heading, by: int) -> Heading:
    return Heading(one.level, one.title, one.start + by, one.end + by, one.body_start + by, one.body_end + by)
