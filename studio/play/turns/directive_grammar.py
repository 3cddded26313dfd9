"""A grammar for what a model may write once it has opened a bracket, made from the vocabulary of requests.

It is written twice at once, as GBNF for llama.cpp and as a regular expression for checks: both come from one tree, and
nothing in it is recursive. Arguments stand in the order of config/tools.yaml. What is free text (a target, an item)
stays free, within what a request can hold; characters are of the party, if there is one, conditions those of the SRD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.scenarios import Argument, Tool, Vocabulary, load_srd

OPENS = "["
"""The text from which on the grammar holds."""
_LONGEST_TEXT = 60
_LETTERS, _MARKS = "A-Za-z0-9\u00c0-\u024f", " '.()/-"
"""What a target or an item may begin with and go on with: Latin letters, and no mark that means something here."""
_DICE = (4, 6, 8, 10, 12, 20, 100)


@dataclass(frozen=True)
class Rule:
    """A piece of the language in both notations."""

    gbnf: str
    pattern: str


def directive_grammar(vocabulary: Vocabulary, names: Sequence[str] = ()) -> str:
    """GBNF of the rest of a reply from its first bracket on: requests, and any text without brackets around them.

    Args:
        names: the characters of the party, whom `who` may name; any name where there are none.
    """
    tools = [(f"tool-{tool.name.replace('_', '-')}", _tool(tool, vocabulary, names)) for tool in vocabulary.tools]
    lines = [
        "root ::= [ \\n]* directive ([^\\[\\]] | directive)*",
        f'directive ::= "[" ({" | ".join(name for name, _ in tools)}) "]"',
        *(f"{name} ::= {rule.gbnf}" for name, rule in tools),
    ]
    return "\n".join(lines) + "\n"


def directive_pattern(vocabulary: Vocabulary, names: Sequence[str] = ()) -> re.Pattern[str]:
    """One request, brackets included, as the grammar has it."""
    every = _either(_tool(tool, vocabulary, names) for tool in vocabulary.tools)
    return re.compile(rf"\[{every.pattern}\]")


def _tool(tool: Tool, vocabulary: Vocabulary, names: Sequence[str]) -> Rule:
    said = vocabulary.arguments
    value = [_value(said[name], names, last=said[tool.value[-1]]) for name in tool.value]
    head = _text(f"roll: {tool.name}" if tool.rolls else f"{tool.spoken}: " if value else tool.spoken)
    rest: list[Rule] = []
    left = [name for name in tool.arguments if name not in tool.value]
    while left:
        first, *left = left
        alike = [first, *(one for one in left if first in (said[one].excludes,) or said[first].excludes == one)]
        left = [one for one in left if one not in alike]
        rest.append(_maybe(_either(_named(said[one], names) for one in alike)))
    return _all([head, *value, *rest])


def _value(argument: Argument, names: Sequence[str], *, last: Argument) -> Rule:
    """A part of the value behind the colon: words that say which way come first.

    They may be left out where what follows cannot be taken for one of them.
    """
    if argument is last:
        return _of_type(argument, names)
    way = _all([_of_type(argument, names), _text(" ")])
    return way if last.type == "text" and last.name != "condition" else _maybe(way)


def _named(argument: Argument, names: Sequence[str]) -> Rule:
    if argument.type == "flag":
        return _text(f", {argument.name}")
    return _all([_text(f", {argument.name}="), _of_type(argument, names)])


def _of_type(argument: Argument, names: Sequence[str]) -> Rule:
    match argument.type:
        case "choice":
            return _either(_text(one) for one in argument.choices)
        case "character" if names:
            return _either(_text(one) for one in names)
        case "number":
            return Rule("[1-9] [0-9]?", "[1-9][0-9]?")
        case "signed":
            return Rule("[+-] [1-9] [0-9]{0,3}", "[+-][1-9][0-9]{0,3}")
        case "slot":
            return _either(_text(one) for one in ("1st", "2nd", "3rd", *(f"{level}th" for level in range(4, 10))))
        case "dice":
            die = _either(_text(f"d{sides}") for sides in _DICE)
            return Rule(
                f"[1-9] [0-9]? {die.gbnf} ([+-] [1-9] [0-9]?)?", f"[1-9][0-9]?{die.pattern}(?:[+-][1-9][0-9]?)?"
            )
        case _ if argument.name == "condition":
            return _either(_text(one) for one in sorted(load_srd().conditions))
        case _:
            first, free = f"[{_LETTERS}]", f"[{_LETTERS}{_MARKS}]{{0,{_LONGEST_TEXT - 1}}}"
            return Rule(f"{first} {free}", first + free)


def _text(words: str) -> Rule:
    quoted = words.replace("\\", "\\\\").replace('"', '\\"')
    return Rule(f'"{quoted}"', re.escape(words))


def _all(rules: Sequence[Rule]) -> Rule:
    return Rule(" ".join(one.gbnf for one in rules), "".join(one.pattern for one in rules))


def _either(rules: Iterable[Rule]) -> Rule:
    some = list(rules)
    return Rule(f"({' | '.join(one.gbnf for one in some)})", f"(?:{'|'.join(one.pattern for one in some)})")


def _maybe(rule: Rule) -> Rule:
    return Rule(f"({rule.gbnf})?", f"(?:{rule.pattern})?")
