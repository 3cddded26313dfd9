"""Choosing what is played: a scene of the library from any of its turns, its party alone, or words of one's own."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import library, show_error, vocabulary
from studio.errors import StudioError
from studio.play import entry_points
from studio.scenarios import MarkdownParser, SystemContext, TrainingScenario
from studio.ui.story import story_html
from studio.ui.tables import Scene, party_only
from studio.ui.wording import plain

_KINDS = {"scene": "A scene", "party": "Its party alone", "own": "Words of your own"}
_EXAMPLE = """# Role
You are the Dungeon Master of a D&D campaign.

# Location
A lonely inn on the old road.

# Party

## Chris
- Player Character
- Wizard
- Health: 18/18
- Skills: Perception +5, Stealth +2
"""
_LAST_LINES = 3
"""Turns that are shown of what was said before one joins."""
_SPEAKERS = {"User": "Player", "DM": "Dungeon Master", "TOOLCALL": "Dice"}


def scene_choice(prefix: str) -> tuple[Scene | None, int]:
    """What is played and how many of its turns have been; None while there is no scene. Keys begin with `prefix`."""
    kind = st.segmented_control(
        "Play in", list(_KINDS), default="scene", format_func=_KINDS.get, key=f"{prefix}_kind", required=True
    )
    if kind == "own":
        return _own_words(prefix), 0
    scenario = _scenario(prefix)
    if scenario is None:
        return None, 0
    if kind == "party":
        st.caption("The scene's role and party; the world and the place are up to the table.")
        return _read(party_only(scenario.system_context.text)), 0
    return scenario, _turns(prefix, scenario)


def party_names(scene: Scene | None) -> list[str]:
    """Who one can speak for."""
    context = scene.system_context if isinstance(scene, TrainingScenario) else scene
    return [one.name for one in context.party] if isinstance(context, SystemContext) else []


def _own_words(prefix: str) -> SystemContext | None:
    text = st.text_area(
        "Scene and party",
        _EXAMPLE,
        height=220,
        max_chars=20_000,
        key=f"{prefix}_own_scene",
        help="What the model is told before the first line: its role, the place, and a sheet for each of the party. "
        "It is written as the SYSTEM block of a scenario.",
    )
    return _read(text) if text.strip() else None


def _read(text: str) -> SystemContext:
    """A system text with the sheets that stand in it."""
    return MarkdownParser(vocabulary()).extract_system_context(f"<SYSTEM>\n{text.strip()}\n</SYSTEM>\n")


def _scenario(prefix: str) -> TrainingScenario | None:
    files = {one.id: one for one in library().entries()}
    chosen = st.selectbox(
        "Scene",
        list(files),
        format_func=lambda one: f"{files[one].title or files[one].name} · {files[one].type}",
        key=f"{prefix}_scene",
        placeholder="Write a scenario first",
        help="The scene's SYSTEM block and party. Its turns are shown to the model only up to where you begin.",
    )
    if not chosen:
        return None
    try:
        return MarkdownParser(vocabulary()).parse_scenario(library().path(chosen))
    except StudioError as error:
        show_error(error)
        return None


def _turns(prefix: str, scenario: TrainingScenario) -> int:
    """From which turn on is played."""
    told = scenario.conversation
    places = {one.turns: one for one in entry_points(scenario)}
    if len(places) == 1 and not places[0].dm_speaks:
        return 0

    def named(number: int) -> str:
        who = "the Dungeon Master speaks next" if places[number].dm_speaks else "you speak next"
        if not number:
            return f"At the beginning; {who}"
        turn = told[number - 1]
        return f"After turn {number}; {who} · {_SPEAKERS[turn.speaker]}: {plain(' '.join(turn.content.split())[:60])}"

    chosen = int(
        st.selectbox(
            "Begin", list(places), format_func=named, key=f"{prefix}_turn",
            help="The turns up to there count as played; you go on from them.",
        ) or 0
    )  # fmt: skip
    if chosen:
        with st.container(border=True, key=f"{prefix}_joined", height=260):
            st.html(story_html(told[max(0, chosen - _LAST_LINES) : chosen], vocabulary()))
    return chosen
