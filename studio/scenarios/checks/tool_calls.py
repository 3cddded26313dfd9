"""The T checks: whether requests, answers and outcomes fit together. One mistake is reported once, where it is."""

from __future__ import annotations

from studio.scenarios.checks import tool_call_codes as codes
from studio.scenarios.checks.answers import check_answer, check_line
from studio.scenarios.checks.report import Edit, Report, replace, suggest
from studio.scenarios.checks.requests import asks_in_words, check_requests
from studio.scenarios.checks.scene import Scene
from studio.scenarios.directives import Directive
from studio.scenarios.exchanges import Answered, Exchange, is_success, read_outcome
from studio.scenarios.reading import Turn
from studio.scenarios.results import ResultLine, ResultProblem


def check_tool_calls(report: Report) -> None:
    """Every T code."""
    scene = Scene.of(report.reading)
    for turn in report.reading.turns:
        check_requests(report, scene, turn)
        for line in turn.results:
            check_line(report, scene, turn, line)
    told: set[int] = set()
    for exchange in report.reading.exchanges:
        _check_exchange(report, scene, exchange)
        told.update(id(turn) for turn in _outcomes(scene, exchange))
    for turn in report.reading.turns:
        if turn.speaker == "DM":
            _check_outcome_word(report, turn, id(turn) in told)


def _outcomes(scene: Scene, exchange: Exchange) -> list[Turn]:
    """The turn that tells how it went; without dice the next one, for the missing answer is what is wrong there."""
    if exchange.outcome is not None:
        return [exchange.outcome]
    after = scene.following.get(id(exchange.asked)) if exchange.asked and exchange.unanswered else None
    return [after] if after is not None and after.speaker == "DM" else []


def _check_exchange(report: Report, scene: Scene, exchange: Exchange) -> None:
    open_ones = scene.unanswered(exchange)
    if len(exchange.stray) < len(open_ones):
        for directive in open_ones[len(exchange.stray) :]:
            _report_unanswered(report, scene, exchange, directive)
    excused = scene.unheard(exchange) + _asked_in_words(exchange)
    for turn, line in exchange.stray[excused:]:
        if line.tool is not None and ResultProblem.UNREADABLE not in line.problems:
            _report_stray(report, exchange, open_ones, turn, line)
    for pair in exchange.pairs:
        check_answer(report, scene, exchange, pair)
    _check_outcome(report, exchange)


def _asked_in_words(exchange: Exchange) -> int:
    """A turn that asks in words only has its own code (T027); its answer is then no second mistake."""
    return int(exchange.asked is not None and not exchange.asked.directives and asks_in_words(exchange.asked.content))


def _report_unanswered(report: Report, scene: Scene, exchange: Exchange, directive: Directive) -> None:
    asked = exchange.asked
    if asked is None:
        return
    start, end = asked.start + directive.start, asked.start + directive.end
    answer = "" if report.is_full(codes.NO_ANSWER) else scene.answer_for(exchange, directive)
    if exchange.answers:
        last = exchange.answers[-1]
        at, text = last.start + len(last.content), f"\n{answer}"
    else:
        at, text = asked.node.end, f"\n\n<TOOLCALL>{answer}</TOOLCALL>"
    title = f"Insert an answer to change to your own roll: {answer.splitlines()[0]}" if answer else ""
    fix = suggest(title, at, at, text) if answer and asked.node.is_closed else None
    said = f"Nothing answers {directive.written[:80]}. A TOOLCALL turn with the result belongs after this turn."
    report.add(codes.NO_ANSWER, start, end, said, fix)


def _report_stray(report: Report, exchange: Exchange, open_ones: list[Directive], turn: Turn, line: ResultLine) -> None:
    start, end = turn.start + line.start, turn.start + line.end
    name = line.tool.spoken if line.tool else line.name
    if len(open_ones) == 1 and len(exchange.stray) == 1 and open_ones[0].tool is not None:
        right = open_ones[0].tool
        at = report.reading.text.find(line.name, start, end)
        fix = suggest(f"Change to {right.name}", at, at + len(line.name), right.name) if at >= 0 else None
        said = f"The DM asks for {right.spoken}, but this answers {name}. Both must have the same name."
    else:
        said = f"The DM turn before does not ask for {name}. Write the request there, or take this answer away."
        fix = _request_fix(exchange, turn, line)
    report.add(codes.NO_REQUEST, start, end, said, fix)


def _request_fix(exchange: Exchange, turn: Turn, line: ResultLine) -> Edit | None:
    """Ask for it at the end of the DM turn before; when there is none, take the answer away."""
    tool, asked = line.tool, exchange.asked
    if asked is not None and tool is not None and tool.rolls:
        at, who = asked.start + len(asked.content), f", who={line.actor}" if line.actor else ""
        request = f"[roll: {tool.name}{who}]"
        return suggest(f"Add {request} to the DM turn", at, at, f"\n\n{request}")
    if len(turn.results) == 1:
        return suggest("Remove the TOOLCALL turn", turn.node.start, turn.node.end, "")
    return suggest("Remove the line", turn.start + line.start, turn.start + line.end, "")


def _check_outcome(report: Report, exchange: Exchange) -> None:
    """Whether the turn after the dice says what they decided."""
    decided = [pair for pair in exchange.pairs if pair.directive.tool and pair.directive.tool.has_outcome]
    told = exchange.outcome
    if not decided or told is None:
        return
    expected = {expected_success(pair) for pair in decided}
    verdict = next(iter(expected)) if len(expected) == 1 else None
    word = read_outcome(told.content)
    if word is None:
        _report_no_outcome(report, told, verdict)
    elif verdict is not None and is_success(word) != verdict:
        start, end = told.start, told.start + word.end()
        totals = ", ".join(str(pair.line.total) for pair in decided)
        needed = decided[0].directive.arguments.get("dc")
        said = (
            f"{totals} against a difficulty of {needed} is {_word(verdict)}, but the story says {_word(not verdict)}."
        )
        fix = suggest(f"Write {_word(verdict)} (then look at the story behind it)", start, end, _word(verdict))
        report.add(codes.WRONG_OUTCOME, start, end, said, fix)


def _report_no_outcome(report: Report, told: Turn, verdict: bool | None) -> None:
    right = None if verdict is None else _word(verdict)
    fix = suggest(f"Insert {right}", told.start, told.start, f"{right} ") if right else None
    said = "The dice were thrown: begin this turn with *SUCCESS* or *FAILED*, then tell what happens."
    report.add(codes.NO_OUTCOME, told.start, told.start + min(len(told.content), 40), said, fix)


def expected_success(pair: Answered) -> bool | None:
    """What the dice say: True for a success; None without a dc, or when the rules look at the die alone."""
    difficulty, line, tool = pair.directive.arguments.get("dc", ""), pair.line, pair.directive.tool
    if tool is not None and tool.kind == "attack" and line.dice and line.dice[0] in (1, 20):
        return None
    doubtful = {ResultProblem.WRONG_SUM, ResultProblem.WRONG_PICK} & set(line.problems)
    known = difficulty.isdecimal() and line.total is not None and not doubtful
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
        said = f"{word[0]} answers no roll. Ask for one in the DM turn before, or take the word away."
        rest = len(turn.content) - len(turn.content[word.end() :].lstrip())
        fix = suggest(f"Remove {word[0]}", start, turn.start + rest, "") if rest < len(turn.content) else None
        report.add(codes.STRAY_OUTCOME, start, end, said, fix)
    elif word[0] != right:
        said = f"{word[0]} is understood; it is always written {right}."
        report.add(codes.OUTCOME_SPELLING, start, end, said, replace(f"Write {right}", start, end, right))
