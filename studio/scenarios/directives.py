"""Finds what a text asks of the engine: `[roll: perception]`, `[begin combat]`, `[hit points: -6, who=Thorin]`.

Tolerant on purpose: the text may be a careful author's or a small model's. Whatever looks like a request comes back
with the problems it has. Text in brackets that resembles no request is left alone, and so is code. Linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache

from studio.scenarios.arguments import Problem, Trouble, can_read, quoted, read_arguments, split_pieces
from studio.scenarios.markdown import code_ranges
from studio.scenarios.spelling import closest
from studio.scenarios.vocabulary import Tool, Vocabulary, normalize

__all__ = ["Directive", "Problem", "Trouble", "directives_in_code", "find_directives", "format_directive"]

_BRACKETS = re.compile(r"\[([^\[\]\n\r]*)(\])?")
_LONGEST = 400
_FULL_WIDTH = {ord(wide): narrow for wide, narrow in zip("［】【］：＝，", "[][]:=,", strict=True)}
"""What an East Asian keyboard writes instead; one character each, so that offsets stay the same."""
_ROLL = "roll"
_ROLL_ONLY = frozenset({_ROLL})
_SAVES = frozenset({"save", "saving_throw", "saving"})
_LIKE_ROLL = _SAVES | {"check", "test", "dice", "throw", "skill", "skill_check", "ability_check", "rolls"}
_NAMES_A_ROLL = ("_check", "_save", "_throw", "_roll")
_BEFORE_ARGUMENTS = re.compile(r"[()]|\s+(?=with(?:out)?\b)", re.IGNORECASE)


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
    def asks_for_dice(self) -> bool:
        """Whether the engine answers it with a roll."""
        return self.valid and self.tool is not None and self.tool.rolls

    @property
    def canonical(self) -> str:
        """The request as it should be written; the text as it is when the tool is unknown."""
        return format_directive(self.tool, self.arguments) if self.tool else self.written


def find_directives(text: str, vocabulary: Vocabulary) -> list[Directive]:
    """Every request in `text` outside code, in order, well-formed or not. Never raises."""
    if not _has_bracket(text):
        return []
    directives = _search(text, vocabulary)
    code = code_ranges(text) if directives else []
    return [one for one in directives if not _inside(one.start, code)] if code else directives


def directives_in_code(text: str, vocabulary: Vocabulary) -> list[Directive]:
    """The requests that stand in code spans or fences and therefore do not count."""
    code = code_ranges(text) if _has_bracket(text) else []
    return [one for one in _search(text, vocabulary) if _inside(one.start, code)] if code else []


def format_directive(tool: Tool, arguments: dict[str, str]) -> str:
    """The canonical form of a request: `[roll: attack, target=goblin]`."""
    values = [_value_words(name, arguments[name]) for name in tool.value if name in arguments]
    positional = " ".join(word for word in values if word)
    rest = [_named(name, arguments[name]) for name in arguments if name not in tool.value]
    head = f"roll: {tool.name}" if tool.rolls else tool.spoken + (f": {positional}" if positional else "")
    return f"[{', '.join([head, *rest])}]"


def _value_words(name: str, value: str) -> str:
    return "" if (name, value) in {("state", "begin"), ("change", "use")} else quoted(value)


def _named(name: str, value: str) -> str:
    return name if value == "true" else f"{name}={quoted(value)}"


def _inside(offset: int, ranges: list[tuple[int, int]]) -> bool:
    position = bisect_right(ranges, (offset, len(ranges) + offset)) - 1
    return position >= 0 and ranges[position][0] <= offset < ranges[position][1]


def _has_bracket(text: str) -> bool:
    return "[" in text or "［" in text or "【" in text


def _search(text: str, vocabulary: Vocabulary) -> list[Directive]:
    wide = not text.isascii() and any(mark in text for mark in "［］【】：＝，")
    plain = text.translate(_FULL_WIDTH) if wide else text
    found = (_directive(match, text, vocabulary) for match in _BRACKETS.finditer(plain))
    return [one for one in found if one is not None]


def _directive(match: re.Match[str], text: str, vocabulary: Vocabulary) -> Directive | None:
    inside, closed = match[1], match[2] is not None
    if not inside or len(inside) > _LONGEST or text[match.end() : match.end() + 1] == "(":
        return None
    head, colon, rest = inside.partition(":")
    if "," in head:
        head, colon, rest = inside.partition(",")
    reading = _recognize(head, colon, rest, vocabulary)
    if reading is None or not (closed or (colon == ":" and reading.tool)):
        return None
    arguments, problems = _read_arguments(reading, vocabulary)
    end = match.end() if closed else match.start() + len(match[0].rstrip())
    written = text[match.start() : end]
    if not closed:
        problems.append(Trouble(Problem.MISSING_BRACKET))
    elif not problems and not _is_canonical(reading.tool, written, arguments):
        problems.append(Trouble(Problem.SPELLING))
    return Directive(match.start(), end, written, reading.name, reading.tool, arguments, tuple(problems))


@dataclass(slots=True)
class _Reading:
    """The name of a request, its value (plain forms), the pieces between commas, and what is wrong so far."""

    name: str
    tool: Tool | None
    value: str = ""
    pieces: list[str] = field(default_factory=list)
    problems: list[Trouble] = field(default_factory=list)


def _recognize(head: str, mark: str, rest: str, vocabulary: Vocabulary) -> _Reading | None:
    """Which request a bracket means, or None for none; `mark` is what ends the head: a colon, a comma or nothing."""
    keyword, colon = normalize(head), mark == ":"
    if colon and (keyword == _ROLL or _stands_for_roll(keyword, rest, vocabulary)):
        first, *pieces = split_pieces(rest)
        return _roll(first.strip(), pieces, keyword, vocabulary)
    tool = vocabulary.by_spelling.get(keyword)
    if tool is not None and tool.form == "plain":
        first, *pieces = split_pieces(rest) if colon else ["", *split_pieces(rest)]
        return _Reading(head.strip(), tool, first.strip(), pieces)
    if keyword in vocabulary.reversed_spellings:
        return _reversed(head, split_pieces(rest), vocabulary)
    reading = _named_without_roll(head, keyword, rest, vocabulary, colon=colon)
    if reading is None and 4 < len(keyword) < 24 and _near(keyword, vocabulary.plain_spellings, 85):
        return _Reading(head.strip(), None, "", [], [Trouble(Problem.UNKNOWN_TOOL, head.strip())])
    return reading


def _named_without_roll(head: str, keyword: str, rest: str, vocabulary: Vocabulary, *, colon: bool) -> _Reading | None:
    """`[stealth check]`, `[roll stealth]`, `[perception: 15]`, `[damage: 2d6]`: a roll that lost its `roll:`."""
    problems = [Trouble(Problem.MISSING_KEYWORD)]
    tool = vocabulary.by_name.get(keyword.removesuffix("_check"))
    if tool is None and keyword.endswith(_NAMES_A_ROLL):
        tool = vocabulary.find(keyword)
    if tool is not None and tool.rolls:
        first, *pieces = split_pieces(rest)
        if not colon:
            return _Reading(head.strip(), tool, "", [first, *pieces], problems)
        argument = _bare_argument(tool, first.strip(), vocabulary)
        return None if argument is None else _Reading(head.strip(), tool, "", [argument, *pieces], problems)
    if (
        not colon
        and keyword.startswith("roll_")
        and _near(keyword.removeprefix("roll_"), vocabulary.roll_spellings, 80)
    ):
        reading = _roll(head.strip()[len("roll_") :].strip(), split_pieces(rest), _ROLL, vocabulary)
        return reading if reading.tool is None else _Reading(head.strip(), reading.tool, "", reading.pieces, problems)
    return None


def _bare_argument(tool: Tool, value: str, vocabulary: Vocabulary) -> str | None:
    """What a value without its name must be: dice of damage, a difficulty; None when it is only text."""
    names = [name for name in ("dice", "dc") if name in tool.arguments]
    candidates = [value, *(f"{name}={value}" for name in names)]
    return next((one for one in candidates if can_read(tool, one, vocabulary)), None)


def _reversed(head: str, pieces: list[str], vocabulary: Vocabulary) -> _Reading:
    """`[long rest]`: the value in front of the name."""
    tool, value = vocabulary.reversed_spellings[normalize(head)]
    return _Reading(head.strip(), tool, value, pieces, [Trouble(Problem.SPELLING)])


@lru_cache(maxsize=4096)
def _near(keyword: str, known: frozenset[str], at_least: int) -> bool:
    return closest(keyword, known, at_least, folded=True) is not None


def _stands_for_roll(keyword: str, value: str, vocabulary: Vocabulary) -> bool:
    return keyword in _LIKE_ROLL or (2 < len(keyword) < 6 and _near(keyword, _ROLL_ONLY, 75))


def _roll(name: str, pieces: list[str], keyword: str, vocabulary: Vocabulary) -> _Reading:
    """What stands behind `roll:`, or behind a word that was meant for it."""
    if not name:
        return _Reading(name, None, "", pieces, [Trouble(Problem.MISSING_NAME)])
    problems = [] if keyword == _ROLL else [Trouble(Problem.MISSING_KEYWORD)]
    tool = (vocabulary.find(f"{name} save") if keyword in _SAVES else None) or vocabulary.find(name)
    if tool is not None and tool.rolls:
        return _Reading(name, tool, "", pieces, problems)
    if (change := _change_behind_roll(name, pieces, vocabulary)) is not None:
        return change
    if tool is None and (split := _split_arguments(name, vocabulary)) is not None:
        tool, found = split
        return _Reading(name, tool, "", [*found, *pieces], problems or [Trouble(Problem.SPELLING)])
    return _Reading(name, None, "", pieces, [Trouble(Problem.UNKNOWN_TOOL, name)])


def _change_behind_roll(name: str, pieces: list[str], vocabulary: Vocabulary) -> _Reading | None:
    """`[roll: begin combat]`, `[roll: hit points: -6]`: a request that is no roll."""
    head, _, value = name.partition(":")
    if normalize(name) in vocabulary.reversed_spellings:
        return _reversed(name, pieces, vocabulary)
    tool = vocabulary.find(head)
    if tool is None or tool.rolls:
        return None
    if tool.value and not value and pieces and "=" not in pieces[0]:
        value, *pieces = pieces
    return _Reading(head.strip(), tool, value.strip(), pieces, [Trouble(Problem.SPELLING)])


def _split_arguments(name: str, vocabulary: Vocabulary) -> tuple[Tool, list[str]] | None:
    """`perception dc 15 with advantage` -> the tool and its arguments, when commas were forgotten."""
    words = name.replace("(", " ( ").split()
    for count in range(min(4, len(words) - 1), 0, -1):
        tool = vocabulary.find(" ".join(words[:count]))
        if tool is not None and tool.rolls:
            pieces = [one for one in _BEFORE_ARGUMENTS.split(" ".join(words[count:])) if one.strip()]
            return (tool, pieces) if all(can_read(tool, one, vocabulary) for one in pieces) else None
    return None


def _is_canonical(tool: Tool | None, written: str, arguments: dict[str, str]) -> bool:
    """Whether the text is what `format_directive` writes, up to the order of the arguments."""
    return tool is None or written == format_directive(tool, arguments)


def _read_arguments(reading: _Reading, vocabulary: Vocabulary) -> tuple[dict[str, str], list[Trouble]]:
    if reading.tool is None or not (reading.pieces or reading.tool.value or reading.value):
        return {}, reading.problems
    values, problems = read_arguments(reading.tool, reading.value, reading.pieces, vocabulary)
    return values, reading.problems + problems
