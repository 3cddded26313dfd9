"""The editor in the browser: Ace, its problems, its tools and its outline, joined by the desk (see desk.js)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import streamlit as st
from streamlit_ace import st_ace

from studio.scenarios import TrainingScenario, Vocabulary
from studio.ui.desk import (
    SHOWN_PROBLEMS,
    DeskAction,
    TextEdit,
    TypedText,
    completion_words,
    outline,
    problem_rows,
    safe_count,
)
from studio.ui.editor import by_severity, gutter_marks, markers, system_row

HEIGHT = 560
_HERE = Path(__file__).parent


class TextChange(TypedDict):
    """A change that the browser is asked to make. `version`: of the text that the edits are about."""

    serial: int
    version: int
    edits: list[TextEdit]
    cursor: tuple[int, int] | None


def _component(name: str) -> Any:
    scripts = [(_HERE / f"{one}.js").read_text(encoding="utf-8") for one in ("desk", f"desk_{name}")]
    css = (_HERE / "desk.css").read_text(encoding="utf-8")
    return st.components.v2.component(
        f"studio_desk_{name}", html=f'<div class="{name}">{_INSIDE.get(name, "")}</div>', css=css, js="\n".join(scripts)
    )


_INSIDE = {"outline": '<div class="title">Outline <span class="count"></span></div><ol></ol>'}
_EDITOR, _PROBLEMS, _OUTLINE, _TOOLS = map(_component, ("editor", "problems", "outline", "tools"))


def ace(shown: str, *, key: str) -> None:
    """The editor itself. A new `key` starts it afresh with `shown`; under the same key `shown` changes nothing."""
    st_ace(
        value=shown, language="markdown", theme="tomorrow_night" if theme() == "dark" else "chrome", height=HEIGHT,
        wrap=True, tab_size=2, placeholder="Write your scenario here.", auto_update=False, key=key,
    )  # fmt: skip


def link(
    text: str, scenario: TrainingScenario, vocabulary: Vocabulary, *, edition: str, version: int,
    change: TextChange | None, on_typed: Callable[[TypedText], None], on_action: Callable[[DeskAction], None],
) -> None:  # fmt: skip
    """Tell the browser what the engine found in `text`, which is `version` of the editor.

    What the browser reports goes to `on_typed` and `on_action` before the fragment is drawn again.
    """
    found, key = scenario.diagnostics, f"link_{edition}"
    worst = by_severity(found)[:SHOWN_PROBLEMS]
    stretches = markers(text, vocabulary, worst)
    data = {
        "theme": theme(),
        "edition": edition,
        "version": version,
        "turns": len(scenario.conversation),
        "marks": gutter_marks(worst),
        "stretches": stretches,
        "problems": problem_rows(text, worst),
        "safe": safe_count(found),
        "more": len(found) - len(worst),
        "outline": outline(scenario, text, system_row(stretches)),
        "change": change,
    }

    def hear_text() -> None:
        on_typed(TypedText.model_validate(st.session_state[key]["typed"]))

    def hear_action() -> None:
        on_action(DeskAction.model_validate(st.session_state[key]["action"]))

    _EDITOR(data=data, key=key, height=1, on_typed_change=hear_text, on_action_change=hear_action)


def problems() -> None:
    """The list of problems; what it shows comes from `link` in the browser."""
    _PROBLEMS(key="problems")


def tools(vocabulary: Vocabulary) -> None:
    """The row of tools above the editor."""
    _TOOLS(data={"words": completion_words(vocabulary)}, key="tools")


def outline_view() -> None:
    """The outline; what it shows comes from `link` in the browser, so that it may stand outside the fragment."""
    _OUTLINE(key="outline")


def theme() -> str:
    """`light` or `dark`, as the browser shows the page."""
    return str(st.context.theme.type or "light")
