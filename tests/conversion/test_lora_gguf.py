"""An adapter as a GGUF of its own: the same update as merging adds, refused where it could not be the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from studio.bases import BaseModel
from studio.config import TrainingConfig, settings_digest
from studio.conversion.families import EMBEDDING, permute_rotary, read_checkpoint
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped
from studio.conversion.formats.safetensors_file import StoredTensor, read_index
from studio.conversion.merging.adapter import LoraPair, read_adapter
from studio.conversion.merging.lora_gguf import BASE_FILE_HASH, LoraType, common_alpha, lora_to_gguf
from studio.conversion.metadata import PARENT_KEYS
from studio.conversion.playable import make_overlay
from studio.errors import ConversionError
from studio.workspace import Workspace, sha256_file
from tests.adapters import put_checkpoint, write_adapter
from tests.conversion.conftest import Bench

TINY = "tiny-llama"
SMOLLM2 = "smollm2-135m-instruct"
FAMILIES = ("tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3")
OLD = b"the file that was there before"


def stored_matrices(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of a LoRA file by name, `[rows, columns]`, float32."""
    header = read_header(path)
    kinds = {"F16": np.float16, "F32": np.float32}
    return {
        one.name: np.memmap(
            path, kinds[one.type_name], "r", header.data_offset + one.offset, one.shape[::-1]
        ).astype(np.float32)
        for one in header.tensors
    }  # fmt: skip


def file_updates(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """What llama.cpp adds to each weight: `alpha / rank * B A`, with the one alpha of the file."""
    alpha, found = float(read_header(path).values["adapter.lora.alpha"]), stored_matrices(path)
    names = {name.rpartition(".")[0] for name in found}
    pairs = {name: (found[f"{name}.lora_a"], found[f"{name}.lora_b"]) for name in names}
    return {name: alpha / len(a) * (b @ a) for name, (a, b) in pairs.items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_holds_the_update_that_merging_adds(bench: Bench, name: str) -> None:
    """tiny-llama's adapter has rsLoRA, a rank pattern, an alpha pattern and reordered rows: four ways to be wrong."""
    checkpoint = read_checkpoint(bench.bases[name].hf)
    found = file_updates(bench.lora(name))
    pairs = read_adapter(bench.adapters[name]).pairs
    assert len(found) == len(pairs)
    for key, pair in pairs.items():
        expected = pair.update().scaled_b @ pair.a.read()
        if heads := checkpoint.rotary_heads(key):
            expected = permute_rotary(expected, heads)
        weight = found[checkpoint.gguf_name(key)]
        assert np.abs(weight - expected).max() <= 2e-3 * np.abs(expected).max()


def test_float32_keeps_every_bit_where_alpha_is_the_same_everywhere(bench: Bench) -> None:
    found = stored_matrices(bench.lora("tiny-qwen2", "F32"))
    checkpoint = read_checkpoint(bench.bases["tiny-qwen2"].hf)
    for key, pair in read_adapter(bench.adapters["tiny-qwen2"]).pairs.items():
        assert np.array_equal(found[f"{checkpoint.gguf_name(key)}.lora_a"], pair.a.read())
        assert np.array_equal(found[f"{checkpoint.gguf_name(key)}.lora_b"], pair.b.read())


def test_the_file_says_what_it_is_and_what_it_was_made_from(bench: Bench, tmp_path: Path) -> None:
    base, adapter = bench.bases[SMOLLM2], read_adapter(bench.adapters[SMOLLM2])
    report = lora_to_gguf(base, adapter, tmp_path / "a.lora.gguf", name="tavern/checkpoint-40")
    header = read_header(report.path)
    said = {key: header.text(key) for key in ("general.type", "adapter.type", "general.architecture", "general.name")}
    assert list(said.values()) == ["adapter", "lora", "llama", "tavern/checkpoint-40"]
    assert header.values["adapter.lora.alpha"] == report.alpha == 32
    assert header.text("studio.base.sha256") == base.fingerprint
    assert header.text("studio.adapter.sha256") == sha256_file(adapter.weights)
    assert base.gguf is not None
    assert header.text(BASE_FILE_HASH) == sha256_file(base.gguf)
    assert report.size == report.path.stat().st_size < 10e6
    assert len(header.tensors) == 2 * report.layers == 420


@pytest.mark.parametrize(("kind", "share"), [("F16", 0.5), ("F32", 1.0)])
def test_the_file_is_as_large_as_its_matrices(bench: Bench, kind: LoraType, share: float) -> None:
    weights = (bench.adapters[TINY] / "adapter_model.safetensors").stat().st_size
    assert bench.lora(TINY, kind).stat().st_size == pytest.approx(share * weights, rel=0.1)


def pair(rank: int, scale: float) -> LoraPair:
    a = StoredTensor(Path(), "a", (rank, 8), "F32", 0)
    return LoraPair(a, StoredTensor(Path(), "b", (8, rank), "F32", 0), scale)


@pytest.mark.parametrize(
    ("pairs", "alpha"),
    [([(8, 2.0), (4, 4.0), (8, 1.0)], 16), ([(8, 0.0)], 1), ([(8, 0.0), (8, 0.5)], 4), ([], 1)],
)  # fmt: skip
def test_alpha_is_that_of_most_layers_and_never_nothing(pairs: list[tuple[int, float]], alpha: float) -> None:
    assert common_alpha(pair(*one) for one in pairs) == alpha


def refusal(base: BaseModel, adapter: Path, folder: Path) -> ConversionError:
    """The error; the file that was there before must still be there, and nothing beside it."""
    path = folder / "out" / "a.lora.gguf"
    path.parent.mkdir()
    path.write_bytes(OLD)
    with pytest.raises(ConversionError) as caught:
        lora_to_gguf(base, read_adapter(adapter), path)
    assert [one.read_bytes() for one in path.parent.iterdir()] == [OLD]
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize(
    ("base", "adapter", "told"),
    [
        ("tiny-gemma3", TINY, "does not fit"),
        (SMOLLM2, TINY, "does not fit"),
        (TINY, "tiny-gemma3", "does not have"),
    ],
)
def test_an_adapter_of_another_base_is_refused(
    bench: Bench, base: str, adapter: str, told: str, tmp_path: Path
) -> None:
    assert told in refusal(bench.bases[base], bench.adapters[adapter], tmp_path).what


def test_an_adapter_that_names_another_base_or_was_changed_is_refused(bench: Bench, tmp_path: Path) -> None:
    for number, claim in enumerate(({"base_sha256": "0" * 64}, {"adapter_sha256": "0" * 64})):
        adapter = Path(shutil.copytree(bench.adapters[TINY], tmp_path / str(number) / "adapter"))
        (adapter / "provenance.json").write_text(json.dumps(claim))
        error = refusal(bench.bases[TINY], adapter, adapter.parent)
        assert ("another base model" in error.what) == ("base_sha256" in claim)


def test_an_output_layer_that_is_also_the_embedding_is_refused(bench: Bench, tmp_path: Path) -> None:
    base = bench.bases[TINY]
    rows, columns = read_index(base.hf)[EMBEDDING].shape
    halves = {"A": np.ones((2, columns), np.float32), "B": np.ones((rows, 2), np.float32)}
    adapter = write_adapter(tmp_path / "adapter", base, rank=2)
    weights = {f"base_model.model.lm_head.lora_{half}.weight": one for half, one in halves.items()}
    save_file(weights, adapter / "adapter_model.safetensors")
    assert "output layer" in refusal(base, adapter, tmp_path).what


def test_a_checkpoint_names_everything_that_its_run_is_made_from(workspace: Workspace, smollm2: BaseModel) -> None:
    """It has no provenance of its own before the run ends; config.yaml and dataset.json of the run say it."""
    checkpoint = put_checkpoint(workspace, smollm2)
    dataset = {"fingerprint": "d" * 64, "base_fingerprint": smollm2.fingerprint}
    (checkpoint.parent / "dataset.json").write_text(json.dumps(dataset))
    path = make_overlay(workspace, checkpoint).adapter
    assert path is not None
    header = read_header(path)
    assert [header.text(key) for key in PARENT_KEYS] == [
        smollm2.fingerprint,
        sha256_file(checkpoint / "adapter_model.safetensors"),
        "d" * 64,
        settings_digest(TrainingConfig(base_model=smollm2.name)),
    ]


def test_a_checkpoint_of_a_base_that_changed_since_is_refused(workspace: Workspace, smollm2: BaseModel) -> None:
    checkpoint = put_checkpoint(workspace, smollm2)
    dataset = {"fingerprint": "d" * 64, "base_fingerprint": "0" * 64}
    (checkpoint.parent / "dataset.json").write_text(json.dumps(dataset))
    with pytest.raises(ConversionError, match="another base model"):
        make_overlay(workspace, checkpoint)


def test_stopping_leaves_what_was_there(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a.lora.gguf"
    path.write_bytes(OLD)
    with pytest.raises(ConversionStopped):
        lora_to_gguf(bench.bases[TINY], read_adapter(bench.adapters[TINY]), path, stop=lambda: True)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [OLD]
