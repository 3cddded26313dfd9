"""One prompt to one freshly loaded file: how long everything took, and what comes of many such measurements.

Every measurement has a process of its own with a window that is just large enough for it. So its memory is that of
this length alone, and its decoding speed is that of a KV cache which holds the whole prompt (n tokens behind which the
reply is written), as `llama-bench -d` measures it. A few tokens are written first, so that the weights are in memory
and not on their way there.
"""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import EvaluationError
from studio.play import Done, HostOptions, ModelHost, Sampling
from studio.validation.request import ModelFile

_STORY = (
    "The road climbs out of the valley between walls of dripping stone, and the mule complains at every bend. At noon "
    "the party rests beside a shrine with a broken roof, shares bread and cold water, and listens to the wind. Far "
    "below a bell rings in the village, twice, then once more, and nobody remembers what three strokes mean. "
)
_WARM_UP_TOKENS = 2
_PATIENCE_SECONDS = 1800.0
_SPARE = 8
"""Tokens of the window beyond prompt and reply; llama.cpp rounds the window up to a multiple of 256."""


class Frozen(BaseModel):
    """What was measured does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Measurement(Frozen):
    """One prompt to one freshly loaded file. Speeds in tokens per second, times in seconds, memory in bytes."""

    model: str
    round: int
    threads: int
    n_prompt: int
    n_generated: int
    wanted_prompt: int
    window_tokens: int = Field(0, description="Context window that was allocated; 0 in reports that do not tell.")
    load_seconds: float
    ttft_seconds: float
    prefill_per_second: float
    decode_per_second: float | None = Field(description="None when fewer than two tokens came.")
    peak_memory_bytes: int


class SpeedRow(Frozen):
    """Medians over the rounds of one file at one prompt length and number of threads.

    `*_ratio` is this file over the baseline, from the median of the round-by-round ratios; None for the baseline.
    """

    model: str
    threads: int
    prompt_tokens: int
    window_tokens: int = 0
    rounds: int
    load_seconds: float
    ttft_seconds: float
    prefill_per_second: float
    decode_per_second: float | None
    peak_memory_bytes: int
    prefill_ratio: float | None = None
    decode_ratio: float | None = None


@dataclass(frozen=True)
class Spoken:
    """What a host said of one prompt, and how it had been loaded."""

    load_seconds: float
    window_tokens: int
    wanted_prompt: int
    done: Done

    @property
    def prefill_per_second(self) -> float:
        """Tokens of the prompt per second."""
        return self.done.n_prompt / self.done.prefill_seconds if self.done.prefill_seconds else 0.0

    @property
    def decode_per_second(self) -> float | None:
        """Tokens of the reply per second, from the first to the last; None when fewer than two came."""
        return self.done.tokens_per_second or None


def window_for(prompt_tokens: int, new_tokens: int) -> int:
    """The context window that a prompt and its reply need, in tokens."""
    return prompt_tokens + new_tokens + _SPARE


def host_options(model: ModelFile, window: int, threads: int) -> HostOptions:
    """How a file is loaded to be measured; reading a long prompt may take minutes, and nothing is heard meanwhile."""
    return HostOptions(
        context_tokens=window, threads=threads, parked_bytes=0, adapter=model.adapter, flash_attention=True,
        stall_seconds=_PATIENCE_SECONDS,
    )  # fmt: skip


def speak(model: ModelFile, options: HostOptions, lengths: Sequence[int], new_tokens: int) -> Spoken | None:
    """Load the file in a process of its own and give it the longest prompt of `lengths` that its window holds.

    None when it holds none of them. Raises `PlayError` when the file cannot be loaded, or its process dies.
    """
    with ModelHost(model.path, options) as host:
        info = host.info()
        fitting = [one for one in lengths if window_for(one, new_tokens) <= info.context_tokens]
        if not fitting:
            return None
        _generate(host, _STORY, _WARM_UP_TOKENS)
        done = _generate(host, prompt_of(max(fitting), host.tokenize), new_tokens)
        return Spoken(info.load_seconds, info.context_tokens, max(fitting), done)


def measure(model: ModelFile, number: int, threads: int, wanted: int, new_tokens: int) -> Measurement | None:
    """One prompt of `wanted` tokens; None when the model was not made for such a window. Raises `PlayError`."""
    window = max(256, window_for(wanted, new_tokens))
    spoken = speak(model, host_options(model, window, threads), (wanted,), new_tokens)
    if spoken is None:
        return None
    return Measurement(
        model=model.label,
        round=number,
        threads=threads,
        n_prompt=spoken.done.n_prompt,
        n_generated=spoken.done.n_generated,
        wanted_prompt=wanted,
        window_tokens=spoken.window_tokens,
        load_seconds=spoken.load_seconds,
        ttft_seconds=spoken.done.ttft_seconds,
        prefill_per_second=spoken.prefill_per_second,
        decode_per_second=spoken.decode_per_second,
        peak_memory_bytes=spoken.done.peak_memory_bytes,
    )


def prompt_of(tokens: int, tokenize: Callable[[str], Sequence[int]]) -> str:
    """A story of so many tokens, or one fewer, cut in the middle of a sentence so that the model goes on."""
    text = _STORY * (tokens // 48 + 1)
    characters = bisect.bisect_right(range(len(text)), tokens, key=lambda end: len(tokenize(text[:end])))
    return text[: max(1, characters - 1)].rstrip(" .")


def speed_rows(measurements: Sequence[Measurement], baseline: str) -> list[SpeedRow]:
    """Medians per file, threads and prompt length, with the ratio to the baseline of the same round."""
    cells: dict[tuple[int, int, str], list[Measurement]] = {}
    for one in measurements:
        cells.setdefault((one.threads, one.wanted_prompt, one.model), []).append(one)
    return [
        _row(found, cells.get((threads, prompt, baseline), []) if model != baseline else [])
        for (threads, prompt, model), found in sorted(cells.items())
    ]


def _row(found: Sequence[Measurement], baseline: Sequence[Measurement]) -> SpeedRow:
    return SpeedRow(
        model=found[0].model,
        threads=found[0].threads,
        prompt_tokens=found[0].n_prompt,
        window_tokens=found[0].window_tokens,
        rounds=len(found),
        load_seconds=statistics.median(one.load_seconds for one in found),
        ttft_seconds=statistics.median(one.ttft_seconds for one in found),
        prefill_per_second=statistics.median(one.prefill_per_second for one in found),
        decode_per_second=median_of(one.decode_per_second for one in found),
        peak_memory_bytes=max(one.peak_memory_bytes for one in found),
        prefill_ratio=ratio_of(found, baseline, lambda one: one.prefill_per_second),
        decode_ratio=ratio_of(found, baseline, lambda one: one.decode_per_second),
    )


class _OfRound(Protocol):
    @property
    def round(self) -> int: ...


_One = TypeVar("_One", bound=_OfRound)


def ratio_of(found: Sequence[_One], baseline: Sequence[_One], speed: Callable[[_One], float | None]) -> float | None:
    """The median of the round-by-round ratios to the baseline; None where no round has both."""
    before = {one.round: value for one in baseline if (value := speed(one))}
    return median_of(value / before[one.round] for one in found if one.round in before and (value := speed(one)))


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of what is there and not zero; None when nothing is."""
    known = [one for one in values if one]
    return statistics.median(known) if known else None


def _generate(host: ModelHost, prompt: str, new_tokens: int) -> Done:
    sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=new_tokens)
    for event in host.generate(prompt, sampling, fresh=True):
        if isinstance(event, Done):
            return event
    raise EvaluationError("The model host ended without a measurement.", next_step="Start the benchmark again.")
