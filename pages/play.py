"""Play: set a table, compare models, run spot checks (`?view=`); a session (`?chat=ID`), several (`?compare=ID,ID`)."""

import streamlit as st

from pages.parts.chat import chat_view
from pages.parts.layout import begin, header, told
from pages.parts.play_checks import checks_view
from pages.parts.play_compare import compare_setup, compare_view
from pages.parts.table_setup import table_setup

VIEWS = {
    "table": ("Table", table_setup),
    "compare": ("Side by side", compare_setup),
    "checks": ("Spot checks", checks_view),
}


def desk() -> None:
    """The page while no session is open."""
    header("Play", "Sit down with your model as the Dungeon Master. When it asks for a roll, real dice are rolled.")
    asked = st.query_params.get("view", "table")
    view = st.segmented_control(
        "View", list(VIEWS), default=asked if asked in VIEWS else "table", format_func=lambda one: VIEWS[one][0],
        key="play_view", label_visibility="collapsed", required=True,
    )  # fmt: skip
    if view != asked:
        st.query_params["view"] = view or "table"
    VIEWS[view or "table"][1]()


begin()
with told():
    if chosen := st.query_params.get("chat"):
        chat_view(chosen)
    elif compared := st.query_params.get("compare"):
        compare_view(compared.split(","))
    else:
        desk()
