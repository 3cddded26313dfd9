"""`setup --measure`: how fast this machine trains, found out by a few steps of which nothing is kept."""

from __future__ import annotations

import time

from studio.commands import Context
from studio.config import load_presets
from studio.errors import TrainingError
from studio.training.pace import Pace, measured_pace, start_measurement
from studio.ui.failures import recorded_error

_POLL_SECONDS = 0.5


def measure_speed(context: Context, base: str) -> Pace:
    """Train a few steps of the base model as the first preset would; Ctrl+C ends it.

    Raises:
        StudioError: it could not be measured.
    """
    preset = next(iter(load_presets(context.workspace).values()), None)
    if preset is None:
        raise TrainingError("There is no preset to measure with.", next_step="Add one to config/training_config.yaml.")
    config = preset.training.model_copy(update={"base_model": base})
    job, line = start_measurement(context.workspace, config), context.progress("Measuring")
    try:
        while not (state := job.state()).is_finished:
            line(state.progress.done, state.progress.total, state.progress.unit)
            time.sleep(_POLL_SECONDS)
    finally:
        job.stop()
    if state.error:
        raise recorded_error(state.error)
    found = measured_pace(context.workspace, config)
    if found is None:
        raise TrainingError("The measurement was ended before it could say anything.", next_step="Start it again.")
    return found


def pace_text(pace: Pace) -> str:
    """What was found, in a sentence."""
    return (
        f"Training goes at {pace.tokens_per_second:,.0f} tokens per second here; "
        "`train --estimate` says how long that makes a run."
    )
