"""The dialog of a new scenario: what kind of scene, how its template begins, and a title."""

from __future__ import annotations

import re

import streamlit as st

from pages.parts.layout import library, say, show_error, vocabulary, workspace
from studio.errors import StudioError
from studio.scenarios import SCENARIO_TYPES, MarkdownParser
from studio.scenarios.library import Template, create_from_template, templates
from studio.ui.file_tree import TYPE_ICONS
from studio.ui.story import story_html
from studio.ui.wording import plain

PREVIEW_HEIGHT = 380
_HOLE = re.compile(r"«[^«»<>]*»")


@st.dialog("New scenario", width="large")
def new_scenario_dialog(kind: str = "", template: str = "") -> None:
    """Choose a template and a title; opens the new file. `kind` and `template` are what it begins with."""
    found = {one.name: one for one in templates(workspace())}
    left, right = st.columns([5, 6], gap="medium")
    with left:
        chosen = found[_template(found, kind, template)]
    with right:
        st.caption("How it begins. What stands in «brackets» is yours to write.")
        with st.container(border=True, height=PREVIEW_HEIGHT, key="new_preview"):
            st.html(preview_html(chosen))
    _title_and_create(chosen, kind or chosen.scenario_type)


def _template(found: dict[str, Template], kind: str, template: str) -> str:
    names = list(found)
    fitting = next((name for name, one in found.items() if one.scenario_type == kind), names[0])
    name = st.radio(
        "Begin with", names, index=names.index(template if template in found else fitting), key="new_template",
        format_func=lambda one: f"{template_icon(found[one])} {plain(found[one].title)}",
        captions=[plain(one.summary) for one in found.values()],
    )  # fmt: skip
    return name if name in found else names[0]


def _title_and_create(chosen: Template, kind: str) -> None:
    with (
        st.form("new_form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", key="new_line"),
    ):
        title = st.text_input("Title", key="new_title", placeholder=chosen.working_title, max_chars=200)
        kept = st.segmented_control(
            "Kept with", SCENARIO_TYPES, default=kind, format_func=str.title, required=True,
            key=f"new_type_{chosen.name}",
        )  # fmt: skip
        asked = st.form_submit_button("Create and open", type="primary", key="new_create")
    if asked:
        _create(chosen, kept or kind, (title or "").strip())


def _create(template: Template, kind: str, title: str) -> None:
    try:
        name = library().suggest_name(kind, title or template.working_title)
        made = create_from_template(library(), template.name, name, scenario_type=kind, title=title)
    except StudioError as error:
        show_error(error)
        return
    say(f"Created {plain(made.id)}.")
    st.query_params.from_dict({"file": made.id})
    st.rerun()


def template_icon(template: Template) -> str:
    """The symbol of a template: the one of its type, or an empty page."""
    return ":material/draft:" if template.name == "blank" else f":material/{TYPE_ICONS[template.scenario_type]}:"


def preview_html(template: Template) -> str:
    """The turns of a template as a story, with what the author is to write marked."""
    turns = MarkdownParser(vocabulary()).parse_text(template.text).conversation
    return _HOLE.sub(lambda hole: f"<mark>{hole[0]}</mark>", story_html(turns, vocabulary()))
