"""The static Cactus check on the real base model and on headers that were damaged on purpose."""

from __future__ import annotations

import dataclasses
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import load_template
from studio.conversion.formats.gguf_header import read_header
from studio.errors import EvaluationError
from studio.validation.cactus import CactusReport, check_cactus
from studio.validation.cactus_text import LONGEST_TEMPLATE, TEMPLATE, check_template_syntax

Changed = Callable[..., Path]
TENSOR = b"blk.0.attn_q.weight"


def failed(report: CactusReport) -> set[str]:
    return {one.name for one in report.checks if one.verdict == "fail"}


def text_value(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def tensor_field(base: Path, field: int, code: str, value: int) -> tuple[bytes, bytes]:
    """Bytes of the header from a tensor's name to a field behind it, as they are and with `value` in the field."""
    content = base.read_bytes()[: read_header(base).data_offset]
    start = content.index(TENSOR)
    end = start + len(TENSOR) + field
    old = content[start : end + struct.calcsize(code)]
    return old, content[start:end] + struct.pack(code, value)


def test_the_base_model_passes_and_its_warnings_are_the_known_ones(base: Path) -> None:
    report = check_cactus(base)
    assert report.passes
    assert report.architecture == "llama"
    warned = {(one.name, one.engine) for one in report.checks if one.verdict == "warn"}
    assert warned == {("first token", "0.2.11"), ("format", "2.2.2"), ("cache", "2.2.2"), ("widths", "2.2.2")}
    assert "<|im_end|>" in report.check("turn end").sentence
    assert "180 of 210" in report.check("widths").sentence


def test_nothing_is_claimed_that_was_not_run(base: Path) -> None:
    report = check_cactus(base)
    unmeasured = {one.name for one in report.checks if one.verdict == "not measured"}
    assert unmeasured == {"tools", "activations", "phone speed", "phone memory", "phone battery"}
    assert [(one.level, one.engine, one.status) for one in report.levels] == [
        (1, "none", "run"),
        (2, "0.2.11", "not run"),
        (3, "2.2.2", "not run"),
    ]
    assert all(one.reason for one in report.levels)
    assert all(one.sentence and one.engine in ("0.2.11", "2.2.2", "any") for one in report.checks)


def test_the_unchanged_copy_passes_like_the_file(changed: Changed, base: Path) -> None:
    assert check_cactus(changed()).checks == check_cactus(base).checks


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"tokenizer.chat_template", b"tokenizer.chat_templatX", {"chat template"}),
        (b"tokenizer.ggml.eos_token_id", b"tokenizer.ggml.eos_token_iX", {"end token"}),
        (b"tokenizer.ggml.pre", b"tokenizer.ggml.prX", {"pre-tokenizer"}),
        (text_value(b"smollm"), text_value(b"smolly"), {"pre-tokenizer"}),
        (b"llama.context_length", b"llama.context_lengtX", {"hyperparameters", "context"}),
        (b"llama.block_count", b"llama.block_counX", {"hyperparameters"}),
        (b"{% for message", b"{% xor message", {"template syntax"}),
    ],
)
def test_what_is_missing_or_unknown_fails_its_row_and_no_other(
    changed: Changed, old: bytes, new: bytes, expected: set[str]
) -> None:
    report = check_cactus(changed((old, new)))
    assert failed(report) == expected
    assert not report.passes


def test_an_unknown_architecture_fails(changed: Changed) -> None:
    report = check_cactus(changed((text_value(b"llama"), text_value(b"lfm2x"))))
    assert "lfm2x" in report.check("architecture").sentence
    assert "architecture" in failed(report)


def test_what_the_engine_would_guess_is_a_warning(changed: Changed) -> None:
    report = check_cactus(changed((b"llama.rope.freq_base", b"llama.rope.freq_basX")))
    assert report.check("hyperparameters").verdict == "warn"
    assert report.passes


def test_an_end_token_outside_the_vocabulary_fails(changed: Changed, base: Path) -> None:
    entry = read_header(base).entries["tokenizer.ggml.eos_token_id"]
    key = b"tokenizer.ggml.eos_token_id" + struct.pack("<I", entry.kind)
    report = check_cactus(changed((key + struct.pack("<I", 2), key + struct.pack("<I", 49_152))))
    assert failed(report) == {"end token"}


def test_a_tensor_type_that_is_unknown_fails(changed: Changed, base: Path) -> None:
    report = check_cactus(changed(tensor_field(base, 4 + 2 * 8, "<I", 99)))
    assert failed(report) == {"tensor types"}
    assert "type 99" in report.check("tensor types").sentence


@pytest.mark.parametrize("offset", [1 << 40, 7, 0])
def test_a_tensor_out_of_its_place_fails(changed: Changed, base: Path, offset: int) -> None:
    assert failed(check_cactus(changed(tensor_field(base, 4 + 2 * 8 + 4, "<Q", offset)))) == {"tensors"}


def test_a_file_that_is_cut_off_fails(changed: Changed, base: Path) -> None:
    path = changed()
    os.truncate(path, base.stat().st_size - 4096)
    assert failed(check_cactus(path)) == {"tensors"}
    os.truncate(path, 1000)
    assert failed(check_cactus(path)) == {"file"}


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all", b"GGUF\x03\x00\x00\x00" + b"\xff" * 64])
def test_a_file_that_is_no_model_fails_with_one_row(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    report = check_cactus(path)
    assert [(one.name, one.verdict) for one in report.checks] == [("file", "fail")]
    assert len(report.levels) == 3


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        check_cactus(tmp_path / "nothing.gguf")
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.content }}{% endfor %}", "pass"),
        ("{% include 'other' %}", "fail"),
        ("{% extends 'other' %}", "fail"),
        ("{% block body %}{% endblock %}", "fail"),
        ("{% for m in messages %}", "fail"),
        ("{{ " + "(" * 5000, "fail"),
        (" " * (LONGEST_TEMPLATE + 1), "fail"),
        *((load_template(family).source, "pass") for family in ("smollm2", "llama3", "gemma3", "qwen3")),
    ],
    ids=lambda value: value[:24],
)
def test_templates_keep_to_what_the_engine_reads(base: Path, source: str, verdict: str) -> None:
    header = read_header(base)
    header = dataclasses.replace(header, values={**header.values, TEMPLATE: source})
    assert check_template_syntax(header).verdict == verdict


def test_bytes_flipped_at_random_never_break_the_check(changed: Changed, base: Path) -> None:
    path, size = changed(), read_header(base).header_size
    chance, head = random.Random(7), path.read_bytes()[:2500]
    names, seen = {one.name for one in check_cactus(path).checks}, set()
    for _ in range(20):
        place = chance.randrange(min(size, len(head)))
        with path.open("r+b") as stream:
            stream.write(head[:place] + bytes([chance.randrange(256)]) + head[place + 1 :])
        found = {one.name for one in check_cactus(path).checks}
        assert found in (names, {"file"})
        seen.add(frozenset(found))
    assert len(seen) == 2  # both sorts were tried: headers that still read, and headers that do not
