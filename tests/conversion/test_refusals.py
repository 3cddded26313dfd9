"""What cannot be merged exactly is refused by name; what is damaged is refused before anything is written."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.bases import BaseModel
from studio.bases.manifest import record_files, write_manifest
from studio.conversion.families import EMBEDDING
from studio.conversion.formats.safetensors_file import read_index
from studio.conversion.merging.adapter import check_config, read_adapter
from studio.conversion.merging.lora_gguf import lora_to_gguf
from studio.conversion.merging.merge import merge_to_gguf, rounded
from studio.conversion.sources import find_source
from studio.errors import ConversionError
from studio.workspace import Workspace, sha256_file
from tests.conversion.conftest import Bench, link_base, put_run

TINY = "tiny-llama"


def merge_error(base: BaseModel, adapter: Path, tmp_path: Path) -> ConversionError:
    """The refusal; nothing may be written."""
    out = tmp_path / "out"
    with pytest.raises(ConversionError) as caught:
        merge_to_gguf(base, read_adapter(adapter), out / "model.gguf")
    assert not out.exists() or list(out.iterdir()) == []
    return caught.value


@pytest.fixture
def adapter(bench: Bench, tmp_path: Path) -> Path:
    """A copy of the tiny Llama's adapter, to be spoilt."""
    return Path(shutil.copytree(bench.adapters[TINY], tmp_path / "adapter"))


def edit_config(adapter: Path, **changes: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def provenance(adapter: Path, **values: str) -> None:
    (adapter / "provenance.json").write_text(json.dumps(values))


def test_an_adapter_that_names_another_base_is_refused(bench: Bench, adapter: Path, tmp_path: Path) -> None:
    provenance(adapter, base=TINY, base_sha256="0" * 64)
    assert "another base model" in merge_error(bench.bases[TINY], adapter, tmp_path).what


@pytest.mark.parametrize("other", ["tiny-gemma3", "smollm2-135m-instruct"])
def test_an_adapter_of_other_shapes_is_refused(bench: Bench, adapter: Path, other: str, tmp_path: Path) -> None:
    assert "does not fit" in merge_error(bench.bases[other], adapter, tmp_path).what


def test_an_adapter_of_layers_that_the_base_lacks_is_refused(bench: Bench, tmp_path: Path) -> None:
    error = merge_error(bench.bases[TINY], bench.adapters["tiny-gemma3"], tmp_path)
    assert "does not have" in error.what


@pytest.mark.parametrize(("name", "says"), [("dora", False), (TINY, True)])
def test_dora_that_its_configuration_denies_or_invents_is_refused(
    name: str, says: bool, bench: Bench, tmp_path: Path
) -> None:
    spoilt = Path(shutil.copytree(bench.adapters[name], tmp_path / "adapter"))
    edit_config(spoilt, use_dora=says)
    assert "use_dora" in merge_error(bench.bases[TINY], spoilt, tmp_path).why


def test_dora_cannot_be_laid_over_a_base(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="DoRA") as caught:
        lora_to_gguf(bench.bases[TINY], read_adapter(bench.adapters["dora"]), tmp_path / "dora.gguf")
    assert "convert" in caught.value.next_step
    assert not list(tmp_path.iterdir())


def test_whole_layers_trained_beside_the_adapter_are_refused_by_their_option(bench: Bench, tmp_path: Path) -> None:
    assert "modules_to_save" in merge_error(bench.bases[TINY], bench.adapters["head"], tmp_path).why


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("bias", "all"), ("lora_bias", True), ("fan_in_fan_out", True), ("layer_replication", [[0, 2]]),
        ("trainable_token_indices", [1]), ("target_parameters", ["w"]), ("use_qalora", True),
        ("an_option_of_the_future", {"on": True}),
    ],
)  # fmt: skip
def test_every_option_that_is_switched_on_and_unknown_is_named(option: str, value: object) -> None:
    with pytest.raises(ConversionError) as caught:
        check_config({"peft_type": "LORA", option: value})
    assert option in caught.value.why


@pytest.mark.parametrize("initialisation", ["pissa", "olora", "pissa_niter_4", "corda", "loftq"])
def test_initialisations_that_change_the_base_are_refused(initialisation: str) -> None:
    with pytest.raises(ConversionError) as caught:
        check_config({"peft_type": "LORA", "init_lora_weights": initialisation})
    assert initialisation in caught.value.why


def test_other_kinds_of_adapters_are_refused(adapter: Path) -> None:
    edit_config(adapter, peft_type="IA3")
    with pytest.raises(ConversionError) as caught:
        read_adapter(adapter)
    assert "IA3" in caught.value.why


@pytest.mark.parametrize(
    "changes",
    [
        {"r": 5}, {"r": None}, {"lora_alpha": "much"}, {"rank_pattern": ["q_proj"]}, {"alpha_pattern": 3},
        {"alpha_pattern": {"down_proj": "x"}}, {"rank_pattern": {"(a+)+$": 4}}, {"lora_alpha": None},
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_is_refused(adapter: Path, changes: dict[str, Any]) -> None:
    edit_config(adapter, **changes)
    with pytest.raises(ConversionError):
        read_adapter(adapter)


@pytest.mark.parametrize("content", ["", "[]", "{", '"LORA"', "null"])
def test_an_unreadable_configuration_is_refused(adapter: Path, content: str) -> None:
    (adapter / "adapter_config.json").write_text(content)
    with pytest.raises(ConversionError):
        read_adapter(adapter)


@pytest.mark.parametrize("keep", [0, 7, 8, 2000, -1])
def test_weights_that_are_cut_off_are_refused(bench: Bench, adapter: Path, keep: int, tmp_path: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "damaged" in merge_error(bench.bases[TINY], adapter, tmp_path).what


def test_weights_with_one_flipped_bit_are_refused(bench: Bench, adapter: Path, tmp_path: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    provenance(adapter, base=TINY, adapter_sha256=sha256_file(weights))
    data = bytearray(weights.read_bytes())
    data[-1000] ^= 1
    weights.write_bytes(data)
    assert "SHA-256" in merge_error(bench.bases[TINY], adapter, tmp_path).why


def test_weights_of_another_type_are_refused(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    data = weights.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    assert b'"F32"' in data[8 : 8 + length]
    weights.write_bytes(data[:8] + data[8 : 8 + length].replace(b'"F32"', b'"I32"') + data[8 + length :])
    with pytest.raises(ConversionError) as caught:
        read_adapter(adapter)
    assert "I32" in caught.value.why


def test_a_diverged_adapter_is_refused_with_the_tensor_it_spoils(bench: Bench, adapter: Path, tmp_path: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-4] + np.float32("nan").tobytes())
    assert "blk." in merge_error(bench.bases[TINY], adapter, tmp_path).what


def test_a_base_that_changed_on_disk_is_refused(bench: Bench, adapter: Path, tmp_path: Path) -> None:
    copy = BaseModel.load(Path(shutil.copytree(bench.bases[TINY].directory, tmp_path / TINY)))
    weights = copy.hf / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert "damaged" in merge_error(copy, adapter, tmp_path).what


@pytest.mark.parametrize(("value", "output"), [(1e5, "F16"), (np.inf, "F32"), (np.nan, "BF16"), (3.4e38, "BF16")])
def test_weights_that_the_type_cannot_hold_are_refused(value: float, output: str) -> None:
    with pytest.raises(ConversionError):
        rounded(np.array([1.0, value], np.float32), output, "blk.0.ffn_up.weight")


def test_float16_and_bfloat16_are_rounded_to_the_nearest() -> None:
    values = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    halves = rounded(values, "F16", "x").astype(np.float64)
    step = np.spacing(np.abs(halves).astype(np.float16)).astype(np.float64)
    assert np.all(np.abs(halves - values) <= step / 2)
    brains = (rounded(values, "BF16", "x").astype(np.uint32) << 16).view(np.float32)
    assert np.all(np.abs(brains - values) <= np.abs(values) * 2**-8)


def test_an_architecture_that_is_not_known_is_refused_by_its_name(bench: Bench, adapter: Path, tmp_path: Path) -> None:
    copy = with_config(bench.bases[TINY], tmp_path, architectures=["MambaForCausalLM"])
    assert "MambaForCausalLM" in merge_error(copy, adapter, tmp_path).what
    with pytest.raises(ConversionError, match="MambaForCausalLM"):
        lora_to_gguf(copy, read_adapter(adapter), tmp_path / "out" / "a.lora.gguf")
    assert not (tmp_path / "out").exists()


def with_config(base: BaseModel, tmp_path: Path, **changes: object) -> BaseModel:
    """A copy of a base whose config.json says something else, and whose manifest vouches for it."""
    folder = Path(shutil.copytree(base.directory, tmp_path / base.name))
    config = folder / "hf" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    (folder / "base.json").unlink()
    write_manifest(folder, base.manifest.model_copy(update={"files": record_files(folder)}))
    return BaseModel.load(folder)


@pytest.mark.parametrize(
    ("halves", "told"),
    [
        (("lora_embedding_A", "lora_embedding_B"), "no LoRA matrix of a linear layer"),
        (("lora_A.weight", "lora_B.weight"), "token embedding"),
    ],
)
def test_an_adapter_on_the_token_embedding_is_refused(
    bench: Bench, adapter: Path, tmp_path: Path, halves: tuple[str, str], told: str
) -> None:
    """As PEFT stores one (`lora_embedding_A`), and as a linear layer's matrices would look."""
    base = bench.bases[TINY]
    rows, columns = read_index(base.hf)[EMBEDDING].shape
    shapes = ((2, columns), (rows, 2))
    weights = {
        f"base_model.model.model.embed_tokens.{half}": np.ones(shape, np.float32)
        for half, shape in zip(halves, shapes, strict=True)
    }
    save_file(weights, adapter / "adapter_model.safetensors")
    edit_config(adapter, r=2, rank_pattern={}, alpha_pattern={})
    for convert in (merge_to_gguf, lora_to_gguf):
        with pytest.raises(ConversionError) as caught:
            convert(base, read_adapter(adapter), tmp_path / "out" / "model.gguf")
        assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_adapter_without_a_base_name_says_what_is_missing(bench: Bench, adapter: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        find_source(bench.workspace, adapter)
    assert "provenance.json" in caught.value.why


def test_a_folder_with_nothing_in_it_is_refused(empty_workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ConversionError):
        find_source(empty_workspace, tmp_path)


def test_a_base_whose_tokenizer_is_nowhere_in_llama_cpp_form_is_refused(
    bench: Bench, empty_workspace: Workspace, tmp_path: Path
) -> None:
    alone = link_base(empty_workspace, bench.bases[TINY])
    run = put_run(empty_workspace, "first", alone, bench.adapters[TINY])
    assert "tokenizer" in merge_error(alone, run / "adapter", tmp_path).what
