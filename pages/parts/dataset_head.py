"""The head of the dataset page: for which base model and row length, the figures, and what is wrong, once."""

from __future__ import annotations

import streamlit as st

from pages.parts.dataset_state import current_dataset
from pages.parts.layout import empty_state, facts, header, library, workspace
from pages.parts.prompt_views import choose_base, limit_title, offered_limits
from studio.bases import BaseModel
from studio.config import DatasetConfig, load_dataset_config
from studio.dataset import DatasetManifest, ProcessedDataset, SplitCounts
from studio.ui.dataset import balance_sentence, concerns
from studio.ui.wording import count, plain, short_hash

LIMIT_WIDTH = 340


def dataset_head() -> tuple[ProcessedDataset, DatasetConfig, BaseModel] | None:
    """Title, choices, and figures unless one row is open. None where there is no dataset; the page then says why.

    Raises:
        StudioError: the settings cannot be used, or the dataset cannot be made.
    """
    header(
        "Dataset", "Exactly what a model will learn from your scenarios: every row, every token, and what is missing."
    )
    if not any(library().counts().values()):
        empty_state(
            "dataset", "Nothing to learn from yet",
            "Write a scenario, or bring in the examples, and this page shows what a model makes of it.",
            page="pages/scenarios.py", label="Open Scenarios",
        )  # fmt: skip
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", key="dataset_choices"):
        base = choose_base("dataset_base", labelled=True)
        if base is None:
            return None
        limits = {one.tokens: limit_title(one) for one in offered_limits()}
        limit = st.selectbox(
            "Longest row", list(limits), format_func=limits.__getitem__, key="dataset_limit", width=LIMIT_WIDTH,
            help="Conversations beyond this are cut into several rows. The preset on the training page decides.",
        )  # fmt: skip
    config = load_dataset_config(workspace())
    dataset = current_dataset(base.name, int(limit), config)
    if dataset is None:
        return None
    if "row" in st.query_params:  # one row is on show: it shall begin on the first screen, on a narrow one too
        return dataset, config, base
    dataset_figures(dataset.manifest)
    balance = balance_sentence(config.balance) if config.balance.by else ""
    facts([("fingerprint", short_hash(dataset.fingerprint)), ("balance", balance)])
    _concerns(dataset.manifest)
    return dataset, config, base


def dataset_figures(manifest: DatasetManifest) -> None:
    """Scenarios, rows, tokens learned and what is held out."""
    train, held_out = (manifest.counts[split] for split in ("train", "validation"))
    with st.container(horizontal=True, key="dataset_figures"):
        learned_metrics(train)
        st.metric("Share learned", f"{train.trained_share:.0%}", border=True, help="Of all tokens that are read.")
        st.metric(
            "Held out", f"{held_out.scenarios:,}", border=True,
            help=f"{count(held_out.scenarios, 'scenario')} to see whether it learns more than words by heart.",
        )  # fmt: skip


def learned_metrics(train: SplitCounts) -> None:
    """What is trained on, as figures."""
    st.metric("Scenarios", f"{train.scenarios:,}", border=True, help="Those that are trained on.")
    st.metric("Rows", f"{train.rows:,}", border=True, help="Conversations as the model reads them; long ones are cut.")
    st.metric(
        "Tokens learned", f"{train.trained_tokens:,}", border=True,
        help=f"{train.trained_share:.0%} of {train.tokens:,}: only the Dungeon Master's turns are learned.",
    )  # fmt: skip


def _concerns(manifest: DatasetManifest) -> None:
    if found := concerns(manifest):
        st.warning(f"{plain(' '.join(found))} The report says which, why, and what to do.", icon=":material/rule:")
