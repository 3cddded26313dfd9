"""The dataset of this moment for the pages: kept until something changes, made by a job where much is to do."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.job_watch import live_state, stop_job
from pages.parts.layout import show_error, told_afterwards, workspace
from studio.config import DatasetConfig
from studio.dataset import ProcessedDataset, RowFeatures
from studio.dataset.coverage import RowCoverage
from studio.dataset.jobs import (
    DatasetRequest,
    dataset_request,
    made_by,
    make_dataset,
    preprocess_job,
    start_preprocess,
)
from studio.dataset.models import MANIFEST_FILE
from studio.jobs import Job, JobState
from studio.ui.dataset import progress_sentence
from studio.ui.failures import recorded_error
from studio.ui.wording import count

AT_ONCE = 400
"""Scenario files that are prepared while the page waits (a few seconds); more of them are a job."""
REFRESH_SECONDS = 1.0


def current_dataset(base: str, max_seq_length: int, config: DatasetConfig) -> ProcessedDataset | None:
    """The dataset as a run would make it now. None while a job makes it, or was stopped: that is drawn instead.

    Raises:
        StudioError: it cannot be made.
    """
    request = dataset_request(workspace(), base, max_seq_length, config)
    if request.files <= AT_ONCE:
        return _made_at_once(request)
    job = preprocess_job(request) or start_preprocess(request)
    state = job.state()
    if folder := made_by(state, request):
        return _load(folder)
    if state.status == "done":  # made of what the scenarios were
        state = start_preprocess(request).state()
    if state.is_finished:
        _ended(request, state)
    else:
        st.fragment(_live, run_every=REFRESH_SECONDS)(job, request.files)
    return None


def dataset_at_once(base: str, max_seq_length: int, config: DatasetConfig) -> ProcessedDataset | None:
    """The same, and nothing is drawn: None where it would take a job. Raises `StudioError`."""
    request = dataset_request(workspace(), base, max_seq_length, config)
    return _made_at_once(request) if request.files <= AT_ONCE else None


def row_features(dataset: ProcessedDataset) -> list[RowFeatures]:
    """What every training row counts for, kept. Raises `DatasetError`."""
    return _features(dataset.fingerprint, dataset)


def row_coverage(dataset: ProcessedDataset) -> RowCoverage:
    """How long the rows of all splits are, kept. Raises `DatasetError`."""
    return _coverage(dataset.fingerprint, dataset)


def _made_at_once(request: DatasetRequest) -> ProcessedDataset:
    made = _make(request.stamp, request)
    if not (made.directory / MANIFEST_FILE).exists():  # somebody deleted what was made
        _make.clear(request.stamp, request)
        made = _make(request.stamp, request)
    return made


def _live(job: Job, files: int) -> None:
    state = live_state(job)
    if state is None:
        return
    with st.container(border=True, key="dataset_work"):
        st.markdown(f":material/hourglass_top: **Preparing {count(files, 'scenario')}**")
        st.progress(state.progress.fraction, text=progress_sentence(state))
        with st.container(horizontal=True, vertical_alignment="center", key="dataset_work_line"):
            st.caption("You may leave this page; the work goes on. What is done is never done again.", width="stretch")
            st.button(
                "Stop", key="dataset_stop", icon=":material/stop:", on_click=stop_job, args=(job,),
                disabled=state.status == "stopping",
            )  # fmt: skip


def _ended(request: DatasetRequest, state: JobState) -> None:
    if state.error:
        show_error(recorded_error(state.error))
    else:
        st.info(
            "The scenarios are not prepared to the end. What was finished is kept.",
            icon=":material/hourglass_disabled:",
        )
    st.button(
        "Go on preparing", key="dataset_go_on", type="primary", icon=":material/play_arrow:",
        on_click=_start, args=(request,),
    )  # fmt: skip


def _start(former: DatasetRequest) -> None:
    """Of the scenarios as they are now: somebody may have corrected one since the button was drawn."""
    with told_afterwards():
        start_preprocess(dataset_request(workspace(), former.base, former.max_seq_length, former.config))


@st.cache_resource(max_entries=6, show_spinner="Reading the scenarios")
def _make(stamp: str, _request: DatasetRequest) -> ProcessedDataset:
    return make_dataset(_request)


@st.cache_resource(max_entries=3, show_spinner=False)
def _load(folder: Path) -> ProcessedDataset:
    return ProcessedDataset.load(folder)


@st.cache_resource(max_entries=3, show_spinner="Counting")
def _features(fingerprint: str, _dataset: ProcessedDataset) -> list[RowFeatures]:
    return _dataset.features("train")


@st.cache_resource(max_entries=3, show_spinner="Counting")
def _coverage(fingerprint: str, _dataset: ProcessedDataset) -> RowCoverage:
    return _dataset.coverage()
