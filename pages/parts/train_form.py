"""The form that starts a training run: a preset or another run's settings, a base model, and what it learns from."""

from __future__ import annotations

import streamlit as st

from pages.parts.dataset_summary import dataset_summary
from pages.parts.layout import empty_state, header, library, show_error, told, workspace
from pages.parts.run_queue import queue_places
from studio.bases import BaseEntry, list_bases
from studio.config import TrainingConfig, TrainingPreset, load_presets
from studio.errors import ConfigError, StudioError
from studio.training import Run, find_run, free_name, start_run
from studio.ui.settings import reach, turned
from studio.ui.wording import plain

_LIKE = "like_"


def train_form(like: str = "") -> None:
    """Choose, look at what will be learned, start; `like` is the run whose settings to begin with."""
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
        model = _model(like)
        _form({**_as_it_was(model), **presets}, bases, model)


def _model(like: str) -> Run | None:
    """The run to begin with; an error in its place when it cannot be read."""
    if like:
        with told():
            run = find_run(workspace(), like)
            run.config()
            return run
    return None


def _as_it_was(model: Run | None) -> dict[str, TrainingPreset]:
    if model is None:
        return {}
    summary = f"The settings of {model.name}, its choice of rows too. Change what you like below; the run itself stays."
    return {f"{_LIKE}{model.name}": TrainingPreset(title=f"As {model.name}", summary=summary, training=model.config())}


def _form(presets: dict[str, TrainingPreset], bases: list[BaseEntry], model: Run | None) -> None:
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
        name = st.text_input(
            "Name of the run", free_name(workspace(), model) if model else "", key="train_name", max_chars=60,
            placeholder="made from date and time",
        )  # fmt: skip
        config = _details(key, presets[key].training.model_copy(update={"base_model": str(base)}))
        before = _at_work()
        label, icon = ("Add to the queue", "playlist_add") if before else ("Start training", "play_arrow")
        if st.button(label, type="primary", icon=f":material/{icon}:", key="train_start"):
            _start(config, name or "", model if model and key == f"{_LIKE}{model.name}" else None)
        if before:
            st.caption(f"{plain(before)} is training now. This run starts by itself when its turn comes.")
    with right:
        dataset_summary(str(base), config.max_seq_length)


def _details(preset: str, config: TrainingConfig) -> TrainingConfig:
    """The settings behind the preset, for those who want to turn a knob."""
    with st.expander("Details", expanded=preset.startswith(_LIKE), key=f"train_details_{preset}"):
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


def _at_work() -> str:
    """The run that a new one would have to wait for; empty when there is none, or the queue cannot be read."""
    try:
        return next(iter(queue_places()), "")
    except StudioError:
        return ""


def _start(config: TrainingConfig, name: str, model: Run | None) -> None:
    """Start it, with the scenarios and the beginning of `model` if it shall be like that run."""
    try:
        run = start_run(
            workspace(), config, name=name,
            scenarios=model.scenarios if model else None, parent=model.parent if model else None,
        )  # fmt: skip
    except StudioError as error:
        show_error(error)
        return
    st.query_params.from_dict({"run": run.name})
    st.rerun()
