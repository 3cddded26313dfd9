"""An error that was written down (in a job's state, or between two runs of a page) as the error it was."""

from __future__ import annotations

from collections.abc import Mapping

from studio.errors import StudioError

_PARTS = ("what", "why", "next_step", "where")


def recorded_error(values: Mapping[str, str]) -> StudioError:
    """The error behind `StudioError.as_dict()`; parts that are missing are empty, its class is not kept."""
    parts = {name: values.get(name, "") for name in _PARTS}
    return StudioError(parts["what"] or "Something went wrong.", **{name: parts[name] for name in _PARTS[1:]})
