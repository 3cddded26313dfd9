"""Every type of every tensor is what llama.cpp decides, with and without an importance matrix and overrides."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.conversion import estimate_size, quantize_file
from studio.conversion.formats.gguf_header import read_header, type_names
from studio.conversion.imatrix.matrix import Activations, ImportanceMatrix, write_imatrix
from studio.conversion.quantization.overrides import override_kinds
from studio.conversion.quantization.types import TYPES, overridden_kinds, tensor_kinds
from studio.errors import ConversionError
from tests.conversion.conftest import Bench
from tests.conversion.tiny_gguf import write_tiny_gguf

ASKER = Path(__file__).with_name("llama_types.py")
SHAPES: dict[str, dict[str, Any]] = {
    "grouped": {"layers": 17, "kv_heads": 2},
    "tied": {"layers": 9, "kv_heads": 8, "tied": True},
    "narrow": {"width": 288, "hidden": 544, "kv_heads": 8},
}
OVERRIDES = {
    "blk.1.ffn_down": "Q8_0",
    "ffn_down": "Q5_K",
    "attn_v": "IQ3_XXS",
    "token_embd": "Q4_K",
    "output": "IQ4_NL",
}


def flat_matrix(gguf: Path, target: Path) -> Path:
    """A matrix of a model's shape, in which every column counts the same."""
    header = read_header(gguf)
    wide = [one for one in header.tensors if one.name.startswith("blk.") and len(one.shape) > 1]
    entries = {one.name: Activations(np.ones(one.shape[0], np.float32), np.ones(1, np.float32)) for one in wide}
    write_imatrix(target, ImportanceMatrix(entries))
    return target


def llama_says(questions: list[tuple[Path, Path | None, dict[str, int], str]]) -> list[dict[str, Any]]:
    asked = [(str(gguf), str(matrix or ""), kinds, how) for gguf, matrix, kinds, how in questions]
    command = [sys.executable, "-m", "tests.conversion.llama_types", json.dumps(asked)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ASKER.parents[2])
    return list(json.loads(done.stdout))


@dataclass(frozen=True)
class Plans:
    """A model, and llama.cpp's plans for it: plain, with a matrix, and with overrides."""

    gguf: Path
    plain: dict[str, Any]
    imatrix: dict[str, Any]
    overridden: dict[str, Any]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plans]:
    folder = tmp_path_factory.mktemp("shapes")
    models = {shape: write_tiny_gguf(folder / f"{shape}.gguf", **SHAPES[shape]) for shape in SHAPES}
    questions = []
    for shape, gguf in models.items():
        kinds = overridden_kinds(read_header(gguf), "Q4_K_M", overrides_for(shape))
        wanted = {name: int(kind) for name, kind in kinds.items()}
        matrix = flat_matrix(gguf, folder / f"{shape}.imatrix.gguf")
        questions += [(gguf, None, {}, "plan"), (gguf, matrix, {}, "plan"), (gguf, None, wanted, "plan")]
    answers = iter(llama_says(questions))
    return {shape: Plans(gguf, next(answers), next(answers), next(answers)) for shape, gguf in models.items()}


def overrides_for(shape: str) -> dict[str, str]:
    """A model whose output layer is its embedding has none that could be named."""
    return {key: kind for key, kind in OVERRIDES.items() if key != "output" or shape != "tied"}


def we_say(gguf: Path, name: str, *, imatrix: bool, overrides: dict[str, str] | None = None) -> dict[str, str]:
    kinds = tensor_kinds(read_header(gguf), TYPES[name], imatrix=imatrix, overrides=overrides)
    return {tensor: kind.name for tensor, kind in kinds.items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("imatrix", [False, True], ids=["plain", "imatrix"])
def test_every_file_type_gives_each_tensor_what_llama_cpp_plans(
    plans: dict[str, Plans], shape: str, imatrix: bool
) -> None:
    plan = plans[shape].imatrix if imatrix else plans[shape].plain
    assert list(plan) == list(TYPES)
    for name, kinds in plan.items():
        assert we_say(plans[shape].gguf, name, imatrix=imatrix) == kinds, name


@pytest.mark.parametrize("shape", SHAPES)
def test_overrides_and_what_follows_from_them_are_as_llama_cpp_plans(plans: dict[str, Plans], shape: str) -> None:
    for name in TYPES:
        if name not in ("F32", "F16", "BF16"):
            found = we_say(plans[shape].gguf, name, imatrix=False, overrides=overrides_for(shape))
            assert found == plans[shape].overridden[name], name


@pytest.mark.slow
def test_every_type_that_needs_a_matrix_is_made_and_has_the_predicted_size(tmp_path: Path) -> None:
    gguf = write_tiny_gguf(tmp_path / "tiny.gguf", layers=1, hidden=256)
    matrix = flat_matrix(gguf, tmp_path / "flat.gguf")
    folder = tmp_path / "made"
    folder.mkdir()
    [sizes] = llama_says([(gguf, matrix, {}, str(folder))])
    assert len(sizes) == 9
    for name, size in sizes.items():
        header = read_header(folder / f"{name}.gguf")
        estimate = estimate_size(gguf, name, imatrix=True)
        assert type_names(header.tensors) == estimate.tensor_types, name
        assert size == estimate.size, name


@pytest.mark.slow
def test_smollm2_gets_its_smallest_type_and_single_tensors_another(bench: Bench, tmp_path: Path) -> None:
    source = bench.merged("smollm2-135m-instruct")
    matrix, overrides = flat_matrix(source, tmp_path / "flat.gguf"), {"token_embd": "Q6_K", "blk.0.*": "Q8_0"}
    predicted = estimate_size(source, "IQ1_S", imatrix=True, overrides=overrides)
    made = quantize_file(source, tmp_path / "small.gguf", "IQ1_S", imatrix=matrix, overrides=overrides)
    assert made.size == made.predicted_size == predicted.size == made.path.stat().st_size
    assert type_names(read_header(made.path).tensors) == predicted.tensor_types


def test_an_override_means_the_whole_name_of_a_part() -> None:
    values = [f"blk.{layer}.attn_v.weight" for layer in (10, 1)]
    names = ["output.weight", "token_embd.weight", "blk.0.attn_output.weight", *values]
    assert [*override_kinds(names, {"output": "q6_k"})] == ["output.weight"]
    assert [*override_kinds(names, {"attn_v": "Q6_K"})] == values
    assert [*override_kinds(names, {"blk.1.*": "Q6_K"})] == ["blk.1.attn_v.weight"]
    first = override_kinds(names, {"blk.1.attn_v.weight": "Q8_0", "attn_?": "Q4_0"})
    assert {name: kind.name for name, kind in first.items()} == {
        "blk.1.attn_v.weight": "Q8_0",
        "blk.10.attn_v.weight": "Q4_0",
    }


@pytest.mark.parametrize(
    ("type_name", "overrides"),
    [("Q4_0", {"attn_v": "Q4_K_M"}), ("Q4_0", {"attn": "Q8_0"}), ("F16", {"attn_v": "Q8_0"})],
)
def test_overrides_that_cannot_be_are_refused(tmp_path: Path, type_name: str, overrides: dict[str, str]) -> None:
    gguf = write_tiny_gguf(tmp_path / "tiny.gguf")
    with pytest.raises(ConversionError) as caught:
        quantize_file(gguf, tmp_path / "small.gguf", type_name, overrides=overrides)
    assert caught.value.where == "override"
    assert not (tmp_path / "small.gguf").exists()


def test_an_override_can_make_a_matrix_necessary(tmp_path: Path) -> None:
    gguf = write_tiny_gguf(tmp_path / "tiny.gguf")
    assert not estimate_size(gguf, "Q8_0").needs_imatrix
    assert estimate_size(gguf, "Q8_0", overrides={"attn_v": "IQ2_XS"}).needs_imatrix
    assert not estimate_size(gguf, "Q8_0", overrides={"token_embd": "IQ2_XS"}).needs_imatrix
