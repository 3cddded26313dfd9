"""Slow work in its own process: launch it, queue it, watch it, stop it, find it again. See docs/jobs.md.

A job is a folder. Nothing here knows what the work is, and nothing heavy is imported.
"""

from studio.jobs.events import (
    CheckpointEvent,
    EvaluationEvent,
    Event,
    EventBatch,
    EventLog,
    MessageEvent,
    ProgressEvent,
    SampleEvent,
    Status,
    StatusEvent,
    StepEvent,
    latest_by_step,
    of_type,
    read_events,
    without_undone,
)
from studio.jobs.job import Job, launch, list_jobs
from studio.jobs.process import usable_cores
from studio.jobs.queue import JobQueue
from studio.jobs.queue_rows import QueueEntry
from studio.jobs.state import JobState, Progress
from studio.jobs.worker_context import StartAgain, Worker

__all__ = [
    "CheckpointEvent",
    "EvaluationEvent",
    "Event",
    "EventBatch",
    "EventLog",
    "Job",
    "JobQueue",
    "JobState",
    "MessageEvent",
    "Progress",
    "ProgressEvent",
    "QueueEntry",
    "SampleEvent",
    "StartAgain",
    "Status",
    "StatusEvent",
    "StepEvent",
    "Worker",
    "latest_by_step",
    "launch",
    "list_jobs",
    "of_type",
    "read_events",
    "usable_cores",
    "without_undone",
]
