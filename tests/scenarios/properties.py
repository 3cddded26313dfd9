"""What must hold for every text, however broken: checked by the property and mutation tests.

`check_case` asserts all of it on one text; what each property means is said where it is checked.
"""

from __future__ import annotations

import re
from itertools import pairwise

from studio.scenarios import (
    RULES,
    Diagnostic,
    FixedText,
    MarkdownParser,
    TrainingScenario,
    Tree,
    apply_fixes,
    find_directives,
    fix_text,
    load_vocabulary,
    parse_result_lines,
    parse_tree,
)

PARSER = MarkdownParser()
VOCABULARY = load_vocabulary()
_NEWLINE = re.compile(r"\r\n|\n|\r")
_OUTCOME = re.compile(r"\b(?:success|succeeded|succeeds|failed|failure|fail|fails)\b", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd\u00ad\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff]+"
)
"""What a reader does not see; taking it out changes no word."""
_TABS = re.compile("\t+|\u00a0+")
_BLANK = str.maketrans({"\u2028": "\n", "\u2029": "\n"})


def check_case(text: str) -> None:
    """Everything below, on one text."""
    check_tree(parse_tree(text), text)
    diagnostics = PARSER.validate_format(text).diagnostics
    check_diagnostics(diagnostics, text)
    check_meaning(PARSER.parse_text(text), diagnostics, text)
    check_parts(text)
    check_fixes(diagnostics, text)


def printed(tree: Tree) -> str:
    """The text that the nodes of a tree cover, one after the other."""
    return "".join(tree.text[node.start : node.end] for node in tree.nodes)


def check_tree(tree: Tree, text: str) -> None:
    """The nodes touch and cover the text, each with its body inside; so printing gives the text back."""
    position = 0
    for node in tree.nodes:
        assert position == node.start <= node.body_start <= node.body_end <= node.end
        position = node.end
    assert position == len(text)
    assert printed(tree) == text


def check_diagnostics(diagnostics: list[Diagnostic], text: str) -> None:
    """Known codes, in order, at places that exist, with lines and columns that an editor would count."""
    places = [(one.span.start, one.span.end, one.code) for one in diagnostics]
    assert places == sorted(places)
    for one in diagnostics:
        assert one.code in RULES
        assert one.message
        assert 0 <= one.span.start <= one.span.end <= len(text)
        assert one.fix is None or 0 <= one.fix.start <= one.fix.end <= len(text)
    for one in diagnostics[:5]:
        start = one.span.start
        if text[start - 1 : start + 1] != "\r\n":  # between CR and LF is the end of a line, not the start of one
            lines = _NEWLINE.split(text[:start])
            assert (one.span.line, one.span.column) == (len(lines), len(lines[-1]) + 1)


def check_meaning(scenario: TrainingScenario, diagnostics: list[Diagnostic], text: str) -> None:
    """A scenario that can be stored as JSON; the other ways in say the same."""
    scenario.model_dump_json()
    assert [(one.code, one.span) for one in scenario.diagnostics] == [(one.code, one.span) for one in diagnostics]
    context, turns = PARSER.extract_system_context(text), PARSER.extract_conversation(text)
    assert (context, turns) == (scenario.system_context, scenario.conversation)


def check_parts(text: str) -> None:
    """Requests and answers of any text are slices of it, in order."""
    directives = find_directives(text, VOCABULARY)
    assert [text[one.start : one.end] for one in directives] == [one.written for one in directives]
    assert all(before.end <= after.start for before, after in pairwise(directives))
    lines = parse_result_lines(text, VOCABULARY)
    assert [text[one.start : one.end] for one in lines] == [one.written for one in lines]


def check_fixes(diagnostics: list[Diagnostic], text: str) -> None:
    """All fixes together give a text that parses; the safe ones come to an end and change no word of the story."""
    everything = apply_fixes(text, diagnostics)
    check_tree(parse_tree(everything), everything)
    check_diagnostics(PARSER.validate_format(everything).diagnostics, everything)
    fixed = fix_text(text, PARSER)
    assert fix_text(fixed.text, PARSER) == FixedText(fixed.text, 0, fixed.diagnostics)
    assert not any(one.fix and one.fix.safe for one in fixed.diagnostics), "a safe fix is left"
    assert story(fixed.text) == story(as_seen(text))


def as_seen(text: str) -> str:
    """The text without what a reader cannot see: there, a tag may hide (`<D\u200bM>`, `<` and many tabs and `DM>`)."""
    return _TABS.sub(" ", _UNSEEN.sub("", text.translate(_BLANK)))


def story(text: str) -> list[tuple[str, str]]:
    """Who says what, as letters and digits alone: turns in order, neighbours of one speaker together.

    Left out are the marks of the language: tags, requests, answers, outcome words. What fixes may change is exactly
    that, and white space, punctuation and comments.
    """
    turns: list[tuple[str, str]] = []
    for turn in PARSER.extract_conversation(text):
        words = _OUTCOME.sub("", _without_marks(turn.speaker, turn.content))
        said = "".join(letter for letter in words if letter.isalnum())
        if turns and turns[-1][0] == turn.speaker:
            turns[-1] = (turn.speaker, turns[-1][1] + said)
        elif turn.content:
            turns.append((turn.speaker, said))
    return turns


def _without_marks(speaker: str, content: str) -> str:
    if speaker == "TOOLCALL":
        lines = parse_result_lines(content, VOCABULARY)
        return "".join(one.written for one in lines if not any(map(str.isdigit, one.written)))
    pieces, position = [], 0
    for one in find_directives(content, VOCABULARY):
        if one.start >= position:
            pieces.append(content[position : one.start])
            position = one.end
    return " ".join([*pieces, content[position:]])
