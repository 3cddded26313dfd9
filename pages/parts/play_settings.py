"""How a table is played: how freely the model speaks, how large its window is, whose dice are thrown."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import workspace
from studio.play import PlaySettings, Sampling
from studio.ui.playable import Playable
from studio.ui.sampling import KNOBS, OWN, OWN_BEGINS, OWN_HINT, VOICES, own_sampling
from studio.ui.window_choice import USUAL, WHEN_FULL, WindowChoice, window_choices


def voice_choice(prefix: str) -> Sampling:
    """How freely it speaks; keys begin with `prefix`."""
    names = {**{key: one.title for key, one in VOICES.items()}, OWN: "Your own"}
    voice = st.segmented_control(
        "How freely it speaks", list(names), default="steady", format_func=names.get, key=f"{prefix}_voice",
        required=True,
    )  # fmt: skip
    if voice != OWN:
        chosen = VOICES[voice or "steady"]
        st.caption(chosen.hint)
        return chosen.sampling
    st.caption(OWN_HINT)
    with st.container(border=True, key=f"{prefix}_own_voice"):
        return own_sampling({knob.name: _knob(prefix, number) for number, knob in enumerate(KNOBS)})


def _knob(prefix: str, number: int) -> float:
    knob = KNOBS[number]
    whole = knob.name == "max_tokens"
    begins = getattr(OWN_BEGINS, knob.name)
    least, most, step = (int(one) if whole else one for one in (knob.least, knob.most, knob.step))
    key = f"{prefix}_own_{knob.name}"
    return float(st.slider(knob.title, least, most, int(begins) if whole else begins, step, key=key, help=knob.hint))


def more_settings(prefix: str, model: Playable | None, sampling: Sampling, speaker: str) -> PlaySettings:
    """The settings that most people leave as they are, and all of them together."""
    with st.expander("Window, dice and requests", key=f"{prefix}_more"):
        strict = st.toggle(
            "Only valid requests",
            key=f"{prefix}_valid",
            help="Once it has opened a bracket, the model can only ask for a roll or a change that the studio knows. "
            "It makes no difference to its story.",
        )
        own_dice = st.toggle(
            "I throw my own dice",
            key=f"{prefix}_own_dice",
            help="When the model asks for a roll, you throw real dice and say what they show; the studio adds up.",
        )
        tokens = _window(prefix, model)
        full = st.selectbox(
            "When the window is full", list(WHEN_FULL), format_func=lambda one: WHEN_FULL[one][0], key=f"{prefix}_full"
        )
        st.caption(WHEN_FULL[full or "hide"][1])
    return PlaySettings(
        sampling=sampling,
        speaking_as=speaker,
        valid_requests=strict,
        dice="own" if own_dice else "studio",
        context_tokens=tokens,
        when_full=full or "hide",
    )


def _window(prefix: str, model: Playable | None) -> int:
    """How much of the conversation the model sees at a time."""
    choices = {one.tokens: one for one in (_choices(str(workspace().root), model.id, model) if model else [])}
    choices = choices or {USUAL: WindowChoice(USUAL)}
    usual = USUAL if USUAL in choices else next(reversed(choices))
    chosen = st.selectbox(
        "Window of the model",
        list(choices),
        index=list(choices).index(usual),
        format_func=lambda one: choices[one].label,
        key=f"{prefix}_window",
        help="How much of the conversation it sees at a time, the scene and its own reply included. A larger window "
        "takes memory, and reading a long conversation for the first time takes longer.",
    )
    return int(chosen or usual)


@st.cache_data(max_entries=128, ttl=600, show_spinner=False)
def _choices(root: str, model_id: str, _model: Playable) -> list[WindowChoice]:
    """Read from the file's header once; `root` and `model_id` say which file, and the workspace is this app's."""
    return window_choices(workspace(), _model)
