"""One file of the import dialog: what it is, who speaks in it, and what would become of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TypeVar

import streamlit as st

from pages.parts.layout import show_error, workspace
from studio.dataset.exchange import FORMATS, PARTS, Format, ImportOptions, Mapping, Part, Speaker, character_name
from studio.errors import StudioError
from studio.scenarios.library import Clash, Upload
from studio.ui.imports import (
    FORMAT_NAMES,
    MOST_CONVERSATIONS,
    PART_NAMES,
    Preview,
    Recognised,
    look_through,
    mapping_of,
    objection,
    recognise,
)
from studio.ui.wording import count, plain, printable, size

MOST_SPEAKERS = 40
_LOOKS = "looks_at_files_to_import"
_WITH_A_NAME: tuple[Part | None, ...] = ("Player", "Companion")
_TABLE_HEIGHT, _FEW_ROWS = 240, 5
_NOBODY_SPEAKS = (
    "Nobody speaks in it. A post begins with a name and a colon, such as 'DM: The door opens.' If this is a dataset of "
    "chats, choose what it is under 'Read as'."
)
_TOO_MANY = (
    f"It holds more than {count(MOST_CONVERSATIONS, 'conversation')}, more than the page takes of one file. "
    "Cut it into several files, or import it on the command line: python -m studio import FILE."
)
Seen = TypeVar("Seen")


@dataclass
class Plan:
    """What is to be done with a file, and what that would do."""

    upload: Upload
    options: ImportOptions = field(default_factory=ImportOptions)
    preview: Preview = field(default_factory=Preview)
    problem: str = ""
    """Why nothing of it can be imported as it is; empty when it can."""

    def options_with(self, scenario_type: str | None, clash: Clash) -> ImportOptions:
        """The options of the import itself."""
        return replace(self.options, scenario_type=scenario_type, clash=clash)


def forget_looks() -> None:
    """Let go of what was worked out about the files of a dialog."""
    st.session_state.pop(_LOOKS, None)


def plan_for(upload: Upload, file_id: str) -> Plan:
    """Draw the card of a file; `file_id` tells it from another of the same name."""
    plan = Plan(upload)
    with st.container(border=True, key=f"import_card_{file_id}"):
        st.markdown(f"**{plain(printable(upload.name))}** :gray[· {size(len(upload.content))}]")
        if problem := objection(upload.content):
            _refuse(plan, problem)
            return plan
        try:
            plan.options = ImportOptions(format=_format(upload, file_id))
            if _who_is_who(plan, file_id):
                plan.preview = _preview(plan, file_id)
                _show(plan, file_id)
        except StudioError as error:
            plan.problem = str(error)
            show_error(error)
    return plan


def _refuse(plan: Plan, problem: str) -> None:
    plan.problem = problem
    st.error(plain(problem), icon=":material/error:")


def _remembered(key: tuple[object, ...], make: Callable[[], Seen]) -> Seen:
    """Worked out once for a dialog: a click elsewhere does not read a large file again."""
    looks = st.session_state.setdefault(_LOOKS, {})
    if key not in looks:
        looks[key] = make()
    return looks[key]


def _look(upload: Upload, file_id: str, chosen: Format | None) -> Recognised:
    with st.spinner("Looking at the file ...", show_time=True):
        return _remembered(("look", file_id, chosen), lambda: recognise(upload, chosen))


def _format(upload: Upload, file_id: str) -> Format | None:
    """The format somebody chose; None leaves it to the engine, record by record."""
    found = _look(upload, file_id, None).format
    recognised = f"{FORMAT_NAMES[found]} (recognised)" if found else "Not recognised"
    return st.selectbox(
        "Read as", [None, *(one for one in FORMATS if one != found)], key=f"import_as_{file_id}",
        format_func=lambda one: FORMAT_NAMES[one] if one else recognised,
    )  # fmt: skip


# -- who is who


def _who_is_who(plan: Plan, file_id: str) -> bool:
    """The mapping of a play-by-post text goes into the plan; False when it does not do yet."""
    found = _look(plan.upload, file_id, plan.options.format)
    if found.format != "play-by-post":
        return True
    if not found.speakers:
        _refuse(plan, _NOBODY_SPEAKS)
        return False
    mapping = _mapping(found.speakers[:MOST_SPEAKERS], file_id)
    if len(found.speakers) > MOST_SPEAKERS:
        st.caption(f"{len(found.speakers) - MOST_SPEAKERS:,} more names are taken as the studio guesses them.")
    plan.options = replace(plan.options, mapping=mapping)
    told = any(mapping.part(one.name) == "DM" for one in found.speakers)
    if not told:
        plan.problem = "Nobody was said to be the Dungeon Master."
        st.warning("Who tells the story? Choose who is the Dungeon Master.", icon=":material/person_search:")
    return told


def _mapping(speakers: Sequence[Speaker], file_id: str) -> Mapping:
    st.markdown("**Who is who?** :gray[Behind players and companions: the name of the character, if it is another.]")
    sure = [one for one in speakers if not one.doubtful]
    choices = {one.name: _choice(one, f"{file_id}_{number}") for number, one in enumerate(sure)}
    if doubtful := [one for one in speakers if one.doubtful]:
        label = f"{count(len(doubtful), 'line')} may be posts, too"
        with st.expander(label, expanded=not sure, key=f"import_doubtful_{file_id}"):
            start = len(sure)
            choices |= {one.name: _choice(one, f"{file_id}_{start + at}") for at, one in enumerate(doubtful)}
    return mapping_of(choices)


def _choice(one: Speaker, key: str) -> tuple[Part | None, str]:
    """The row of a speaker: how often, what it is, and the name of its character."""
    parts: list[Part | None] = [None, *PARTS] if one.doubtful else [*PARTS]
    with st.container(horizontal=True, vertical_alignment="center", key=f"import_speaker_{key}"):
        with st.container(width="stretch", gap="xxsmall", key=f"import_name_{key}"):
            st.markdown(f"{plain(one.name)} :gray[· {count(one.posts, 'post')}, first in line {one.line:,}]")
        part = st.selectbox(
            f"{plain(one.name)} is", parts, index=0 if one.doubtful else PARTS.index(one.part), width=180,
            format_func=lambda part: PART_NAMES[part] if part else "Just text", key=f"import_part_{key}",
            label_visibility="collapsed",
        )  # fmt: skip
        called = st.text_input(
            f"{plain(one.name)} plays", placeholder=character_name(one.name), width=180, max_chars=40,
            key=f"import_called_{key}", label_visibility="collapsed", disabled=part not in _WITH_A_NAME,
            help="The character's name, if it is another.",
        )  # fmt: skip
    return part, (called or "") if part in _WITH_A_NAME else ""


# -- what would become of it


def _preview(plan: Plan, file_id: str) -> Preview:
    mapping = plan.options.mapping
    known = (tuple(mapping.parts.items()), tuple(mapping.names.items()))
    return _remembered(("preview", file_id, plan.options.format, known), lambda: _read(plan))


def _read(plan: Plan) -> Preview:
    """The whole file is read, with a bar; closing the dialog ends that."""
    area = st.empty()
    bar = area.progress(0.0, "Reading ...")
    preview = Preview()
    with closing(look_through(workspace(), plan.upload, plan.options)) as steps:
        for preview in steps:
            bar.progress(preview.read, f"Reading: {count(preview.total, 'conversation')} ...")
    area.empty()
    return preview


def _show(plan: Plan, file_id: str) -> None:
    preview = plan.preview
    if preview.too_many:
        _refuse(plan, _TOO_MANY)
        return
    if preview.ready:
        st.info(preview.sentence(), icon=":material/auto_stories:")
    else:
        _refuse(plan, preview.sentence())
    if rows := preview.rows():
        label = "What is left out, and what to know"
        with st.expander(label, expanded=bool(preview.left_out), key=f"import_why_{file_id}"):
            height = _TABLE_HEIGHT if len(rows) > _FEW_ROWS else "auto"
            st.dataframe(rows, hide_index=True, height=height, key=f"import_rows_{file_id}")
            if preview.unlisted:
                st.caption(f"And {preview.unlisted:,} more.")
