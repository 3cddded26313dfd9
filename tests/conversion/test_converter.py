"""`GGUFConverter`, what its files say about themselves, and what validation finds in good, damaged and foreign ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from studio.conversion import GGUFConverter, estimate_sizes
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.quantization.quantize import quantize_file
from studio.errors import ConversionError
from studio.workspace import Workspace, sha256_file
from tests.conversion.conftest import Bench

TINY = "tiny-llama"
FAMILIES = ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3", "smollm2-135m-instruct"]


@pytest.fixture
def workspace(stocked: Callable[[str], Workspace]) -> Workspace:
    return stocked(TINY)


@pytest.fixture
def converter(workspace: Workspace) -> GGUFConverter:
    return GGUFConverter(workspace)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_carries_the_template_that_training_uses(bench: Bench, name: str) -> None:
    template = read_header(bench.merged(name)).text("tokenizer.chat_template")
    base = bench.bases[name]
    assert template == base.template().source
    assert template == (base.hf / "chat_template.jinja").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_tokenizer_in_the_file_is_the_bases_own(bench: Bench, name: str) -> None:
    header, tokenizer = read_header(bench.merged(name)), bench.bases[name].tokenizer()
    tokens = header.array("tokenizer.ggml.tokens")
    assert len(tokens) == tokenizer.get_vocab_size()
    for number in range(0, len(tokens), 997):
        assert tokenizer.id_to_token(number) == tokens[number]


def test_a_run_becomes_a_file_that_names_its_parents(converter: GGUFConverter, workspace: Workspace) -> None:
    run = workspace.checkpoints_dir / "first"
    report = converter.convert_to_gguf(run, workspace.gguf_dir / "mine.gguf")
    header = read_header(report.path)
    assert header.text("studio.adapter.sha256") == sha256_file(run / "adapter" / "adapter_model.safetensors")
    assert header.text("studio.dataset.fingerprint") == "d" * 64
    assert header.text("studio.config.sha256") == "c" * 64
    assert header.text("studio.run") == header.text("general.name") == "first"
    assert header.text("studio.base.name") == TINY
    assert len(header.text("studio.base.sha256")) == 64


def test_an_adapter_folder_and_a_base_folder_can_be_converted_too(
    converter: GGUFConverter, workspace: Workspace, bench: Bench, tmp_path: Path
) -> None:
    adapter = converter.convert_to_gguf(workspace.checkpoints_dir / "first" / "adapter", tmp_path / "adapter.gguf")
    base = converter.convert_to_gguf(str(workspace.base_dir / TINY), str(tmp_path / "base.gguf"))
    assert (adapter.merged, base.merged) == (14, 0)
    assert "studio.adapter.sha256" not in read_header(base.path).values
    merged = read_header(bench.merged(TINY))
    assert read_header(adapter.path).tensors == merged.tensors == read_header(base.path).tensors


@pytest.mark.slow
def test_a_run_is_quantized_beside_its_merged_file(converter: GGUFConverter, workspace: Workspace) -> None:
    report = converter.quantize_model(workspace.checkpoints_dir / "first", "q4_k_m")
    assert report.path == workspace.gguf_dir / "first" / "first.Q4_K_M.gguf"
    assert report.size == report.predicted_size == report.path.stat().st_size
    merged = workspace.gguf_dir / "first" / "first.f16.gguf"
    assert converter.quantize_model(merged, "Q4_K_M").path == report.path
    assert read_header(report.path).text("studio.adapter.sha256") == read_header(merged).text("studio.adapter.sha256")


@pytest.mark.slow
def test_a_phone_gets_the_largest_file_that_fits(converter: GGUFConverter, workspace: Workspace) -> None:
    run = workspace.checkpoints_dir / "first"
    report = converter.optimize_for_mobile(run, 0.014, fast=True)
    sizes = [one.size for one in estimate_sizes(workspace.gguf_dir / "first" / "first.f16.gguf")]
    assert report.size == max(size for size in sizes if size <= 14_000_000)
    with pytest.raises(ConversionError):
        converter.optimize_for_mobile(run, 0.001)


@pytest.mark.parametrize("type_name", ["Q9_K", "", "IQ1_S"])
def test_types_that_cannot_be_made_are_refused(converter: GGUFConverter, bench: Bench, type_name: str) -> None:
    with pytest.raises(ConversionError):
        converter.quantize_model(bench.merged(TINY), type_name)
    assert not list(bench.merged(TINY).parent.glob("*Q9*"))


def test_a_base_model_is_not_quantized_twice(converter: GGUFConverter, workspace: Workspace) -> None:
    with pytest.raises(ConversionError) as caught:
        converter.quantize_model(workspace.base_dir / "smollm2-135m-instruct" / "base.gguf", "Q4_0")
    assert "quantized already" in caught.value.what


@pytest.mark.slow
def test_a_good_file_is_valid_and_was_played(converter: GGUFConverter, bench: Bench, tmp_path: Path) -> None:
    small = quantize_file(bench.merged("smollm2-135m-instruct"), tmp_path / "small.gguf", "Q8_0").path
    report = converter.validate_gguf(small)
    assert report.valid, report.checks
    assert [check.name for check in report.checks] == ["structure", "metadata", "tokenizer", "chat_template", "runs"]
    assert {group.type for group in report.tensor_types} == {"Q8_0", "F32"}
    assert report.metadata["studio.base.family"] == "smollm2"
    assert report.arrays["tokenizer.ggml.tokens"] == 49152


@pytest.mark.slow
def test_a_published_file_is_valid_with_its_own_template(converter: GGUFConverter, bench: Bench) -> None:
    base = bench.bases["smollm2-135m-instruct"].gguf
    assert base is not None
    report = converter.validate_gguf(base)
    assert report.valid, report.checks
    assert "not compared" in report.check("chat_template").detail


@pytest.fixture
def copy(bench: Bench, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(bench.merged(TINY), tmp_path / "copy.gguf"))


def replace(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes of the header in place; the length must stay."""
    assert len(old) == len(new)
    size = read_header(path).header_size
    data = path.read_bytes()
    assert old in data[:size]
    path.write_bytes(data[:size].replace(old, new) + data[size:])


def test_a_file_that_was_cut_off_is_not_valid_and_not_played(converter: GGUFConverter, copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-100_000])
    report = converter.validate_gguf(copy)
    assert not report.valid
    assert "cut off" in report.check("structure").detail
    assert "Not tried" in report.check("runs").detail


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_found_by_playing(converter: GGUFConverter, copy: Path) -> None:
    header = read_header(copy)
    norm = next(tensor for tensor in header.tensors if tensor.name == "blk.1.ffn_norm.weight")
    stored = np.memmap(copy, np.float32, "r+", header.data_offset + norm.offset, norm.shape)
    stored[:] = np.nan
    stored.flush()
    report = converter.validate_gguf(copy)
    assert report.check("structure").passed
    assert not report.check("runs").passed
    assert "finite" in report.check("runs").detail


@pytest.mark.slow
def test_another_template_than_the_trained_one_is_not_valid(converter: GGUFConverter, copy: Path) -> None:
    replace(copy, b"<|im_start|>' + message", b"<|im_stort|>' + message")
    report = converter.validate_gguf(copy)
    assert not report.check("chat_template").passed
    assert report.check("runs").passed


@pytest.mark.slow
def test_a_file_that_llama_cpp_refuses_is_told_and_nothing_is_raised(converter: GGUFConverter, copy: Path) -> None:
    replace(copy, b"llama.block_count", b"llama.block_xount")
    report = converter.validate_gguf(copy)
    assert "llama.block_count is missing." in report.check("metadata").detail
    assert not report.check("runs").passed


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model", b"GGUF" + bytes(20)])
def test_anything_else_is_not_valid(converter: GGUFConverter, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thing.gguf").write_bytes(content)
    assert not converter.validate_gguf(tmp_path / "thing.gguf").valid


def test_a_file_that_is_not_there_or_a_folder_is_not_valid(converter: GGUFConverter, tmp_path: Path) -> None:
    assert not converter.validate_gguf(tmp_path / "missing.gguf").valid
    assert not converter.validate_gguf(tmp_path).valid
