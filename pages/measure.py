"""Measure: how good and how fast models are; start it, watch it, read a report (`?report=JOB`), compare versions."""

import streamlit as st

from pages.parts.layout import begin, header, told
from pages.parts.measure_form import measure_form
from pages.parts.measure_history import AFTER, BEFORE, comparison_view, measure_history
from pages.parts.measure_list import measure_list
from pages.parts.measure_view import measure_view

begin()
if chosen := st.query_params.get("report"):
    with told():
        measure_view(chosen)
elif BEFORE in st.query_params and AFTER in st.query_params:
    comparison_view(st.query_params[BEFORE], st.query_params[AFTER])
else:
    header("Measure", "Is this model better than the last one, where, and is the difference real?")
    with told():
        measure_form()
    with told():
        measure_history()
    with told():
        measure_list()
