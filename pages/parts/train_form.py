"""The form that starts a training run: a preset or another run's settings, a base model, and what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from pages.parts.dataset_summary import dataset_summary
from pages.parts.layout import empty_state, header, library, show_error, told, workspace
from pages.parts.memory_verdict import memory_verdict
from pages.parts.run_queue import queue_places
from pages.parts.train_cost import Estimates, cost_line, end_measurement, short
from pages.parts.train_files import settings_files
from pages.parts.train_parent import Parent, follow_address, parent_choice
from pages.parts.train_settings import advanced_settings, faults_told
from pages.parts.train_state import LIKE, PRESET, begin_with, keep, loaded, typed
from studio.bases import BaseEntry, list_bases
from studio.config import DatasetConfig, TrainingConfig, TrainingPreset, load_dataset_config, load_presets
from studio.errors import ConfigError, StudioError
from studio.training import Run, find_run, free_name, start_run
from studio.training.command_line import Beginning, nearest_preset, train_command
from studio.ui.settings import Checked, checked
from studio.ui.wording import plain


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
        _form({**_as_it_was(model), **presets, **loaded()}, presets, bases, model)


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
    return {f"{LIKE}{model.name}": TrainingPreset(title=f"As {model.name}", summary=summary, training=model.config())}


def _form(
    choices: dict[str, TrainingPreset], presets: dict[str, TrainingPreset], bases: list[BaseEntry], model: Run | None
) -> None:
    """What was chosen is known before it is drawn, so that the rows and the minutes of it can be drawn beside it."""
    key = begin_with(model, choices)
    follow_address(model)
    titles = {one.name: one.title for one in bases}
    if typed().get("base_model") not in titles:
        typed().pop("base_model", None)  # it was deleted meanwhile
    given = {**_own_base(choices[key].training, titles), **typed()}
    now = checked(choices[key].training, given)
    like = model if model and key == f"{LIKE}{model.name}" else None
    left, right = st.columns([3, 2], gap="large")
    with right:
        dataset = dataset_summary(now.config.base_model, now.config.max_seq_length, now.config.dataset)
    with left, st.container(border=True, key="train_form"):
        estimates = Estimates(dataset, _rows_settings())
        _preset(choices, estimates, given)
        _base(titles, now.config.base_model, choices[key].training.base_model)
        parent = parent_choice(now.config.base_model, like)
        name = st.text_input(
            "Name of the run", free_name(workspace(), model) if model else "", key="train_name", max_chars=60,
            placeholder="made from date and time",
        )  # fmt: skip
        advanced_settings(choices[key].training, now, unfolded=like is not None)
        before = _at_work()
        cost_line(estimates.of(now.config), now.config, at_work=bool(before))
        memory_verdict(now.config, dataset)
        faults_told(now)
        _start_button(now, name or "", like, parent, before)
        settings_files(now.config, usable=not now.faults)
    if not now.faults:
        with told():
            beginning = _beginning(now.config, key, presets, like if parent or not (like and like.parent) else None)
            _command(now.config, beginning, name or "", parent)


def _own_base(config: TrainingConfig, titles: dict[str, str]) -> dict[str, str]:
    """Another base model where the preset's is not imported."""
    return {} if config.base_model in titles else {"base_model": next(iter(titles))}


def _rows_settings() -> DatasetConfig:
    """config/dataset.yaml. That it cannot be used is told beside the form."""
    try:
        return load_dataset_config(workspace())
    except StudioError:
        return DatasetConfig()


def _preset(choices: dict[str, TrainingPreset], estimates: Estimates, given: Mapping[str, Any]) -> None:
    """The choices, each with the minutes that it takes with what was typed.

    The minutes stand in the captions: a radio whose titles change forgets which one was chosen.
    """

    def caption(preset: TrainingPreset) -> str:
        minutes = short(estimates.of(checked(preset.training, given).config))
        return plain(preset.summary) + (f"  \n**{plain(minutes)}** on this machine" if minutes else "")

    st.radio(
        "How thorough", list(choices), key=PRESET, format_func=lambda one: plain(choices[one].title),
        captions=[caption(one) for one in choices.values()], persist_state="session",
    )  # fmt: skip


def _base(titles: dict[str, str], chosen: str, named: str) -> None:
    """The choice of a base model; `named` is the one that the preset or the file asks for."""
    key = "train_base"
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen
    st.selectbox(
        "Base model", list(titles), format_func=titles.__getitem__, key=key, on_change=keep, args=("base_model", key)
    )
    if named not in titles:
        st.caption(f"These settings name the base model {plain(named)}, which is not here. Setup can prepare it.")


def _at_work() -> str:
    """The run that a new one would have to wait for; empty when there is none, or the queue cannot be read."""
    try:
        return next(iter(queue_places()), "")
    except StudioError:
        return ""


def _start_button(now: Checked, name: str, like: Run | None, parent: Parent, before: str) -> None:
    label, icon = ("Add to the queue", "playlist_add") if before else ("Start training", "play_arrow")
    if st.button(label, type="primary", icon=f":material/{icon}:", key="train_start", disabled=bool(now.faults)):
        _start(now.config, name, like, parent)
    if before:
        st.caption(f"{plain(before)} is training now. This run starts by itself when its turn comes.")


def _start(config: TrainingConfig, name: str, like: Run | None, parent: Parent) -> None:
    """Start it, with the scenarios of the run that it shall be like."""
    end_measurement(config)
    try:
        run = start_run(workspace(), config, name=name, scenarios=like.scenarios if like else None, parent=parent)
    except StudioError as error:
        show_error(error)
        return
    st.query_params.from_dict({"run": run.name})
    st.rerun()


def _beginning(
    config: TrainingConfig, key: str, presets: dict[str, TrainingPreset], like: Run | None
) -> Beginning | None:
    """What the command line begins with: a run that this one is like, or the preset that takes the fewest changes."""
    if like:
        return Beginning("--like", like.name, like.config())
    return nearest_preset(config, {key: presets[key]} if key in presets else presets)


def _command(config: TrainingConfig, beginning: Beginning | None, name: str, parent: Parent) -> None:
    with st.expander("The same from the command line", key="train_command", icon=":material/terminal:"):
        if beginning:
            own = parent and not (beginning.option == "--like" and isinstance(parent, Path))
            line = train_command(workspace(), config, beginning, name=name.strip(), parent=str(parent) if own else "")
            st.code(line, language="bash", wrap_lines=True)
