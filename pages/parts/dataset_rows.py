"""The rows of the dataset: a searchable list, and one row with every token of it, from the stored row itself."""

from __future__ import annotations

import streamlit as st

from pages.parts.coverage_view import open_in_editor
from pages.parts.layout import facts, library
from pages.parts.prompt_views import load_style, renderer
from studio.bases import BaseModel
from studio.dataset import SPLITS, ProcessedDataset, RowHead, Split, TrainingRow
from studio.errors import StudioError
from studio.ui.dataset import SPLIT_NAMES, editor_file, row_tokens, turns_words
from studio.ui.file_tree import TYPE_ICONS
from studio.ui.tokens import prompt_html, tokens_html
from studio.ui.wording import plain

PAGE_SIZE = 25
_SPLIT, _WORDS = "rows_split", "rows_search"
_KEPT = "search_of_the_dataset_rows"
_WAYS = {"tokens": "Tokens", "text": "Exact text"}


def dataset_rows(dataset: ProcessedDataset, base: BaseModel) -> None:
    """The row that the address names (`?row=train-17`), else the list. Raises `DatasetError`."""
    if chosen := _asked(dataset):
        _one(dataset, base, *chosen)
    else:
        _listing(dataset)


def open_row(split: Split, number: int) -> None:
    """Show a row of a split, counted from 0."""
    st.query_params.update({"view": "rows", "row": f"{split}-{number}"})


def _asked(dataset: ProcessedDataset) -> tuple[Split, int] | None:
    """The row of the address, if there is one of that number."""
    name, _, number = st.query_params.get("row", "").partition("-")
    split = next((one for one in SPLITS if one == name), None)
    if split is None or not number.isdecimal() or int(number) >= dataset.manifest.counts[split].rows:
        return None
    return split, int(number)


def _listing(dataset: ProcessedDataset) -> None:
    split, words = _filters(dataset)
    found = dataset.matches(split, words)
    if not found:
        st.info(
            "No row is of a scenario that is called so." if words else "There is no row on this side.",
            icon=":material/search_off:",
        )
        return
    start = _first_of_page(found, key=f"rows_page_{split}_{words}")
    for head in dataset.listing(split, start, PAGE_SIZE, words):
        _line(split, head)


def _filters(dataset: ProcessedDataset) -> tuple[Split, str]:
    """Which side, and what the scenario's name holds; both are kept while a row is open."""
    counts = dataset.manifest.counts
    sides = [one for one in SPLITS if counts[one].rows or one != "test"]
    for key, kept in (st.session_state.get(_KEPT) or {_SPLIT: "train", _WORDS: ""}).items():
        st.session_state.setdefault(key, kept)
    if st.session_state[_SPLIT] not in sides:
        st.session_state[_SPLIT] = "train"
    with st.container(horizontal=True, vertical_alignment="center", key="rows_filters"):
        split = st.segmented_control(
            "Side", sides, key=_SPLIT, required=True, label_visibility="collapsed",
            format_func=lambda one: f"{SPLIT_NAMES[one]} {counts[one].rows:,}",
        ) or "train"  # fmt: skip
        words = st.text_input(
            "Search", placeholder="Search by scenario", key=_WORDS, label_visibility="collapsed",
            icon=":material/search:", live=True,
        ).strip()  # fmt: skip
    st.session_state[_KEPT] = {_SPLIT: split, _WORDS: words}
    return split, words


def _first_of_page(found: int, *, key: str) -> int:
    """The first row of the chosen page, counted among those that the filters leave."""
    if found <= PAGE_SIZE:
        return 0
    pages = -(-found // PAGE_SIZE)
    with st.container(horizontal=True, vertical_alignment="center", key="rows_pages"):
        start = (min(st.pagination(pages, key=key), pages) - 1) * PAGE_SIZE
        st.caption(f"{start + 1:,} to {min(start + PAGE_SIZE, found):,} of {found:,}", width="content")
    return start


def _line(split: Split, head: RowHead) -> None:
    key = f"{split}_{head.number}"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{key}"):
        with st.container(width="stretch", key=f"row_title_{key}"):
            st.button(
                plain(head.source.removesuffix(".md")), key=f"row_{key}", type="tertiary",
                icon=f":material/{TYPE_ICONS.get(head.scenario_type, 'description')}:",
                on_click=open_row, args=(split, head.number),
            )  # fmt: skip
        share = f"{head.trained / head.tokens:.0%}" if head.tokens else "–"
        st.caption(f"{turns_words(head.turns)} · {head.tokens:,} tokens · {share} learned", width="content")


def _one(dataset: ProcessedDataset, base: BaseModel, split: Split, number: int) -> None:
    row = dataset.row(split, number)
    _bar(dataset, split, number, row)
    st.subheader(plain(row.source.removesuffix(".md")), anchor=False)
    tokens, trained = len(row.input_ids), row.trained_tokens
    facts(
        [
            ("side", SPLIT_NAMES[split].lower()),
            ("scene", turns_words(row.turns)),
            ("tokens", f"{tokens:,} of {dataset.manifest.settings.max_seq_length:,}"),
            ("learned", f"{trained:,} ({trained / max(tokens, 1):.0%})"),
        ]
    )
    way = st.segmented_control(
        "As", list(_WAYS), format_func=_WAYS.__getitem__, default="tokens", key="row_way", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    _tokens(base, row, way or "tokens")


def _tokens(base: BaseModel, row: TrainingRow, way: str) -> None:
    load_style()
    kept = renderer(base)
    views = row_tokens(row, kept.tokenizer, kept.control_ids)
    if way == "tokens":
        st.caption("Green tokens are learned: the model is taught to say them. Grey ones are only read.")
        st.html(tokens_html(views))
    else:
        st.caption("The exact text that the model reads, to the character. Coloured marks are its control tokens.")
        st.html(prompt_html(views))


def _bar(dataset: ProcessedDataset, split: Split, number: int, row: TrainingRow) -> None:
    last = dataset.manifest.counts[split].rows - 1
    with st.container(horizontal=True, vertical_alignment="center", key="row_bar"):
        st.button("All rows", key="all_rows", icon=":material/arrow_back:", type="tertiary", on_click=_back)
        with st.container(width="stretch", key="row_place"):
            st.caption(f"Row {number + 1:,} of {last + 1:,}")
        for key, icon, words, goal in (
            ("row_before", "chevron_left", "The row before", number - 1),
            ("row_after", "chevron_right", "The next row", number + 1),
        ):
            st.button(
                "", key=key, icon=f":material/{icon}:", help=words, disabled=not 0 <= goal <= last,
                on_click=open_row, args=(split, goal),
            )  # fmt: skip
        file = _file(row.source)
        if file and st.button("Open the scenario", key="row_file", icon=":material/edit_note:"):
            open_in_editor(file)


def _file(source: str) -> str | None:
    """The scenario in the library, if it is there still."""
    file = editor_file(source)
    try:
        return file if file and library().path(file).exists() else None
    except StudioError:
        return None


def _back() -> None:
    st.query_params.pop("row", None)
