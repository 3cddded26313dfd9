"""Whether two requests mean the same, argument by argument: the structural match of function-calling benchmarks.

As in the Berkeley Function Calling Leaderboard (AST evaluation): names are compared, then each value by its declared
type; a missing required argument, a wrong value and an argument nobody asked for are three different faults. Otherwise
than there the key is one call, not a list of accepted values, and free text may differ a little. What the rules leave
to the DM's taste, the difficulty class above all, is compared too: the author's choice is the key.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from studio.scenarios import Tool, Vocabulary

SIMILAR_ENOUGH = 85
"""Normalized similarity (percent, rapidfuzz `token_set_ratio`) at which two free texts mean the same thing."""
_ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
_TERM = re.compile(r"([+-]?)(\d*d\d+|\d+)")


class Call(BaseModel):
    """A request reduced to what it means."""

    model_config = ConfigDict(frozen=True)

    tool: str
    arguments: dict[str, str] = Field(default_factory=dict)
    written: str = ""


class ArgumentMatch(BaseModel):
    """How the arguments of a generated call compare with the expected ones, by argument name."""

    model_config = ConfigDict(frozen=True)

    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    required_missing: bool = False

    @property
    def exact(self) -> bool:
        """All arguments are there with the right value, and no other."""
        return not (self.wrong or self.missing or self.extra)

    @property
    def acceptable(self) -> bool:
        """As `exact`, but optional arguments may be left out."""
        return not (self.wrong or self.extra or self.required_missing)


def match_arguments(expected: Call, generated: Call, tool: Tool, vocabulary: Vocabulary, actor: str) -> ArgumentMatch:
    """Compare two calls of one tool. `actor` is who acts when `who` is not given."""
    wanted, given = _effective(expected, tool, actor), _effective(generated, tool, actor)
    both = [name for name in wanted if name in given]
    right = tuple(name for name in both if same_value(name, wanted[name], given[name], vocabulary))
    missing = tuple(name for name in wanted if name not in given)
    return ArgumentMatch(
        right=right,
        wrong=tuple(name for name in both if name not in right),
        missing=missing,
        extra=tuple(name for name in given if name not in wanted),
        required_missing=any(name in tool.value for name in missing),
    )


def same_value(name: str, one: str, other: str, vocabulary: Vocabulary) -> bool:
    """Whether two values of an argument mean the same, by the argument's declared type."""
    declared = vocabulary.arguments.get(name)
    match declared.type if declared else "text":
        case "number" | "signed":
            return _number(one) == _number(other)
        case "dice":
            return _terms(one) == _terms(other)
        case "text" | "character":
            return _same_text(one, other)
    return one.casefold() == other.casefold()


def _effective(call: Call, tool: Tool, actor: str) -> dict[str, str]:
    """The arguments without a `who` that only says what goes without saying."""
    said = call.arguments.get("who", "")
    redundant = bool(actor) and said.casefold() == actor.casefold() and tool.kind != "initiative"
    return {name: value for name, value in call.arguments.items() if not (name == "who" and redundant)}


def _number(value: str) -> int | str:
    text = value.replace("−", "-").replace("–", "-").replace(" ", "")
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text) else value


def _terms(dice: str) -> list[tuple[str, str]] | str:
    """`1d6+3` -> its signed terms in a fixed order, so that `3+1d6` is the same."""
    text = dice.replace(" ", "").lower()
    found = [(sign or "+", f"1{term}" if term.startswith("d") else term) for sign, term in _TERM.findall(text)]
    return sorted(found) if "".join(sign + term for sign, term in _TERM.findall(text)) == text else text


def _same_text(one: str, other: str) -> bool:
    from rapidfuzz import fuzz

    first, second = (_ARTICLE.sub("", value.strip()).casefold() for value in (one, other))
    return first == second or (bool(first and second) and fuzz.token_set_ratio(first, second) >= SIMILAR_ENOUGH)
