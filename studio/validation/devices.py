"""A model run as if this computer were a smaller device: with its memory, on no more cores than it can spare.

The limits are really set (see `play.hosts.limits`), so "fits" means that the file was loaded with the device's whole
context window, read a prompt and wrote a reply, and "does not fit" that memory was refused. When it was, the same run
without the limit follows: only a file that works there is said not to fit, and it tells what it would have taken.

Not imitated: everything that makes a phone's speed. See `SAYS` and `SAYS_NOT`, which every report shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from studio.config import OptimizationProfile
from studio.errors import ConfigError, EvaluationError, PlayError
from studio.jobs import usable_cores
from studio.play import HostLimits, HostOptions, can_limit
from studio.validation.request import ModelFile
from studio.validation.speed import Frozen, Spoken, host_options, median_of, ratio_of, speak

GIB = 2**30
ALL_DEVICES = "all"
SAYS = (
    "Each device's memory limit was really set on this computer: a file that fits was loaded with the device's whole "
    "context window, read a prompt and replied. That tells whether weights, KV cache and buffers stay below what the "
    "device can spare, and which of two files needs more or runs faster."
)
SAYS_NOT = (
    "It does not tell how fast a phone is. The cores are this computer's. A phone's memory bandwidth, its ARM "
    "processor, its graphics or neural chip, slowing down when it gets warm, and what its system and other apps take: "
    "none of that is imitated. About 40 MB of the memory shown are the studio's own process, which the limit leaves "
    "out."
)
_UNLIMITED = 2**50
_SHORTEST = 16


class SimulatedDevice(Frozen):
    """What of an optimization profile can be imitated here."""

    name: str
    title: str
    memory_bytes: int
    threads: int
    window_tokens: int


class DeviceRun(Frozen):
    """One file under the limits of one device, once. Figures are None where memory was refused."""

    model: str
    device: str
    round: int
    threads: int = Field(description="That were used: the device's, or this computer's where it has fewer.")
    fits: bool
    window_tokens: int
    n_prompt: int = 0
    load_seconds: float | None = None
    ttft_seconds: float | None = None
    prefill_per_second: float | None = None
    decode_per_second: float | None = None
    peak_memory_bytes: int = Field(description="Under the limit; where the file does not fit, without it.")
    why: str = Field("", description="What the host said when memory was refused.")


class DeviceRow(Frozen):
    """Medians over the rounds of one file on one device; ratios to the baseline as in `SpeedRow`."""

    model: str
    device: str
    title: str
    limit_bytes: int
    device_threads: int
    threads: int
    window_tokens: int
    prompt_tokens: int
    rounds: int
    fits: bool = Field(description="In every round.")
    load_seconds: float | None
    ttft_seconds: float | None
    prefill_per_second: float | None
    decode_per_second: float | None
    peak_memory_bytes: int
    prefill_ratio: float | None = None
    decode_ratio: float | None = None
    why: str = ""

    @property
    def verdict(self) -> str:
        """A sentence for people, without markup."""
        name = self.title or self.device
        took, limit = _megabytes(self.peak_memory_bytes), _megabytes(self.limit_bytes)
        if self.fits:
            return f"{self.model} fits {name}: it took {took} of {limit}."
        spare = "" if self.peak_memory_bytes > self.limit_bytes else ", and set more aside"
        return (
            f"{self.model} does not fit {name}: it may take {limit} there and was refused more. "
            f"Without the limit it took {took}{spare}. Choose a smaller quantization or a smaller window."
        )


def simulated_devices(profiles: dict[str, OptimizationProfile], names: Sequence[str]) -> tuple[SimulatedDevice, ...]:
    """The devices of these names, in the order of the profiles; `all` stands for every one.

    Raises:
        ConfigError: there is no profile of a name.
        EvaluationError: this operating system has no such limits.
    """
    for name in names:
        if name != ALL_DEVICES and name not in profiles:
            raise ConfigError(
                f"There is no device {name!r}.", next_step=f"Use {', '.join(profiles)}, or {ALL_DEVICES}."
            )
    if names and not can_limit():
        raise EvaluationError(
            "Devices cannot be imitated on this computer.",
            why="Limits on memory and cores need Linux.",
            next_step="Measure without devices.",
        )
    return tuple(_device(one) for one in profiles.values() if one.name in names or ALL_DEVICES in names)


def run_on_device(
    model: ModelFile, device: SimulatedDevice, number: int, lengths: Sequence[int], new_tokens: int
) -> DeviceRun:
    """Load and run the file under the device's limits; the death of its process is a verdict, not an error.

    The prompt is the longest of `lengths` that the window holds.

    Raises:
        PlayError: the file cannot be run without a limit either.
    """
    threads = min(device.threads, usable_cores())
    limits = HostLimits(memory_bytes=device.memory_bytes, cores=threads)
    options = replace(host_options(model, device.window_tokens, threads), limits=limits)
    try:
        return _fitting(model, device, number, _speak(model, options, lengths, new_tokens), threads)
    except PlayError as error:
        freely = replace(options, limits=replace(limits, memory_bytes=_UNLIMITED))
        spoken = _speak(model, freely, lengths, new_tokens)
        return DeviceRun(
            model=model.label,
            device=device.name,
            round=number,
            threads=threads,
            fits=False,
            window_tokens=spoken.window_tokens,
            n_prompt=spoken.done.n_prompt,
            peak_memory_bytes=spoken.done.peak_memory_bytes,
            why=" ".join(part for part in (error.what, error.why) if part),
        )


def device_rows(
    runs: Sequence[DeviceRun], devices: Sequence[SimulatedDevice], models: Sequence[str]
) -> list[DeviceRow]:
    """A row per device and file, in the order of both; the first file is the baseline of the ratios."""
    cells: dict[tuple[str, str], list[DeviceRun]] = {}
    for one in runs:
        cells.setdefault((one.device, one.model), []).append(one)
    return [
        _row(device, found, cells.get((device.name, models[0]), []) if model != models[0] else [])
        for device in devices
        for model in models
        if (found := cells.get((device.name, model)))
    ]


def _device(profile: OptimizationProfile) -> SimulatedDevice:
    return SimulatedDevice(
        name=profile.name,
        title=profile.title,
        memory_bytes=round(profile.memory_limit_gb * GIB),
        threads=profile.threads,
        window_tokens=profile.quantization_settings.context_length,
    )


def _speak(model: ModelFile, options: HostOptions, lengths: Sequence[int], new_tokens: int) -> Spoken:
    spoken = speak(model, options, [*lengths, _SHORTEST], new_tokens)
    if spoken is None:
        raise EvaluationError(
            f"The window of {model.label} is too small for {new_tokens} new tokens.", next_step="Ask for fewer."
        )
    return spoken


def _fitting(model: ModelFile, device: SimulatedDevice, number: int, spoken: Spoken, threads: int) -> DeviceRun:
    return DeviceRun(
        model=model.label,
        device=device.name,
        round=number,
        threads=threads,
        fits=True,
        window_tokens=spoken.window_tokens,
        n_prompt=spoken.done.n_prompt,
        load_seconds=spoken.load_seconds,
        ttft_seconds=spoken.done.ttft_seconds,
        prefill_per_second=spoken.prefill_per_second,
        decode_per_second=spoken.decode_per_second,
        peak_memory_bytes=spoken.done.peak_memory_bytes,
    )


def _row(device: SimulatedDevice, found: Sequence[DeviceRun], baseline: Sequence[DeviceRun]) -> DeviceRow:
    refused = [one for one in found if not one.fits]
    return DeviceRow(
        model=found[0].model,
        device=device.name,
        title=device.title,
        limit_bytes=device.memory_bytes,
        device_threads=device.threads,
        threads=found[0].threads,
        window_tokens=found[0].window_tokens,
        prompt_tokens=found[0].n_prompt,
        rounds=len(found),
        fits=not refused,
        load_seconds=median_of(one.load_seconds for one in found),
        ttft_seconds=median_of(one.ttft_seconds for one in found),
        prefill_per_second=median_of(one.prefill_per_second for one in found),
        decode_per_second=median_of(one.decode_per_second for one in found),
        peak_memory_bytes=max(one.peak_memory_bytes for one in refused or found),
        prefill_ratio=ratio_of(found, baseline, lambda one: one.prefill_per_second),
        decode_ratio=ratio_of(found, baseline, lambda one: one.decode_per_second),
        why=refused[0].why if refused else "",
    )


def _megabytes(count: int) -> str:
    return f"{count / 10**6:,.0f} MB"
