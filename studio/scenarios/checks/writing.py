"""The W checks: whose words, when told, how long, how often.

They look for patterns and can be wrong, so none is an error.
"""

from __future__ import annotations

import re
from functools import lru_cache

from studio.scenarios.checks import writing_codes as codes
from studio.scenarios.checks.report import Report, replace
from studio.scenarios.exchanges import is_success, read_outcome
from studio.scenarios.reading import Turn
from studio.workspace import PROJECT_ROOT

_SPEAKS = re.compile(
    r"ou (?:say|reply|answer|decide to|agree|refuse|promise|shout|yell|whisper|ask (?:him|her|them)|"
    r"think to yourself)\b"
)
"""Behind a `y`, which is looked at afterwards: a pattern that begins with letters is searched much faster."""
_SAYS = r"(?:says|replies|answers|decides to|agrees|refuses|promises|shouts|yells|whispers|thinks to (?:her|him)self)"
_OPEN = (
    "if ",
    "do ",
    "when ",
    "before ",
    "can ",
    "should ",
    "would ",
    "could ",
    "once ",
    "that ",
    "what ",
    "whether ",
    "how ",
)
"""Before `you say`, these make it a question or a condition."""
_QUOTED = re.compile('"[^"\n]{0,2000}"|“[^”\n]{0,2000}”')
_SENTENCE_END = re.compile(r"[.!\n]")
_AHEAD = 160
"""Characters that are looked at for the question mark of a sentence."""
_SENTENCE_ENDS = {ord(mark): "." for mark in "!?\n\r"}
_TELLS = re.compile(
    r"\b(?:you (?:succeed|manage|fail|notice|find|hit|miss|see that|slip|spot|hear)|success|succeeds|fails|failed)\b",
    re.IGNORECASE,
)
_DECIDES = re.compile(r"\byou (?:succeed|manage to|fail to|easily|effortlessly)\b", re.IGNORECASE)
"""In front of a request these have told already what the dice shall say."""
_HTML = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}(?:\s[^<>\n]{0,300})?/?>|<!--")
_PLACEHOLDER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX|[Ll]orem ipsum)\b")
_PLACEHOLDERS = ("TODO", "TBD", "FIXME", "XXX", "orem ipsum")
_GAP = re.compile(r"«[^«»\n]{1,300}»")
_CURLY = {ord("“"): '"', ord("”"): '"', ord("‘"): "'", ord("’"): "'", ord("„"): '"'}
_CURLY_MARKS = re.compile("[“”‘’„]")
_WORDS = re.compile(r"[\w'’-]+")
_FEW = 5
_PARTY = 64
"""Characters of a party whose names are looked for; no table is larger, but a hostile file may be."""


def check_writing(report: Report) -> None:
    """Every W code."""
    seen: set[str] = set()
    player_said = ""
    third_person = _third_person(report)
    for turn in report.reading.turns:
        if turn.speaker == "User":
            player_said = turn.content.casefold()
        if turn.speaker == "DM":
            _check_dm_turn(report, turn, player_said, third_person)
            _check_repeats(report, turn, seen)
        if turn.speaker != "TOOLCALL":
            _check_marks(report, turn)
    _check_gaps(report)
    _check_outcomes(report)


def _check_dm_turn(report: Report, turn: Turn, player_said: str, third_person: re.Pattern[str] | None) -> None:
    content = turn.content
    _check_speech(report, turn, player_said, third_person)
    _check_request(report, turn)
    limit = report.limits.turn_words
    if len(content) > 2 * limit and (words := content.count(" ") + content.count("\n") + 1) > limit:
        said = f"This turn has {words} words; {limit} are plenty. Split it, or let the players act in between."
        report.add(codes.ENDLESS_TURN, turn.node.start, turn.node.body_start, said)


def _check_speech(report: Report, turn: Turn, player_said: str, third_person: re.Pattern[str] | None) -> None:
    """The first `you say`, or `Sarah says` of a player's character, that the player did not say before."""
    patterns = [_SPEAKS] if "ou " in turn.content and _SPEAKS.search(turn.content) else []
    if third_person and third_person.search(turn.content):
        patterns.append(third_person)
    if not patterns:
        return
    prose = _QUOTED.sub(lambda quote: " " * len(quote[0]), turn.content)
    found = (match for pattern in patterns for match in pattern.finditer(prose) if _speaks(match, prose, player_said))
    if (match := next(found, None)) is not None:
        start = match.start() - (match[0][:2] == "ou")
        said = f"'{prose[start : match.end()]}' is for the player to say. Stop before it and ask: What do you do?"
        report.add(codes.SPEAKS_FOR_PLAYER, turn.start + start, turn.start + match.end(), said)


def _speaks(match: re.Match[str], prose: str, player_said: str) -> bool:
    """Whether it is told as done: no question, no condition, no echo of what the player has just said herself."""
    second_person = match[0].startswith("ou ")
    start = match.start() - second_person
    before, after = prose[max(0, start - 9) : start].lower(), prose[match.end() : match.end() + 2]
    begins = not second_person or prose[start : start + 1] in ("y", "Y")
    verb = match[0].split()[1][:5]
    return begins and not before.endswith(_OPEN) and "?" not in after and verb not in player_said


def _third_person(report: Report) -> re.Pattern[str] | None:
    """`Sarah says`: one pattern for every player's character; None when nobody plays one."""
    names = [re.escape(one.name) for one in report.reading.party[:_PARTY] if one.is_player and one.name]
    return _third_person_of("|".join(names)) if names else None


@lru_cache(maxsize=64)
def _third_person_of(names: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{names}) {_SAYS}\b")


def _check_request(report: Report, turn: Turn) -> None:
    first = next((one for one in turn.directives if one.tool is not None and one.tool.rolls), None)
    if first is None:
        return
    before, after = _prose(turn, 0, first.start), _prose(turn, first.end, len(turn.content))
    _, _, below = after.partition("\n")
    told = _tells(_TELLS, after)
    if told or len(_WORDS.findall(below)) >= _FEW:
        start = turn.start + first.end + len(after) - len(after.lstrip())
        said = "This is told before the dice have fallen. Move it into the DM turn after the answer."
        report.add(codes.OUTCOME_BEFORE_ROLL, start, turn.start + len(turn.content), said)
    elif decided := _tells(_DECIDES, before):
        said = f"'{decided[0]}' is told before the dice have fallen. Let the dice decide, and tell it after the answer."
        report.add(codes.OUTCOME_BEFORE_ROLL, turn.start + decided.start(), turn.start + decided.end(), said)
    if not before.strip() and not after.strip():
        said = "This turn is a request and nothing else. Say in a sentence why the dice are thrown."
        report.add(codes.BARE_REQUEST, turn.start + first.start, turn.start + first.end, said)


def _tells(pattern: re.Pattern[str], prose: str) -> re.Match[str] | None:
    """The first match that is no question and no condition (`to see what you notice`)."""
    for one in pattern.finditer(prose):
        before, after = prose[max(0, one.start() - 9) : one.start()].lower(), prose[one.end() : one.end() + _AHEAD]
        if not before.endswith(_OPEN) and "?" not in _SENTENCE_END.split(after)[0]:
            return one
    return None


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
            report.add(
                codes.REPEATED_SENTENCE,
                start,
                start + len(sentence),
                "The DM has said this sentence before, word for word. Say it in another way, or leave it out.",
            )
        seen.add(sentence)


def _check_marks(report: Report, turn: Turn) -> None:
    content = turn.content
    if not content.isascii() and (first := _CURLY_MARKS.search(content)):
        start, end = turn.start + first.start(), turn.start + len(content)
        straight = content[first.start() :].translate(_CURLY)
        fix = replace("Use straight quotes in this turn", start, end, straight)
        report.add(
            codes.CURLY_QUOTES, start, start + 1, "Curly quotes; straight ones are what the other scenarios use.", fix
        )
    if "<" in content and (tag := _HTML.search(content)):
        report.add(
            codes.HTML,
            turn.start + tag.start(),
            turn.start + tag.end(),
            f"{tag[0][:40]} is shown as it stands, not as formatting. Use **bold** or *italics*.",
        )
    if any(mark in content for mark in _PLACEHOLDERS) and (note := _PLACEHOLDER.search(content)):
        report.add(
            codes.PLACEHOLDER,
            turn.start + note.start(),
            turn.start + note.end(),
            f"{note[0]} was left here. Write what belongs in its place.",
        )


def _check_gaps(report: Report) -> None:
    """The questions of the studio's templates, word for word: guillemets alone are how many languages quote."""
    text = report.reading.text
    if "«" not in text:
        return
    for gap in _GAP.finditer(text):
        if gap[0] in template_gaps():
            said = "The template asks this here. Write your own words in its place."
            report.add(codes.PLACEHOLDER, gap.start(), gap.end(), said)


@lru_cache(maxsize=1)
def template_gaps() -> frozenset[str]:
    """Every «...» of config/templates/, which the author of a new scenario replaces."""
    files = sorted((PROJECT_ROOT / "config" / "templates").glob("*.md"))
    return frozenset(gap for file in files for gap in _GAP.findall(file.read_text(encoding="utf-8")))


def _check_outcomes(report: Report) -> None:
    told = [exchange.outcome for exchange in report.reading.exchanges if exchange.outcome is not None]
    words = [(turn, word) for turn in told if (word := read_outcome(turn.content)) is not None]
    for turn, word in words:
        if len(turn.content) == word.end():
            report.add(
                codes.BARE_OUTCOME,
                turn.start,
                turn.start + word.end(),
                "The outcome stands alone. Tell what follows from it.",
            )
    verdicts = {is_success(word) for _, word in words}
    if len(words) >= _FEW and len(verdicts) == 1:
        turn, word = words[-1]
        what = "successes" if verdicts.pop() else "failures"
        said = f"All {len(words)} rolls of this scene are {what}. Let one go the other way."
        report.add(codes.ALWAYS_SUCCESS, turn.start, turn.start + word.end(), said)
