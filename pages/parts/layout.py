"""The frame of every page: title and sentence, errors in the user's words, empty states, facts in a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path

import streamlit as st

from pages.parts.navigation import require_navigation
from studio.errors import StudioError
from studio.jobs import JobQueue
from studio.scenarios import Vocabulary, load_vocabulary
from studio.scenarios.library import ScenarioLibrary
from studio.ui.failures import recorded_error
from studio.ui.wording import plain
from studio.workspace import Workspace

_STYLE = Path(__file__).parent / "style.css"
# Keys of the session that no widget may have: a widget's value lives under its key in the same place.
_MESSAGE, _FAILURE = "message_of_the_last_action", "failure_of_the_last_action"


def workspace() -> Workspace:
    """The workspace that this app serves."""
    return Workspace.find()


def library() -> ScenarioLibrary:
    """The scenarios of the workspace."""
    return _library(workspace())


@st.cache_resource(max_entries=4, show_spinner=False)
def _library(here: Workspace) -> ScenarioLibrary:
    return ScenarioLibrary(here)


def vocabulary() -> Vocabulary:
    """The tool vocabulary of the workspace, read again when its file changes."""
    path = workspace().config_file("tools.yaml")
    return _vocabulary(path, path.stat().st_mtime_ns)


@st.cache_resource(max_entries=2, show_spinner=False)
def _vocabulary(path: Path, changed: int) -> Vocabulary:
    return load_vocabulary(path)


def begin() -> None:
    """What every page does first: the navigation, the style sheet, the message of the last action, a waiting queue."""
    require_navigation()
    with suppress(StudioError):  # the page Train tells
        JobQueue(workspace()).wake()  # after a restart of the app or the computer, any page goes on with what waited
    st.html(_STYLE)
    if message := st.session_state.pop(_MESSAGE, None):
        st.toast(message, icon=":material/check:")


def header(title: str, sentence: str) -> None:
    """A page's title and its one sentence, and what went wrong with the last action."""
    st.title(plain(title), anchor=False)
    st.html(f'<p class="lead">{escape(sentence)}</p>')
    if failure := st.session_state.pop(_FAILURE, None):
        show_error(recorded_error(failure))


def show_error(error: StudioError) -> None:
    """What happened, why, and what to do next."""
    where = f" ({plain(error.where)})" if error.where else ""
    parts = [f"**{plain(error.what)}**{where}", plain(error.why), plain(error.next_step)]
    st.error("\n\n".join(part for part in parts if part), icon=":material/error:")


@contextmanager
def told() -> Iterator[None]:
    """Shows a `StudioError` of the block instead of raising it; what comes after the block is still drawn."""
    try:
        yield
    except StudioError as error:
        show_error(error)


@contextmanager
def told_afterwards() -> Iterator[None]:
    """For callbacks, which run before the page is drawn: shows a `StudioError` of the block below the next header."""
    try:
        yield
    except StudioError as error:
        st.session_state[_FAILURE] = error.as_dict()


def empty_state(icon: str, title: str, text: str, *, page: str = "", label: str = "", key: str = "") -> None:
    """Nothing is here yet: say what would be, and offer the next step."""
    st.html(f'<div class="empty"><span class="icon">{icon}</span><h3>{escape(title)}</h3><p>{escape(text)}</p></div>')
    if page:
        with st.container(horizontal=True, horizontal_alignment="center"):
            if st.button(label, type="primary", key=key or f"empty_{icon}"):
                st.switch_page(page)


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Name and value pairs in one line that wraps; a hash or path is selectable text."""
    spans = "".join(f"<span><i>{escape(name)}</i>{escape(value)}</span>" for name, value in pairs if value)
    st.html(f'<div class="facts">{spans}</div>')


def say(message: str) -> None:
    """Remember a message, in Streamlit's markdown, for after the next rerun (`begin`)."""
    st.session_state[_MESSAGE] = message
