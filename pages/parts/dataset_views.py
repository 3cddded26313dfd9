"""The views of the dataset page, one at a time; the chosen one stands in the address and is remembered."""

from __future__ import annotations

import streamlit as st

from pages.parts.balance_view import balance_view
from pages.parts.coverage_view import coverage_view
from pages.parts.dataset_report import dataset_report
from pages.parts.dataset_rows import dataset_rows
from pages.parts.dataset_state import row_coverage, row_features
from pages.parts.layout import say, told, workspace
from pages.parts.variations_view import variations_view
from studio.bases import BaseModel
from studio.config import BalanceConfig, DatasetConfig, save_dataset_config
from studio.dataset import ProcessedDataset

VIEWS = {
    "rows": ":material/format_list_bulleted: Rows",
    "coverage": ":material/explore: Coverage",
    "balance": ":material/balance: Balance",
    "variations": ":material/shuffle: Variations",
    "report": ":material/fact_check: Report",
}
_KEY, _REMEMBERED = "dataset_view", "view_of_the_dataset"


def dataset_views(dataset: ProcessedDataset, config: DatasetConfig, base: BaseModel) -> None:
    """The control, and the view that is chosen; the others cost nothing."""
    view = _chosen()
    with told():
        if view == "rows":
            dataset_rows(dataset, base)
        elif view == "coverage":
            coverage_view(row_coverage(dataset))
        elif view == "balance":
            balance_view(
                row_features(dataset),
                config.balance,
                lambda balance: _use(config, balance),
                fingerprint=dataset.fingerprint,
            )
        elif view == "variations":
            variations_view()
        else:
            dataset_report(dataset, config)


def _chosen() -> str:
    """The view of the address, else the one of last time."""
    asked = st.query_params.get("view") or st.session_state.get(_REMEMBERED)
    if _KEY not in st.session_state:
        st.session_state[_KEY] = asked if asked in VIEWS else "rows"
    view = str(
        st.segmented_control(
            "View", list(VIEWS), format_func=VIEWS.__getitem__, key=_KEY, required=True, label_visibility="collapsed",
            on_change=_moved,
        )
    )  # fmt: skip
    st.session_state[_REMEMBERED] = view
    return view


def _moved() -> None:
    st.query_params.clear()
    st.query_params["view"] = st.session_state[_KEY]


def _use(config: DatasetConfig, balance: BalanceConfig) -> None:
    save_dataset_config(workspace(), config.model_copy(update={"balance": balance}))
    say("The next training run reads the rows like this." if balance.by else "The balance is switched off.")
    st.rerun()
