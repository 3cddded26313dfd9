"""Benchmarks: medians and ratios by hand, whole rounds kept, and one real measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.config import load_profiles
from studio.errors import EvaluationError
from studio.validation import BenchmarkSettings, Measurement, load_benchmark
from studio.validation.benchmark import (
    GIB,
    BenchmarkRequest,
    MeasurementStore,
    Round,
    device_fits,
    run_benchmark,
    speed_rows,
)
from studio.validation.request import ModelFile
from studio.workspace import Workspace


def measured(model: str, number: int, prefill: float, decode: float | None, **changes: float) -> Measurement:
    values: dict[str, object] = {
        "model": model,
        "round": number,
        "threads": 2,
        "n_prompt": 130,
        "n_generated": 32,
        "wanted_prompt": 128,
        "load_seconds": 1.0,
        "ttft_seconds": 0.5,
        "prefill_per_second": prefill,
        "decode_per_second": decode,
        "peak_memory_bytes": 100,
    }
    return Measurement.model_validate(values | changes)


def test_rows_hold_medians_and_the_median_of_the_ratios_round_by_round() -> None:
    found = [
        measured("old", 0, 100, 10, load_seconds=1),
        measured("new", 0, 200, 5, load_seconds=2, peak_memory_bytes=300),
        measured("old", 1, 50, 8, load_seconds=9),  # a slow moment for both
        measured("new", 1, 125, 2, load_seconds=4),
        measured("old", 2, 400, 12, load_seconds=2),
        measured("new", 2, 400, 9, load_seconds=3),
    ]
    new, old = speed_rows(found, "old")
    assert (old.prefill_per_second, old.decode_per_second, old.load_seconds, old.rounds) == (100, 10, 2, 3)
    assert (old.prefill_ratio, old.decode_ratio) == (None, None)
    assert (new.prefill_per_second, new.decode_per_second, new.load_seconds) == (200, 5, 3)
    assert new.prefill_ratio == 2  # the median of 2, 2.5 and 1; the medians themselves would say 2 by chance
    assert new.decode_ratio == 0.5  # the median of 0.5, 0.25 and 0.75
    assert new.peak_memory_bytes == 300


def test_prompts_and_threads_are_rows_of_their_own() -> None:
    found = [measured("m", 0, 10, 1), measured("m", 0, 20, 1, wanted_prompt=512), measured("m", 0, 30, 1, threads=1)]
    rows = [(one.threads, one.prefill_per_second) for one in speed_rows(found, "m")]
    assert rows == [(1, 30), (2, 10), (2, 20)]


def test_a_reply_that_was_too_short_has_no_speed_and_spoils_no_ratio() -> None:
    found = [
        measured("old", 0, 1, 10),
        measured("new", 0, 1, None),
        measured("old", 1, 1, 10),
        measured("new", 1, 1, 5),
    ]
    new = speed_rows(found, "old")[0]
    assert (new.decode_per_second, new.decode_ratio) == (5, 0.5)
    assert speed_rows([measured("new", 0, 1, None)], "new")[0].decode_per_second is None


def test_memory_is_held_against_every_profile(tmp_path: Path) -> None:
    profiles = load_profiles(Workspace(tmp_path))
    smallest = min(profiles.values(), key=lambda one: one.memory_limit_gb)
    peak = round(smallest.memory_limit_gb * GIB) + 1
    fits = device_fits(speed_rows([measured("m", 0, 1, 1, peak_memory_bytes=peak)], "m"), Workspace(tmp_path))
    assert {one.profile: one.fits for one in fits} == {
        name: one.memory_limit_gb > smallest.memory_limit_gb for name, one in profiles.items()
    }


def test_a_round_torn_by_a_kill_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "rounds.jsonl"
    store = MeasurementStore(path)
    store.add(Round(number=0, measurements=(measured("m", 0, 1, 1),)))
    store.add(Round(number=1, measurements=(measured("m", 1, 1, 1),)))
    path.write_bytes(path.read_bytes()[:-5])
    assert [one.number for one in store.rounds()] == [0]
    store.clear()
    assert store.rounds() == []


@pytest.mark.slow
def test_a_benchmark_measures_in_turns_and_goes_on_after_its_last_whole_round(tmp_path: Path, base: Path) -> None:
    files = tuple(ModelFile.of(base, label) for label in ("one", "two"))
    settings = BenchmarkSettings(context_lengths=(48,), threads=(1,), new_tokens=4, rounds=2)
    request = BenchmarkRequest(workspace=tmp_path, models=files, settings=settings)
    store = MeasurementStore(tmp_path / "rounds.jsonl")
    steps: list[tuple[int, int]] = []

    def stop_in_the_second_round() -> bool:
        return len(steps) > 2

    note = lambda done, total: steps.append((done, total))  # noqa: E731
    assert run_benchmark(request, 0.0, store, note, stop_in_the_second_round) is None
    (kept,) = store.rounds()
    report = run_benchmark(request, 0.0, store, note)
    assert report is not None
    assert report.measurements[:2] == kept.measurements
    assert [one.model for one in report.measurements] == ["one", "two", "two", "one"]
    assert steps == [(1, 4), (2, 4), (3, 4), (3, 4), (4, 4)]
    assert all(40 <= one.n_prompt <= 60 and one.prefill_per_second > 0 for one in report.measurements)
    assert report.rows[0].prefill_ratio is None
    assert report.rows[1].prefill_ratio is not None
    assert report.file_bytes == dict.fromkeys(("one", "two"), base.stat().st_size)


def test_a_benchmark_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        load_benchmark(tmp_path)
    assert caught.value.next_step
