"""Whether a DM turn tells the outcome that the dice decided, and invents no numbers about them.

With a `dc` in the request the dice decide and the word must agree. Without one the author decided; then only that a
word is there is demanded, and agreement with the author is counted apart. Numbers are read where the text says that
they are a roll, a total or damage; a wrong number in any other wording is not noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.cases import GivenRoll, TurnCase
from studio.scenarios import Vocabulary, find_directives, is_success, parse_result_line, read_outcome

Demand = Literal["success", "failure", "either", "none"]
_NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_NUMBER = rf"(\d{{1,4}}|{'|'.join(_NUMBER_WORDS)})\b(?!\s*(?:/|d\d|feet|miles|gold|silver|copper|rounds|minutes))"
_CLAIM = re.compile(
    rf"\b(?:you|he|she|they|it|i)\s+roll(?:ed|s)?\s+(?:an?\s+|the\s+)?(?:natural\s+)?{_NUMBER}"
    rf"|\broll(?:ed)?\s+(?:is|was|of|=|:)\s*(?:an?\s+)?{_NUMBER}"
    rf"|\b(?:total|result)\s*(?:is|was|of|=|:)\s*(?:an?\s+)?\*?{_NUMBER}"
    rf"|\bnatural\s+{_NUMBER}",
    re.IGNORECASE,
)
_DAMAGE = re.compile(rf"\b{_NUMBER}\s+(?:points?\s+of\s+)?(?:[a-z]+\s+)?damage\b", re.IGNORECASE)


class OutcomeVerdict(BaseModel):
    """What the dice demanded and what the turn said."""

    model_config = ConfigDict(frozen=True)

    demanded: Demand
    said: Literal["success", "failure", "none"]
    authored: Literal["success", "failure", "none"]
    rolled: bool = Field(False, description="A result line was given just before.")
    tools: tuple[str, ...] = Field((), description="Whose rolls want an outcome word: names of the requests' tools.")
    invented: tuple[str, ...] = Field((), description="Numbers of rolls that nothing in the turn's result line says.")

    @property
    def coherent(self) -> bool:
        """The right word where one is demanded (any word where the dice leave it open), none elsewhere."""
        return self.said != "none" if self.demanded == "either" else self.said == self.demanded


def judge_outcome(case: TurnCase, text: str, vocabulary: Vocabulary) -> OutcomeVerdict:
    """Compare the outcome word and the numbers of `text` with the result lines before it. Never raises."""
    return OutcomeVerdict(
        demanded=demanded_outcome(case.rolls),
        said=said_outcome(text),
        authored=said_outcome(case.authored),
        rolled=bool(case.rolls),
        tools=tuple(dict.fromkeys(one.line.tool.name for one in case.rolls if one.line.tool and one.has_outcome)),
        invented=tuple(invented_numbers(text, case.rolls, vocabulary)),
    )


def demanded_outcome(rolls: Iterable[GivenRoll]) -> Demand:
    """What the rolls oblige the next DM turn to say."""
    verdicts = {roll.success for roll in rolls if roll.has_outcome}
    if not verdicts:
        return "none"
    decided = verdicts.pop() if len(verdicts) == 1 else None
    return "either" if decided is None else ("success" if decided else "failure")


def said_outcome(text: str) -> Literal["success", "failure", "none"]:
    """The outcome word that a turn begins with."""
    match = read_outcome(text.lstrip())
    return "none" if match is None else ("success" if is_success(match) else "failure")


def invented_numbers(text: str, rolls: Iterable[GivenRoll], vocabulary: Vocabulary) -> list[str]:
    """Statements about dice in `text` that the result lines do not bear out, as written.

    That is: a result line of its own making; a claimed roll or total that no line has; damage that differs from every
    damage line just given (half of it is the rules' resistance). Damage without a damage line is the DM's own business.
    """
    given = list(rolls)
    prose = _without_requests(text, vocabulary)
    lines = [line.strip() for line in prose.splitlines() if _is_own_result(line, given, vocabulary)]
    known = {number for roll in given for number in _numbers_of(roll)}
    claims = [match[0].strip() for match in _CLAIM.finditer(prose) if _value(match) not in known]
    totals = [roll.line.total for roll in given if roll.line.tool and roll.line.tool.kind == "damage"]
    return lines + claims + _wrong_damage(prose, [total for total in totals if total is not None])


def _wrong_damage(prose: str, totals: list[int]) -> list[str]:
    found = list(_DAMAGE.finditer(prose)) if totals else []
    allowed = {*totals, sum(totals), *(total // 2 for total in totals), *(2 * total for total in totals)}
    borne_out = any(_value(match) in allowed for match in found)
    return [] if borne_out else [match[0].strip() for match in found]


def _without_requests(text: str, vocabulary: Vocabulary) -> str:
    pieces, position = [], 0
    for one in find_directives(text, vocabulary):
        pieces.append(text[position : one.start])
        position = max(position, one.end)
    return "".join([*pieces, text[position:]])


def _is_own_result(line: str, given: list[GivenRoll], vocabulary: Vocabulary) -> bool:
    read = parse_result_line(line, vocabulary)
    if read.tool is None or read.total is None or not read.dice:
        return False
    return all(read.total != roll.line.total or read.tool is not roll.line.tool for roll in given)


def _numbers_of(roll: GivenRoll) -> set[int]:
    line = roll.line
    difficulty = roll.request.arguments.get("dc", "") if roll.request else ""
    numbers = {*line.dice, *(line.pair or ()), *(one.amount for one in line.modifiers), line.bonus}
    return numbers | ({line.total} if line.total is not None else set()) | ({int(difficulty)} if difficulty else set())


def _value(match: re.Match[str]) -> int:
    word = next(group for group in match.groups() if group is not None).lower()
    return int(word) if word.isdecimal() else _NUMBER_WORDS.index(word)
