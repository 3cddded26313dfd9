"""The problems panel: each with its place, its reason and, where it can, one click that fixes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.parts.editor import jump_to
from studio.scenarios import Diagnostic, Severity, apply_fixes
from studio.ui.editor import by_severity, safe_fixes
from studio.ui.runs import Color
from studio.ui.wording import plain

SHOWN = 40
_LOOK: dict[Severity, tuple[Color, str]] = {
    Severity.ERROR: ("red", ":material/error:"),
    Severity.WARNING: ("orange", ":material/warning:"),
    Severity.INFO: ("blue", ":material/info:"),
}


def problems_view(text: str, found: Sequence[Diagnostic], replace: Callable[[str], None]) -> None:
    """All problems of `text`, worst first; `replace` is given the text after a fix."""
    if not found:
        st.success("No problems. This scenario is ready for training.", icon=":material/check_circle:")
        return
    safe = safe_fixes(found)
    if len(safe) > 1:
        st.button(
            f"Fix {len(safe)} at once", key="fix_all", icon=":material/auto_fix_high:", on_click=replace,
            args=(apply_fixes(text, safe),), help="Corrections of form only; none changes what your scenario says.",
        )  # fmt: skip
    for place, one in enumerate(by_severity(found)[:SHOWN]):
        with st.container(border=True, gap="xsmall", key=f"problem_{place}"):
            _problem(text, place, one, replace)
    if len(found) > SHOWN:
        st.caption(f"{len(found) - SHOWN} more appear as you fix these.")


def _problem(text: str, place: int, one: Diagnostic, replace: Callable[[str], None]) -> None:
    color, icon = _LOOK[one.severity]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"problem_head_{place}"):
        st.badge(one.severity.value, color=color, icon=icon)
        st.button(
            f"line {one.span.line}", key=f"jump_{place}", type="tertiary", on_click=jump_to,
            args=(one.span.line, one.span.column), help="Go to this line",
        )  # fmt: skip
        st.caption(one.code, width="content")
    st.markdown(plain(one.message))
    if one.why:
        st.caption(plain(one.why))
    if one.fix:
        st.button(
            plain(one.fix.title), key=f"fix_{place}", icon=":material/auto_fix_high:", on_click=replace,
            args=(apply_fixes(text, [one]),),
        )  # fmt: skip
