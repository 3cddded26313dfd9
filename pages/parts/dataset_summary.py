"""What a run would learn from: scenarios, rows, tokens, and everything that is left out and why."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import library, show_error, workspace
from studio.bases import get_base
from studio.dataset import ProcessedDataset, TrainingDataProcessor
from studio.errors import StudioError
from studio.ui.wording import count, plain, short_hash

SHOWN = 30


def dataset_summary(base: str, max_seq_length: int) -> None:
    """Figures of the dataset as it would be made now."""
    st.markdown("**What it will learn from**")
    try:
        fingerprint = get_base(workspace(), base).fingerprint
        dataset = _dataset(str(workspace().root), base, fingerprint, max_seq_length, _stamp())
    except StudioError as error:
        show_error(error)
        return
    train, held_out = (dataset.manifest.counts[split] for split in ("train", "validation"))
    with st.container(horizontal=True, key="dataset_figures"):
        st.metric("Scenarios", train.scenarios, border=True)
        st.metric("Rows", train.rows, border=True, help="Conversations as the model reads them; long ones are cut.")
        st.metric(
            "Tokens learned", f"{train.trained_tokens:,}", border=True,
            help=f"{train.trained_share:.0%} of {train.tokens:,}: only the Dungeon Master's turns are learned.",
        )  # fmt: skip
    held = f"{count(held_out.scenarios, 'scenario')} held out, to see whether it learns more than words by heart."
    st.caption(f"{held} Fingerprint {short_hash(dataset.fingerprint)}.")
    _left_out(dataset)


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
            st.caption(f"{len(rows) - SHOWN:,} more appear as you correct these.")


def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Changes when any scenario does, or the vocabulary that they are read with."""
    tools = workspace().config_file("tools.yaml").stat()
    scenarios = ((one.id, one.modified_ns, one.size) for one in library().entries())
    return (("tools.yaml", tools.st_mtime_ns, tools.st_size), *scenarios)


@st.cache_resource(max_entries=6, show_spinner="Reading the scenarios")
def _dataset(
    root: str, base: str, fingerprint: str, max_seq_length: int, stamp: tuple[tuple[str, int, int], ...]
) -> ProcessedDataset:
    """The dataset of this moment; every argument is there to notice that it has to be made anew."""
    here = workspace()
    return TrainingDataProcessor(here, get_base(here, base), max_seq_length).process_scenarios(here.scenarios_dir)
