"""Measured quality: the figures against plain numpy over plain logits, what is kept, and what is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as some

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ConversionStopped
from studio.conversion.quality.divergence import kl_divergence, log_softmax
from studio.conversion.quality.held_out import MAX_TOKENS, held_out_files, held_out_rows, shortened
from studio.conversion.quality.meter import KEPT_REFERENCES, QualityMeter
from studio.conversion.quality.records import (
    FileQuality,
    HeldOutRow,
    find_quality,
    known_qualities,
    quality_folder,
    rows_digest,
    save_quality,
)
from studio.conversion.quantization.quantize import quantize_file
from studio.conversion.search.optimization import reference_of
from studio.errors import ConversionError
from studio.workspace import PROJECT_ROOT, Workspace
from tests.conversion.conftest import Bench, link_base

TINY, SMOLLM2 = "tiny-llama", "smollm2-135m-instruct"
SCRIPT = Path(__file__).with_name("full_logits.py")
TEXTS = (
    ("<|im_start|>user\nI open the door.<|im_end|>\n<|im_start|>assistant\n", "It creaks. [roll: stealth]<|im_end|>"),
    ("<|im_start|>user\nWho is there?<|im_end|>\n<|im_start|>assistant\n", "Nobody answers.<|im_end|>"),
)


@pytest.fixture(scope="module")
def rows(bench: Bench) -> list[HeldOutRow]:
    """Two short conversations; the second half of each is the DM's."""
    tokenizer = bench.bases[TINY].tokenizer()
    parts = [[tokenizer.encode(text, add_special_tokens=False).ids for text in pair] for pair in TEXTS]
    return [HeldOutRow(ids=(*a, *b), mask=(False,) * len(a) + (True,) * len(b)) for a, b in parts]


@pytest.fixture(scope="module")
def small(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in a coarse type."""
    return quantize_file(bench.merged(TINY), tmp_path_factory.mktemp("small") / "small.gguf", "Q3_K_M").path


@pytest.fixture(scope="module")
def meter(bench: Bench, rows: list[HeldOutRow], tmp_path_factory: pytest.TempPathFactory) -> QualityMeter:
    workspace = Workspace(tmp_path_factory.mktemp("measured"))
    return QualityMeter(workspace, bench.merged(TINY), rows, threads=1)


def plain_logits(gguf: Path, rows: Sequence[HeldOutRow], folder: Path) -> list[npt.NDArray[np.float64]]:
    """The logits after the positions that are followed by a trained token, row by row."""
    texts, out = folder / "rows.json", folder / "logits.npz"
    texts.write_text(json.dumps([row.ids for row in rows]))
    subprocess.run([sys.executable, SCRIPT, gguf, texts, out], check=True, cwd=PROJECT_ROOT)
    with np.load(out) as found:
        return [found[str(number)][row.wanted] for number, row in enumerate(rows)]


@pytest.mark.slow
def test_the_figures_are_those_of_numpy_over_plain_logits(
    meter: QualityMeter, small: Path, rows: list[HeldOutRow], tmp_path: Path
) -> None:
    measured = meter.measure(small)
    reference, found = (np.concatenate(plain_logits(one, rows, tmp_path)) for one in (meter.reference, small))
    targets = [row.ids[place + 1] for row in rows for place in row.wanted]
    p, q = (np.exp(one) / np.exp(one).sum(1, keepdims=True) for one in (reference, found))
    divergence = (p * np.log(p / q)).sum(1)
    each = range(len(targets))
    assert measured.positions == len(targets) > 10
    assert measured.perplexity == pytest.approx(math.exp(-np.log(q[each, targets]).mean()), rel=1e-3)
    assert measured.reference_perplexity == pytest.approx(math.exp(-np.log(p[each, targets]).mean()), rel=1e-3)
    assert measured.kl == pytest.approx(divergence.mean(), rel=0.02)
    assert measured.kl_p99 == pytest.approx(np.percentile(divergence, 99), rel=0.02)
    assert measured.same_top == pytest.approx((p.argmax(1) == q.argmax(1)).mean(), abs=1e-9)
    assert 0 < measured.same_top < 1
    assert measured.kl > 1e-4


@pytest.mark.slow
def test_nothing_is_measured_twice(meter: QualityMeter, small: Path) -> None:
    first = meter.measure(small)
    assert meter.measure(small, stop=lambda: True) == first  # no process was started that could be stopped
    assert first in known_qualities(meter.workspace)


@pytest.mark.slow
def test_the_unquantized_file_is_no_distance_from_itself_and_float32_weights_hardly_any(
    meter: QualityMeter, tmp_path: Path
) -> None:
    own = meter.measure(meter.reference)
    assert own.is_reference
    assert (own.kl, own.kl_p99, own.same_top, own.perplexity_increase) == (0, 0, 1, 0)
    wide = meter.measure(quantize_file(meter.reference, tmp_path / "wide.gguf", "F32").path)
    # Rounding log-probabilities near -10.8 to float16 costs a random model's flat distribution (2^-7)^2 / 24 = 2.5e-6.
    assert 0 <= wide.kl < 4e-6
    assert wide.perplexity == pytest.approx(own.perplexity, rel=1e-3)


@pytest.mark.slow
def test_stopped_it_leaves_nothing(meter: QualityMeter, small: Path, empty_workspace: Workspace) -> None:
    told: list[tuple[int, int]] = []
    other = QualityMeter(empty_workspace, meter.reference, meter.rows, threads=1)
    with pytest.raises(ConversionStopped):
        other.measure(small, progress=lambda *pair: told.append(pair), stop=lambda: bool(told))
    assert told[0][1] == 2 * sum(row.wanted[-1] + 1 for row in meter.rows)
    assert [path.name for path in quality_folder(empty_workspace).iterdir()] == [".lock"]


@pytest.mark.slow
def test_numbers_that_are_not_finite_are_no_quality(meter: QualityMeter, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(meter.reference.read_bytes())
    header = read_header(broken)
    norm = next(one for one in header.tensors if one.name == "output_norm.weight")
    with broken.open("r+b") as stream:
        stream.seek(header.data_offset + norm.offset)
        stream.write(np.full(norm.elements, np.nan, np.float32).tobytes())
    with pytest.raises(ConversionError) as caught:
        meter.measure(broken)
    assert "not finite" in caught.value.what


def test_only_files_of_one_model_are_compared(bench: Bench, meter: QualityMeter) -> None:
    with pytest.raises(ConversionError) as caught:
        meter.measure(bench.merged("tiny-qwen2"))
    assert "not of the same model" in caught.value.what


def test_without_a_turn_of_the_dm_there_is_nothing_to_measure(meter: QualityMeter, small: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        QualityMeter(meter.workspace, meter.reference, [HeldOutRow(ids=(1, 2), mask=(False, False))]).measure(small)
    assert "nothing to measure" in caught.value.what


# -- arithmetic


LOGITS = some.lists(some.floats(-30, 30), min_size=4, max_size=4)


@given(LOGITS, LOGITS)
def test_divergence_is_what_the_definition_says(one: list[float], other: list[float]) -> None:
    p, q = (np.exp(logits) / np.exp(logits).sum() for logits in (np.array(one), np.array(other)))
    expected, found = (log_softmax(np.array([logits])) for logits in (one, other))
    assert np.exp(expected).sum() == pytest.approx(1)
    assert kl_divergence(expected, found)[0] == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-6, abs=1e-9)
    assert kl_divergence(expected, expected)[0] == 0


# -- what is measured with


def test_the_position_before_a_trained_token_is_the_one_that_counts() -> None:
    assert HeldOutRow(ids=(5, 6, 7, 8), mask=(True, False, True, True)).wanted == [1, 2]
    assert HeldOutRow(ids=(5,), mask=(True,)).wanted == []


@given(some.lists(some.integers(1, 40), min_size=1, max_size=8), some.integers(1, 100))
def test_positions_are_shared_evenly_and_short_rows_leave_theirs_over(trained: list[int], positions: int) -> None:
    rows = [HeldOutRow(ids=tuple(range(one + 3)), mask=(False,) * 3 + (True,) * one) for one in trained]
    left = [len(row.wanted) for row in shortened(rows, positions)]
    assert sum(left) == min(positions, sum(trained)) or len(left) < len(rows)
    assert sum(left) <= positions
    cut = [kept for kept, all_of_it in zip(left, trained, strict=False) if len(left) == len(rows) and kept < all_of_it]
    assert not cut or max(cut) - min(cut) <= 1


def test_held_out_scenarios_are_taken_from_the_workspace_else_from_the_studio(bench: Bench, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    link_base(workspace, bench.bases[TINY])
    header = read_header(bench.merged(TINY))
    shipped = held_out_rows(workspace, header)
    assert len(shipped) == len(held_out_files(workspace)) == 2
    assert 900 < sum(len(row.wanted) for row in shipped) <= 1000
    workspace.validation_dir.mkdir(parents=True)
    text = "<SYSTEM>\n# Role\nDM\n</SYSTEM>\n\n<User>Hello?</User>\n\n<DM>Nobody answers.</DM>\n"
    (workspace.validation_dir / "short.md").write_text(text)
    (row,) = held_out_rows(workspace, header)
    tokenizer = bench.bases[TINY].tokenizer()
    trained = [token for token, is_trained in zip(row.ids, row.mask, strict=True) if is_trained]
    assert tokenizer.decode(trained, skip_special_tokens=False) == "Nobody answers.<|im_end|>"
    assert len(row.ids) <= MAX_TOKENS


def test_a_file_that_names_no_base_cannot_be_put_into_tokens(bench: Bench, empty_workspace: Workspace) -> None:
    header = read_header(bench.merged(TINY))
    foreign = GGUFHeader(**{**vars(header), "values": {"general.architecture": "llama"}})
    with pytest.raises(ConversionError) as caught:
        held_out_rows(empty_workspace, foreign)
    assert "which base model" in caught.value.what


# -- what is kept


def quality(**changes: object) -> FileQuality:
    known = {
        "file": "a.gguf", "size": 1, "sha256": "a", "reference_sha256": "r", "rows_sha256": "t", "positions": 9,
        "perplexity": 3.3, "reference_perplexity": 3.0, "kl": 0.1, "kl_p99": 0.4, "same_top": 0.9,
    }  # fmt: skip
    return FileQuality.model_validate({**known, **changes})


def test_a_record_is_found_for_its_file_its_reference_and_its_rows_alone(empty_workspace: Workspace) -> None:
    save_quality(empty_workspace, quality())
    assert find_quality(empty_workspace, "a", "r", "t") == quality()
    assert quality().perplexity_increase == pytest.approx(0.1)
    for other in (("b", "r", "t"), ("a", "s", "t"), ("a", "r", "u")):
        assert find_quality(empty_workspace, *other) is None
    (record,) = quality_folder(empty_workspace).glob("*.json")
    record.write_text("{")
    assert find_quality(empty_workspace, "a", "r", "t") is None
    assert known_qualities(empty_workspace) == []


def test_rows_are_known_by_their_tokens_and_masks() -> None:
    row = HeldOutRow(ids=(1, 2, 3), mask=(False, True, True))
    others = [HeldOutRow(ids=(1, 2, 3), mask=(False, False, True)), HeldOutRow(ids=(1, 2, 4), mask=row.mask)]
    assert len({rows_digest([one]) for one in (row, row.cut(2), *others)}) == 4
    assert rows_digest([row]) == rows_digest([HeldOutRow(ids=(1, 2, 3), mask=(False, True, True))])


@pytest.mark.slow
def test_what_unquantized_files_say_is_kept_for_the_last_two(meter: QualityMeter, rows: list[HeldOutRow]) -> None:
    for end in (2, 1, 0):
        shorter = [row.cut(row.wanted[end] + 2) for row in rows]
        QualityMeter(meter.workspace, meter.reference, shorter, threads=1).measure(meter.reference)
    assert len(list(quality_folder(meter.workspace).glob("reference-*"))) == KEPT_REFERENCES


def test_the_file_to_compare_with_is_the_unquantized_one_of_the_same_adapter(
    bench: Bench, small: Path, empty_workspace: Workspace
) -> None:
    folder = empty_workspace.gguf_dir / "first"
    folder.mkdir(parents=True)
    (folder / "first.Q3_K_M.gguf").hardlink_to(small)
    (folder / "base.f16.gguf").hardlink_to(bench.unmerged(TINY))
    with pytest.raises(ConversionError) as caught:
        reference_of(empty_workspace, folder / "first.Q3_K_M.gguf")
    assert "no unquantized file" in caught.value.what
    (folder / "first.f16.gguf").hardlink_to(bench.merged(TINY))
    assert reference_of(empty_workspace, folder / "first.Q3_K_M.gguf") == folder / "first.f16.gguf"
