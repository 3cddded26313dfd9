"""The form of a spot check: its scene, and its lines with what is expected of each; a new one from a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.parts.layout import library, say, told, told_afterwards, vocabulary, workspace
from studio.errors import StudioError
from studio.play import list_sessions, load_session
from studio.play.spot_checks.suite import (
    CheckedLine,
    Expectations,
    SpotSuite,
    load_suite,
    save_suite,
    suite_names,
    suite_of_session,
)
from studio.scenarios.library.names import free_name, tidy_name
from studio.ui.spot_checks import KINDS, ExpectationRow, expectations_of, rows_of, suite_of
from studio.ui.wording import plain

_NAME, _LINES = "spot_check_on_the_form", "spot_check_lines"
_EMPTY = "empty"


@st.dialog("New spot check")
def new_check_dialog() -> None:
    """A title, and what it begins with: a scenario, or the player's lines of a session."""
    title = st.text_input("Title", key="new_check_title", max_chars=120, placeholder="Asks for stealth")
    sessions = {one.id: one for one in list_sessions(workspace()) if one.turns}
    source = st.selectbox(
        "Begin with", [_EMPTY, *sessions], key="new_check_source",
        format_func=lambda one: "An empty list" if one == _EMPTY else f"What you said in: {sessions[one].title}",
    )  # fmt: skip
    scenarios = [one.id for one in library().entries()]
    scenario = st.selectbox(
        "Scene", scenarios if source == _EMPTY else ["", *scenarios], key="new_check_scene",
        format_func=lambda one: one or "As in that session", help="The SYSTEM block and the party of a scenario.",
    )  # fmt: skip
    if st.button("Create and open", key="new_check_create", type="primary", disabled=not title.strip()):
        with told():
            made = _first(title.strip(), str(source), str(scenario or ""))
            name = free_name(tidy_name(title.strip().lower().replace(" ", "-")), suite_names(workspace()))
            save_suite(workspace(), name, made, vocabulary())
            open_editor(name)
            st.rerun()


def _first(title: str, source: str, scenario: str) -> SpotSuite:
    if source != _EMPTY:
        return suite_of_session(load_session(workspace(), source), scenario=scenario, title=title)
    line = CheckedLine(player="I look around.", expect=Expectations(valid_requests_only=True), fresh=True)
    return suite_of({"title": title, "scenario": scenario}, [line], None)


def open_editor(name: str) -> None:
    """Show the form of a suite the next time that the view is drawn."""
    with told_afterwards():
        suite = load_suite(workspace(), name, vocabulary())
        st.session_state[_NAME] = name
        st.session_state[_LINES] = [len(rows_of(one.expect)) for one in suite.lines]


def check_editor() -> bool:
    """The form of the suite that was opened; False when none is."""
    name = st.session_state.get(_NAME)
    if not name:
        return False
    try:
        suite = load_suite(workspace(), str(name), vocabulary())
    except StudioError:  # deleted meanwhile
        _close()
        return False
    st.button("All spot checks", key="check_back", icon=":material/arrow_back:", type="tertiary", on_click=_close)
    head = _head(suite)
    names = _party(suite)
    counts: list[int] = st.session_state.setdefault(_LINES, [len(rows_of(one.expect)) for one in suite.lines])
    typed = [_line(number, rows, suite, names) for number, rows in enumerate(counts)]
    st.button("Add a line", key="check_add_line", icon=":material/add:", on_click=_add_line)
    if st.button("Save", key="check_save", type="primary", icon=":material/save:"):
        with told():
            lines = [_checked(one, names) for one in typed if one[0].strip()]
            save_suite(workspace(), str(name), suite_of(head, lines, suite), vocabulary(), new=False)
            say(f"Saved {plain(str(head['title']))}.")
            _close()
            st.rerun()
    return True


def _head(suite: SpotSuite) -> dict[str, Any]:
    title = st.text_input("Title", suite.title, key="check_title", max_chars=120)
    with st.container(horizontal=True, key="check_head"):
        scenarios = [one.id for one in library().entries()]
        own = [suite.scenario] if suite.scenario and suite.scenario not in scenarios else []
        known = [*own, *scenarios]
        scene = ""
        if suite.scenario:
            scene = str(st.selectbox("Scene", known, index=known.index(suite.scenario), key="check_scene"))
        speaker = st.text_input("You speak as", suite.speaking_as, key="check_speaker", width=180)
        seed = st.number_input("Seed", 0, 2**32 - 1, suite.seed, key="check_seed", width=150)
        repeat = st.number_input(
            "Played", 1, 50, suite.repeat, key="check_repeat", width=130, help="How often, each with other dice."
        )
        needed = st.number_input(
            "Must pass", 1, int(repeat), min(suite.needed, int(repeat)), key=f"check_needed_{int(repeat)}", width=130
        )
    return {
        "title": title.strip(),
        "scenario": scene,
        "speaking_as": speaker.strip(),
        "seed": int(seed),
        "repeat": int(repeat),
        "at_least": None if needed == repeat else int(needed),
    }


def _line(number: int, rows: int, suite: SpotSuite, names: Sequence[str]) -> tuple[str, bool, list[ExpectationRow]]:
    """The fields of one line: what is typed in them now."""
    kept = suite.lines[number] if number < len(suite.lines) else None
    expected = rows_of(kept.expect) if kept else []
    with st.container(border=True, key=f"check_line_{number}", gap="small"):
        player = st.text_area(
            f"Line {number + 1}: the player says", kept.player if kept else "", key=f"check_player_{number}", height=70,
            help="Empty it to remove the line.",
        )  # fmt: skip
        fresh = st.checkbox("Begin the scene anew for it", kept.fresh if kept else True, key=f"check_fresh_{number}")
        found = [_row(number, place, expected) for place in range(rows)]
        st.button(
            "Add an expectation", key=f"check_add_{number}", icon=":material/add:", type="tertiary", on_click=_add_row,
            args=(number,),
        )  # fmt: skip
    return player, fresh, [one for one in found if one.kind]


def _row(number: int, place: int, expected: Sequence[ExpectationRow]) -> ExpectationRow:
    kept = expected[place] if place < len(expected) else ExpectationRow("asks_for")
    key = f"{number}_{place}"
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"check_row_{key}"):
        kinds = ["", *KINDS]
        kind = st.selectbox(
            "Expected", kinds, index=kinds.index(kept.kind), key=f"check_kind_{key}", width=230,
            format_func=lambda one: KINDS[one][0] if one else "(removed)", label_visibility="collapsed",
        )  # fmt: skip
        hint = KINDS[kind][1] if kind else ""
        text = st.text_input(
            "What", kept.text, key=f"check_text_{key}", placeholder=hint, help=hint or None,
            label_visibility="collapsed", disabled=hint == "No text needed" or not kind,
        )  # fmt: skip
    return ExpectationRow(str(kind or ""), text)


def _checked(typed: tuple[str, bool, list[ExpectationRow]], names: Sequence[str]) -> CheckedLine:
    player, fresh, rows = typed
    return CheckedLine(player=player.strip(), fresh=fresh, expect=expectations_of(rows, names))


def _party(suite: SpotSuite) -> list[str]:
    """The names of the party in the suite's scene; none when the scene cannot be read."""
    from studio.scenarios import MarkdownParser

    try:
        text = library().read(suite.scenario).text if suite.scenario else f"<SYSTEM>\n{suite.system}\n</SYSTEM>"
    except StudioError:
        return []
    return [one.name for one in MarkdownParser(vocabulary()).extract_system_context(text).party]


def _add_line() -> None:
    st.session_state[_LINES] = [*st.session_state.get(_LINES, []), 1]


def _add_row(number: int) -> None:
    counts = list(st.session_state.get(_LINES, []))
    counts[number] += 1
    st.session_state[_LINES] = counts


def _close() -> None:
    """Back to the list; what was typed and not saved is forgotten."""
    for key in [one for one in st.session_state if str(one).startswith("check_")]:
        if str(key) not in ("check_model", "check_suite"):
            del st.session_state[key]
    st.session_state.pop(_NAME, None)
    st.session_state.pop(_LINES, None)
