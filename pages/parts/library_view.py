"""The list of scenarios: counts by type, search, new from a template, import and export, and undo of a deletion."""

from __future__ import annotations

import time

import streamlit as st

from pages.parts.layout import empty_state, header, library, say, told_afterwards, vocabulary, workspace
from pages.parts.new_scenario import import_dialog, new_scenario_dialog
from studio.scenarios import MarkdownParser
from studio.scenarios.library import ScenarioEntry, ScenarioMissingError, export_zip
from studio.ui.wording import count, moment, plain

PAGE_SIZE = 25
SHOWN_STRAYS = 20
_MOST_HITS = 10_000
_ICONS = {
    "combat": ":material/swords:",
    "roleplay": ":material/forum:",
    "exploration": ":material/explore:",
    "mixed": ":material/auto_stories:",
}


def library_view() -> None:
    """The whole page when no scenario is open."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="library_head"):
        with st.container(width="stretch", key="library_title"):
            header("Scenarios", "What your model learns from: short sessions of play, written the way you run them.")
        if st.button("New scenario", type="primary", icon=":material/add:", key="new_scenario"):
            new_scenario_dialog()
    _undo()
    entries = library().entries()
    if not entries:
        empty_state(
            "edit_note",
            "Write your first scenario",
            "Choose New scenario above. A template shows every part once, and the editor tells you what is missing.",
        )
    else:
        _list(entries)
    _strays()
    _exchange(entries)


def _list(entries: list[ScenarioEntry]) -> None:
    kind, words = _filters(len(entries))
    found = [one for one in entries if kind in ("", one.type)]
    excerpts: dict[str, str] = {}
    if words.strip():
        hits = list(library().search(words, scenario_type=kind or None, limit=_MOST_HITS))
        found = [hit.entry for hit in hits]
        excerpts = {hit.entry.id: f"line {hit.line}: {hit.excerpt}" for hit in hits if hit.where == "text"}
    if not found:
        st.info("No scenario matches. Clear the search, or choose another type.", icon=":material/search_off:")
    unsaved = {one.scenario_id for one in library().waiting_drafts()}
    for one in _page_of(found, key=f"library_page_{kind}_{words}"):
        _row(one, excerpts.get(one.id, ""), unsaved=one.id in unsaved)


def _filters(total: int) -> tuple[str, str]:
    labels = {"": f"All {total:,}"} | {
        kind: f"{kind.title()} {number:,}" for kind, number in library().counts().items()
    }
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
    turns, rolls, errors, warnings = _glance(str(workspace().root), one.id, one.modified_ns, one.size)
    with st.container(border=True, key=f"card_{one.id}", gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"line_{one.id}"):
            with st.container(width="stretch", key=f"title_{one.id}"):
                label = plain(one.title or one.name.replace("-", " ").capitalize())
                icon = _ICONS.get(one.type, ":material/description:")
                if st.button(label, key=f"row_{one.id}", type="tertiary", icon=icon):
                    st.query_params["file"] = one.id
                    st.rerun()
            age = moment(one.modified_ns / 1e9, time.time())
            st.caption(f"{count(turns, 'turn')} · {count(rolls, 'roll')} · {age}", width="content")
            if unsaved:
                st.badge("unsaved text", color="violet", icon=":material/history_edu:")
            _verdict(errors, warnings)
        if excerpt:
            st.caption(plain(excerpt))


def _verdict(errors: int, warnings: int) -> None:
    if errors:
        st.badge(count(errors, "error"), color="red", icon=":material/error:")
    elif warnings:
        st.badge(count(warnings, "warning"), color="orange", icon=":material/warning:")
    else:
        st.badge("ready", color="green", icon=":material/check:")


@st.cache_data(max_entries=20_000, show_spinner=False)
def _glance(root: str, scenario_id: str, changed: int, size: int) -> tuple[int, int, int, int]:
    """Turns, rolls, errors and warnings of a file; read again when it changes."""
    try:
        text = library().read(scenario_id).text
    except ScenarioMissingError:  # deleted since the list was made
        return 0, 0, 0, 0
    scenario = MarkdownParser(vocabulary()).parse_text(text, default_type=scenario_id.partition("/")[0])
    rolls = sum(turn.speaker == "TOOLCALL" for turn in scenario.conversation)
    levels = [one.severity.value for one in scenario.diagnostics]
    return len(scenario.conversation), rolls, levels.count("error"), levels.count("warning")


def _undo() -> None:
    """The way back right after a deletion, and later from the bin."""
    gone = next((one for one in library().deleted() if one.bin_id == st.session_state.get("just_deleted")), None)
    if gone is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="undo_bar"):
        st.markdown(f":material/delete: Deleted {plain(gone.scenario_id)}.", width="stretch")
        st.button("Undo", key="undo_delete", on_click=_bring_back, args=(gone.bin_id,))


def _bring_back(bin_id: str) -> None:
    with told_afterwards():
        say(f"{plain(library().undelete(bin_id).id)} is back.")


def _strays() -> None:
    """Files that lie among the scenarios and are not in the list."""
    if strays := library().strays():
        with st.expander(f"{count(len(strays), 'file')} not in this list", icon=":material/help:", key="strays"):
            for one in strays[:SHOWN_STRAYS]:
                st.markdown(f"- **{plain(one.path)}**: {plain(one.reason)}")


def _exchange(entries: list[ScenarioEntry]) -> None:
    with st.container(horizontal=True, key="library_exchange"):
        if st.button("Import files", key="import", icon=":material/upload:", type="tertiary"):
            import_dialog()
        if entries:
            st.download_button(
                "Export all as zip", lambda: export_zip(library()), file_name="scenarios.zip", mime="application/zip",
                key="export", icon=":material/download:", type="tertiary", on_click="ignore",
            )  # fmt: skip
        if deleted := library().deleted():
            with st.popover(f"Bin {len(deleted)}", icon=":material/delete:", key="bin", type="tertiary"):
                for one in deleted[:20]:
                    st.button(
                        f"Bring back {plain(one.scenario_id)}", key=f"row_bin_{one.bin_id}", type="tertiary",
                        on_click=_bring_back, args=(one.bin_id,),
                    )  # fmt: skip
