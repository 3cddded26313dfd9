"""Importance matrices: the sums are those that another implementation sees, and quantizing with them is worth it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize
from hypothesis import given
from hypothesis import strategies as st

from studio.conversion import quantize_file
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped
from studio.conversion.imatrix.making import choose_rows, make_imatrix, texts_sha256
from studio.conversion.imatrix.matrix import IMATRIX_SHA256, Activations, ImportanceMatrix, read_imatrix, write_imatrix
from studio.errors import ConversionError
from studio.workspace import sha256_file
from tests.conversion.conftest import Bench
from tests.conversion.tiny_gguf import VOCABULARY, write_tiny_gguf

TINY = "tiny-llama"
FAMILIES = ["tiny-llama", "tiny-qwen3", "tiny-gemma3"]
HOOKS = Path(__file__).with_name("sum_inputs.py")
# Longer than what is computed at once, so that a text is read in parts; and a short one.
TEXTS = [[(7 * number) % 40_000 + 3 for number in range(400)], [11, 2024, 5, 977, 15_000]]
PIECES = [[3 + number % 120 for number in range(start, start + 48)] for start in range(6)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.f16.gguf")


@pytest.fixture(scope="module")
def matrix(tiny: Path) -> Path:
    return make_imatrix(tiny, PIECES, tiny.with_name("tiny.imatrix.gguf"), texts="pieces", threads=1).path


@pytest.fixture(scope="module")
def seen(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What transformers' linear layers were given, float32, per family."""
    out = tmp_path_factory.mktemp("hooks")
    pairs = [str(one) for name in FAMILIES for one in (bench.bases[name].hf, out / f"{name}.npz")]
    command = [sys.executable, str(HOOKS), json.dumps(TEXTS), *pairs]
    subprocess.run(command, check=True, capture_output=True, cwd=HOOKS.parents[2])
    return out


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_the_sums_are_those_of_the_inputs_that_transformers_sees(
    bench: Bench, seen: Path, name: str, tmp_path: Path
) -> None:
    made = make_imatrix(bench.unmerged(name), TEXTS, tmp_path / "m.gguf", threads=1)
    matrix = read_imatrix(made.path)
    with np.load(seen / f"{name}.npz") as expected:
        assert set(matrix.entries) == set(expected.files)
        for weight, one in matrix.entries.items():
            assert one.counts == [made.tokens] == [sum(map(len, TEXTS))]
            # llama.cpp multiplies float16 weights with activations rounded to float16; see docs/conversion.md.
            np.testing.assert_allclose(one.sums, expected[weight], rtol=0.02, err_msg=weight)
            assert one.sums.sum() == pytest.approx(expected[weight].sum(), rel=0.002), weight


def test_the_file_is_llama_cpps_own_and_reads_back_as_written(matrix: Path) -> None:
    reader = GGUFReader(matrix)
    names = {tensor.name for tensor in reader.tensors}
    assert reader.fields["general.type"].contents() == "imatrix"
    assert reader.fields["imatrix.datasets"].contents() == ["pieces"]
    assert reader.fields["imatrix.chunk_count"].contents() == len(PIECES)
    assert reader.fields["imatrix.chunk_size"].contents() == 48
    known = read_imatrix(matrix)
    assert names == {name + end for name in known.entries for end in (".in_sum2", ".counts")}
    assert known.tokens == 6 * 48
    sums = next(tensor for tensor in reader.tensors if tensor.name == "blk.1.ffn_down.weight.in_sum2")
    np.testing.assert_array_equal(sums.data.reshape(-1), known.entries["blk.1.ffn_down.weight"].sums)


def test_the_importance_is_the_mean_and_one_where_nothing_was_read() -> None:
    entry = Activations(np.array([8, 2, 5, 5], np.float32), np.array([2, 0], np.float32))
    assert entry.importance.tolist() == [4, 1, 1, 1]


def test_a_matrix_of_the_same_model_and_texts_is_not_made_again(tiny: Path, matrix: Path) -> None:
    before = matrix.stat()
    again = make_imatrix(tiny, PIECES[::-1], matrix)
    assert again.reused
    assert (again.entries, again.tokens) == (14, 6 * 48)
    assert matrix.stat() == before


@pytest.mark.slow
def test_other_texts_or_another_model_make_a_new_matrix(tiny: Path, matrix: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copyfile(matrix, tmp_path / "copy.gguf"))
    assert not make_imatrix(tiny, PIECES[:2], copy).reused
    assert read_imatrix(copy).tokens == 96
    other = write_tiny_gguf(tmp_path / "other.gguf", kv_heads=4)
    assert not make_imatrix(other, PIECES[:2], copy).reused
    assert read_imatrix(copy).model_sha256 == sha256_file(other)


@pytest.mark.slow
def test_weights_that_llama_cpp_lays_out_anew_show_their_inputs_too(tiny: Path, matrix: Path, tmp_path: Path) -> None:
    quantized = quantize_file(tiny, tmp_path / "q4.gguf", "Q4_0").path  # which llama.cpp repacks on most processors
    made = read_imatrix(make_imatrix(quantized, PIECES, tmp_path / "q4.imatrix.gguf", threads=1).path)
    for name, entry in read_imatrix(matrix).entries.items():
        assert made.entries[name].counts == entry.counts
        # Each layer of random weights makes more of the rounding; sums of other inputs have nothing in common.
        alike = np.corrcoef(made.entries[name].sums, entry.sums)[0, 1]
        assert alike > (0.99 if name.startswith("blk.0.attn_q") else 0.7), name


def test_a_stopped_reading_leaves_the_old_matrix(tiny: Path, matrix: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copyfile(matrix, tmp_path / "copy.gguf"))
    with pytest.raises(ConversionStopped):
        make_imatrix(tiny, PIECES[:3], copy, stop=lambda: True)
    assert copy.read_bytes() == matrix.read_bytes()
    assert list(tmp_path.iterdir()) == [copy]


@given(st.lists(st.lists(st.integers(0, 500), max_size=30), max_size=12), st.integers(0, 200), st.integers())
def test_the_same_texts_are_chosen_in_any_order(rows: list[list[int]], tokens: int, seed: int) -> None:
    chosen = choose_rows(rows, tokens)
    assert sum(map(len, chosen)) == min(tokens, sum(map(len, {tuple(row) for row in rows})))
    random.Random(seed).shuffle(rows)
    assert choose_rows(rows, tokens) == chosen


def test_where_texts_end_counts_for_their_hash() -> None:
    assert texts_sha256([[1, 2], [3]]) != texts_sha256([[1], [2, 3]])


@pytest.mark.parametrize("rows", [[], [[]], [[VOCABULARY]], [[-1]]])
def test_no_text_or_tokens_of_another_model_are_refused(tiny: Path, tmp_path: Path, rows: list[list[int]]) -> None:
    with pytest.raises(ConversionError):
        make_imatrix(tiny, rows, tmp_path / "m.gguf")
    assert not list(tmp_path.iterdir())


def test_a_model_a_cut_file_and_impossible_numbers_are_no_matrix(tiny: Path, matrix: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    for content in (tiny.read_bytes(), matrix.read_bytes()[:-5000], b"IMATRIX"):
        bad.write_bytes(content)
        with pytest.raises(ConversionError):
            read_imatrix(bad)
    for value in (np.nan, np.inf, -1.0):
        entry = Activations(np.array([1, value], np.float32), np.ones(1, np.float32))
        write_imatrix(bad, ImportanceMatrix({"blk.0.attn_q.weight": entry}))
        with pytest.raises(ConversionError):
            read_imatrix(bad)


def weighted_error(made: Path, source: Path, matrix: Path) -> float:
    """Squared error of all weights of the layers, each weighted with the importance of its column."""
    known = read_imatrix(matrix).entries
    exact = {one.name: one for one in GGUFReader(source).tensors}
    total = 0.0
    for one in GGUFReader(made).tensors:
        if one.name in known:
            error = dequantize(one.data, one.tensor_type) - exact[one.name].data.astype(np.float32)
            total += float((error**2 * known[one.name].importance).sum())
    return total


@pytest.mark.slow
def test_with_the_matrix_what_matters_is_rounded_finer(tiny: Path, matrix: Path, tmp_path: Path) -> None:
    plain = quantize_file(tiny, tmp_path / "plain.gguf", "Q3_K_S")
    better = quantize_file(tiny, tmp_path / "better.gguf", "Q3_K_S", imatrix=matrix)
    assert weighted_error(better.path, tiny, matrix) < 0.9 * weighted_error(plain.path, tiny, matrix)
    assert better.size == better.predicted_size == better.path.stat().st_size
    header = read_header(better.path)
    assert header.text(IMATRIX_SHA256) == sha256_file(matrix)
    assert header.integer("quantize.imatrix.entries_count") == 14
    assert header.integer("quantize.imatrix.chunks_count") == len(PIECES)
    assert IMATRIX_SHA256 not in read_header(plain.path).values


def test_a_type_that_needs_a_matrix_says_how_to_make_one(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        quantize_file(tiny, tmp_path / "small.gguf", "IQ1_S")
    assert "imatrix tiny.f16.gguf" in caught.value.next_step


def test_a_matrix_of_another_model_is_refused(matrix: Path, tmp_path: Path) -> None:
    other = write_tiny_gguf(tmp_path / "other.gguf", width=512)
    with pytest.raises(ConversionError) as caught:
        quantize_file(other, tmp_path / "small.gguf", "IQ2_XS", imatrix=matrix)
    assert "width" in caught.value.why
    assert not (tmp_path / "small.gguf").exists()


def test_floats_and_q8_0_make_no_use_of_a_matrix(tiny: Path, matrix: Path, tmp_path: Path) -> None:
    made = quantize_file(tiny, tmp_path / "same.gguf", "Q8_0", imatrix=matrix)
    assert made.size == made.predicted_size
    assert IMATRIX_SHA256 not in read_header(made.path).values
