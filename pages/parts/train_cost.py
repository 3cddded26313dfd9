"""What a run will take on this machine: of each preset and of the settings as turned; and a way to find out."""

from __future__ import annotations

import streamlit as st

from pages.parts.dataset_state import dataset_at_once
from pages.parts.job_watch import measurement_bar, state_if_there
from pages.parts.layout import show_error, told_afterwards, workspace
from studio.config import DatasetConfig, TrainingConfig
from studio.dataset import ProcessedDataset
from studio.errors import StudioError
from studio.jobs import Job
from studio.training.pace import (
    Cost,
    Pace,
    decides_speed,
    known_pace,
    measurement_folder,
    start_measurement,
)
from studio.ui.cost import cost_of, made_of, rows_per_pass
from studio.ui.failures import recorded_error
from studio.ui.wording import about, plain

REFRESH_SECONDS = 1.0


class Estimates:
    """What runs take; how fast this machine is, is looked up once for each sort of run.

    Args:
        shown: the dataset that is on the page, for runs whose own would take a job to make.
        rows: how scenarios become rows where the settings do not say.
    """

    def __init__(self, shown: ProcessedDataset | None, rows: DatasetConfig) -> None:
        self._shown, self._rows = shown, rows
        self._paces: dict[tuple[object, ...], Pace | None] = {}

    def of(self, config: TrainingConfig) -> Cost | None:
        """What a run with these settings takes. None: this machine's speed is not known, or there are no rows."""
        pace = self._pace(config)
        if self._shown is None or pace is None:
            return None
        rows = config.dataset or self._rows
        try:
            dataset = dataset_at_once(config.base_model, config.max_seq_length, rows) or self._shown
        except StudioError:  # no row fits into such a length
            return None
        settings = config.model_copy(update={"dataset": rows})
        read = _rows_per_pass(dataset.fingerprint, rows.balance.model_dump_json(), config.seed, settings, dataset)
        return cost_of(settings, dataset, read, pace)

    def _pace(self, config: TrainingConfig) -> Pace | None:
        kind = decides_speed(config)
        if kind not in self._paces:
            self._paces[kind] = known_pace(workspace(), config)
        return self._paces[kind]


def cost_line(found: Cost | None, config: TrainingConfig, *, at_work: bool) -> None:
    """The estimate with what it is made of; a way to measure where nothing is known yet."""
    if found:
        with st.container(gap="xxsmall", key="train_cost"):
            st.markdown(f":material/timer: **{plain(about(found.seconds).capitalize())}** on this machine")
            st.caption(plain(made_of(found)))
    if found is None or not found.pace.run:
        _measurement(config, at_work=at_work, again=found is not None)


def short(found: Cost | None) -> str:
    """The estimate beside a preset: `About 12 minutes`; empty where it is not known."""
    return about(found.seconds).capitalize() if found else ""


@st.cache_data(max_entries=20, show_spinner=False)
def _rows_per_pass(
    fingerprint: str, balance: str, seed: int, _config: TrainingConfig, _dataset: ProcessedDataset
) -> int:  # fmt: skip
    return rows_per_pass(_config, _dataset)


def _measurement(config: TrainingConfig, *, at_work: bool, again: bool) -> None:
    """The job that measures, while it does; else what is not known, and the button. A run makes it needless."""
    job = Job(measurement_folder(workspace(), config))
    state = state_if_there(job)
    if state and not state.is_finished:
        st.fragment(_live, run_every=REFRESH_SECONDS)(job)
        return
    if state and state.error:
        show_error(recorded_error(state.error))
    if not again:
        st.caption(
            "How long it takes on this machine is not known yet. The first run tells, or a short measurement: it takes "
            "a minute or two and keeps nothing of what it learns."
        )
    st.button(
        "Measure again" if again else "Measure this machine", key="train_measure", icon=":material/speed:",
        type="tertiary" if again else "secondary", disabled=at_work, on_click=_measure, args=(config,),
        help="Not while a run is training: it tells by itself in a moment." if at_work else None,
    )  # fmt: skip


def _live(job: Job) -> None:
    measurement_bar(job, "Measuring how fast this machine trains", "train_measuring", "train_measure_stop")


def _measure(config: TrainingConfig) -> None:
    with told_afterwards():
        start_measurement(workspace(), config)


def end_measurement(config: TrainingConfig) -> None:
    """A run that begins needs the machine for itself."""
    job = Job(measurement_folder(workspace(), config))
    state = state_if_there(job)
    if state and not state.is_finished:
        job.stop()
