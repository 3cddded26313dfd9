"""Train: start a run, also like another (`?like=NAME`) or going on from it (`?from=`), watch one (`?run=`), see all."""

import streamlit as st

from pages.parts.layout import begin, told
from pages.parts.run_list import run_list
from pages.parts.run_queue import run_queue
from pages.parts.run_view import run_view
from pages.parts.train_form import train_form

begin()
if chosen := st.query_params.get("run"):
    with told():
        run_view(chosen)
else:
    with told():
        train_form(st.query_params.get("like", ""))
    with told():
        run_queue()
    with told():
        run_list()
