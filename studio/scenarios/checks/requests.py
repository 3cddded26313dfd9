"""The T checks on one request as it is written: its name, its arguments, its brackets, and what a click makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from studio.scenarios.arguments import read_value
from studio.scenarios.checks import tool_call_codes as codes
from studio.scenarios.checks.report import Edit, Report, replace, suggest
from studio.scenarios.checks.rule import Rule
from studio.scenarios.checks.scene import Scene
from studio.scenarios.directives import Directive, Problem, Trouble, directives_in_code, format_directive
from studio.scenarios.reading import Turn
from studio.scenarios.vocabulary import Argument, Tool

_ASKS_IN_WORDS = re.compile(
    r"\b(?:roll|make|give me|need)\b[^.!?\n]{0,40}?\b(?:check|saving throw|initiative|roll for \w+|"
    r"for (?:perception|stealth|damage|insight|persuasion|investigation|athletics|acrobatics|arcana|deception))\b",
    re.IGNORECASE,
)
_RULE_OF_PROBLEM: dict[Problem, Rule] = {
    Problem.UNKNOWN_TOOL: codes.UNKNOWN_REQUEST,
    Problem.MISSING_NAME: codes.INCOMPLETE,
    Problem.MISSING_KEYWORD: codes.NO_KEYWORD,
    Problem.MISSING_BRACKET: codes.NO_BRACKET,
    Problem.UNKNOWN_ARGUMENT: codes.UNKNOWN_ARGUMENT,
    Problem.BAD_VALUE: codes.BAD_VALUE,
    Problem.REPEATED_ARGUMENT: codes.CONFLICTING,
    Problem.EXCLUDED_ARGUMENT: codes.CONFLICTING,
    Problem.MISSING_VALUE: codes.INCOMPLETE,
    Problem.SPELLING: codes.REQUEST_SPELLING,
}
_FIXED_BY_PRINTING = {Problem.MISSING_KEYWORD, Problem.MISSING_BRACKET, Problem.SPELLING}
_NEEDS = {
    "number": "a whole number, such as dc=15",
    "signed": "a number with + or -, such as -6; dice are rolled first, with [roll: damage, dice=2d6]",
    "dice": "dice, such as 2d6+3",
    "flag": "no value: write the word alone, or leave it away",
    "slot": "a level from 1st to 9th",
}
_DICE = re.compile(r"(?:[1-9]\d?)?d\d{1,3}(?:[+-]\d{1,3})?")


def check_requests(report: Report, scene: Scene, turn: Turn) -> None:
    """The requests of one User or DM turn."""
    for directive in turn.directives:
        if turn.speaker == "User":
            _report_player(report, turn, directive)
            continue
        for trouble in directive.problems:
            _Trouble(report, scene, turn, directive, trouble).report()
        _check_who(report, turn, directive)
    if turn.speaker == "DM":
        _check_unheard(report, scene, turn)


def _report_player(report: Report, turn: Turn, directive: Directive) -> None:
    start, end = turn.start + directive.start, turn.start + directive.end
    while start > turn.start and report.reading.text[start - 1] in " \t\n":
        start -= 1
    fix = suggest("Remove the request", start, end, "") if len(turn.content) > end - start else None
    said = f"A player cannot ask for dice: {directive.written[:80]} belongs into the DM turn that follows."
    report.add(codes.PLAYER_ASKS, turn.start + directive.start, end, said, fix)


def _check_who(report: Report, turn: Turn, directive: Directive) -> None:
    who = directive.arguments.get("who", "")
    report.check_name(who, turn.start + directive.start, turn.start + directive.end)


def _check_unheard(report: Report, scene: Scene, turn: Turn) -> None:
    """Requests in code, and rolls that only the words ask for."""
    if "`" in turn.content or "~~~" in turn.content:
        for quoted in directives_in_code(turn.content, report.reading.vocabulary):
            start, end = turn.start + quoted.start, turn.start + quoted.end
            text = report.reading.text
            ticked = text[start - 1 : start] == "`" and text[end : end + 1] == "`"
            fix = suggest("Remove the backticks", start - 1, end + 1, quoted.written) if ticked else None
            said = f"{quoted.written[:80]} stands between backticks, so nothing is rolled. Take the backticks away."
            report.add(codes.IN_CODE, start, end, said, fix)
            return
    if not turn.directives and (words := _ASKS_IN_WORDS.search(turn.content)):
        start, end = turn.start + words.start(), turn.start + words.end()
        tool = scene.stray_tool(turn) or _named_in(words[0], report)
        at = turn.start + len(turn.content)
        request = f"[roll: {tool.name}]" if tool else ""
        fix = suggest(f"Add {request}", at, at, f"\n\n{request}") if tool else None
        example = request or "[roll: stealth]"
        said = f"The words ask for a roll, but nothing is rolled until a request says it, such as {example}."
        report.add(codes.ASKS_IN_WORDS, start, end, said, fix)


def asks_in_words(content: str) -> bool:
    """Whether a turn asks for a roll with words, as in `make a stealth check`."""
    return _ASKS_IN_WORDS.search(content) is not None


def _named_in(words: str, report: Report) -> Tool | None:
    """The roll that a sentence such as `make a sleight of hand check` names."""
    found = re.findall(r"[a-z]+", words.lower())
    spellings = report.reading.vocabulary.by_spelling
    for count in (3, 2, 1):
        for start in range(len(found) - count + 1):
            tool = spellings.get("_".join(found[start : start + count]))
            if tool is not None and tool.rolls:
                return tool
    return None


class _Trouble:
    """One problem of one request, on its way to a sentence and a fix."""

    def __init__(self, report: Report, scene: Scene, turn: Turn, directive: Directive, trouble: Trouble) -> None:
        self._report, self._scene, self._turn = report, scene, turn
        self._directive, self._trouble = directive, trouble
        self._start, self._end = turn.start + directive.start, turn.start + directive.end
        self._written = directive.written[:80]

    def report(self) -> None:
        message, fix = _SENTENCES[self._trouble.problem](self)
        self._report.add(_RULE_OF_PROBLEM[self._trouble.problem], self._start, self._end, message, fix)

    def unknown_tool(self) -> tuple[str, Edit | None]:
        name = self._directive.name
        if _DICE.fullmatch(name.replace(" ", "").lower()) and not name.lower().startswith(("1d20", "d20")):
            return f"{self._written} does not say what the dice are for. Damage is asked for like this.", self._write(
                f"[roll: damage, dice={name.replace(' ', '').lower()}]"
            )
        stray = self._scene.stray_tool(self._turn)
        guess = _spoken(stray) if stray else guess_tool(self._report, name)
        hint = f" Did you mean {guess}?" if guess else " The names are listed in docs/scenarios.md."
        behind = self._start + self._directive.written.find(":") + 1
        fix = swap(self._report, behind, self._end, name, guess)
        return f"There is nothing called {name[:60]!r} to ask for.{hint}", fix

    def missing_name(self) -> tuple[str, Edit | None]:
        stray = self._scene.stray_tool(self._turn)
        request = f"[roll: {stray.name}]" if stray and stray.rolls else "[roll: perception]"
        said = f"{self._written} does not say what to roll. Name a skill, a save or an attack, such as {request}."
        return said, self._write(request)

    def by_printing(self) -> tuple[str, Edit | None]:
        right = self._directive.canonical
        said = {
            Problem.MISSING_KEYWORD: f"{self._written} is not seen as a request. Write {right}.",
            Problem.MISSING_BRACKET: f"The request is not closed: put a ] behind it. Write {right}.",
        }.get(self._trouble.problem, f"{self._written} is understood; it is usually written {right}.")
        only = all(one.problem in _FIXED_BY_PRINTING for one in self._directive.problems)
        return said, replace(f"Write {right}", self._start, self._end, right) if only else None

    def unknown_argument(self) -> tuple[str, Edit | None]:
        tool, piece = self._tool, self._trouble.subject
        known = ", ".join(name for name in tool.arguments if name not in tool.value) or "no arguments"
        said = f"{_spoken(tool)} does not take {piece[:60]!r}; it takes {known}."
        key = piece.partition("=")[0].strip()
        if (guess := self._report.guess(key, tool.arguments)) and guess != key:
            return f"{said} Did you mean {guess}?", swap(self._report, self._start, self._end, key, guess)
        last = tool.value[-1] if tool.value else ""
        if last and "=" not in piece and self._declared(last).type == "text":
            value = f"{self._directive.arguments.get(last, '')}, {piece}"
            return f"{said} A value with a comma stands in double quotes.", self._with({last: value})
        return said, self._with({}, "Remove it")

    def bad_value(self) -> tuple[str, Edit | None]:
        name, _, value = self._trouble.subject.partition("=")
        one = self._declared(name)
        needs = _NEEDS.get(one.type) or f"one of: {', '.join(one.choices)}"
        said = f"{name}={value[:60]} cannot be used. {name} needs {needs}."
        if (right := self._nearest(one, value)) is not None:
            return said, self._with({name: right})
        return said, None if name in self._tool.value else self._with({name: None}, f"Remove {name}")

    def repeated(self) -> tuple[str, Edit | None]:
        name = self._trouble.subject
        kept = self._directive.arguments.get(name, "")
        return f"{name} is given twice; keep one of them.", self._with({}, f"Keep the first ({name}={kept})")

    def excluded(self) -> tuple[str, Edit | None]:
        one, _, other = self._trouble.subject.partition(", ")
        said = f"{one} and {other} cancel each other out: ask for a plain roll, or take one of them away."
        return said, self._with({one: None, other: None}, "Remove both")

    def missing_value(self) -> tuple[str, Edit | None]:
        name = self._trouble.subject
        one = self._declared(name)
        said = f"{self._written} lacks its {name}: {one.help[:1].lower()}{one.help[1:]}"
        if name not in self._tool.value:
            return said, self._with({name: None}, f"Remove {name}")
        return said, self._with({name: one.choices[0] if one.choices else one.example}, "Put in an example")

    @property
    def _tool(self) -> Tool:
        tool = self._directive.tool
        if tool is None:
            raise AssertionError("only a request of a known tool has arguments")
        return tool

    def _declared(self, name: str) -> Argument:
        return self._report.reading.vocabulary.arguments[name]

    def _nearest(self, one: Argument, value: str) -> str | None:
        """A value that fits and was probably meant: the number in `about 15`, the choice most like the word."""
        if one.type == "choice":
            return self._report.guess(value.lower(), one.choices)
        if one.type not in ("number", "dice", "slot"):
            return None
        pattern = {"number": r"\d{1,4}", "dice": _DICE.pattern, "slot": r"[1-9](?!\d)"}[one.type]
        found = re.search(rf"(?<!\d){pattern}", value.lower().replace(" ", ""))
        return read_value(one, found[0]) if found else None

    def _with(self, changes: dict[str, str | None], title: str = "") -> Edit:
        """The edit that writes the request with some arguments changed or (None) left away."""
        arguments = {
            name: value for name, value in {**self._directive.arguments, **changes}.items() if value is not None
        }
        return self._write(format_directive(self._tool, arguments), title)

    def _write(self, request: str, title: str = "") -> Edit:
        return suggest(f"{title}: {request}" if title else f"Write {request}", self._start, self._end, request)


_SENTENCES: dict[Problem, Callable[[_Trouble], tuple[str, Edit | None]]] = {
    Problem.UNKNOWN_TOOL: _Trouble.unknown_tool,
    Problem.MISSING_NAME: _Trouble.missing_name,
    Problem.MISSING_KEYWORD: _Trouble.by_printing,
    Problem.MISSING_BRACKET: _Trouble.by_printing,
    Problem.SPELLING: _Trouble.by_printing,
    Problem.UNKNOWN_ARGUMENT: _Trouble.unknown_argument,
    Problem.BAD_VALUE: _Trouble.bad_value,
    Problem.REPEATED_ARGUMENT: _Trouble.repeated,
    Problem.EXCLUDED_ARGUMENT: _Trouble.excluded,
    Problem.MISSING_VALUE: _Trouble.missing_value,
}


def swap(report: Report, start: int, end: int, wrong: str, right: str | None) -> Edit | None:
    """The edit that puts `right` where `wrong` stands between `start` and `end`."""
    position = report.reading.text.find(wrong, start, end) if wrong and right else -1
    return suggest(f"Change to {right}", position, position + len(wrong), right) if position >= 0 and right else None


def guess_tool(report: Report, written: str) -> str | None:
    """The name that was probably meant, as it is written in a request, or None."""
    spellings = report.reading.vocabulary.by_spelling
    guess = report.guess(written.replace(" ", "_"), spellings)
    return _spoken(spellings[guess]) if guess else None


def _spoken(tool: Tool) -> str:
    return tool.name if tool.rolls else tool.spoken
