"""Overview: the loop as steps, what is ready, and one button for what is next."""

import streamlit as st

from pages.parts.layout import begin, header
from pages.parts.overview_facts import read_facts
from studio.ui.overview import State, Step, steps
from studio.ui.runs import Color

BADGES: dict[State, tuple[str, Color, str]] = {
    "done": ("ready", "green", ":material/check:"),
    "next": ("next", "violet", ":material/arrow_forward:"),
}
IN_A_ROW = 4


def card(number: int, step: Step) -> None:
    """One step: its title, what is there, and the way to its page."""
    with st.container(border=True, key=f"step_{number}", height="stretch", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f":material/{step.icon}: **{step.title}**", width="content")
            if step.state in BADGES:
                label, color, icon = BADGES[step.state]
                st.badge(label, color=color, icon=icon)
        st.caption(step.status)
        if step.state != "next" and st.button(
            "Open", key=f"open_{number}", type="tertiary", icon=":material/arrow_forward:"
        ):
            st.switch_page(step.page)


begin()
header(
    "From your table to your model",
    "Write how you run a game, train a small model on it, and play with it. All on this computer.",
)
found = steps(read_facts())
following = next(one for one in found if one.state == "next")
with st.container(border=True, key="next_step"), st.container(horizontal=True, vertical_alignment="center"):
    with st.container(width="stretch", gap="xxsmall", key="next_words"):
        st.caption("Next step")
        st.subheader(following.title, anchor=False)
        st.caption(following.status)
    if st.button(following.action, type="primary", key="next", icon=f":material/{following.icon}:"):
        st.switch_page(following.page)
for start in range(0, len(found), IN_A_ROW):
    for number, column in enumerate(st.columns(IN_A_ROW)[: len(found) - start], start=start):
        with column:
            card(number + 1, found[number])
