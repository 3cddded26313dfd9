"""The W checks: whose words, when told, how long, how often.

They look for patterns and can be wrong, so none is an error.
"""

from __future__ import annotations

import re

from studio.scenarios.checks import writing_codes as codes
from studio.scenarios.checks.report import Report, replace
from studio.scenarios.exchanges import is_success, read_outcome
from studio.scenarios.reading import Turn

_SPEAKS = re.compile(
    r"ou (?:say|reply|answer|decide to|agree|promise|shout|whisper|ask him|ask her|ask them|think to yourself)\b"
)
"""Behind a `y`, which is looked at afterwards: a pattern that begins with letters is searched much faster."""
_OPEN = ("if ", "do ", "when ", "before ", "can ", "should ", "would ", "could ", "once ", "that ", "what ")
"""Before `you say`, these make it a question or a condition."""
_QUOTED = re.compile('"[^"\n]{0,2000}"|“[^”\n]{0,2000}”')
_SENTENCE_ENDS = {ord(mark): "." for mark in "!?\n\r"}
_TELLS = re.compile(
    r"\b(?:you (?:succeed|manage|fail|notice|find|hit|miss|see that|slip|spot|hear)|success|succeeds|fails|failed)\b",
    re.IGNORECASE,
)
_HTML = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}(?:\s[^<>\n]{0,300})?/?>|<!--")
_PLACEHOLDER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX|[Ll]orem ipsum)\b")
_PLACEHOLDERS = ("TODO", "TBD", "FIXME", "XXX", "orem ipsum")
_CURLY = {ord("“"): '"', ord("”"): '"', ord("‘"): "'", ord("’"): "'", ord("„"): '"'}
_CURLY_MARKS = re.compile("[“”‘’„]")
_WORDS = re.compile(r"[\w'’-]+")
_FEW = 5


def check_writing(report: Report) -> None:
    """Every W code."""
    seen: set[str] = set()
    for turn in report.reading.turns:
        if turn.speaker == "DM":
            _check_dm_turn(report, turn)
            _check_repeats(report, turn, seen)
        if turn.speaker != "TOOLCALL":
            _check_marks(report, turn)
    _check_outcomes(report)


def _check_dm_turn(report: Report, turn: Turn) -> None:
    content = turn.content
    if "ou " in content:
        _check_speech(report, turn)
    _check_request(report, turn)
    limit = report.limits.turn_words
    if len(content) > 2 * limit and (words := content.count(" ") + content.count("\n") + 1) > limit:
        said = f"{words} words; {limit} are plenty for one turn."
        report.add(codes.ENDLESS_TURN, turn.node.start, turn.node.body_start, said)


def _check_speech(report: Report, turn: Turn) -> None:
    if _SPEAKS.search(turn.content) is None:
        return
    prose = _QUOTED.sub(lambda quote: " " * len(quote[0]), turn.content)
    for match in _SPEAKS.finditer(prose):
        start = match.start() - 1
        before, after = prose[max(0, start - 9) : start].lower(), prose[match.end() : match.end() + 2]
        if prose[start : start + 1] in ("y", "Y") and not before.endswith(_OPEN) and "?" not in after:
            said = f"'{prose[start : match.end()]}' is for the player to say."
            report.add(codes.SPEAKS_FOR_PLAYER, turn.start + start, turn.start + match.end(), said)
            return


def _check_request(report: Report, turn: Turn) -> None:
    first = next((one for one in turn.directives if one.tool is not None and one.tool.rolls), None)
    if first is None:
        return
    before, after = _prose(turn, 0, first.start), _prose(turn, first.end, len(turn.content))
    _, _, below = after.partition("\n")
    told = _TELLS.search(after)
    if told or len(_WORDS.findall(below)) >= _FEW:
        start = turn.start + first.end + len(after) - len(after.lstrip())
        said = "This is told before the dice have fallen."
        report.add(codes.OUTCOME_BEFORE_ROLL, start, turn.start + len(turn.content), said)
    if not before.strip() and not after.strip():
        said = "The turn is a request and nothing else."
        report.add(codes.BARE_REQUEST, turn.start + first.start, turn.start + first.end, said)


def _prose(turn: Turn, start: int, end: int) -> str:
    """A stretch of a turn without its requests."""
    pieces, position = [], start
    for one in turn.directives:
        if start <= one.start < end:
            pieces.append(turn.content[position : one.start])
            position = one.end
    return "".join([*pieces, turn.content[position:end]])


def _check_repeats(report: Report, turn: Turn, seen: set[str]) -> None:
    least, position = report.limits.repeated_sentence_words, 0
    for piece in turn.content.translate(_SENTENCE_ENDS).split("."):
        if piece.count(" ") < least - 1:
            continue
        sentence = piece.strip()
        if sentence.count(" ") < least - 1 or sentence[0] == "[":
            continue
        if sentence in seen:
            position = turn.content.find(sentence, position)
            start = turn.start + position
            report.add(codes.REPEATED_SENTENCE, start, start + len(sentence), "The DM has said this before.")
        seen.add(sentence)


def _check_marks(report: Report, turn: Turn) -> None:
    content = turn.content
    if not content.isascii() and (first := _CURLY_MARKS.search(content)):
        start, end = turn.start + first.start(), turn.start + len(content)
        straight = content[first.start() :].translate(_CURLY)
        fix = replace("Use straight quotes in this turn", start, end, straight)
        report.add(codes.CURLY_QUOTES, start, start + 1, "Curly quotes.", fix)
    if "<" in content and (tag := _HTML.search(content)):
        report.add(codes.HTML, turn.start + tag.start(), turn.start + tag.end(), f"{tag[0][:40]} is shown as text.")
    if any(mark in content for mark in _PLACEHOLDERS) and (note := _PLACEHOLDER.search(content)):
        report.add(codes.PLACEHOLDER, turn.start + note.start(), turn.start + note.end(), f"{note[0]} was left here.")


def _check_outcomes(report: Report) -> None:
    told = [exchange.outcome for exchange in report.reading.exchanges if exchange.outcome is not None]
    words = [(turn, word) for turn in told if (word := read_outcome(turn.content)) is not None]
    for turn, word in words:
        if len(turn.content) == word.end():
            report.add(codes.BARE_OUTCOME, turn.start, turn.start + word.end(), "And then?")
    verdicts = {is_success(word) for _, word in words}
    if len(words) >= _FEW and len(verdicts) == 1:
        turn, word = words[-1]
        said = f"All {len(words)} rolls are {'successes' if verdicts.pop() else 'failures'}."
        report.add(codes.ALWAYS_SUCCESS, turn.start, turn.start + word.end(), said)
