"""What training sees of a scenario, one panel each: the rendered prompt, and each token coloured by the loss mask.

Also what every such view needs: the base model and the longest row that training would use, and the rendering, kept
until the text, the base model or the settings change.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamlit as st

from pages.parts.layout import empty_state, facts, told, workspace
from studio.bases import BaseModel, ConversationRenderer, RenderedConversation, get_base, list_bases, token_views
from studio.config import TrainingConfig, TrainingPreset, load_presets
from studio.errors import ConfigError
from studio.scenarios import Message, TrainingScenario, leaves_choices, to_messages
from studio.ui.tokens import RowLimit, row_limits, tokens_html

LONGEST_TEXT = 2_000_000
"""Characters beyond which nothing is rendered while somebody types."""
SELECTOR_WIDTH = 340
_STYLE = Path(__file__).with_name("views.css")
_BASE = "base_of_the_prompt_views"


def prompt_view(scenario: TrainingScenario) -> None:
    """The exact text, special tokens included."""
    with told():
        if (base := choose_base("prompt_base")) and (rendered := render(base, to_messages(scenario))):
            st.caption("This is the exact text that the model reads, special tokens included.")
            note_of_choices(scenario)
            st.code(rendered.text, language=None, wrap_lines=True)


def tokens_view(scenario: TrainingScenario) -> None:
    """Every token; green ones are what the model learns to say."""
    with told():
        messages = to_messages(scenario)
        if (base := choose_base("prompt_base")) and (rendered := render(base, messages)):
            note_of_choices(scenario)
            _tokens_view(rendered, _tokens(conversation_key(base, messages), rendered, renderer(base)))


def note_of_choices(scenario: TrainingScenario) -> None:
    """Which words of a slot a view of the prompt shows, when there are slots."""
    if leaves_choices(scenario):
        st.caption(
            "Where you left a choice, as in {this|that}, this is the first option. Training takes one by chance, the "
            "same for this text every time; the Dataset page shows it.",
        )


def _tokens_view(rendered: RenderedConversation, html: str) -> None:
    load_style()
    total, trained, limit = len(rendered.ids), sum(rendered.mask), offered_limits()[0]
    share = f"{trained / total:.0%}" if total else "–"
    facts([("tokens", f"{total:,}"), ("trained", f"{trained:,} ({share})"), ("longest row", limit_title(limit))])
    if total > limit.tokens:
        st.warning(
            f"This scenario has {total:,} tokens and a training row holds {limit.tokens:,} at most: it will be "
            "cut into several rows, each with the SYSTEM block. Raise the longest row on the training page to keep it "
            "whole.",
            icon=":material/content_cut:",
        )
    st.caption("Green tokens are trained: the model learns to say them. Grey ones are only read.")
    st.html(html)


def choose_base(key: str, *, labelled: bool = False) -> BaseModel | None:
    """The base model to render for; a selector when there are several, an empty state when there is none.

    Args:
        labelled: show the selector with its label, and also when there is nothing to choose.
    """
    entries = [one for one in list_bases(workspace()) if one.imported]
    if not entries:
        empty_state(
            "download",
            "No base model yet",
            "The prompt and its tokens depend on the base model. Import one; it takes a minute.",
            page="pages/setup.py",
            label="Open Setup",
            key=f"{key}_setup",
        )
        return None
    titles = {one.name: one.title for one in entries}
    chosen = _chosen_base(titles, key, labelled) if labelled or len(titles) > 1 else entries[0].name
    return next(one.base for one in entries if one.name == chosen)


def offered_limits() -> list[RowLimit]:
    """The longest rows of the training page's presets; the studio's own default where the file gives none."""
    try:
        limits = row_limits(_presets())
    except ConfigError:
        limits = []
    return limits or [RowLimit(TrainingConfig().max_seq_length, ())]


def limit_title(limit: RowLimit) -> str:
    """The number of tokens, and the presets that train with it."""
    whose = f"preset {', '.join(limit.presets)}" if limit.presets else "the studio's default"
    return f"{limit.tokens:,} tokens ({whose})"


def render(base: BaseModel, messages: list[Message]) -> RenderedConversation | None:
    """The conversation as the base model reads it, kept until it changes; None, and a word why, when it is too long.

    Raises:
        StudioError: it cannot be rendered.
    """
    length = sum(len(one.content) for one in messages)
    if length > LONGEST_TEXT:
        st.info(
            f"This scenario has {length:,} characters, too many to work out its tokens while you write. "
            f"Split it into scenes of at most {LONGEST_TEXT:,}.",
            icon=":material/hourglass_disabled:",
        )
        return None
    return _render(conversation_key(base, messages), messages, renderer(base))


def conversation_key(base: BaseModel, messages: list[Message]) -> str:
    """What a rendering depends on, as a hash: what is made of it is kept under this name."""
    digest = hashlib.sha256(base.fingerprint.encode())
    for one in messages:
        digest.update(f"{one.role} {len(one.content)} {one.content}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def renderer(base: BaseModel) -> ConversationRenderer:
    """The base model's renderer, kept."""
    return _renderer(base.name, base.fingerprint)


def load_style() -> None:
    """The style sheet of the views of a prompt."""
    st.html(_STYLE)


def _chosen_base(titles: dict[str, str], key: str, labelled: bool) -> str:
    """A selector that begins with what training would take; all views of a session follow what is chosen in one."""
    chosen = st.session_state.get(_BASE) or _trained_base()
    st.session_state[key] = chosen if chosen in titles else next(iter(titles))
    return str(
        st.selectbox(
            "Base model", list(titles), key=key, on_change=_remember, args=(key,), format_func=titles.__getitem__,
            label_visibility="visible" if labelled else "collapsed", width=SELECTOR_WIDTH if labelled else "stretch",
        )
    )  # fmt: skip


def _remember(key: str) -> None:
    st.session_state[_BASE] = st.session_state[key]


def _trained_base() -> str:
    """The base model of the first preset."""
    try:
        first = next(iter(_presets().values()), None)
    except ConfigError:
        first = None
    return (first.training if first else TrainingConfig()).base_model


def _presets() -> dict[str, TrainingPreset]:
    path = workspace().config_file("training_config.yaml")
    return _presets_of(path, path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_data(max_entries=2, show_spinner=False)
def _presets_of(path: Path, changed: int) -> dict[str, TrainingPreset]:
    return load_presets(workspace())


@st.cache_resource(max_entries=6, show_spinner=False)
def _render(key: str, _messages: list[Message], _renderer: ConversationRenderer) -> RenderedConversation:
    return _renderer.render(_messages)


@st.cache_data(max_entries=6, show_spinner=False)
def _tokens(key: str, _rendered: RenderedConversation, _renderer: ConversationRenderer) -> str:
    return tokens_html(token_views(_rendered, control=_renderer.control_ids))


@st.cache_resource(max_entries=3, show_spinner="Loading the tokenizer")
def _renderer(name: str, fingerprint: str) -> ConversationRenderer:
    base = get_base(workspace(), name)
    return ConversationRenderer(base.tokenizer(), base.template())
