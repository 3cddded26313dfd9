"""The T checks: requests, answers, sums, modifiers and outcomes."""

from __future__ import annotations

import re

from studio.scenarios.checks import tool_call_codes as codes
from studio.scenarios.checks.answers import check_answer
from studio.scenarios.checks.report import Edit, Report, replace, suggest
from studio.scenarios.checks.rule import Rule
from studio.scenarios.directives import Directive, Problem, Trouble, directives_in_code
from studio.scenarios.exchanges import Exchange, is_success, read_outcome
from studio.scenarios.reading import Turn
from studio.scenarios.results import ResultLine, ResultProblem

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
_FIXED_BY_PRINTING = {Problem.MISSING_KEYWORD, Problem.MISSING_BRACKET, Problem.SPELLING, Problem.REPEATED_ARGUMENT}


def check_tool_calls(report: Report) -> None:
    """Every T code."""
    for turn in report.reading.turns:
        _check_turn(report, turn)
    told: set[int] = set()
    for exchange in report.reading.exchanges:
        _check_exchange(report, exchange)
        if exchange.outcome is not None and exchange.pairs:
            told.add(id(exchange.outcome))
    for turn in report.reading.turns:
        if turn.speaker == "DM":
            _check_outcome_word(report, turn, id(turn) in told)


def _check_turn(report: Report, turn: Turn) -> None:
    for directive in turn.directives:
        if turn.speaker == "User":
            start, end = turn.start + directive.start, turn.start + directive.end
            report.add(codes.PLAYER_ASKS, start, end, f"{directive.written[:80]} is the DM's to write.")
            continue
        for trouble in directive.problems:
            _report_trouble(report, turn, directive, trouble)
    for line in turn.results:
        _check_line(report, turn, line)
    if turn.speaker == "DM" and ("`" in turn.content or "~~~" in turn.content):
        for quoted in directives_in_code(turn.content, report.reading.vocabulary):
            start, end = turn.start + quoted.start, turn.start + quoted.end
            report.add(codes.IN_CODE, start, end, f"{quoted.written[:80]} is quoted, so nothing is rolled.")
    if turn.speaker == "DM" and not turn.directives and (words := _ASKS_IN_WORDS.search(turn.content)):
        start, end = turn.start + words.start(), turn.start + words.end()
        report.add(codes.ASKS_IN_WORDS, start, end, "The words ask for a roll, but there is no request.")


def _report_trouble(report: Report, turn: Turn, directive: Directive, trouble: Trouble) -> None:
    start, end = turn.start + directive.start, turn.start + directive.end
    subject = f" ({trouble.subject[:60]})" if trouble.subject else ""
    message = f"{directive.written[:80]}: {trouble.problem}{subject}."
    fix: Edit | None = None
    if trouble.problem is Problem.UNKNOWN_TOOL:
        guess = _guess_tool(report, directive.name)
        message += f" Did you mean {guess}?" if guess else ""
        fix = _swap(report, start, end, directive.name, guess)
    elif trouble.problem is Problem.UNKNOWN_ARGUMENT and directive.tool is not None:
        key = trouble.subject.partition("=")[0].strip()
        guess = report.guess(key, directive.tool.arguments)
        message += f" Did you mean {guess}?" if guess else ""
        fix = _swap(report, start, end, key, guess)
    elif trouble.problem in _FIXED_BY_PRINTING and _only_printing(directive):
        fix = replace(f"Write {directive.canonical}", start, end, directive.canonical)
    report.add(_RULE_OF_PROBLEM[trouble.problem], start, end, message, fix)


def _only_printing(directive: Directive) -> bool:
    return all(one.problem in _FIXED_BY_PRINTING for one in directive.problems)


def _swap(report: Report, start: int, end: int, wrong: str, right: str | None) -> Edit | None:
    """The edit that puts `right` where `wrong` stands between `start` and `end`."""
    position = report.reading.text.find(wrong, start, end) if wrong and right else -1
    return suggest(f"Change to {right}", position, position + len(wrong), right) if position >= 0 and right else None


def _guess_tool(report: Report, written: str) -> str | None:
    spellings = report.reading.vocabulary.by_spelling
    guess = report.guess(written.replace(" ", "_"), spellings)
    return (spellings[guess].name if spellings[guess].rolls else spellings[guess].spoken) if guess else None


def _check_line(report: Report, turn: Turn, line: ResultLine) -> None:
    start, end = turn.start + line.start, turn.start + line.end
    if ResultProblem.UNREADABLE in line.problems:
        report.add(codes.UNREADABLE_RESULT, start, end, f"{line.written[:80]!r} is no result line.")
        return
    if line.tool is None:
        guess = _guess_tool(report, line.name)
        said = f"{line.name!r} is no known name." + (f" Did you mean {guess}?" if guess else "")
        report.add(codes.UNKNOWN_RESULT, start, end, said, _swap(report, start, end, line.name, guess))
    if ResultProblem.WRONG_SUM in line.problems:
        right = str(line.expected_total)
        said = f"{line.written.rpartition('=')[0].strip()} is {right}, not {line.total}."
        position = report.reading.text.rfind(str(abs(line.total or 0)), start, end)
        fix = replace(f"Change the total to {right}", position, position + len(str(abs(line.total or 0))), right)
        report.add(codes.WRONG_SUM, start, end, said, fix if position >= 0 and (line.total or 0) >= 0 else None)
    elif line.tool is not None:
        _check_spelling(report, line, start, end)


def _check_spelling(report: Report, line: ResultLine, start: int, end: int) -> None:
    canonical = line.canonical
    if canonical is not None and canonical != line.written:
        fix = replace(f"Write {canonical}", start, end, canonical)
        report.add(codes.RESULT_SPELLING, start, end, f"Usually written {canonical}", fix)


def _check_exchange(report: Report, exchange: Exchange) -> None:
    if exchange.asked is not None and not exchange.is_last:
        for directive in exchange.unanswered:
            if directive.tool is not None and directive.tool.needs_answer:
                start, end = exchange.asked.start + directive.start, exchange.asked.start + directive.end
                report.add(codes.NO_ANSWER, start, end, f"Nothing answers {directive.written[:80]}.")
    for turn, line in exchange.stray:
        if line.tool is not None:
            start, end = turn.start + line.start, turn.start + line.end
            report.add(codes.NO_REQUEST, start, end, f"The DM turn before does not ask for {line.tool.spoken}.")
    for pair in exchange.pairs:
        check_answer(report, exchange, pair)
    _check_outcome(report, exchange)


def _check_outcome(report: Report, exchange: Exchange) -> None:
    """Whether the turn after the dice says what they decided."""
    decided = [pair for pair in exchange.pairs if pair.directive.tool and pair.directive.tool.has_outcome]
    told = exchange.outcome
    if not decided or told is None:
        return
    expected = {_expected(pair.directive, pair.line) for pair in decided}
    verdict = next(iter(expected)) if len(expected) == 1 else None
    word = read_outcome(told.content)
    if word is None:
        right = None if verdict is None else _word(verdict)
        fix = suggest(f"Insert {right}", told.start, told.start, f"{right} ") if right else None
        report.add(codes.NO_OUTCOME, told.start, told.start + min(len(told.content), 40), "Success or failure?", fix)
    elif verdict is not None and is_success(word) != verdict:
        start, end = told.start, told.start + word.end()
        totals = ", ".join(str(pair.line.total) for pair in decided)
        said = f"The roll of {totals} against {decided[0].directive.arguments.get('dc')} says {_word(verdict)}."
        report.add(
            codes.WRONG_OUTCOME, start, end, said, suggest(f"Write {_word(verdict)}", start, end, _word(verdict))
        )


def _expected(directive: Directive, line: ResultLine) -> bool | None:
    difficulty = directive.arguments.get("dc", "")
    known = difficulty.isdecimal() and line.total is not None and ResultProblem.WRONG_SUM not in line.problems
    return (line.total or 0) >= int(difficulty) if known else None


def _word(success: bool) -> str:
    return "*SUCCESS*" if success else "*FAILED*"


def _check_outcome_word(report: Report, turn: Turn, told: bool) -> None:
    word = read_outcome(turn.content)
    if word is None:
        return
    start, end = turn.start, turn.start + word.end()
    right = _word(is_success(word))
    if not told:
        report.add(codes.STRAY_OUTCOME, start, end, f"{word[0]} answers no roll.")
    elif word[0] != right:
        report.add(
            codes.OUTCOME_SPELLING,
            start,
            end,
            f"Usually written {right}.",
            replace(f"Write {right}", start, end, right),
        )
