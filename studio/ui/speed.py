"""A benchmark as a page shows it: sentences, the rows of its table, and the devices that were imitated."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from studio.ui.wording import count, size
from studio.validation import BenchmarkReport, DeviceRow, SpeedRow

Cell = str | int | float | None


def speed_sentences(report: BenchmarkReport) -> list[str]:
    """How each model compares with the first, with most threads and the longest prompt; no sentence for the first."""
    compared = [one for one in report.rows if one.prefill_ratio is not None]
    hardest = {one.model: one for one in sorted(compared, key=lambda one: (one.threads, one.prompt_tokens))}
    base = next((one.model for one in report.rows if one.prefill_ratio is None), "")
    return [_speed_sentence(hardest[name], base) for name in report.file_bytes if name in hardest]


def _speed_sentence(one: SpeedRow, base: str) -> str:
    reads = f"reads {ratio_words(one.prefill_ratio)}" if one.prefill_ratio else ""
    writes = f"writes {ratio_words(one.decode_ratio)}" if one.decode_ratio else ""
    said = " and ".join(part for part in (writes, reads) if part)
    where = f"{count(one.threads, 'thread')}, behind {count(one.prompt_tokens, 'token')}"
    return f"{one.model} {said} as fast as {base} ({where})."


def ratio_words(ratio: float | None) -> str:
    """`1.42 times`; a dash for the model that the others are compared with."""
    return "–" if ratio is None else f"{ratio:.2f} times"


def in_order(report: BenchmarkReport) -> list[SpeedRow]:
    """The rows by number of threads and length of the prompt, models in the order in which they were asked for."""
    place = {name: number for number, name in enumerate(report.file_bytes)}
    asked = {(one.model, one.n_prompt): one.wanted_prompt for one in report.measurements}

    def order(one: SpeedRow) -> tuple[int, int, int]:
        length = asked.get((one.model, one.prompt_tokens), one.prompt_tokens)
        return one.threads, length, place.get(one.model, 0)

    return sorted(report.rows, key=order)


def speed_table(report: BenchmarkReport) -> list[dict[str, Cell]]:
    """A row per model, number of threads and length of the prompt. Tokens per second, seconds, and MB (10^6 bytes)."""
    return [
        {
            "Model": one.model,
            "Threads": one.threads,
            "Behind": one.prompt_tokens,
            "Writes": one.decode_per_second,
            "Writes, ratio": ratio_words(one.decode_ratio),
            "Reads": one.prefill_per_second,
            "Reads, ratio": ratio_words(one.prefill_ratio),
            "First word": one.ttft_seconds,
            "Memory": one.peak_memory_bytes / 10**6,
        }
        for one in in_order(report)
    ]


def file_facts(report: BenchmarkReport) -> list[tuple[str, str]]:
    """Every model with the size of its file and how long it took to load, at the best of what was measured."""
    loads: dict[str, list[float]] = {}
    for one in report.rows:
        loads.setdefault(one.model, []).append(one.load_seconds)
    return [
        (name, ", ".join([size(found), *(f"loaded in {min(loads[name]):.1f} s" for _ in loads.get(name, [])[:1])]))
        for name, found in report.file_bytes.items()
    ]


def left_out(report: BenchmarkReport) -> list[str]:
    """A sentence per model that was not made for the longest prompts that were asked for."""
    wanted = len(report.settings.context_lengths)
    done = {name: {one.wanted_prompt for one in report.measurements if one.model == name} for name in report.file_bytes}
    return [
        f"{name} was not made for conversations of more than {count(max(found, default=0), 'token')} and a reply: "
        "longer prompts were left out."
        for name, found in done.items()
        if len(found) < wanted
    ]


def too_large(report: BenchmarkReport) -> list[str]:
    """A sentence per model and device class whose memory it exceeded here; not for devices that were imitated."""
    known = {one.device for one in report.simulated}
    return [
        f"{one.model} took {size(one.peak_memory_bytes)} here, more than {one.profile} allows "
        f"({size(one.limit_bytes)})."
        for one in report.devices
        if not one.fits and one.profile not in known
    ]


# -- devices that were imitated


def devices_html(report: BenchmarkReport) -> str:
    """A card per device with a line per model: verdict, memory as a bar, and speed. No user markup."""
    rows: dict[str, list[DeviceRow]] = {}
    for one in report.simulated:
        rows.setdefault(one.device, []).append(one)
    return f'<div class="devices">{"".join(_device_card(found) for found in rows.values())}</div>'


def refusals(report: BenchmarkReport) -> list[str]:
    """What is said of each model that did not fit a device."""
    return [one.verdict for one in report.simulated if not one.fits]


def cores_note(report: BenchmarkReport) -> str:
    """That devices have more cores than this computer; empty when none has."""
    more = [one for one in report.simulated if one.device_threads > one.threads]
    if not more:
        return ""
    most = max(one.device_threads for one in more)
    return (
        f"This computer has {count(more[0].threads, 'core')}; the devices spare up to {most}. "
        "With as many cores as the device it would be faster; by how much, nothing here can tell."
    )


def _device_card(rows: Sequence[DeviceRow]) -> str:
    first = rows[0]
    head = f"<b>{escape(first.title or first.device)}</b>"
    fewer = "" if first.threads == first.device_threads else f"{first.threads} of "
    cores = f"{fewer}{count(first.device_threads, 'core')}"
    limits = f"{size(first.limit_bytes)} of memory, {cores}, a window of {count(first.window_tokens, 'token')}"
    lines = "".join(_device_line(one) for one in rows)
    return f'<div class="device"><div class="head">{head}<span>{limits}</span></div>{lines}</div>'


def _device_line(one: DeviceRow) -> str:
    mark, word = ("good", "fits") if one.fits else ("bad", "does not fit")
    share = 100 * one.peak_memory_bytes / one.limit_bytes
    memory = f"{size(one.peak_memory_bytes)}{'' if one.fits else ' without the limit'}"
    title = f'<div class="who"><span class="outcome {mark}">{word}</span>{escape(one.model)}</div>'
    bar = f'<div class="bar {mark}"><span style="width:{min(share, 100):.1f}%"></span></div>'
    return f'<div class="line">{title}{bar}<div class="said">{memory}{_speeds(one)}</div></div>'


def _speeds(one: DeviceRow) -> str:
    if not one.fits:
        return ""
    ratio = f" ({ratio_words(one.decode_ratio)})" if one.decode_ratio else ""
    writes = f" · writes {one.decode_per_second:.1f} tokens/s{ratio}" if one.decode_per_second else ""
    reads = f" · reads {one.prefill_per_second:,.0f} tokens/s" if one.prefill_per_second else ""
    first = f" · first word after {one.ttft_seconds:.1f} s" if one.ttft_seconds else ""
    loaded = f" · loaded in {one.load_seconds:.1f} s" if one.load_seconds else ""
    return f"{writes}{reads}{first} behind {count(one.prompt_tokens, 'token')}{loaded}"
