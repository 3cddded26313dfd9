"""Tool calls in the OpenAI style -> requests and answers of our language, where config/tools.yaml has the tool.

A call that the vocabulary does not have, or whose arguments it cannot take, is not guessed at: the caller is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from studio.scenarios import Tool, Vocabulary, find_directives, format_directive, format_result, normalize

_GENERIC = frozenset(
    {"roll", "roll_dice", "dice_roll", "check", "skill_check", "ability_check", "saving_throw", "roll_check"}
)
"""Functions that take what is rolled for as an argument."""
_WHAT = ("skill", "check", "ability", "save", "tool", "name", "type")
_DIE = ("die", "roll", "d20", "natural")
_BONUS = ("bonus", "modifier", "mod")
_TOTAL = ("total", "result")
_AFFIXES = ("roll_", "make_", "do_")


def request_of(call: object, vocabulary: Vocabulary) -> str | None:
    """The request that a `tool_calls` entry (or an old `function_call`) asks for, None when we have no such tool."""
    if not isinstance(call, Mapping):
        return None
    function = call.get("function", call)
    if not isinstance(function, Mapping):
        return None
    arguments = _arguments(function.get("arguments", function.get("parameters")))
    if arguments is None:
        return None
    tool, rest = _tool(str(function.get("name", "")), arguments, vocabulary)
    return _request(tool, rest, vocabulary) if tool is not None else None


def tool_of(call: object, vocabulary: Vocabulary) -> Tool | None:
    """The tool that a call means, None when we have no such tool."""
    request = request_of(call, vocabulary)
    found = find_directives(request, vocabulary) if request else []
    return found[0].tool if found else None


def answer_of(content: str, tool: Tool | None) -> str:
    """The content of a tool message as a result line where its numbers are complete; else as it is."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(values, Mapping) or tool is None or tool.result != "roll":
        return content
    die, bonus, total = (_number(values, names) for names in (_DIE, _BONUS, _TOTAL))
    if die is None or total is None or die + (bonus or 0) != total:
        return content
    actor = values.get("who") or values.get("character")
    return format_result(tool.name, [die], bonus or 0, tool.label, actor=str(actor) if actor else None)


def _arguments(written: object) -> dict[str, Any] | None:
    """The arguments of a call: OpenAI writes them as JSON in a string, others as an object."""
    if written in (None, ""):
        return {}
    if isinstance(written, str):
        try:
            written = json.loads(written)
        except (ValueError, RecursionError):
            return None
    return {str(key): value for key, value in written.items()} if isinstance(written, Mapping) else None


def _tool(name: str, arguments: dict[str, Any], vocabulary: Vocabulary) -> tuple[Tool | None, dict[str, Any]]:
    written = normalize(name)
    if written in _GENERIC:
        key = next((one for one in _WHAT if isinstance(arguments.get(one), str)), None)
        if key is None:
            return None, arguments
        rest = {name: value for name, value in arguments.items() if name != key}
        what = f"{arguments[key]}{' save' if written == 'saving_throw' or key == 'save' else ''}"
        return vocabulary.find(what) or vocabulary.find(str(arguments[key])), rest
    found = vocabulary.find(written)
    for affix in _AFFIXES:
        found = found or vocabulary.find(written.removeprefix(affix))
    return found or vocabulary.find(written.removesuffix("_check")), arguments


def _request(tool: Tool, arguments: dict[str, Any], vocabulary: Vocabulary) -> str | None:
    """The canonical request, if reading it again gives the same tool without a fault."""
    values = {}
    for name, value in arguments.items():
        argument = vocabulary.argument_spellings.get(normalize(name))
        if argument is None or isinstance(value, dict | list):
            return None
        if value is None or value is False:
            continue
        values[argument] = "true" if value is True else str(value)
    written = format_directive(tool, values)
    found = find_directives(written, vocabulary)
    if len(found) != 1 or not found[0].valid or found[0].tool is not tool:
        return None
    return found[0].canonical


def _number(values: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = next((values[one] for one in names if one in values), None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
