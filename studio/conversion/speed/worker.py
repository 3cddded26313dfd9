"""The job of `studio.conversion.speed.expected`: times matrices of each type, then a real file, keeps the result."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind
from pydantic import JsonValue

from studio.conversion.families import GGUF_EMBEDDING, GGUF_OUTPUT
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.speed.expected import (
    BEHIND,
    SPEED_FILE,
    DecodingPace,
    SpeedOrder,
    bytes_per_token,
    multiplied,
    possible_kinds,
)
from studio.conversion.speed.matrices import Matrix, MatrixBench
from studio.errors import ConversionError
from studio.jobs import Worker, usable_cores
from studio.machine import look
from studio.workspace import Workspace, atomic_write

TIMED_TOKENS, _FEWEST_TOKENS = 128, 8
_FOR_THE_FILE = 4
_TINY, _TINY_COUNT = Matrix(32, 8), 200


def main(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """Measure and write `decoding.json` into the job's folder; nothing is written when it is stopped."""
    order = SpeedOrder.model_validate(arguments)
    header, machine = read_header(order.gguf), look(Workspace(order.workspace))
    kinds, found = possible_kinds(header), dict[str, float]()
    with MatrixBench(usable_cores(), order.patience) as bench:
        start = bench.seconds(Kind.F32, [_TINY] * _TINY_COUNT) / _TINY_COUNT
        for number, kind in enumerate(kinds):
            if worker.stop_requested():
                return
            worker.progress(number, len(kinds) + 1, "types")
            found[kind.name] = _seconds_per_byte(bench, kind, matrices(header, kind, order.working_set), start)
    measured = tokens_per_second(order.gguf, usable_cores(), _FOR_THE_FILE * order.patience)
    pace = DecodingPace(
        processor=machine.processor,
        cores=machine.cores,
        seconds_per_byte=found,
        rest_seconds=_rest(header, found, measured),
        measured=measured,
    )
    atomic_write(worker.directory / SPEED_FILE, pace.model_dump_json(indent=1) + "\n")
    worker.result({"measured": measured})


def matrices(header: GGUFHeader, kind: Kind, working_set: int) -> list[Matrix]:
    """Matrices of the model that can have this type, layers first, again and again until they fill so many bytes."""
    block, size = GGML_QUANT_SIZES[kind]
    fitting = [one for one in multiplied(header) if one.shape[0] % block == 0]
    layers_first = sorted(fitting, key=lambda one: one.name in (GGUF_EMBEDDING, GGUF_OUTPUT))
    chosen, filled = list[Matrix](), 0
    for one in itertools.cycle(Matrix(*one.shape) for one in layers_first):
        if filled >= working_set:
            return chosen
        chosen.append(one)
        filled += one.width * one.rows // block * size
    return chosen


def tokens_per_second(gguf: Path, threads: int, patience: float) -> float:
    """The speed of a file at the fastest of `TIMED_TOKENS` tokens, behind `BEHIND` others.

    The fastest, because whatever else is at work on the machine only slows tokens down. After `patience` seconds, no
    more tokens are timed than the first few.

    Raises:
        ConversionError: llama.cpp cannot run the file.
    """
    shortest: float = min(_decoded(gguf, threads, patience))
    return 1 / shortest


def _seconds_per_byte(bench: MatrixBench, kind: Kind, chosen: Sequence[Matrix], start: float) -> float:
    """What a byte takes beyond the start of each product, which is the same for every type."""
    block, size = GGML_QUANT_SIZES[kind]
    total: int = sum(one.width * one.rows // block * size for one in chosen)
    seconds = bench.seconds(kind, chosen)
    return max(seconds - start * len(chosen), seconds / 2) / total


def _rest(header: GGUFHeader, found: dict[str, float], measured: float) -> float:
    """What a token of the measured file took beside its matrices."""
    own = bytes_per_token(header, {one.name: Kind(one.kind) for one in header.tensors})
    known = sum(found.get(kind.name, 0.0) * count for kind, count in own.items())
    return max(0.0, 1 / measured - known)


def _decoded(gguf: Path, threads: int, patience: float) -> Iterator[float]:
    """Seconds of each token. Which tokens they are makes no difference to the time."""
    import llama_cpp

    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = 2 * (BEHIND + TIMED_TOKENS)
    parameters.n_threads = parameters.n_threads_batch = threads
    model = llama_cpp.llama_model_load_from_file(os.fsencode(gguf), llama_cpp.llama_model_default_params())
    context = llama_cpp.llama_init_from_model(model, parameters) if model else None
    if not context:
        raise ConversionError("llama.cpp cannot load this file.", next_step="Validate it.", where=gguf.name)
    try:
        _decode(context, list(range(100, 100 + BEHIND)))
        begun = time.perf_counter()
        for number, token in enumerate(range(100, 100 + TIMED_TOKENS)):
            if number >= _FEWEST_TOKENS and time.perf_counter() - begun > patience:
                break
            before = time.perf_counter()
            _decode(context, [token])
            yield time.perf_counter() - before
    finally:
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)


def _decode(context: object, tokens: list[int]) -> None:
    import llama_cpp

    array = (llama_cpp.llama_token * len(tokens))(*tokens)
    if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))):
        raise ConversionError("llama.cpp could not compute a token.", next_step="Validate the file.")
