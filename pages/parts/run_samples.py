"""What the model in training wrote for a few held-out turns, at any of the evaluations so far."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from studio.jobs import Event, SampleEvent
from studio.ui.wording import plain

_EXPLAINED = (
    "Short replies to turns of scenarios that it is not trained on, cut at the first request for dice. They show where "
    "it is going; how good it is says the report card."
)


def run_samples(events: Sequence[Event]) -> None:
    """The newest replies, and a slider back to the first ones; nothing while there are none."""
    samples = [one for one in events if isinstance(one, SampleEvent)]
    steps = sorted({one.step for one in samples})
    if not steps:
        return
    with st.expander("What it writes", key="samples"):
        st.caption(_EXPLAINED)
        chosen = steps[-1]
        if len(steps) > 1:
            chosen = st.select_slider("After step", steps, value=steps[-1], key=f"sample_step_{len(steps)}")
        newest = {one.prompt: one for one in samples if one.step == chosen}  # a resumed run writes some again
        for one in newest.values():
            with st.container(border=True, gap=None):
                st.caption(plain(one.prompt))
                st.markdown(plain(one.text) or "*nothing*")
