"""Counts what there is, for the overview."""

from __future__ import annotations

from collections.abc import Callable

from pages.parts.layout import library, show_error, workspace
from pages.parts.measure_history import digests
from studio.bases import list_bases
from studio.errors import StudioError
from studio.play import list_sessions
from studio.training import list_runs
from studio.ui.job_list import look_at
from studio.ui.overview import Facts, measured_words
from studio.ui.playable import list_playable


def read_facts() -> Facts:
    """What is in the workspace now. What cannot be read is told on the page and counts as nothing."""
    here = workspace()
    runs = list_runs(here)
    return Facts(
        bases=_told_count(lambda: sum(one.imported for one in list_bases(here))),
        scenarios=_told_count(lambda: sum(library().counts().values())),
        finished_runs=sum(run.adapter is not None for run in runs),
        running=sum(not one.state.is_finished for one in look_at(run.job for run in runs)),
        models=_told_count(lambda: sum(not one.is_base for one in list_playable(here))),
        chats=len(list_sessions(here)),
        measured=_last_measured(),
    )


def _last_measured() -> str:
    newest_first = sorted(digests().values(), key=lambda one: one.created, reverse=True)
    return next(filter(None, map(measured_words, newest_first)), "")


def _told_count(count: Callable[[], int]) -> int:
    try:
        return count()
    except StudioError as error:
        show_error(error)
        return 0
