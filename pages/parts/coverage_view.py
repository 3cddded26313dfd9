"""What the scenarios show and what is missing: a list of what to write next, the map of rolls, and who and how long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.parts.layout import empty_state, library, say, show_error, vocabulary, workspace
from studio.dataset.coverage import Coverage, RowCoverage
from studio.dataset.drafting import draft_for
from studio.dataset.suggestions import Needs, Suggestion, load_needs, suggestions
from studio.errors import StudioError
from studio.scenarios import MarkdownParser, Vocabulary
from studio.scenarios.library import Template, templates
from studio.ui.coverage import (
    calls_share,
    coverage_map,
    people_rows,
    request_rows,
    roll_rows,
    suggestion_rows,
    token_chart,
    type_rows,
    words_chart,
)
from studio.ui.file_tree import TYPE_ICONS
from studio.ui.wording import count, plain

_FIRST = 6
"""Suggestions that are shown with their button; the rest is a table."""
_NAMED = 5
_TELL_EVERY = 250
"""Files between two signs that the counting goes on; fewer files are counted before anybody wonders."""
_BARE = {"displayModeBar": False}
OpenFile = Callable[[str], None]


def open_in_editor(file: str) -> None:
    """Go to the scenario page with this file open."""
    st.switch_page("pages/scenarios.py", query_params={"file": file})


def coverage_view(rows: RowCoverage | None = None, *, on_open: OpenFile = open_in_editor) -> None:
    """Everything about the scenarios of the workspace; `rows` adds the lengths of the processed training rows."""
    words = vocabulary()
    coverage, skipped = scenario_coverage(words)
    _skipped(skipped)
    if not coverage.scenarios and not skipped:
        empty_state("explore", "Nothing to count yet", "Write a scenario, and this shows which rolls it teaches.")
        return
    needs = _needs()
    if needs is None:
        return
    found = suggestions(coverage, needs, words)
    _figures(coverage)
    _write_next(found, needs, words, on_open)
    _map(coverage, words, found)
    _details(coverage, words, rows)


def scenario_coverage(words: Vocabulary) -> tuple[Coverage, list[str]]:
    """The counts of all scenario files, and the files with mistakes, which no model learns from."""
    whole, skipped = Coverage(), list[str]()
    changed = workspace().config_file("tools.yaml").stat().st_mtime_ns
    entries, bar, last = library().entries(), st.empty(), _last_count()
    state = hash((workspace(), changed, *((one.id, one.modified_ns, one.size) for one in entries)))
    if state in last:
        return last[state]
    for number, entry in enumerate(entries):
        if number % _TELL_EVERY == 0 and number:
            bar.progress(number / len(entries), text=f"Counting: {number:,} of {count(len(entries), 'scenario')}")
        part = _counts(library().path(entry.id), entry.modified_ns, entry.size, changed, words)
        if part is None:
            skipped.append(entry.id)
        else:
            whole.include(part)
    bar.empty()
    last.clear()
    last[state] = whole, skipped
    return whole, skipped


@st.cache_resource(max_entries=1, show_spinner=False)
def _last_count() -> dict[int, tuple[Coverage, list[str]]]:
    """The last whole count by what it was made of: a folder may hold more files than are remembered one by one."""
    return {}


@st.cache_resource(max_entries=20_000, show_spinner=False)
def _counts(path: Path, modified_ns: int, size: int, vocabulary_changed: int, _words: Vocabulary) -> Coverage | None:
    """One file's counts, remembered until it or the vocabulary changes; None when it has mistakes or cannot be read."""
    try:
        scenario = MarkdownParser(_words).parse_scenario(path)
    except StudioError:
        return None
    if any(one.severity == "error" for one in scenario.diagnostics):
        return None
    counts = Coverage()
    counts.add(scenario, _words)
    return counts


def _needs() -> Needs | None:
    try:
        return load_needs(workspace().config_file("coverage.yaml"))
    except StudioError as error:
        show_error(error)
        return None


def _skipped(files: list[str]) -> None:
    if not files:
        return
    named = ", ".join(f"**{plain(one)}**" for one in files[:_NAMED]) + (" and more" if len(files) > _NAMED else "")
    st.warning(
        f"{count(len(files), 'file has', 'files have')} mistakes or cannot be read: not counted here, and no model "
        f"learns from them. {named}. Open them in the editor; it shows what is wrong.",
        icon=":material/rule:",
    )


def _figures(coverage: Coverage) -> None:
    with st.container(horizontal=True, key="coverage_figures"):
        st.metric("Scenarios", f"{coverage.scenarios:,}", border=True)
        st.metric("Characters", f"{coverage.characters:,}", border=True)
        st.metric(
            "Requests", f"{coverage.asked().total():,}", border=True, help="Rolls and notes that the DM asks for."
        )
        st.metric(
            "DM turns that ask", f"{calls_share(coverage):.0%}", border=True,
            help="A model must also learn when to ask for nothing and just tell the story.",
        )  # fmt: skip


def _write_next(found: list[Suggestion], needs: Needs, words: Vocabulary, on_open: OpenFile) -> None:
    st.subheader("Write these next", anchor=False)
    if not found:
        st.success("Nothing that a table needs often is missing.", icon=":material/check_circle:")
        return
    st.caption("What a table needs often and your scenarios show seldom, the most useful first.")
    for number, one in enumerate(found[:_FIRST]):
        _suggestion(number, one, needs, words, on_open)
    with st.expander("How this list is made", key="coverage_why"):
        st.caption(
            "The score is how often a table asks for it (in 100 requests), times how usual this case of it is, times "
            "how much of it is missing. How often is our judgement; change it in config/coverage.yaml."
        )
        st.dataframe(
            suggestion_rows(found), hide_index=True, key="coverage_list",
            column_config={"Missing": st.column_config.NumberColumn(format="percent")},
        )  # fmt: skip


def _suggestion(number: int, one: Suggestion, needs: Needs, words: Vocabulary, on_open: OpenFile) -> None:
    with (
        st.container(border=True, key=f"card_suggestion_{number}"),
        st.container(horizontal=True, vertical_alignment="center", key=f"suggestion_{number}"),
    ):
        with st.container(width="stretch", gap="xxsmall", key=f"suggestion_words_{number}"):
            st.markdown(f":material/{TYPE_ICONS[one.scenario_type]}: **{plain(one.title)}**")
            st.caption(plain(one.why))
        if st.button(
            "Begin", key=f"begin_{number}", icon=":material/edit_note:", help=f"A new {one.scenario_type} scene."
        ):
            _begin(one, needs, words, on_open)


def _begin(one: Suggestion, needs: Needs, words: Vocabulary, on_open: OpenFile) -> None:
    try:
        title, text = draft_for(one, _template(one.scenario_type), vocabulary=words, needs=needs)
        name = library().suggest_name(one.scenario_type, title)
        made = library().create(one.scenario_type, name, text)
    except StudioError as error:
        show_error(error)
        return
    say(f"Created {plain(made.id)}. What stands in «brackets» is yours to write.")
    on_open(made.id)


def _template(scenario_type: str) -> Template:
    """The first template of the type that is more than a blank page, else the last of all, which is the blank one."""
    every = templates(workspace())
    return next((one for one in every if one.scenario_type == scenario_type and one.name != "blank"), every[-1])


def _map(coverage: Coverage, words: Vocabulary, found: list[Suggestion]) -> None:
    st.subheader("Which rolls it sees", anchor=False)
    st.caption(
        "Every number counts rolls that the model can learn from. 15 stands for DC 11 to 15, and so on; – for no DC. "
        "A ring marks what is in the list above."
    )
    st.plotly_chart(coverage_map(coverage, words, found), key="coverage_map", config=_BARE)


def _details(coverage: Coverage, words: Vocabulary, rows: RowCoverage | None) -> None:
    requests, people, lengths, scenes = st.tabs(["Requests", "Characters", "Lengths", "Scenes"], key="coverage_tabs")
    with requests:
        unused = [words.by_name[name].spoken for name in coverage.never_used(words)]
        if unused:
            st.caption(f"Never asked for: {plain(', '.join(unused))}.")
        st.dataframe(request_rows(coverage, words), hide_index=True, key="coverage_requests")
    with people:
        st.dataframe(people_rows(coverage), hide_index=True, key="coverage_people")
    with lengths:
        _lengths(coverage, rows)
    with scenes, st.container(horizontal=True, key="coverage_scenes"):
        share = {"Share": st.column_config.NumberColumn(format="percent")}
        st.dataframe(type_rows(coverage), hide_index=True, key="coverage_types", column_config=share)
        st.dataframe(roll_rows(coverage), hide_index=True, key="coverage_rolls")


def _lengths(coverage: Coverage, rows: RowCoverage | None) -> None:
    st.plotly_chart(words_chart(coverage), key="coverage_words", config=_BARE)
    if rows is None or not rows.rows:
        return
    st.plotly_chart(token_chart(rows), key="coverage_tokens", config=_BARE)
    near = count(rows.near_limit, "row is", "rows are")
    st.caption(
        f"{rows.trained_share:.0%} of {rows.tokens:,} tokens are learned: the Dungeon Master's. "
        f"{near} near the limit of {rows.limit:,}."
    )
    if rows.longest:
        st.dataframe(
            [{"Scenario": source, "From turn": turn + 1, "Tokens": tokens} for tokens, source, turn in rows.longest],
            hide_index=True, key="coverage_longest",
        )  # fmt: skip
