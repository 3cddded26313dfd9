"""A request of the vocabulary by a form: which one, and its arguments, each by a field that fits."""

from __future__ import annotations

import streamlit as st

from studio.errors import PlayError
from studio.play.teaching.corrections import read_request, request_text
from studio.scenarios import Argument, Directive, SystemContext, Tool, Vocabulary
from studio.ui.wording import plain

_MODES = ("advantage", "disadvantage")


def request_form(system: SystemContext, vocabulary: Vocabulary, key: str) -> Directive | None:
    """The request that is chosen, as the engine reads it; None, and a word why, while it cannot be understood.

    Args:
        key: the keys of the fields begin with it.
    """
    tools = vocabulary.by_name
    name = st.selectbox(
        "It asks for", list(tools), format_func=lambda one: f"{tools[one].spoken} · {tools[one].help}",
        key=f"{key}_tool", index=list(tools).index("perception") if "perception" in tools else 0,
    )  # fmt: skip
    tool = tools[str(name)]
    party = [one.name for one in system.party]
    given = _arguments(tool, party, vocabulary, key)
    try:
        written = request_text(tool, given, vocabulary)
        request = read_request(written, vocabulary)
    except PlayError as error:
        st.warning(plain(" ".join(filter(None, (error.what, error.why)))), icon=":material/error:")
        return None
    st.code(written, language=None)
    return request


def _arguments(tool: Tool, party: list[str], vocabulary: Vocabulary, key: str) -> dict[str, str]:
    """The fields of a tool's arguments; those of a flag and its opposite are one choice."""
    given: dict[str, str] = {}
    names = [one for one in tool.arguments if one not in _MODES]
    with st.container(horizontal=True, key=f"{key}_fields_{tool.name}"):
        for name in names:
            given[name] = _field(tool, vocabulary.arguments[name], party, f"{key}_{tool.name}_{name}")
        if set(_MODES) <= set(tool.arguments):
            mode = st.selectbox("Dice", ["", *_MODES], format_func=lambda one: one or "plain", key=f"{key}_mode")
            given |= {str(mode): "true"} if mode else {}
    return given


def _field(tool: Tool, argument: Argument, party: list[str], key: str) -> str:
    label = argument.name.capitalize() if len(argument.name) > 2 else argument.name.upper()
    if argument.type == "choice":
        return str(st.selectbox(label, argument.choices, key=key, help=argument.help))
    if argument.type == "character":
        return str(st.selectbox(label, ["", *party], format_func=lambda one: one or "–", key=key, help=argument.help))
    if argument.type == "flag":
        return "true" if st.checkbox(label, key=key, help=argument.help) else ""
    needed = argument.name in tool.value
    return str(
        st.text_input(
            label, argument.example if needed else "", key=key, help=argument.help,
            placeholder=argument.example, width=150,
        )
    )  # fmt: skip
