"""The arguments of a request: `dc=15`, `advantage`, `target="the goblin, far left"`, and the value after a colon.

Reads what people write (`DC 15`, `with advantage`, `dc: 15`) and gives canonical values; says what it could not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from studio.scenarios.vocabulary import Argument, Tool, Vocabulary, normalize

_DICE_TERM = r"(?:(?:[1-9]\d{0,2})?d[1-9]\d{0,3}|\d{1,4})"
_DICE = re.compile(rf"{_DICE_TERM}(?:\s*[+-]\s*{_DICE_TERM})*", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}")
_SIGNED = re.compile(r"([+\-−–]?)\s*(\d{1,7})")
_SLOT = re.compile(r"([1-9])(?:st|nd|rd|th)?(?:[ -]level)?|level\s+([1-9])", re.IGNORECASE)
_QUOTE_MARKS = '"“”„«»'
_QUOTED = re.compile(r'"([^"]*)"|“([^“”]*)”|„([^„“”]*)[“”]|«([^«»]*)»')
_ENDS = re.compile(r"(['\"“”‘’„«»]).*(['\"“”‘’„«»])", re.DOTALL)
_TRUE = {"", "true", "yes", "1"}


class Problem(StrEnum):
    """What can be wrong with a request."""

    UNKNOWN_TOOL = "there is no such request"
    MISSING_NAME = "nothing is named"
    MISSING_KEYWORD = "it does not begin with `roll:`"
    MISSING_BRACKET = "the closing bracket is missing"
    UNKNOWN_ARGUMENT = "it does not take this argument"
    BAD_VALUE = "the value does not fit the argument"
    REPEATED_ARGUMENT = "the argument is given twice"
    EXCLUDED_ARGUMENT = "the arguments exclude each other"
    MISSING_VALUE = "a value is missing"
    SPELLING = "it is usually written in another way"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem of one directive, and the piece of text that it is about."""

    problem: Problem
    subject: str = ""


def split_pieces(text: str) -> list[str]:
    """The pieces between the commas of a request; a comma inside double quotes separates nothing."""
    if not any(mark in text for mark in _QUOTE_MARKS):
        return text.split(",")
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match[0])
        return "\0"

    hidden, quotes = _QUOTED.sub(hide, text.replace("\0", " ")), iter(kept)
    return [re.sub("\0", lambda _: next(quotes), piece) for piece in hidden.split(",")]


def quoted(value: str) -> str:
    """A value as a request holds it: in double quotes when it has a comma, an equals sign or a quote of its own."""
    return f'"{value.replace(chr(34), chr(39))}"' if any(mark in value for mark in ',="') else value


def read_arguments(
    tool: Tool, value: str, pieces: list[str], vocabulary: Vocabulary
) -> tuple[dict[str, str], list[Trouble]]:
    """Name -> canonical value, in the order written, and what could not be read.

    `value` is what stands after the colon of a plain form, `pieces` what stands between the commas after that.
    """
    return _Arguments(tool, vocabulary).read(value, pieces)


def can_read(tool: Tool, piece: str, vocabulary: Vocabulary) -> bool:
    """Whether a piece is an argument of `tool` with a value that fits."""
    _, problems = read_arguments(tool, "", [piece], vocabulary)
    return all(one.problem is Problem.MISSING_VALUE and one.subject in tool.value for one in problems)


class _Arguments:
    def __init__(self, tool: Tool, vocabulary: Vocabulary) -> None:
        self._tool = tool
        self._declared = vocabulary.arguments
        self._spellings = vocabulary.argument_spellings
        self._values: dict[str, str] = {}
        self._problems: list[Trouble] = []

    def read(self, value: str, pieces: list[str]) -> tuple[dict[str, str], list[Trouble]]:
        if self._tool.value:
            self._read_value(value)
        elif value:
            self._problems.append(Trouble(Problem.UNKNOWN_ARGUMENT, value))
        for piece in pieces:
            if piece.strip():
                self._read_piece(piece.strip())
        self._check_exclusions()
        return self._values, self._problems

    def _read_value(self, value: str) -> None:
        """The words after the colon: an optional choice first (`remove`, `end`), the rest is the last argument."""
        *leading, last = self._tool.value
        for name in leading:
            word, _, remainder = value.partition(" ")
            choice = read_value(self._declared[name], word)
            self._values[name] = choice or self._declared[name].choices[0]
            value = remainder.strip() if choice else value
        if value:
            self._put(self._declared[last], _QUOTED.sub(lambda match: match[0][1:-1], value))
        else:
            self._problems.append(Trouble(Problem.MISSING_VALUE, last))

    def _read_piece(self, piece: str) -> None:
        name, value = self._name_and_value(piece)
        if not name:
            self._problems.append(Trouble(Problem.UNKNOWN_ARGUMENT, piece))
        elif name in self._values:
            self._problems.append(Trouble(Problem.REPEATED_ARGUMENT, name))
        elif not value and self._declared[name].type != "flag":
            self._problems.append(Trouble(Problem.MISSING_VALUE, name))
        else:
            self._put(self._declared[name], value)

    def _name_and_value(self, piece: str) -> tuple[str, str]:
        """`dc=15`, `dc: 15`, `DC 15` -> `dc` and `15`; an empty name when the request takes nothing of the kind."""
        for separator in ("=", ":"):
            written, _, value = piece.partition(separator)
            if name := self._argument(written):
                return name, _without_quotes(value.strip())
        written, _, value = piece.partition(" ")
        name = self._argument(written)
        return (name, _without_quotes(value.strip())) if name and self._declared[name].type != "flag" else ("", "")

    def _argument(self, written: str) -> str:
        name = self._spellings.get(normalize(written), "")
        return name if name in self._tool.arguments else ""

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


def _without_quotes(value: str) -> str:
    return value[1:-1].strip() if _ENDS.fullmatch(value) else value


def read_value(argument: Argument, value: str) -> str | None:
    """The canonical form of an argument's value, or None when it does not fit the argument's type."""
    if argument.type == "flag":
        return "true" if value.lower() in _TRUE else None
    if argument.type == "number":
        return value if _NUMBER.fullmatch(value) else None
    if argument.type == "signed":
        match = _SIGNED.fullmatch(value)
        return f"{'-' if match[1] in tuple('-−–') else '+'}{match[2]}" if match else None
    if argument.type == "dice":
        return re.sub(r"\s", "", value).lower() if _DICE.fullmatch(value) else None
    if argument.type == "choice":
        word = value.lower()
        return word if word in argument.choices else argument.also.get(word)
    if argument.type == "slot":
        match = _SLOT.fullmatch(value)
        return ordinal(int(match[1] or match[2])) if match else None
    return value or None


def ordinal(number: int) -> str:
    """1 -> `1st`, as spell slots are written."""
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number, 'th')}"
