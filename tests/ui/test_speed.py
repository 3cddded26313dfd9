"""A benchmark as a page shows it: sentences, table, chart, and the devices that were imitated."""

from __future__ import annotations

from studio.ui.speed import (
    cores_note,
    devices_html,
    file_facts,
    left_out,
    refusals,
    speed_sentences,
    speed_table,
    too_large,
)
from studio.ui.speed_chart import CHARTED, speed_chart
from studio.validation import BenchmarkReport, BenchmarkSettings, DeviceFit, DeviceRow
from studio.validation.speed import speed_rows
from tests.ui.html_check import TAGS, Reading
from tests.validation.test_benchmark import measured

HOSTILE = "<b>%{x}</b>"


def benchmark(*models: tuple[str, float, float]) -> BenchmarkReport:
    found = [measured(name, 0, reads, writes) for name, reads, writes in models]
    device = DeviceFit(model=models[-1][0], profile="phone", peak_memory_bytes=2_000_000, limit_bytes=1_000_000)
    return BenchmarkReport(
        created=0.0,
        settings=BenchmarkSettings(rounds=1),
        file_bytes={name: 98_000_000 for name, _, _ in models},
        measurements=tuple(found),
        rows=tuple(speed_rows(found, models[0][0])),
        devices=(device,),
    )


def device_row(model: str, *, fits: bool = True, **changes: object) -> DeviceRow:
    values: dict[str, object] = {
        "model": model,
        "device": "phone",
        "title": "Phone",
        "limit_bytes": 800_000_000,
        "device_threads": 4,
        "threads": 2,
        "window_tokens": 2048,
        "prompt_tokens": 1024,
        "rounds": 1,
        "fits": fits,
        "load_seconds": 0.5 if fits else None,
        "ttft_seconds": 2.0 if fits else None,
        "prefill_per_second": 150.0 if fits else None,
        "decode_per_second": 30.0 if fits else None,
        "peak_memory_bytes": 200_000_000 if fits else 900_000_000,
    }
    return DeviceRow.model_validate(values | changes)


def on_devices(*rows: DeviceRow) -> BenchmarkReport:
    return benchmark(("old", 100, 10), ("new", 150, 5)).model_copy(update={"simulated": rows})


def test_speed_is_compared_in_a_sentence_and_in_a_table() -> None:
    report = benchmark(("old", 100, 10), ("new", 150, 5))
    (sentence,) = speed_sentences(report)
    assert sentence == "new writes 0.50 times and reads 1.50 times as fast as old (2 threads, behind 130 tokens)."
    old, new = speed_table(report)
    assert (new["Model"], new["Writes, ratio"], new["Writes"], new["Behind"]) == ("new", "0.50 times", 5, 130)
    assert (old["Model"], old["Writes, ratio"]) == ("old", "–")
    assert file_facts(report) == [("old", "98 MB, loaded in 1.0 s"), ("new", "98 MB, loaded in 1.0 s")]
    assert too_large(report) == ["new took 2 MB here, more than phone allows (1 MB)."]


def test_a_model_measured_alone_is_compared_with_nothing() -> None:
    assert speed_sentences(benchmark(("old", 100, 10))) == []


def test_a_device_that_was_imitated_is_not_also_guessed_at() -> None:
    assert too_large(on_devices(device_row("new"))) == []


def test_a_model_that_was_not_made_for_the_longest_prompt_is_named() -> None:
    report = benchmark(("old", 100, 10), ("new", 150, 5))
    assert left_out(report.model_copy(update={"settings": BenchmarkSettings(context_lengths=(128,))})) == []
    (old, new) = left_out(report.model_copy(update={"settings": BenchmarkSettings(context_lengths=(128, 4096))}))
    assert old.startswith("old was not made for conversations of more than 128 tokens")
    assert new.startswith("new")


def test_the_chart_has_a_line_per_model_and_number_of_threads_over_the_context() -> None:
    found = [
        measured(name, 0, speed * threads, speed / prompt, threads=threads, wanted_prompt=prompt, n_prompt=prompt)
        for name, speed in (("old", 100.0), (HOSTILE, 200.0))
        for threads in (1, 2)
        for prompt in (128, 512)
    ]
    report = benchmark(("old", 1, 1), (HOSTILE, 1, 1))
    report = report.model_copy(update={"rows": tuple(speed_rows(found, "old"))})
    chart = speed_chart(report, "Reads")
    assert [one.name for one in chart.data] == [
        "old, 2 threads", "old, 1 thread", "&lt;b&gt;%{x}&lt;/b&gt;, 2 threads", "&lt;b&gt;%{x}&lt;/b&gt;, 1 thread",
    ]  # fmt: skip
    assert [list(one.y) for one in chart.data] == [[200, 200], [100, 100], [400, 400], [200, 200]]
    assert all(list(one.x) == [128, 512] and "%{x" not in one.hovertemplate for one in chart.data)
    assert list(speed_chart(report, "Writes").data[0].y) == [100 / 128, 100 / 512]
    assert all(speed_chart(report, which).data for which in CHARTED)


def test_every_device_is_a_card_with_a_verdict_per_model() -> None:
    report = on_devices(device_row("old"), device_row(HOSTILE, fits=False), device_row("old", device="tablet"))
    shown = Reading(devices_html(report))
    assert {tag for tag, _ in shown.elements} <= TAGS
    assert {name for _, found in shown.elements for name in found} == {"class", "style"}
    widths = [found["style"] for _, found in shown.elements if "style" in found]
    assert widths == ["width:25.0%", "width:100.0%", "width:25.0%"]
    assert "800 MB of memory, 2 of 4 cores, a window of 2,048 tokens" in shown.text
    assert "200 MB · writes 30.0 tokens/s · reads 150 tokens/s · first word after 2.0 s" in shown.text
    assert "900 MB without the limit" in shown.text
    assert shown.text.count("does not fit") == 1
    (sentence,) = refusals(report)
    assert "it may take 800 MB there and was refused more. Without the limit it took 900 MB." in sentence


def test_a_computer_with_fewer_cores_than_the_device_says_so() -> None:
    assert "This computer has 2 cores; the devices spare up to 4." in cores_note(on_devices(device_row("old")))
    assert cores_note(on_devices(device_row("old", threads=4))) == ""
