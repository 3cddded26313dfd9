"""The predicted size is the size of the file that llama.cpp makes, to the byte, and so are the tensor types."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from studio.conversion.formats.gguf_header import read_header, type_names
from studio.conversion.quantization.quantize import quantize_file
from studio.conversion.quantization.sizes import estimate_size, estimate_sizes
from studio.conversion.quantization.types import quantization_type, tensor_kinds
from studio.conversion.search.fitting import GIGABYTE, choosable, largest_fitting
from studio.errors import ConversionError
from tests.conversion.conftest import Bench

SMOLLM2 = "smollm2-135m-instruct"


@pytest.mark.slow
@pytest.mark.parametrize("type_name", ["Q8_0", "Q6_K", "Q5_K_M", "Q5_0", "Q4_K_M", "Q4_1", "Q3_K_M", "Q2_K"])
def test_the_size_of_smollm2_is_predicted_to_the_byte(bench: Bench, type_name: str, tmp_path: Path) -> None:
    source = bench.merged(SMOLLM2)
    predicted = estimate_size(source, type_name)
    made = quantize_file(source, tmp_path / "small.gguf", type_name)
    assert made.path.stat().st_size == made.size == predicted.size
    assert type_names(read_header(made.path).tensors) == predicted.tensor_types


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny-llama", "tiny-gemma3"])
@pytest.mark.parametrize("type_name", ["Q8_0", "Q5_K_M", "Q4_K_M", "Q3_K_L", "TQ1_0"])
def test_the_size_of_other_shapes_is_predicted_to_the_byte(
    bench: Bench, name: str, type_name: str, tmp_path: Path
) -> None:
    predicted = estimate_size(bench.merged(name), type_name)
    made = quantize_file(bench.merged(name), tmp_path / "small.gguf", type_name)
    assert made.size == predicted.size
    assert type_names(read_header(made.path).tensors) == predicted.tensor_types


def test_rows_of_576_weights_make_k_quants_fall_back(bench: Bench) -> None:
    header = read_header(bench.merged(SMOLLM2))
    kinds = tensor_kinds(header, quantization_type("Q4_K_M"))
    narrow = {kinds[tensor.name].name for tensor in header.tensors if tensor.shape[0] == 576 and len(tensor.shape) > 1}
    assert narrow == {"Q5_0", "Q8_0"}
    assert "Q4_K" in estimate_size(bench.merged("tiny-llama"), "Q4_K_M").tensor_types


def test_the_largest_type_within_a_limit_is_chosen(bench: Bench) -> None:
    source = bench.merged(SMOLLM2)
    for size in sorted({one.size for one in choosable(source)}):
        assert largest_fitting(source, size / GIGABYTE).size == size
    sizes = sorted({one.size for one in choosable(source)})
    for smaller, larger in pairwise(sizes):
        assert largest_fitting(source, (larger - 1) / GIGABYTE).size == smaller


def test_no_type_is_chosen_that_needs_an_importance_matrix(bench: Bench) -> None:
    estimates = estimate_sizes(bench.merged(SMOLLM2))
    refused = {one.type for one in estimates if one.needs_imatrix}
    assert refused
    assert refused.isdisjoint(one.type for one in choosable(bench.merged(SMOLLM2)))


def test_a_limit_below_every_type_is_told_with_the_smallest_size(bench: Bench) -> None:
    with pytest.raises(ConversionError) as caught:
        largest_fitting(bench.merged(SMOLLM2), 0.01)
    assert f"{min(one.size for one in choosable(bench.merged(SMOLLM2))):,}" in caught.value.why


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_that_is_no_size_is_refused(bench: Bench, limit: float) -> None:
    with pytest.raises(ConversionError):
        largest_fitting(bench.merged("tiny-llama"), limit)
