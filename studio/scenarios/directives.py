"""Finds what a text asks of the engine: `[roll: perception]`, `[begin combat]`, `[hit points: -6, who=Thorin]`.

Tolerant on purpose: the text may be a careful author's or a small model's. Whatever looks like a request comes back
with the problems it has. Text in brackets that resembles no request is left alone, and so is code. Linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from studio.scenarios.markdown import code_ranges
from studio.scenarios.spelling import closest
from studio.scenarios.vocabulary import Argument, Tool, Vocabulary, normalize

_BRACKETS = re.compile(r"\[([^\[\]\n\r]*)(\])?")
_LONGEST = 400
_ROLL = "roll"
_ROLL_ONLY = frozenset({_ROLL})
_LIKE_ROLL = {
    "check",
    "save",
    "saving_throw",
    "test",
    "dice",
    "throw",
    "skill",
    "skill_check",
    "ability_check",
    "rolls",
}
_DICE = re.compile(r"(?:\d{0,3}d\d{1,4}|\d{1,4})(?:\s*[+-]\s*(?:\d{0,3}d\d{1,4}|\d{1,4}))*", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}")
_SIGNED = re.compile(r"[+\-−–]?\s*\d{1,7}")
_SLOT = re.compile(r"([1-9])(?:st|nd|rd|th)?(?:[ -]level)?|level\s+([1-9])", re.IGNORECASE)
_QUOTES = "\"'“”‘’„«»"
_TRUE = {"", "true", "yes", "1"}


class Problem(StrEnum):
    """What can be wrong with a request."""

    UNKNOWN_TOOL = "unknown tool"
    MISSING_NAME = "nothing is named"
    MISSING_KEYWORD = "the word 'roll:' is missing"
    MISSING_BRACKET = "the closing bracket is missing"
    UNKNOWN_ARGUMENT = "unknown argument"
    BAD_VALUE = "the value does not fit the argument"
    REPEATED_ARGUMENT = "the argument is given twice"
    EXCLUDED_ARGUMENT = "the arguments exclude each other"
    MISSING_VALUE = "a value is missing"
    SPELLING = "written in another way than the canonical one"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem of one directive, and the piece of text that it is about."""

    problem: Problem
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Directive:
    """One request. `start` and `end` are offsets into the text that was searched.

    `name` is the name as written, without `roll:`; `arguments` are canonical where they could be read.
    """

    start: int
    end: int
    written: str
    name: str
    tool: Tool | None
    arguments: dict[str, str] = field(default_factory=dict)
    problems: tuple[Trouble, ...] = ()

    @property
    def tool_name(self) -> str | None:
        """Canonical name, or None when the vocabulary does not have it."""
        return self.tool.name if self.tool else None

    @property
    def valid(self) -> bool:
        """Whether the engine can act on it; another spelling than the canonical one is no obstacle."""
        return self.tool is not None and all(one.problem is Problem.SPELLING for one in self.problems)

    @property
    def canonical(self) -> str:
        """The request as it should be written; the text as it is when the tool is unknown."""
        return format_directive(self.tool, self.arguments) if self.tool else self.written


def find_directives(text: str, vocabulary: Vocabulary) -> list[Directive]:
    """Every request in `text` outside code, in order, well-formed or not. Never raises."""
    if "[" not in text:
        return []
    directives = _search(text, vocabulary)
    code = code_ranges(text) if directives else []
    return [one for one in directives if not _inside(one.start, code)] if code else directives


def directives_in_code(text: str, vocabulary: Vocabulary) -> list[Directive]:
    """The requests that stand in code spans or fences and therefore do not count."""
    code = code_ranges(text) if "[" in text else []
    return [one for one in _search(text, vocabulary) if _inside(one.start, code)] if code else []


def format_directive(tool: Tool, arguments: dict[str, str]) -> str:
    """The canonical form of a request: `[roll: attack, target=goblin]`."""
    values = [_value_words(name, arguments[name]) for name in tool.value if name in arguments]
    positional = " ".join(word for word in values if word)
    rest = [_named(name, arguments[name]) for name in arguments if name not in tool.value]
    head = f"roll: {tool.name}" if tool.rolls else tool.spoken + (f": {positional}" if positional else "")
    return f"[{', '.join([head, *rest])}]"


def ordinal(number: int) -> str:
    """1 -> `1st`, as spell slots are written."""
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number, 'th')}"


def _value_words(name: str, value: str) -> str:
    return "" if (name, value) in {("state", "begin"), ("change", "use")} else value


def _named(name: str, value: str) -> str:
    return name if value == "true" else f"{name}={value}"


def _inside(offset: int, ranges: list[tuple[int, int]]) -> bool:
    position = bisect_right(ranges, (offset, len(ranges) + offset)) - 1
    return position >= 0 and ranges[position][0] <= offset < ranges[position][1]


def _search(text: str, vocabulary: Vocabulary) -> list[Directive]:
    found = (_directive(match, text, vocabulary) for match in _BRACKETS.finditer(text))
    return [one for one in found if one is not None]


def _directive(match: re.Match[str], text: str, vocabulary: Vocabulary) -> Directive | None:
    inside, closed = match[1], match[2] is not None
    if not inside or len(inside) > _LONGEST or text[match.end() : match.end() + 1] == "(":
        return None
    head, colon, rest = inside.partition(":")
    if not colon:
        head, comma, rest = inside.partition(",")
        rest = comma + rest
    reading = _recognize(head, bool(colon), rest, vocabulary)
    if reading is None or not (closed or (colon and reading.tool)):
        return None
    arguments, problems = _read_arguments(reading, vocabulary)
    if not closed:
        problems.append(Trouble(Problem.MISSING_BRACKET))
    elif not problems and not _is_canonical(reading.tool, inside, arguments):
        problems.append(Trouble(Problem.SPELLING))
    end = match.end() if closed else match.start() + len(match[0].rstrip())
    written = text[match.start() : end]
    return Directive(match.start(), end, written, reading.name, reading.tool, arguments, tuple(problems))


@dataclass(slots=True)
class _Reading:
    """The name of a request, its value (plain forms), the pieces between commas, and what is wrong so far."""

    name: str
    tool: Tool | None
    value: str = ""
    pieces: list[str] = field(default_factory=list)
    problems: list[Trouble] = field(default_factory=list)


def _recognize(head: str, has_colon: bool, rest: str, vocabulary: Vocabulary) -> _Reading | None:
    """Which tool a bracket means, or None when it is no request at all."""
    keyword = normalize(head)
    first, *pieces = rest.split(",")
    if has_colon and (keyword == _ROLL or _stands_for_roll(keyword, first, vocabulary)):
        return _roll(first.strip(), pieces, keyword, vocabulary)
    tool = vocabulary.by_spelling.get(keyword)
    if tool is not None and tool.form == "plain":
        return _Reading(head.strip(), tool, first.strip(), pieces)
    if not has_colon and (tool := vocabulary.by_name.get(keyword.removesuffix("_check"))) is not None and tool.rolls:
        return _Reading(head.strip(), tool, "", pieces, [Trouble(Problem.MISSING_KEYWORD)])
    if 4 < len(keyword) < 24 and _near(keyword, vocabulary.plain_spellings, 85):
        return _Reading(head.strip(), None, "", [], [Trouble(Problem.UNKNOWN_TOOL, head.strip())])
    return None


@lru_cache(maxsize=4096)
def _near(keyword: str, known: frozenset[str], at_least: int) -> bool:
    return closest(keyword, known, at_least, folded=True) is not None


def _stands_for_roll(keyword: str, value: str, vocabulary: Vocabulary) -> bool:
    return keyword in _LIKE_ROLL or (2 < len(keyword) < 6 and _near(keyword, _ROLL_ONLY, 75))


def _roll(name: str, pieces: list[str], keyword: str, vocabulary: Vocabulary) -> _Reading:
    tool = vocabulary.find(name)
    if tool is None and keyword in {"save", "saving_throw"}:
        tool = vocabulary.find(f"{name} save")
    if not name:
        return _Reading(name, None, "", pieces, [Trouble(Problem.MISSING_NAME)])
    if tool is None or not tool.rolls:
        return _Reading(name, None, "", pieces, [Trouble(Problem.UNKNOWN_TOOL, name)])
    problems = [] if keyword == _ROLL else [Trouble(Problem.MISSING_KEYWORD)]
    return _Reading(name, tool, "", pieces, problems)


def _is_canonical(tool: Tool | None, inside: str, arguments: dict[str, str]) -> bool:
    """Whether the text is what `format_directive` writes, up to the order and spelling of free values."""
    if tool is None:
        return True
    return inside == (f"roll: {tool.name}" if tool.rolls else tool.spoken) or f"[{inside}]" == format_directive(
        tool, arguments
    )


def _read_arguments(reading: _Reading, vocabulary: Vocabulary) -> tuple[dict[str, str], list[Trouble]]:
    if reading.tool is None or not (reading.pieces or reading.tool.value or reading.value):
        return {}, reading.problems
    reader = _Arguments(reading.tool, vocabulary)
    values, problems = reader.read(reading.value, reading.pieces)
    return values, reading.problems + problems


class _Arguments:
    """Reads the value and the pieces between the commas of one request."""

    def __init__(self, tool: Tool, vocabulary: Vocabulary) -> None:
        self._tool = tool
        self._declared = vocabulary.arguments
        self._values: dict[str, str] = {}
        self._problems: list[Trouble] = []

    def read(self, value: str, pieces: list[str]) -> tuple[dict[str, str], list[Trouble]]:
        if self._tool.value:
            self._read_value(value)
        elif value:
            self._problems.append(Trouble(Problem.UNKNOWN_ARGUMENT, value))
        for piece in pieces:
            self._read_piece(piece)
        self._check_exclusions()
        return self._values, self._problems

    def _read_value(self, value: str) -> None:
        """The words after the colon: an optional choice first (`remove`, `end`), the rest is the last argument."""
        *leading, last = self._tool.value
        for name in leading:
            word, _, remainder = value.partition(" ")
            if word.lower() in self._declared[name].choices:
                self._values[name], value = word.lower(), remainder.strip()
            else:
                self._values[name] = self._declared[name].choices[0]
        if value:
            self._put(self._declared[last], value)
        else:
            self._problems.append(Trouble(Problem.MISSING_VALUE, last))

    def _read_piece(self, piece: str) -> None:
        written, _, value = piece.partition("=")
        name = normalize(written)
        if name not in self._tool.arguments:
            self._problems.append(Trouble(Problem.UNKNOWN_ARGUMENT, piece.strip()))
        elif name in self._values:
            self._problems.append(Trouble(Problem.REPEATED_ARGUMENT, name))
        else:
            self._put(self._declared[name], value.strip().strip(_QUOTES))

    def _put(self, argument: Argument, value: str) -> None:
        read = read_value(argument, value)
        if read is None:
            self._problems.append(Trouble(Problem.BAD_VALUE, f"{argument.name}={value}"))
        self._values[argument.name] = value if read is None else read

    def _check_exclusions(self) -> None:
        for name in self._values:
            excluded = self._declared[name].excludes
            if excluded in self._values and name < excluded:
                self._problems.append(Trouble(Problem.EXCLUDED_ARGUMENT, f"{name}, {excluded}"))


def read_value(argument: Argument, value: str) -> str | None:
    """The canonical form of an argument's value, or None when it does not fit the argument's type."""
    if argument.type == "flag":
        return "true" if value.lower() in _TRUE else None
    if argument.type == "number":
        return value if _NUMBER.fullmatch(value) else None
    if argument.type == "signed":
        return re.sub(r"\s", "", value).replace("−", "-").replace("–", "-") if _SIGNED.fullmatch(value) else None
    if argument.type == "dice":
        return re.sub(r"\s", "", value).lower() if _DICE.fullmatch(value) else None
    if argument.type == "choice":
        return value.lower() if value.lower() in argument.choices else None
    if argument.type == "slot":
        match = _SLOT.fullmatch(value)
        return ordinal(int(match[1] or match[2])) if match else None
    return value or None
