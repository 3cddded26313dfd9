"""Two dialogs of the scenario list: a new scenario from a template, and files from elsewhere."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import library, say, show_error, workspace
from studio.errors import StudioError
from studio.scenarios import SCENARIO_TYPES
from studio.scenarios.library import Upload, create_from_template, import_files, templates
from studio.ui.wording import count, plain


@st.dialog("New scenario")
def new_scenario_dialog() -> None:
    """Title, type and template; opens the new file."""
    found = {one.name: one for one in templates(workspace())}
    title = st.text_input("Title", key="new_title", placeholder="The Bridge at Dusk")
    template = st.radio(
        "Begin with", list(found), format_func=lambda one: plain(found[one].title), key="new_template",
        captions=[plain(one.summary) for one in found.values()],
    )  # fmt: skip
    suggested = found[str(template)].scenario_type if template in found else "mixed"
    kind = st.segmented_control(
        "Type", SCENARIO_TYPES, default=suggested, format_func=str.title, key=f"new_type_{template}", required=True
    )
    if st.button("Create and open", type="primary", key="new_create", disabled=not (title or "").strip()):
        try:
            name = library().suggest_name(kind or suggested, title or "")
            made = create_from_template(library(), str(template), name, scenario_type=kind, title=title or "")
        except StudioError as error:
            show_error(error)
            return
        say(f"Created {plain(made.id)}.")
        st.query_params["file"] = made.id
        st.rerun()


@st.dialog("Import scenarios")
def import_dialog() -> None:
    """Markdown files or zips of them."""
    st.caption("Markdown files, or zip archives of them. A file of the same name is kept beside, never overwritten.")
    files = st.file_uploader(
        "Files",
        type=["md", "markdown", "zip"],
        accept_multiple_files=True,
        key="import_files",
        label_visibility="collapsed",
    )
    if st.button("Import", type="primary", key="import_now", disabled=not files):
        try:
            report = import_files(library(), [Upload(name=one.name, content=one.getvalue()) for one in files])
        except StudioError as error:
            show_error(error)
            return
        skipped = [one for one in report.files if one.outcome == "skipped"]
        if not skipped:
            say(f"Imported {count(report.count('created'), 'scenario')}.")
            st.rerun()
        st.success(f"Imported {count(report.count('created'), 'scenario')}, left out {len(skipped)}.")
        for one in skipped[:20]:
            st.markdown(f"- **{plain(one.source)}**: {plain(one.reason)}")
