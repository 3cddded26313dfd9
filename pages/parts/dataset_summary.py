"""What a run would learn from: scenarios, rows, tokens, and everything that is left out and why."""

from __future__ import annotations

import streamlit as st

from pages.parts.dataset_head import learned_metrics
from pages.parts.dataset_state import current_dataset
from pages.parts.layout import show_error, workspace
from studio.config import DatasetConfig, load_dataset_config
from studio.dataset import ProcessedDataset
from studio.errors import StudioError
from studio.ui.dataset import balance_sentence
from studio.ui.wording import count, plain, short_hash

SHOWN = 30


def dataset_summary(base: str, max_seq_length: int, rows: DatasetConfig | None = None) -> ProcessedDataset | None:
    """Figures of the dataset as a run that begins now would make it, and the way to all of it.

    Args:
        rows: how scenarios become rows, where the run's settings say it; None: config/dataset.yaml.

    Returns:
        The dataset; None where it cannot be made, or a job is still making it: that is drawn.
    """
    with st.container(horizontal=True, vertical_alignment="center", key="dataset_summary_head"):
        st.markdown("**What it will learn from**", width="stretch")
        if st.button("Look at every row", key="to_dataset", type="tertiary", icon=":material/dataset:"):
            st.switch_page("pages/dataset.py")
    try:
        config = rows or load_dataset_config(workspace())
        dataset = current_dataset(base, max_seq_length, config)
    except StudioError as error:
        show_error(error)
        return None
    if dataset is None:
        return None
    train, held_out = (dataset.manifest.counts[split] for split in ("train", "validation"))
    with st.container(horizontal=True, key="dataset_figures"):
        learned_metrics(train)
    held = f"{count(held_out.scenarios, 'scenario')} held out, to see whether it learns more than words by heart."
    evened = f" {balance_sentence(config.balance)}" if config.balance.by else ""
    st.caption(f"{held}{plain(evened)} Fingerprint {short_hash(dataset.fingerprint)}.")
    _left_out(dataset)
    return dataset


def _left_out(dataset: ProcessedDataset) -> None:
    rows = [one for one in dataset.manifest.report if one.kind.startswith("excluded")]
    if not rows:
        return
    st.warning(f"{count(len(rows), 'part')} of your scenarios cannot be learned from.", icon=":material/rule:")
    with st.expander("Which and why", key="left_out"):
        for one in rows[:SHOWN]:
            place = f", line {one.line}" if one.line else ""
            st.markdown(f"- **{plain(one.source)}**{place}: {plain(one.reason)}")
        if len(rows) > SHOWN:
            st.caption(f"{len(rows) - SHOWN:,} more are in the report on the page Dataset.")
