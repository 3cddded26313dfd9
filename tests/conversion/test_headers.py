"""Hostile files: whatever the bytes are, reading ends in a header or a ConversionError and in nothing else."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGUFValueType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import TensorSource, TypedValue, encode_header, write_gguf
from studio.conversion.formats.safetensors_file import read_tensors
from studio.conversion.inspection.validation import metadata_faults, structure_faults, tensor_groups
from studio.conversion.quantization.sizes import estimate_sizes
from studio.errors import ConversionError

METADATA = {
    "general.architecture": "llama",
    "general.name": "Kleiner Drache",
    "general.alignment": 32,
    "llama.block_count": 1,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.ggml.tokens": TypedValue(GGUFValueType.ARRAY, ["a", "b", "é"], GGUFValueType.STRING),
    "tokenizer.ggml.scores": TypedValue(GGUFValueType.ARRAY, [0.0, 1.0, 2.0], GGUFValueType.FLOAT32),
}
SHAPES = {"token_embd.weight": (32, 3), "blk.0.attn_q.weight": (32, 32), "blk.0.attn_norm.weight": (32,)}
HEADER = encode_header(METADATA, [TensorSource(n, s, 1, 2 * prod(s), lambda: iter(())) for n, s in SHAPES.items()])
FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WEIGHTS = json.dumps(
    {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
)
SAFETENSORS = struct.pack("<Q", len(WEIGHTS)) + WEIGHTS.encode() + bytes(16)

Change = tuple[str, int, bytes]
changes = st.lists(
    st.tuples(
        st.sampled_from(["overwrite", "insert", "cut", "drop"]),
        st.integers(0, len(HEADER)),
        st.one_of(
            st.binary(min_size=1, max_size=12),
            st.sampled_from(
                [b"\xff" * 8, b"\xff" * 4, bytes(8), b"\x7f" * 8, struct.pack("<Q", 1 << 63), b"\x09\0\0\0"]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def changed(data: bytes, edits: list[Change]) -> bytes:
    for how, position, piece in edits:
        at = position % (len(data) + 1)
        match how:
            case "overwrite":
                data = data[:at] + piece + data[at + len(piece) :]
            case "insert":
                data = data[:at] + piece + data[at:]
            case "cut":
                data = data[:at]
            case "drop":
                data = data[:at] + data[at + len(piece) :]
    return data


def read_everything(path: Path) -> None:
    """Whatever the studio ever asks of a header."""
    header = read_header(path)
    for key in header.entries:
        header.array(key)
        header.integer(key)
    list(structure_faults(header))
    list(metadata_faults(header))
    tensor_groups(header)
    estimate_sizes(header)


def survives(path: Path, data: bytes) -> bool:
    """Whether the bytes were taken for a GGUF file; anything but a ConversionError fails the test."""
    path.write_bytes(data)
    try:
        read_everything(path)
    except ConversionError:
        return False
    return True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hostile.gguf"


def test_the_unchanged_file_is_read_back_as_it_was_written(path: Path) -> None:
    tensors = [
        TensorSource(name, shape, 0, 4 * prod(shape), lambda s=shape: iter([np.ones(s[::-1], np.float32)]))
        for name, shape in SHAPES.items()
    ]
    size = write_gguf(path, METADATA, tensors)
    header = read_header(path)
    assert size == path.stat().st_size == header.file_size
    assert {tensor.name: tensor.shape for tensor in header.tensors} == SHAPES
    assert header.array("tokenizer.ggml.tokens") == ["a", "b", "é"]
    assert header.values["tokenizer.ggml.add_bos_token"] is True
    assert list(structure_faults(header)) == []
    read_everything(path)


@given(changes)
@FUZZ
def test_a_mutated_gguf_gives_a_header_or_an_error(path: Path, edits: list[Change]) -> None:
    survives(path, changed(HEADER, edits))


def test_a_gguf_cut_off_anywhere_in_its_header_is_refused(path: Path) -> None:
    content = len(HEADER.rstrip(b"\0"))
    assert not any(survives(path, HEADER[:length]) for length in range(content - 16))


@pytest.mark.parametrize(
    "pattern", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x09\x00\x00\x00"]
)
def test_a_number_overwritten_anywhere_never_breaks_the_reader(path: Path, pattern: bytes) -> None:
    outcomes = [
        survives(path, HEADER[:at] + pattern + HEADER[at + len(pattern) :]) for at in range(len(HEADER) - len(pattern))
    ]
    assert False in outcomes


def test_promised_counts_cost_no_memory(path: Path) -> None:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1 << 60))
    with pytest.raises(ConversionError):
        read_header(path)
    key = struct.pack("<Q", 1) + b"a"
    array = struct.pack("<IIQ", GGUFValueType.ARRAY, GGUFValueType.STRING, 1 << 40)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key + array)
    with pytest.raises(ConversionError):
        read_header(path)


def test_tensors_outside_the_file_or_over_each_other_are_named(path: Path) -> None:
    path.write_bytes(HEADER)  # the data is missing
    faults = list(structure_faults(read_header(path)))
    assert any("cut off" in fault for fault in faults)
    header = read_header(path)
    doubled = GGUFHeader(**{**vars(header), "tensors": (header.tensors[0], header.tensors[0])})
    assert any("occurs 2 times" in fault for fault in structure_faults(doubled))
    assert any("overlaps" in fault for fault in structure_faults(doubled))


@given(changes)
@FUZZ
def test_mutated_safetensors_give_tensors_or_an_error(path: Path, edits: list[Change]) -> None:
    path.write_bytes(changed(SAFETENSORS, edits))
    try:
        for tensor in read_tensors(path).values():
            if tensor.readable and tensor.shape:
                tensor.read()
    except ConversionError:
        pass


@pytest.mark.parametrize("shape", ["[1e999, 2]", '["x"]', "[-2, -2]", "null", "[2, 3]", "[NaN]"])
def test_impossible_shapes_in_safetensors_are_refused(path: Path, shape: str) -> None:
    header = f'{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": [0, 16]}}}}'.encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(ConversionError):
        read_tensors(path)
