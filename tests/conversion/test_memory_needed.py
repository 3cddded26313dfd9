"""The memory that is told before a file is made is what llama.cpp allocates when it loads it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, TypeAlias

import pytest

from studio.bases import BaseModel
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.memory import BATCH_TOKENS, MemoryNeed, memory_needed, memory_parts
from studio.workspace import PROJECT_ROOT

Load: TypeAlias = tuple[MemoryNeed, dict[str, Any]]
SAID_TO = 0.01 * 2**20
"""llama.cpp tells its buffers in MiB with two digits."""


@pytest.fixture(scope="module")
def loads(smollm2: BaseModel, gemma3: BaseModel) -> list[Load]:
    """What is told and what llama.cpp said, for both models and each window, batch and way to keep a sliding window."""
    headers = {str(base.gguf): header_of(base) for base in (smollm2, gemma3)}
    command = [sys.executable, "-m", "tests.conversion.llama_buffers", *headers]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT_ROOT)
    return [(_told(headers[said["path"]], said), said) for said in map(json.loads, done.stdout.splitlines())]


def _told(header: GGUFHeader, said: dict[str, Any]) -> MemoryNeed:
    return memory_parts(
        header, header.file_size, said["window"],
        batch_tokens=said["batch"], whole_window=said["whole"], flash_attention=said["flash"],
    )  # fmt: skip


def header_of(base: BaseModel) -> GGUFHeader:
    assert base.gguf
    return read_header(base.gguf)


def test_the_kv_cache_is_the_one_that_llama_cpp_allocates(loads: list[Load]) -> None:
    assert len(loads) == 48
    for told, said in loads:
        assert told.kv_cache == pytest.approx(said["kv_cache"], abs=2 * SAID_TO), said


def test_the_working_buffer_is_within_a_twentieth(loads: list[Load]) -> None:
    for told, said in loads:
        assert told.compute == pytest.approx(said["compute"], rel=0.05), said


def test_a_sliding_window_saves_memory_and_only_where_there_is_one(smollm2: BaseModel, gemma3: BaseModel) -> None:
    for base, slides in ((smollm2, False), (gemma3, True)):
        header = header_of(base)
        some = memory_parts(header, header.file_size, 8192).kv_cache
        every = memory_parts(header, header.file_size, 8192, whole_window=True).kv_cache
        assert (some < every / 3) if slides else (some == every)


def test_the_parts_make_up_the_whole(smollm2: BaseModel) -> None:
    header = header_of(smollm2)
    parts = memory_parts(header, header.file_size, 2048)
    assert memory_needed(header, header.file_size, 2048) == parts.weights + parts.kv_cache + parts.compute
    assert parts.weights == header.file_size - header.data_offset
    assert parts.kv_cache == 30 * 3 * 64 * 2 * 2 * 2048  # layers, heads, width, keys and values, float16, tokens


def test_a_window_is_rounded_up_and_never_longer_than_the_model_was_trained_for(smollm2: BaseModel) -> None:
    header = header_of(smollm2)
    assert memory_needed(header, header.file_size, 2000) == memory_needed(header, header.file_size, 2048)
    assert memory_needed(header, header.file_size, 100_000) == memory_needed(header, header.file_size, 8192)


def test_the_batch_is_that_of_the_studios_player() -> None:
    text = (PROJECT_ROOT / "studio" / "play" / "hosts" / "engine.py").read_text(encoding="utf-8")
    assert f"BATCH_TOKENS = {BATCH_TOKENS}\n" in text
