"""How the dataset is made: the settings of config/dataset.yaml as a form."""

from __future__ import annotations

import streamlit as st

from pages.parts.dataset_follow import follow
from pages.parts.layout import say, told_afterwards, workspace
from studio.config import DatasetConfig, save_dataset_config

_MOST = 50
_AUTO, _SHARE, _TEST, _SEED = "set_held_out_auto", "set_held_out", "set_test", "set_seed"
_PAIRS, _RECAP, _VARIATIONS = "set_pairs", "set_recap", "set_variations"


def dataset_settings(config: DatasetConfig) -> None:
    """The form; saving it makes the dataset anew, and every later run learns from that one."""
    held_out = config.validation_fraction
    follow(
        config.model_dump_json(exclude={"balance"}),
        {
            _AUTO: held_out is None,
            _SHARE: round(100 * (0.1 if held_out is None else held_out)),
            _TEST: round(100 * config.test_fraction),
            _PAIRS: config.pairs,
            _RECAP: config.recap,
            _VARIATIONS: config.variations,
            _SEED: config.split_seed,
        },
    )
    with (
        st.expander("How it is made", icon=":material/tune:", key="dataset_how"),
        st.form("dataset_settings", border=False),
    ):
        left, right = st.columns(2, gap="large")
        with left:
            st.checkbox(
                "Let the studio choose what to hold out", key=_AUTO,
                help="Everything in data/validation/; a tenth of the scenarios where that folder is empty.",
            )  # fmt: skip
            st.slider("Else hold out", 0, _MOST, step=1, format="%d %%", key=_SHARE)
            st.slider(
                "Keep for a test of your own", 0, _MOST, step=1, format="%d %%", key=_TEST,
                help="No run looks at these scenarios at all.",
            )  # fmt: skip
        with right:
            st.checkbox("Learn from accepted variations, too", key=_VARIATIONS)
            st.checkbox(
                "One row for every turn of the Dungeon Master", key=_PAIRS,
                help="For trainers that want prompt and answer. It takes several times the tokens for the same.",
            )  # fmt: skip
            st.checkbox(
                "Tell a row that begins in mid-scene what came before", key=_RECAP,
                help="A model that learned with it looks for it. Best left off unless play tells recaps, too.",
            )  # fmt: skip
            st.number_input(
                "Split number", 0, 2**32 - 1, step=1, key=_SEED, help="Another number holds out other scenarios."
            )
        st.form_submit_button("Save", icon=":material/save:", key="settings_save", on_click=_save, args=(config,))


def _save(config: DatasetConfig) -> None:
    state = st.session_state
    changed = config.model_copy(
        update={
            "validation_fraction": None if state[_AUTO] else state[_SHARE] / 100,
            "test_fraction": state[_TEST] / 100,
            "pairs": state[_PAIRS],
            "recap": state[_RECAP],
            "variations": state[_VARIATIONS],
            "split_seed": int(state[_SEED]),
        }
    )
    with told_afterwards():
        save_dataset_config(workspace(), changed)
        say("Saved. This is what the next run learns from.")
