"""Whether a run will fit into this machine's memory, said before it starts."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import workspace
from studio.config import TrainingConfig
from studio.dataset import ProcessedDataset
from studio.errors import StudioError
from studio.training.memory.fit import MemoryVerdict, judge_memory
from studio.ui.memory import parts_table
from studio.ui.wording import plain

_SECONDS = 20.0
"""How long an answer holds: free memory changes with what else is open."""


def memory_verdict(config: TrainingConfig, dataset: ProcessedDataset | None = None) -> None:
    """The verdict on a run with these settings; nothing where the base model cannot be read.

    Args:
        dataset: what it would learn from, if that is known: its longest row decides.
    """
    counts = dataset.manifest.counts["train"] if dataset else None
    try:
        verdict = _judged(
            config.model_dump_json(), counts.longest_row if counts else None, counts.trained_share if counts else None
        )
    except StudioError:
        return
    with st.container(key="memory_verdict"):
        if verdict.judgement == "fits":
            st.caption(plain(verdict.sentence))
        else:
            st.warning(f"{plain(verdict.sentence)} {plain(verdict.advice)}".rstrip(), icon=":material/memory:")
        with st.expander("What the memory goes into", key="memory_parts"):
            st.markdown(parts_table(verdict.estimate))


@st.cache_data(ttl=_SECONDS, max_entries=50, show_spinner=False)
def _judged(settings: str, longest_row: int | None, trained_share: float | None) -> MemoryVerdict:
    config = TrainingConfig.model_validate_json(settings)
    return judge_memory(workspace(), config, longest_row=longest_row, trained_share=trained_share)
