"""Measure: how good and how fast models are; start it, watch it, and read a report (`?report=JOB`)."""

import streamlit as st

from pages.parts.layout import begin, header, told
from pages.parts.measure_form import measure_form
from pages.parts.measure_list import measure_list
from pages.parts.measure_view import measure_view

begin()
if chosen := st.query_params.get("report"):
    with told():
        measure_view(chosen)
else:
    header("Measure", "Is this model better than the last one, where, and is the difference real?")
    with told():
        measure_form()
    with told():
        measure_list()
