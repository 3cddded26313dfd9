"""Benchmarks: medians and ratios by hand, whole rounds kept, and real measurements with and without limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.config import load_profiles
from studio.errors import ConfigError, EvaluationError, PlayError
from studio.jobs import usable_cores
from studio.validation import BenchmarkSettings, Measurement, load_benchmark
from studio.validation.benchmark import (
    BenchmarkRequest,
    MeasurementStore,
    Round,
    device_fits,
    run_benchmark,
)
from studio.validation.devices import GIB, DeviceRun, SimulatedDevice, device_rows, run_on_device, simulated_devices
from studio.validation.request import ModelFile
from studio.validation.speed import prompt_of, speed_rows
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
    assert request.steps_per_round == 2
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
    assert all(44 <= one.n_prompt <= 48 and one.prefill_per_second > 0 for one in report.measurements)
    assert all(one.window_tokens == 256 for one in report.measurements)
    assert report.rows[0].prefill_ratio is None
    assert report.rows[1].prefill_ratio is not None
    assert report.file_bytes == dict.fromkeys(("one", "two"), base.stat().st_size)


def test_a_benchmark_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        load_benchmark(tmp_path)
    assert caught.value.next_step


# -- devices


def ran(model: str, number: int, *, fits: bool = True, **changes: object) -> DeviceRun:
    values: dict[str, object] = {
        "model": model,
        "device": "phone",
        "round": number,
        "threads": 2,
        "fits": fits,
        "window_tokens": 2048,
        "n_prompt": 512,
        "decode_per_second": 10.0 if fits else None,
        "peak_memory_bytes": 100 if fits else 900,
        "why": "" if fits else "refused",
    }
    return DeviceRun.model_validate(values | changes)


def device(memory_bytes: int, **changes: object) -> SimulatedDevice:
    values: dict[str, object] = {"name": "phone", "title": "Phone", "memory_bytes": memory_bytes, "threads": 1}
    return SimulatedDevice.model_validate({**values, "window_tokens": 512, **changes})


def test_a_file_fits_a_device_when_it_fitted_in_every_round() -> None:
    runs = [
        ran("old", 0),
        ran("new", 0, decode_per_second=5.0),
        ran("old", 1, decode_per_second=20.0),
        ran("new", 1, decode_per_second=15.0, peak_memory_bytes=300),
        ran("large", 0),
        ran("large", 1, fits=False),
    ]
    old, new, large = device_rows(runs, [device(800)], ["old", "new", "large"])
    assert (old.fits, old.decode_per_second, old.decode_ratio, old.rounds) == (True, 15, None, 2)
    assert (new.fits, new.decode_ratio, new.peak_memory_bytes) == (True, 0.625, 300)  # the median of 0.5 and 0.75
    assert (large.fits, large.peak_memory_bytes, large.why) == (False, 900, "refused")
    assert "fits Phone" in old.verdict
    assert "does not fit Phone" in large.verdict


def test_devices_are_the_profiles_of_their_names_in_the_order_of_the_file(tmp_path: Path) -> None:
    profiles = load_profiles(Workspace(tmp_path))
    first, second, *_ = profiles
    found = simulated_devices(profiles, [second, first, second])
    assert [one.name for one in found] == [first, second]
    assert found[0].memory_bytes == round(profiles[first].memory_limit_gb * GIB)
    assert found[0].window_tokens == profiles[first].quantization_settings.context_length
    assert [one.name for one in simulated_devices(profiles, ["all"])] == list(profiles)
    assert simulated_devices(profiles, []) == ()


def test_an_unknown_device_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    profiles = load_profiles(Workspace(tmp_path))
    with pytest.raises(ConfigError) as caught:
        simulated_devices(profiles, ["toaster"])
    assert all(name in caught.value.next_step for name in (*profiles, "all"))


def test_another_limit_is_another_benchmark(tmp_path: Path) -> None:
    request = BenchmarkRequest(workspace=tmp_path, models=(), devices=(device(800),))
    assert request.fingerprint != request.model_copy(update={"devices": (device(801),)}).fingerprint
    assert request.fingerprint == request.model_copy().fingerprint


def test_a_prompt_is_as_long_as_it_was_asked_for() -> None:
    for wanted in (1, 7, 100, 3000):
        assert len(prompt_of(wanted, str.split).split()) == wanted


@pytest.mark.slow
def test_a_device_is_a_limit_that_is_really_set(base: Path) -> None:
    model = ModelFile.of(base, "base")
    roomy = run_on_device(model, device(GIB), 0, (64, 4096), 4)
    assert (roomy.fits, roomy.threads, roomy.window_tokens) == (True, 1, 512)
    assert 48 <= roomy.n_prompt <= 64  # 4,096 tokens do not fit the window
    assert roomy.decode_per_second
    tight = run_on_device(model, device(110_000_000, threads=64), 0, (64,), 4)  # room for the weights, and no more
    assert (tight.fits, tight.decode_per_second) == (False, None)
    assert tight.why
    assert tight.threads == usable_cores()
    assert tight.peak_memory_bytes > base.stat().st_size  # without the limit: at least the weights


def test_a_file_that_is_broken_is_no_verdict_about_a_device(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing else")
    with pytest.raises(PlayError):
        run_on_device(ModelFile.of(broken), device(GIB), 0, (64,), 4)


# -- reports of before


def test_a_report_of_before_devices_and_windows_still_opens(tmp_path: Path) -> None:
    row = {
        "model": "old", "threads": 2, "prompt_tokens": 130, "rounds": 1, "load_seconds": 1, "ttft_seconds": 1,
        "prefill_per_second": 100, "decode_per_second": 10, "peak_memory_bytes": 5,
    }  # fmt: skip
    measurement = {
        "model": "old", "round": 0, "threads": 2, "n_prompt": 130, "n_generated": 4, "wanted_prompt": 128,
        "load_seconds": 1, "ttft_seconds": 1, "prefill_per_second": 100, "decode_per_second": 10,
        "peak_memory_bytes": 5,
    }  # fmt: skip
    before = {
        "created": 0,
        "settings": {"context_lengths": [128], "threads": [2], "new_tokens": 4, "rounds": 1},
        "file_bytes": {"old": 98},
        "measurements": [measurement],
        "rows": [row],
        "devices": [{"model": "old", "profile": "phone", "peak_memory_bytes": 5, "limit_bytes": 9}],
        "statement": "Measured on this computer.",
    }
    (tmp_path / "benchmark.json").write_text(json.dumps(before))
    report = load_benchmark(tmp_path)
    assert (report.simulated, report.rows[0].window_tokens, report.settings.devices) == ((), 0, ())
