"""Scenarios: the library, and the editor of the one that the address names (`?file=combat/tavern-brawl`)."""

import streamlit as st

from pages.parts.file_tree import file_tree
from pages.parts.layout import begin, told
from pages.parts.library_view import library_view
from pages.parts.scenario_view import scenario_view

begin()
with told():
    chosen = st.query_params.get("file")
    file_tree(chosen)
    if chosen:
        scenario_view(chosen)
    else:
        library_view()
