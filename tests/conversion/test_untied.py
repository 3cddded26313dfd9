"""Models whose output layer is not the token embedding: it is merged, laid over and quantized like any other layer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from studio.bases import BaseModel, import_folder
from studio.conversion.families import OUTPUT
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.lora_gguf import lora_to_gguf
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.parity.comparison import compare_with, make_reference
from tests.conversion.conftest import Bench
from tests.conversion.test_parity import PROMPTS, within

FAMILIES = ("tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3")
COMPARED = ("tiny-llama", "tiny-gemma3")
RANK, TOKENS = 8, 6


def untied(bench: Bench, name: str) -> BaseModel:
    """The tiny model of that name with random weights of its own in the output layer, imported once."""
    target = bench.workspace.base_dir / f"{name}-untied"
    if target.exists():
        return BaseModel.load(target)
    folder = Path(shutil.copytree(bench.bases[name].hf, bench.workspace.root / "untied" / name))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    weights = load_file(folder / "model.safetensors")
    shape = weights["model.embed_tokens.weight"].shape
    weights[OUTPUT] = (np.random.default_rng(4).standard_normal(shape) / 50).astype(np.float32)
    (folder / "model.safetensors").unlink()  # it is a hard link
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return import_folder(bench.workspace, folder, target.name, accept_licence=True)


def with_output_layer(bench: Bench, name: str, base: BaseModel) -> Path:
    """The model's adapter with a pair for the output layer besides."""
    folder = bench.workspace.root / "untied-adapters" / name
    if folder.exists():
        return folder
    shutil.copytree(bench.adapters[name], folder)
    random = np.random.default_rng(9)
    rows, columns = load_file(base.hf / "model.safetensors")[OUTPUT].shape
    weights = load_file(folder / "adapter_model.safetensors")
    weights["base_model.model.lm_head.lora_A.weight"] = random.standard_normal((RANK, columns)).astype(np.float32)
    weights["base_model.model.lm_head.lora_B.weight"] = random.standard_normal((rows, RANK)).astype(np.float32) / 1000
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "target_modules": [*config["target_modules"], "lm_head"]}))
    return folder


def stored(path: Path, name: str) -> np.ndarray:
    header = read_header(path)
    found = next(tensor for tensor in header.tensors if tensor.name == name)
    return np.fromfile(path, np.float16, found.elements, offset=header.data_offset + found.offset).reshape(
        found.shape[::-1]
    )


def is_rounded(found: np.ndarray, exact: np.ndarray) -> bool:
    """Whether float16 values are the nearest to `exact`, give or take what float32 arithmetic loses on the way."""
    half_a_step = np.spacing(np.abs(found)).astype(np.float64) / 2
    lost = np.finfo(np.float32).eps * np.abs(exact).max()
    return bool((np.abs(found.astype(np.float64) - exact) <= half_a_step + lost).all())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_output_layer_is_merged_and_laid_over_on_its_own(bench: Bench, name: str, tmp_path: Path) -> None:
    base = untied(bench, name)
    adapter = read_adapter(with_output_layer(bench, name, base))
    pair = adapter.pairs[OUTPUT]
    merged = merge_to_gguf(base, adapter, tmp_path / "merged.gguf").path
    update = pair.update().scaled_b.astype(np.float64) @ pair.a.read().astype(np.float64)
    assert is_rounded(stored(merged, "output.weight"), load_file(base.hf / "model.safetensors")[OUTPUT] + update)
    assert not np.array_equal(stored(merged, "output.weight"), stored(merged, "token_embd.weight"))
    laid = lora_to_gguf(base, adapter, tmp_path / "a.lora.gguf").path
    assert np.array_equal(stored(laid, "output.weight.lora_a"), pair.a.read().astype(np.float16))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_an_untied_model_says_in_llama_cpp_what_it_says_in_transformers(
    bench: Bench, name: str, tmp_path: Path
) -> None:
    base = untied(bench, name)
    adapter = with_output_layer(bench, name, base)
    prompts = [base.tokenizer().encode(text).ids for text in PROMPTS[:2]]
    reference = make_reference(tmp_path, base, adapter, prompts, tokens=TOKENS, threads=1)
    merge_to_gguf(base, read_adapter(adapter), tmp_path / "merged.gguf")
    merge_to_gguf(base, None, tmp_path / "base.gguf")
    lora_to_gguf(base, read_adapter(adapter), tmp_path / "a.lora.gguf")
    for report in (
        compare_with(reference, tmp_path / "merged.gguf", threads=1),
        compare_with(reference, tmp_path / "base.gguf", adapter=tmp_path / "a.lora.gguf", threads=1),
    ):
        assert report.agrees, report
        assert within(report, name), report
