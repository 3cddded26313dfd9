"""The f16 file is the trained model: llama.cpp with it against transformers with the adapter merged by PEFT.

Measured (largest difference of a centred logit; largest KL divergence of a token, in nats), with a build of llama.cpp
that uses AMX, and with one that does not and multiplies float16 weights with activations rounded to float16:

    SmolLM2         4e-5, 2.4e-11   and   0.023, 2.8e-5
    Gemma 3 270M    0.014, 3.4e-6   and   0.022, 8.8e-6
    tiny models     4e-4, 3.1e-9    and   1.2e-3, 2.9e-8

The bounds are 4 to 12 times the larger figures. Forgetting one of SmolLM2's 210 adapted matrices gives 0.58 and 5.8e-3.
SmolLM2's prompts are ones where the best token leads by more than 0.1 throughout, so its greedy tokens must agree.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from studio.conversion.families import read_checkpoint
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.parity.check import verdict
from studio.conversion.parity.comparison import ParityReference, ParityReport, compare_with, make_reference
from studio.conversion.places import merged_path
from studio.conversion.quantization.quantize import quantize_file
from studio.conversion.quantization.types import file_type_name
from studio.conversion.service import write_lora
from studio.conversion.sources import find_source
from studio.workspace import PROJECT_ROOT, Workspace
from tests.conversion.conftest import Bench

PROMPTS = (
    "<|im_start|>user\nI open the door.<|im_end|>\n<|im_start|>assistant\n",
    "The goblin draws 3 arrows and",
    "Once upon a time",
    "perception: 12 + 5(skill) = *17*",
    "1 2 3 4 5",
)
SMOLLM2 = "smollm2-135m-instruct"
TINY = "tiny-llama"
BOUNDS = {SMOLLM2: (0.1, 2e-4), "gemma3-270m": (0.1, 1e-4)}
TINY_BOUNDS = (5e-3, 3e-7)
pytestmark = pytest.mark.slow


def make(bench: Bench, name: str, folder: Path) -> ParityReference:
    tokenizer = bench.bases[name].tokenizer()
    prompts = [tokenizer.encode(text).ids for text in (PROMPTS if name == SMOLLM2 else PROMPTS[:3])]
    tokens = 16 if name == SMOLLM2 else 8
    return make_reference(folder, bench.bases[name], bench.adapters[name], prompts, tokens=tokens, threads=1)


def within(report: ParityReport, name: str) -> bool:
    difference, divergence = BOUNDS.get(name, TINY_BOUNDS)
    return report.max_difference <= difference and report.max_kl_divergence <= divergence


@pytest.fixture(scope="module")
def reference_of(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ParityReference]:
    return cache(lambda name: make(bench, name, tmp_path_factory.mktemp("reference")))


@pytest.fixture(scope="module")
def reference(reference_of: Callable[[str], ParityReference]) -> ParityReference:
    return reference_of(SMOLLM2)


@pytest.mark.parametrize("name", ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3", "gemma3-270m"])
def test_every_family_says_in_llama_cpp_what_it_says_in_transformers(
    bench: Bench, name: str, reference_of: Callable[[str], ParityReference]
) -> None:
    report = compare_with(reference_of(name), bench.merged(name), threads=1)
    assert report.agrees, report
    assert within(report, name), report


@pytest.mark.parametrize("name", ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3", "gemma3-270m", SMOLLM2])
def test_the_adapter_laid_over_its_base_says_what_the_merged_model_says(
    bench: Bench, name: str, reference_of: Callable[[str], ParityReference]
) -> None:
    report = compare_with(reference_of(name), bench.unmerged(name), adapter=bench.lora(name), threads=1)
    assert report.agrees, report
    assert within(report, name), report


def test_an_adapter_with_dora_is_merged_as_peft_merges_it(bench: Bench, tmp_path: Path) -> None:
    base = bench.bases["tiny-llama"]
    prompts = [base.tokenizer().encode(text).ids for text in PROMPTS[:3]]
    reference = make_reference(tmp_path, base, bench.adapters["dora"], prompts, tokens=8, threads=1)
    merge_to_gguf(base, read_adapter(bench.adapters["dora"]), tmp_path / "dora.gguf")
    report = compare_with(reference, tmp_path / "dora.gguf", threads=1)
    assert report.agrees, report
    assert within(report, "tiny-llama"), report


def test_smollm2_says_in_llama_cpp_what_it_says_in_transformers(bench: Bench, reference: ParityReference) -> None:
    report = compare_with(reference, bench.merged(SMOLLM2), threads=1)
    assert [prompt.tokens for prompt in report.prompts] == [16] * len(PROMPTS)
    assert min(prompt.smallest_margin for prompt in report.prompts) > BOUNDS[SMOLLM2][0]
    assert report.same_tokens, report
    assert within(report, SMOLLM2), report
    assert len({tuple(one) for one in reference.continuations}) == len(PROMPTS)


@pytest.mark.parametrize("type_name", ["Q8_0", "Q6_K", "Q4_K_M"])
def test_a_quantized_file_stays_as_near_as_its_type_may(
    bench: Bench, reference: ParityReference, type_name: str, tmp_path: Path
) -> None:
    path = quantize_file(bench.merged(SMOLLM2), tmp_path / "small.gguf", type_name).path
    found = verdict(path, file_type_name(read_header(path)), compare_with(reference, path, threads=1))
    assert found.type == type_name
    assert found.passed, found
    assert found.kl_divergence > 10 * BOUNDS[SMOLLM2][1] / len(PROMPTS)  # it is not the unquantized file


def test_a_file_is_held_to_its_own_type(bench: Bench, reference: ParityReference, tmp_path: Path) -> None:
    """Q4_0's distance is too large for a file that says it is Q8_0."""
    path = tmp_path / "small.gguf"
    report = compare_with(reference, quantize_file(bench.merged(SMOLLM2), path, "Q4_0").path, threads=1)
    assert verdict(path, "Q4_0", report).passed
    assert not verdict(path, "Q8_0", report).passed
    assert not verdict(path, "F16", report).passed


def test_the_command_checks_all_files_of_a_run(stocked: Callable[[str], Workspace], bench: Bench) -> None:
    workspace = stocked(TINY)
    source = find_source(workspace, workspace.checkpoints_dir / "first")
    merged = merge_to_gguf(source.base, source.adapter, merged_path(workspace, "first")).path
    quantize_file(merged, merged.with_name("first.Q8_0.gguf"), "Q8_0")
    write_lora(workspace, "first")
    found = parity(workspace, "first", "--tokens", "6", "--say", "I open the door.")
    assert found.returncode == 0, found.stderr
    checked = json.loads(found.stdout)
    assert {one["type"]: one["passed"] for one in checked} == {"F16": True, "Q8_0": True, "LoRA": True}
    assert {one["tokens"] for one in checked} == {6}
    shutil.copyfile(bench.merged("tiny-qwen2"), merged)
    assert "not made from the same model" in parity(workspace, "first").stderr


def parity(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studio", "--workspace", str(workspace.root), "parity", *arguments, "--json"]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)


def without_adapter(bench: Bench, path: Path) -> None:
    merge_to_gguf(bench.bases[SMOLLM2], None, path)


def without_permutation(bench: Bench, path: Path) -> None:
    """The rows of q and k in the checkpoint's order, as a converter would leave them that forgot to reorder."""
    shutil.copyfile(bench.merged(SMOLLM2), path)
    checkpoint = read_checkpoint(bench.bases[SMOLLM2].hf)
    heads = {"attn_q.weight": checkpoint.heads, "attn_k.weight": checkpoint.kv_heads}
    for tensor, data in stored(path):
        if count := heads.get(tensor.split(".", 2)[-1]):
            pairs = data.reshape(count, -1, 2, data.shape[-1]).swapaxes(1, 2)
            data[:] = pairs.reshape(data.shape)


def one_matrix_forgotten(bench: Bench, path: Path) -> None:
    """A single matrix of the base where the merged one belongs."""
    plain = path.with_suffix(".base")
    without_adapter(bench, plain)
    shutil.copyfile(bench.merged(SMOLLM2), path)
    base = dict(stored(plain))
    for tensor, data in stored(path):
        if tensor == "blk.17.ffn_up.weight":
            assert not np.array_equal(data, base[tensor])
            data[:] = base[tensor]


def stored(path: Path) -> list[tuple[str, np.memmap]]:
    """The float16 matrices of a file, writable, `[rows, columns]`."""
    header = read_header(path)
    return [
        (t.name, np.memmap(path, np.float16, "r+", header.data_offset + t.offset, t.shape[::-1]))
        for t in header.tensors
        if t.type_name == "F16"
    ]


@pytest.mark.parametrize("spoil", [without_adapter, without_permutation, one_matrix_forgotten])
def test_a_wrong_file_does_not_pass(
    bench: Bench, reference: ParityReference, spoil: Callable[[Bench, Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.gguf"
    spoil(bench, path)
    report = compare_with(reference, path, threads=1)
    assert not within(report, SMOLLM2)
    assert report.max_difference > 3 * BOUNDS[SMOLLM2][0]
    assert report.max_kl_divergence > 10 * BOUNDS[SMOLLM2][1]
