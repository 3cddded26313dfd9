"""The form that starts a training run: a preset, a base model, and what it will learn from."""

from __future__ import annotations

import streamlit as st

from pages.parts.dataset_summary import dataset_summary
from pages.parts.layout import empty_state, header, library, show_error, workspace
from studio.bases import BaseEntry, list_bases
from studio.config import TrainingConfig, TrainingPreset, load_presets
from studio.errors import ConfigError, StudioError
from studio.training import start_run
from studio.ui.settings import reach, turned
from studio.ui.wording import plain


def train_form() -> None:
    """Choose, look at what will be learned, start."""
    header("Train", "Teach a small model how you run a game. It learns the Dungeon Master's turns of your scenarios.")
    presets = load_presets(workspace())
    bases = [one for one in list_bases(workspace()) if one.imported]
    if not presets:
        raise ConfigError(
            "There is no preset to choose from.", why="The settings file has none under `presets`.",
            next_step="Add one, or delete the file to get the studio's own back.", where="config/training_config.yaml",
        )  # fmt: skip
    if not bases:
        empty_state(
            "download", "A base model first", "Training starts from a small language model that can already write.",
            page="pages/setup.py", label="Open Setup",
        )  # fmt: skip
    elif not any(library().counts().values()):
        empty_state(
            "edit_note",
            "Scenarios first",
            "The model learns from the scenarios that you write. A few are enough to begin.",
            page="pages/scenarios.py",
            label="Write a scenario",
        )
    else:
        _form(presets, bases)


def _form(presets: dict[str, TrainingPreset], bases: list[BaseEntry]) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left, st.container(border=True, key="train_form"):
        key = str(
            st.segmented_control(
                "How thorough", list(presets), default=next(iter(presets)), key="train_preset", required=True,
                format_func=lambda one: presets[one].title,
            )
        )  # fmt: skip
        st.caption(plain(presets[key].summary))
        titles = {one.name: one.title for one in bases}
        default = presets[key].training.base_model
        base = st.selectbox(
            "Base model", list(titles), format_func=titles.__getitem__, key="train_base",
            index=list(titles).index(default) if default in titles else 0,
        )  # fmt: skip
        name = st.text_input("Name of the run", key="train_name", placeholder="made from date and time", max_chars=60)
        config = _details(key, presets[key].training.model_copy(update={"base_model": str(base)}))
        if st.button("Start training", type="primary", icon=":material/play_arrow:", key="train_start"):
            _start(config, name or "")
    with right:
        dataset_summary(str(base), config.max_seq_length)


def _details(preset: str, config: TrainingConfig) -> TrainingConfig:
    """The settings behind the preset, for those who want to turn a knob."""
    with st.expander("Details", key="train_details"):
        left, right = st.columns(2)
        with left:
            steps = _knob(
                "Longest run, in steps", f"max_steps_{preset}", config.max_steps, 0, 100_000,
                "0: as many as the passes below need. Each step learns from a handful of conversations.",
            )  # fmt: skip
            epochs = _knob(
                "Passes over the scenarios", f"epochs_{preset}", float(config.epochs), 0.1, 100.0,
                "Epochs. More passes learn the scenarios better, too many learn them by heart.",
            )  # fmt: skip
            rank = _knob(
                "LoRA rank", f"rank_{preset}", config.lora_rank, 1, 256,
                "How much the model may change. 8 to 32 suits a small model.",
            )  # fmt: skip
        with right:
            rate = _knob(
                "Learning rate", f"rate_{preset}", config.learning_rate, 1e-6, 1e-1,
                "How big each learning step is. Too big forgets how to write; the preset's value is tried.",
                format="%.1e",
            )  # fmt: skip
            length = _knob(
                "Longest row, in tokens", f"length_{preset}", config.max_seq_length, 64, 8192,
                "Conversations beyond this are cut into several rows. More needs more memory.", step=128,
            )  # fmt: skip
            seed = _knob(
                "Seed", f"seed_{preset}", config.seed, 0, 2**32 - 1, "The same seed and data give the same model."
            )
    return turned(
        config, steps=int(steps), epochs=float(epochs), rank=int(rank), rate=float(rate), length=int(length),
        seed=int(seed),
    )  # fmt: skip


def _knob(
    label: str, key: str, value: float, low: float, high: float, hint: str, *,
    step: int | None = None, format: str | None = None,
) -> float:  # fmt: skip
    least, most = reach(value, low, high)
    return st.number_input(label, least, most, value, step, format=format, key=key, help=hint)


def _start(config: TrainingConfig, name: str) -> None:
    try:
        run = start_run(workspace(), config, name=name)
    except StudioError as error:
        show_error(error)
        return
    st.query_params["run"] = run.name
    st.rerun()
