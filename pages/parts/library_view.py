"""The list of scenarios: counts by type, search, new from a template, import and export, and undo of a deletion."""

from __future__ import annotations

import time
from collections import Counter

import streamlit as st

from pages.parts.bin_view import bin_button, undo_bar
from pages.parts.exchange import examples_button, export_button, import_dialog
from pages.parts.file_tree import SEARCH, open_file
from pages.parts.glances import glance_at
from pages.parts.layout import empty_state, header, library, workspace
from pages.parts.new_scenario import new_scenario_dialog, template_icon
from studio.scenarios import SCENARIO_TYPES
from studio.scenarios.library import DeletedScenario, ScenarioEntry, templates
from studio.ui.file_tree import TYPE_ICONS, Glance, shown_title
from studio.ui.wording import count, moment, plain, size

PAGE_SIZE = 25
SHOWN_STRAYS = 20
_MOST_HITS = 10_000


def library_view() -> None:
    """The whole page when no scenario is open."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="library_head"):
        with st.container(width="stretch", key="library_title"):
            header("Scenarios", "What your model learns from: short sessions of play, written the way you run them.")
        tools = st.container(horizontal=True, vertical_alignment="bottom", width="content", key="library_tools")
    deleted = library().deleted()
    undo_bar(deleted)
    entries = library().entries()
    if entries:
        found, excerpts = _found(entries)
        _list(found, excerpts)
    else:
        found = []
        _first_steps()
    with tools:
        _tools(found, len(entries), deleted)
    _strays()


def _tools(found: list[ScenarioEntry], total: int, deleted: list[DeletedScenario]) -> None:
    """What can be done with the list as a whole; drawn last, because an export is of what the filters leave."""
    if st.button("Import files", key="import", icon=":material/upload:", type="tertiary"):
        import_dialog()
    if found:
        export_button(found, total)
    bin_button(deleted)
    if st.button("New scenario", type="primary", icon=":material/add:", key="new_scenario"):
        new_scenario_dialog()


def _first_steps() -> None:
    """Nothing is here yet: the kinds of scene to begin with, each one click away."""
    empty_state(
        "edit_note",
        "Write your first scenario",
        "Choose how it begins. You get a scene with gaps to fill, and the editor names what is left to do.",
    )
    starts = templates(workspace())
    for column, one in zip(st.columns(len(starts)), starts, strict=True):
        with column:
            label = f"{template_icon(one)} **{plain(one.title)}** {plain(one.summary)}"
            if st.button(label, key=f"start_{one.name}", width="stretch"):
                new_scenario_dialog(template=one.name)
    with st.container(horizontal=True, horizontal_alignment="center", key="first_examples"):
        examples_button()


def _found(entries: list[ScenarioEntry]) -> tuple[list[ScenarioEntry], dict[str, str]]:
    """What the filters leave, and where in their texts the words stand, by id."""
    kind, words = _filters(Counter(one.type for one in entries))
    if not words.strip():
        return [one for one in entries if kind in ("", one.type)], {}
    hits = list(library().search(words, scenario_type=kind or None, limit=_MOST_HITS))
    excerpts = {hit.entry.id: f"line {hit.line}: {hit.excerpt}" for hit in hits if hit.where == "text"}
    return [hit.entry for hit in hits], excerpts


def _filters(counts: Counter[str]) -> tuple[str, str]:
    labels = {"": f"All {counts.total():,}"} | {kind: f"{kind.title()} {counts[kind]:,}" for kind in SCENARIO_TYPES}
    if words := st.session_state.pop(SEARCH, None):
        st.session_state["library_search"] = words
    with st.container(horizontal=True, vertical_alignment="center", key="library_filters"):
        kind = st.segmented_control(
            "Type", list(labels), format_func=lambda one: labels[one], default="", key="library_type",
            label_visibility="collapsed", required=True,
        )  # fmt: skip
        words = st.text_input(
            "Search", placeholder="Search titles and text", key="library_search", label_visibility="collapsed",
            icon=":material/search:", live=True,
        )  # fmt: skip
    return kind or "", words or ""


def _list(found: list[ScenarioEntry], excerpts: dict[str, str]) -> None:
    kind, words = st.session_state.get("library_type"), st.session_state.get("library_search")
    if not found and (kind or words):
        st.info("No scenario matches. Clear the search, or choose another type.", icon=":material/search_off:")
    unsaved = {one.scenario_id for one in library().waiting_drafts()} if found else set()
    for one in _page_of(found, key=f"library_page_{kind}_{words}"):
        _row(one, excerpts.get(one.id, ""), unsaved=one.id in unsaved)


def _page_of(found: list[ScenarioEntry], *, key: str) -> list[ScenarioEntry]:
    """The page that is chosen; another filter has another `key` and begins at its first."""
    if len(found) <= PAGE_SIZE:
        return found
    pages = -(-len(found) // PAGE_SIZE)
    with st.container(horizontal=True, vertical_alignment="center", key="library_pages"):
        number = min(st.pagination(pages, key=key), pages)
        first = (number - 1) * PAGE_SIZE
        st.caption(f"{first + 1:,} to {min(first + PAGE_SIZE, len(found)):,} of {len(found):,}", width="content")
    return found[first : first + PAGE_SIZE]


def _row(one: ScenarioEntry, excerpt: str, *, unsaved: bool) -> None:
    seen = glance_at(one)
    with st.container(border=True, key=f"card_{one.id}", gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"line_{one.id}"):
            with st.container(width="stretch", key=f"title_{one.id}"):
                icon = f":material/{TYPE_ICONS[one.type]}:"
                if st.button(plain(shown_title(one)), key=f"row_{one.id}", type="tertiary", icon=icon):
                    open_file(one.id)
            age = moment(one.modified_ns / 1e9, time.time())
            st.caption(f"{_facts(one, seen)} · {age}", width="content")
            if unsaved:
                st.badge("unsaved text", color="violet", icon=":material/history_edu:")
            _verdict(seen)
        if excerpt:
            st.caption(plain(excerpt))


def _facts(one: ScenarioEntry, seen: Glance | None) -> str:
    return f"{count(seen.turns, 'turn')} · {count(seen.rolls, 'roll')}" if seen else size(one.size)


def _verdict(seen: Glance | None) -> None:
    if seen is None:
        st.badge("open to check", color="gray", icon=":material/help:")
    elif seen.errors:
        st.badge(count(seen.errors, "error"), color="red", icon=":material/error:")
    elif seen.warnings:
        st.badge(count(seen.warnings, "warning"), color="orange", icon=":material/warning:")
    else:
        st.badge("ready", color="green", icon=":material/check:")


def _strays() -> None:
    """Files that lie among the scenarios and are not in the list."""
    if strays := library().strays():
        with st.expander(f"{count(len(strays), 'file')} not in this list", icon=":material/help:", key="strays"):
            for one in strays[:SHOWN_STRAYS]:
                st.markdown(f"- **{plain(one.path)}**: {plain(one.reason)}")
            if len(strays) > SHOWN_STRAYS:
                st.caption(f"And {len(strays) - SHOWN_STRAYS:,} more.")
