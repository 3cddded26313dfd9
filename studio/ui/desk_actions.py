"""What the tools of the scenario editor do to a text: new turns, requests, dice, fixes. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable

from studio.scenarios import Diagnostic, MarkdownParser, Vocabulary, apply_fixes
from studio.scenarios.library import (
    Dice,
    Insertion,
    insert_answer,
    insert_otherwise,
    insert_request,
    insert_turn,
)
from studio.ui.desk import DeskAction
from studio.ui.editor import Positions, safe_fixes


def carry_out(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion | None:
    """The text after an action, and the cursor; None when it has nothing to do (any more).

    Args:
        text: the text in the form of its file; the action's row and column are places in it.

    Raises:
        SnippetError: no roll waits for an answer at the cursor, or no outcome is told there.
    """
    return _ACTIONS[action.action](text, action, vocabulary, dice)


def _turn(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion:
    return insert_turn(text, _place(text, action), action.speaker)


def _ask(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion:
    return insert_request(text, _place(text, action), action.request)


def _roll(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion:
    return insert_answer(text, _place(text, action), dice, vocabulary)


def _otherwise(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion:
    return insert_otherwise(text, _place(text, action), vocabulary)


def _fix(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion | None:
    found = [one for one in _diagnostics(text, vocabulary) if (one.code, one.span.start) == (action.code, action.start)]
    return _fixed(text, action, found)


def _fix_all(text: str, action: DeskAction, vocabulary: Vocabulary, dice: Dice) -> Insertion | None:
    return _fixed(text, action, safe_fixes(_diagnostics(text, vocabulary)))


def _fixed(text: str, action: DeskAction, found: list[Diagnostic]) -> Insertion | None:
    fixed = apply_fixes(text, found)
    return None if fixed == text else Insertion(fixed, Positions(fixed).offset(action.row, action.column))


def _diagnostics(text: str, vocabulary: Vocabulary) -> list[Diagnostic]:
    return MarkdownParser(vocabulary).validate_format(text).diagnostics


def _place(text: str, action: DeskAction) -> int:
    return Positions(text).offset(action.row, action.column)


_Action = Callable[[str, DeskAction, Vocabulary, Dice], Insertion | None]
_ACTIONS: dict[str, _Action] = {
    "turn": _turn,
    "ask": _ask,
    "roll": _roll,
    "otherwise": _otherwise,
    "fix": _fix,
    "fix_all": _fix_all,
}
