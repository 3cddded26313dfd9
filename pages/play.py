"""Play: choose a model file and a scene, then chat while the studio rolls the dice (`?chat=ID` names the session)."""

import streamlit as st

from pages.parts.chat import chat_view
from pages.parts.layout import begin, told
from pages.parts.table_setup import table_setup

begin()
with told():
    if chosen := st.query_params.get("chat"):
        chat_view(chosen)
    else:
        table_setup()
