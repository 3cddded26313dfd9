"""What to measure: models, one to compare them with, how well or how fast; then the job is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from pages.parts.dataset_follow import follow
from pages.parts.layout import empty_state, told, workspace
from studio.bases import list_bases
from studio.config import load_profiles
from studio.jobs import Job, usable_cores
from studio.play import can_limit
from studio.training import list_runs
from studio.ui.measure import first_choice, whole_runs
from studio.ui.playable import Playable, list_choices
from studio.ui.wording import count
from studio.validation import BenchmarkSettings, EvaluationSettings, start_benchmark, start_evaluation

_STYLE = Path(__file__).with_name("measure.css")
_WAYS = {"card": "How well it plays", "speed": "How fast it is"}
_NOTHING = ""
_LENGTHS = (128, 512, 1024, 2048, 4096)
_MODELS, _BASELINE = "measure_models", "measure_baseline"


def measure_form() -> None:
    """The form, or what to do first where there is no model file."""
    files = {one.id: one for one in list_choices(workspace())}
    if not files:
        _nothing_yet()
        return
    st.html(_STYLE)
    with st.container(border=True, key="measure_form"):
        way = st.segmented_control(
            "What to find out", list(_WAYS), format_func=_WAYS.__getitem__, default="card", key="measure_way",
            required=True,
        )  # fmt: skip
        models = _models(files)
        if way == "speed":
            _speed(models)
        else:
            _card(models)


def _nothing_yet() -> None:
    if any(run.adapter for run in list_runs(workspace())):
        empty_state(
            "inventory_2", "A model file first", "A finished run is there. Make a model file of it, then measure it.",
            page="pages/models.py", label="Open Models",
        )  # fmt: skip
    elif any(one.imported for one in list_bases(workspace())):
        empty_state(
            "model_training", "A model first", "Train a model on your scenarios and make a file of it.",
            page="pages/train.py", label="Open Train",
        )  # fmt: skip
    else:
        empty_state(
            "download", "A base model first", "There is no model to measure yet. Everything starts from a base model.",
            page="pages/setup.py", label="Open Setup",
        )  # fmt: skip


def _models(files: Mapping[str, Playable]) -> list[Path]:
    """The files that were chosen, the baseline first."""
    ids = list(files)
    own, base = first_choice(workspace(), list(files.values()))
    _forget_vanished(ids)
    made = [one.id for one in files.values() if not one.is_adapter]  # checkpoints come and go while one chooses
    follow("\n".join(made), {_MODELS: [own.id] if own else [], _BASELINE: base.id if base else _NOTHING})

    def title(one: str) -> str:
        return files[one].title if one else "nothing"

    with st.container(horizontal=True, key="measure_line"):
        chosen = st.multiselect("Models", ids, format_func=title, key=_MODELS, placeholder="Choose one or several")
        against = st.selectbox(
            "Compared with", [_NOTHING, *ids], format_func=title, key=_BASELINE,
            help="The baseline: the model that the others must be better than.",
        )  # fmt: skip
    every = whole_runs(list(files.values()), chosen)
    if set(every) > set(chosen):
        st.button(
            "All files of this run", key="measure_every", type="tertiary", icon=":material/select_all:",
            on_click=_choose, args=(every,), help="Its other sizes too, side by side in one report.",
        )  # fmt: skip
    if all(one.is_base for one in files.values()):
        st.caption("These are base models as they came. Train your own to see what it has learned.")
    named = [against] if against else []
    return [files[one].path for one in dict.fromkeys([*named, *chosen])] if chosen else []


def _choose(ids: list[str]) -> None:
    st.session_state[_MODELS] = ids


def _forget_vanished(ids: Sequence[str]) -> None:
    """Take a checkpoint that its training has deleted since out of what was chosen."""
    chosen = st.session_state.get(_MODELS, [])
    if any(one not in ids for one in chosen):
        st.session_state[_MODELS] = [one for one in chosen if one in ids]
    if st.session_state.get(_BASELINE) not in (None, _NOTHING, *ids):
        st.session_state[_BASELINE] = _NOTHING


def _card(models: list[Path]) -> None:
    found = len(list(workspace().validation_dir.rglob("*.md")))
    if not found:
        st.warning(
            "There is no scenario to ask a model about. Put some that are never trained on into data/validation/.",
            icon=":material/rule:",
        )
    else:
        st.caption(
            f"Every model plays the Dungeon Master in {count(found, 'scenario')} that it was never trained on. Its "
            "turns are compared with those of the author. What a model wrote is kept: it is not asked twice."
        )
    with st.expander("Details", key="measure_details"), st.container(horizontal=True, key="report_details"):
        turns = st.number_input("Turns of each scenario", 0, 1000, 0, key="report_turns", help="At most; 0 means all.")
        tokens = st.number_input("Longest reply in tokens", 1, 4096, 160, key="report_tokens")
        threads = _threads("report_threads")
        stress = st.checkbox("Also turns that try to break it", value=True, key="report_stress")
    settings = EvaluationSettings(max_turns=turns, max_tokens=tokens, threads=threads, stress=stress)
    if _pressed(models, ready=bool(found)):
        with told(), st.spinner("Reading the model files"):
            _open(start_evaluation(workspace(), models, settings=settings))


def _speed(models: list[Path]) -> None:
    st.caption(
        "Every file is loaded by itself and measured in turns with the others, so that a busy moment slows all of "
        "them. Close what else is at work on this computer."
    )
    usual = BenchmarkSettings()
    devices = _devices()
    with st.expander("Details", key="measure_details"):
        lengths = st.multiselect(
            "Lengths of the conversation", _LENGTHS, default=usual.context_lengths, key="speed_lengths",
            format_func=lambda one: f"{one:,} tokens", help="Reading and writing get slower, the longer it is.",
        )  # fmt: skip
        line = st.container(horizontal=True, key="speed_details")
    with line:
        rounds = st.number_input("Rounds", 1, 50, usual.rounds, key="speed_rounds", help="Times that all is measured.")
        tokens = st.number_input("Tokens to write", 2, 512, usual.new_tokens, key="speed_tokens")
        threads = st.multiselect(
            "Processor threads", range(1, usable_cores() + 1), default=usual.thread_counts, key="speed_threads"
        )
    settings = BenchmarkSettings(
        rounds=rounds,
        new_tokens=tokens,
        threads=tuple(sorted(threads)),
        context_lengths=tuple(sorted(lengths)) or usual.context_lengths,
        devices=devices,
    )
    if models:
        steps = settings.steps(len(models), len(devices))
        st.caption(
            f"That is {count(steps, 'measurement')}, each with the file loaded anew: a few seconds for a small model, "
            "more for a long conversation or a large window."
        )
    if _pressed(models, ready=True):
        with told(), st.spinner("Reading the model files"):
            _open(start_benchmark(workspace(), models, settings))


def _devices() -> tuple[str, ...]:
    """Names of the optimization profiles to imitate: none unless they are asked for."""
    profiles = load_profiles(workspace())
    if not can_limit():
        st.caption("Devices can be imitated on Linux only.")
        return ()
    chosen = st.multiselect(
        "Devices to imitate", profiles, key="speed_devices", placeholder="None",
        format_func=lambda name: profiles[name].title or name,
        help="Every model is also run with the memory and on no more cores than the device can spare for it.",
    )  # fmt: skip
    return tuple(name for name in profiles if name in chosen)


def _threads(key: str) -> int:
    return st.number_input("Processor threads", 0, usable_cores(), 0, key=key, help="0 means as many as there are.")


def _pressed(models: list[Path], *, ready: bool) -> bool:
    return st.button(
        "Measure", type="primary", icon=":material/monitoring:", key="measure_start", disabled=not (models and ready)
    )


def _open(job: Job) -> None:
    st.query_params["report"] = job.directory.name
    st.rerun()
