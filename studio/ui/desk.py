"""What the scenario editor's parts in the browser are told, and what they tell: edits, problems, outline, completion.

Places are rows and columns as Ace counts them (see `Positions`). What comes from the browser is checked by
`DeskAction` before anything is done with it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz.distance import LCSseq

from studio.scenarios import (
    Argument,
    ConversationTurn,
    Diagnostic,
    Severity,
    Tool,
    TrainingScenario,
    Vocabulary,
    format_directive,
    is_success,
    read_outcome,
)
from studio.scenarios.library import editor_text
from studio.scenarios.slots import expand
from studio.ui.editor import Positions, by_severity, safe_fixes

SHOWN_PROBLEMS = 200
OUTLINE_LETTERS = 60
_MOST_LINES = 20_000
_LEVELS = [Severity.ERROR, Severity.WARNING, Severity.INFO]
_NAMED = re.compile(r"^([^\W\d][\w' -]{0,40}):\s")
_KINDS = {
    "skill": "Skill check", "ability": "Ability check", "save": "Saving throw", "initiative": "Initiative",
    "attack": "Attack", "damage": "Damage", "marker": "Combat", "state": "Change",
}  # fmt: skip


class TextEdit(TypedDict):
    """Replace a stretch by a text."""

    startRow: int
    startCol: int
    endRow: int
    endCol: int
    text: str


class ProblemRow(TypedDict):
    """A problem as the list shows it. `edits` is None when its fix cannot be made in the editor alone."""

    level: str
    code: str
    row: int
    column: int
    start: int
    message: str
    why: str
    fix: str
    edits: list[TextEdit] | None


class OutlineRow(TypedDict):
    """A line of the outline. `worst` is the severity of the worst problem between this line and the next."""

    kind: str
    row: int
    who: str
    text: str
    worst: str


class Word(TypedDict):
    """What completion offers, and what may stand behind it."""

    text: str
    kind: str
    help: str
    also: str
    arguments: list[Word]


class TypedText(BaseModel):
    """The text of the editor as the browser reports it. `version` counts its changes."""

    model_config = ConfigDict(extra="ignore")

    text: str
    version: int = Field(ge=0)


class DeskAction(TypedText):
    """A click of the browser that the engine carries out, with the text and the cursor at that moment."""

    action: Literal["save", "turn", "ask", "roll", "otherwise", "fix", "fix_all"]
    row: int = Field(0, ge=0)
    column: int = Field(0, ge=0)
    speaker: Literal["User", "DM"] = "DM"
    request: str = Field("", max_length=200)
    code: str = ""
    start: int = 0


def text_edits(old: str, new: str) -> list[TextEdit]:
    """The edits that make `new` of `old`, both as an editor holds them; lines that are equal are left alone."""
    if old == new:
        return []
    positions = Positions(old)
    return [
        _edit(positions, *_trimmed(old, start, end, text)) for start, end, text in _changed_lines(old, new)
    ]  # fmt: skip


def problem_rows(text: str, diagnostics: Sequence[Diagnostic], limit: int = SHOWN_PROBLEMS) -> list[ProblemRow]:
    """The worst `limit` problems of a text in the form of its file, worst first."""
    positions = Positions(text)
    plain_ends = "\r" not in text
    return [_problem(one, positions, plain_ends) for one in by_severity(diagnostics)[:limit]]


def safe_count(diagnostics: Sequence[Diagnostic]) -> int:
    """How many problems one click may fix together."""
    return len(safe_fixes(diagnostics))


def outline(scenario: TrainingScenario, text: str, system_row: int | None) -> list[OutlineRow]:
    """The SYSTEM block, its characters and the turns, each with the row where it begins."""
    rows: list[OutlineRow] = []
    if system_row is not None:
        rows.append(_row("SYSTEM", system_row, "", scenario.system_context.location or "Role, world, place, party"))
        rows += _characters(scenario, text)
    rows += [_turn(one) for one in scenario.conversation]
    _mark_worst(rows, scenario.diagnostics)
    return rows


def completion_words(vocabulary: Vocabulary) -> list[Word]:
    """Every request with its arguments, and the tags of the blocks."""
    requests = [_request(tool, vocabulary) for tool in vocabulary.tools]
    tags = [
        _word("<User>", "Turn", "What a player says or does."),
        _word("<DM>", "Turn", "What the Dungeon Master says. This is what the model learns."),
        _word("<TOOLCALL>", "Turn", "The answer of the dice to the DM turn above."),
        _word("<SYSTEM>", "Block", "Role, world, location and party. Once, at the top."),
        _word(
            "<!-- otherwise: <DM>*FAILED* </DM> -->",
            "Alternative",
            "Behind a DM turn that tells how a roll went: the same turn for the other outcome.",
        ),
        *(_word(f"</{name}>", "Close", "Closes the block.") for name in ("User", "DM", "TOOLCALL", "SYSTEM")),
    ]
    return requests + tags


def _changed_lines(old: str, new: str) -> Iterable[tuple[int, int, str]]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(before), len(after)) > _MOST_LINES:
        yield 0, len(old), new
        return
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    here = there = 0
    for same in LCSseq.opcodes(before, after).as_matching_blocks():
        if (here, there) != (same.a, same.b):
            yield starts[here], starts[same.a], "".join(after[there : same.b])
        here, there = same.a + same.size, same.b + same.size


def _trimmed(old: str, start: int, end: int, text: str) -> tuple[int, int, str]:
    """Without what both sides begin and end with."""
    most = min(end - start, len(text))
    head = next((place for place in range(most) if old[start + place] != text[place]), most)
    most -= head
    tail = next((place for place in range(most) if old[end - 1 - place] != text[len(text) - 1 - place]), most)
    return start + head, end - tail, text[head : len(text) - tail]


def _edit(positions: Positions, start: int, end: int, text: str) -> TextEdit:
    (row, column), (end_row, end_column) = positions.place(start), positions.place(end)
    return {"startRow": row, "startCol": column, "endRow": end_row, "endCol": end_column, "text": text}


def _problem(one: Diagnostic, positions: Positions, plain_ends: bool) -> ProblemRow:
    row, column = positions.place(one.span.start)
    fix = one.fix
    in_editor = fix is not None and (plain_ends or "\r" not in fix.text) and one.code not in _FORM_CODES
    return {
        "level": one.severity.value,
        "code": one.code,
        "row": row,
        "column": column,
        "start": one.span.start,
        "message": one.message,
        "why": one.why,
        "fix": fix.title if fix else "",
        "edits": [_edit(positions, fix.start, fix.end, fix.text)] if fix and in_editor else None,
    }


# What an editor does not show: the byte order mark and Windows line ends. Their fixes are made in the file's text.
_FORM_CODES = frozenset({"S014", "S015"})


def _row(kind: str, row: int, who: str, text: str) -> OutlineRow:
    return {"kind": kind, "row": row, "who": who, "text": " ".join(text.split())[:OUTLINE_LETTERS], "worst": ""}


def _characters(scenario: TrainingScenario, text: str) -> list[OutlineRow]:
    lines = editor_text(text).split("\n")
    found = []
    for one in scenario.system_context.party:
        heading = next((row for row, line in enumerate(lines) if line.startswith("## ") and one.name in line), None)
        if heading is not None:
            found.append(_row("Character", heading, one.name, one.class_name))
    return found


def _turn(one: ConversationTurn) -> OutlineRow:
    words, who = expand(one.content), ""
    if one.speaker == "User" and (named := _NAMED.match(words)):
        who, words = f"{named[1]}: ", words[named.end() :]
    if one.speaker == "DM" and (outcome := read_outcome(words)):
        who, words = ("✓ " if is_success(outcome) else "✗ "), words[outcome.end() :]
    return _row(one.speaker, max(0, one.line - 1), who, words or "(empty)")


def _mark_worst(rows: list[OutlineRow], diagnostics: Sequence[Diagnostic]) -> None:
    starts = [one["row"] for one in rows]
    for level in reversed(_LEVELS):
        for one in diagnostics:
            place = bisect_right(starts, one.span.line - 1) - 1
            if one.severity is level and place >= 0:
                rows[place]["worst"] = level.value


def _request(tool: Tool, vocabulary: Vocabulary) -> Word:
    word = _word(_written(tool, vocabulary), _KINDS[tool.kind], tool.help)
    word["also"] = " ".join(tool.aliases)
    arguments = [vocabulary.arguments[name] for name in tool.arguments if name not in tool.value]
    word["arguments"] = [_argument(one) for one in arguments]
    return word


def _written(tool: Tool, vocabulary: Vocabulary) -> str:
    """The request with the values that it cannot do without, as an example to change."""
    names = (*tool.value, "dice") if tool.kind == "damage" else tool.value
    return format_directive(tool, {name: vocabulary.arguments[name].example for name in names})


def _argument(one: Argument) -> Word:
    return _word(one.name if one.type == "flag" else f"{one.name}=", "Argument", one.help)


def _word(text: str, kind: str, explained: str) -> Word:
    return {"text": text, "kind": kind, "help": explained, "also": "", "arguments": []}
