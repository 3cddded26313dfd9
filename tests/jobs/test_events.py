import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.jobs import (
    CheckpointEvent,
    EvaluationEvent,
    Event,
    EventLog,
    MessageEvent,
    ProgressEvent,
    SampleEvent,
    StatusEvent,
    StepEvent,
    latest_by_step,
    of_type,
    read_events,
    without_undone,
)


def step(number: int, loss: float = 1.0) -> StepEvent:
    return StepEvent(
        time=1.0,
        step=number,
        total_steps=9,
        epoch=0.5,
        loss=loss,
        learning_rate=1e-4,
        grad_norm=0.3,
        tokens_per_second=99.5,
        tokens_seen=number * 10,
        memory_bytes=2**30,
    )


EVERY_KIND: list[Event] = [
    step(1),
    EvaluationEvent(time=2.0, step=1, epoch=0.5, loss=1.5, perplexity=4.48, trained_tokens=100),
    CheckpointEvent(time=3.0, step=1, path="checkpoint-1"),
    SampleEvent(time=4.0, step=1, prompt="Look", text="[roll: perception]"),
    MessageEvent(time=5.0, level="warning", text="Ünïcode, \n newline and \u2028 separator"),
    ProgressEvent(time=6.0, done=1, total=2, unit="steps"),
    StatusEvent(time=7.0, status="running"),
]


def write(path: Path, events: list[Event]) -> None:
    with EventLog(path) as log:
        for event in events:
            log.append(event)


def test_every_kind_of_event_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "events.jsonl", EVERY_KIND)
    batch = read_events(tmp_path / "events.jsonl")
    assert batch.events == EVERY_KIND
    assert batch.damaged == 0


@given(texts=st.lists(st.text(), max_size=8), cut=st.integers(min_value=0))
def test_reading_piecewise_gives_every_event_once_wherever_the_reader_looks(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cut: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    events: list[Event] = [MessageEvent(time=1.0, text=text) for text in texts]
    write(path, events)
    whole = path.read_bytes()
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    first = read_events(path)
    path.write_bytes(whole)
    second = read_events(path, first.offset)
    assert first.events + second.events == events
    assert first.damaged == second.damaged == 0


def test_an_event_without_a_time_gets_the_clocks(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl", clock=lambda: 123.5) as log:
        log.append(MessageEvent(text="now"))
    assert read_events(tmp_path / "events.jsonl").events[0].time == 123.5


def test_a_half_written_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, EVERY_KIND)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    batch = read_events(path)
    assert batch.events == EVERY_KIND[:-1]
    path.write_bytes(whole)
    assert read_events(path, batch.offset).events == EVERY_KIND[-1:]


def test_damaged_lines_are_counted_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [step(1)])
    with path.open("ab") as stream:
        stream.write(b'\xff\xfe{"type": "step", "st\n{"type": "from a newer studio"}\n[]\n\n')
    write(path, [step(2)])
    batch = read_events(path)
    assert batch.events == [step(1), step(2)]
    assert batch.damaged == 3


def test_a_new_writer_starts_on_a_line_of_its_own_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"type": "mess')
    write(path, [step(1)])
    batch = read_events(path)
    assert batch.events == [step(1)]
    assert batch.damaged == 1


def test_a_log_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [step(1)])
    assert read_events(path, offset=10_000).events == [step(1)]


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none.jsonl").events == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_diverged_loss_survives_the_log(tmp_path: Path, loss: float) -> None:
    write(tmp_path / "events.jsonl", [step(1, loss)])
    read = of_type(read_events(tmp_path / "events.jsonl").events, StepEvent)[0].loss
    assert read == loss or (math.isnan(read) and math.isnan(loss))


def test_repeated_steps_of_a_resumed_run_count_once_with_their_last_value() -> None:
    curve = latest_by_step([step(1, 3.0), step(2, 2.5), step(3, 9.9), step(2, 2.0)])
    assert [(event.step, event.loss) for event in curve] == [(1, 3.0), (2, 2.0), (3, 9.9)]


def test_what_a_resumed_run_goes_back_behind_is_no_longer_part_of_it() -> None:
    message = MessageEvent(text="Going on from checkpoint-1.")
    sample = SampleEvent(step=3, prompt="", text="")
    lost: list[Event] = [step(2, 2.5), CheckpointEvent(step=2, path="checkpoint-2"), step(3, 9.9), sample]
    kept: list[Event] = [step(1, 3.0), CheckpointEvent(step=1, path="checkpoint-1")]
    assert without_undone([*kept, *lost, message, step(2, 2.0)]) == [*kept, message, step(2, 2.0)]
    assert without_undone([*kept, *lost, message]) == [*kept, *lost, message]  # nothing is taken anew yet
