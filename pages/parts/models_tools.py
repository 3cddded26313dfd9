"""What is needed less often: a run's adapter as a file of its own, and a GGUF file from elsewhere."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import facts, show_error, told_afterwards, workspace
from pages.parts.models_report import report_view
from studio.conversion.files import inspection_folder, read_report, start_inspection
from studio.conversion.service import write_lora
from studio.errors import StudioError
from studio.jobs import Job
from studio.training import list_runs
from studio.ui.wording import plain, size

_PATH, _RUN, _LOOKED = "foreign_path", "lora_run", "foreign_file_looked_at"


def models_tools() -> None:
    """Two things to open."""
    with st.expander("A GGUF file from elsewhere", icon=":material/travel_explore:", key="foreign"):
        _foreign()
    runs = [run.name for run in list_runs(workspace()) if run.adapter]
    if runs:
        with st.expander("A run's adapter as a file of its own", icon=":material/layers:", key="lora"):
            _lora(runs)


def _foreign() -> None:
    st.caption(
        "Look into any GGUF file of this computer before you trust it: it is read without running anything of it, then "
        "llama.cpp tries it in a process of its own. Taking it in copies a valid file here, so that you can play it."
    )
    st.text_input("File on this computer", key=_PATH, placeholder="/home/me/Downloads/model.Q4_K_M.gguf")
    with st.container(horizontal=True, key="foreign_buttons"):
        st.button("Look into it", key="foreign_look", icon=":material/fact_check:", on_click=_look, args=(False,))
        st.button("Take it in", key="foreign_take", icon=":material/download:", on_click=_look, args=(True,))
    if looked := st.session_state.get(_LOOKED):
        _found(Path(looked))


def _found(path: Path) -> None:
    """The report of the file that was looked at, when its job has ended."""
    job = Job(inspection_folder(workspace(), path))
    try:
        state = job.state()
    except StudioError:
        return
    if not state.is_finished:
        st.caption(f"Looking into {plain(path.name)} ...")
        return
    if taken := state.result.get("taken"):
        st.success(f"{plain(path.name)} is in your workspace now: {plain(str(taken))}", icon=":material/check:")
    if report := read_report(job.directory):
        with st.container(border=True, key="foreign_report"):
            report_view(report)


def _look(take_in: bool) -> None:
    """Callback of both buttons."""
    written = str(st.session_state.get(_PATH) or "").strip().strip("'\"")
    with told_afterwards():
        path = Path(written or ".").expanduser()
        start_inspection(workspace(), path, take_in=take_in)
        st.session_state[_LOOKED] = str(path.resolve())


def _lora(runs: list[str]) -> None:
    st.caption(
        "A few MB that any llama.cpp lays over the base model (option --lora). The file that you ship to a phone is "
        "the whole model above; this one is for trying, and for keeping many campaigns over one base."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="lora_line"):
        run = st.selectbox("Run", runs, key=_RUN)
        if st.button("Write the adapter", key="lora_start", icon=":material/layers:"):
            _write(str(run))


def _write(run: str) -> None:
    """Takes less than a second, so it is no job."""
    try:
        made = write_lora(workspace(), run)
    except StudioError as error:
        show_error(error)
        return
    facts([("written", workspace().relative(made.path)), ("size", size(made.size))])
