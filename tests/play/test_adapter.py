"""A LoRA adapter over a loaded model: laid on, changed, taken off, and refused where it does not belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from studio.bases import BaseModel
from studio.conversion.formats.gguf_stream import TensorSource, write_gguf
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.lora_gguf import BASE_FILE_HASH, lora_to_gguf
from studio.errors import PlayError
from studio.play import HostInfo, HostOptions, HostPool, ModelHost, ModelStamp, Sampling, Token
from studio.play.hosts.overlay import check_base
from studio.play.hosts.protocol import AdapterInfo, joint_sha256
from studio.workspace import sha256_file
from tests.adapters import write_adapter

PROMPT = "<|im_start|>user\nI open the door.<|im_end|>\n<|im_start|>assistant\n"
GREEDY = Sampling(temperature=0, repeat_penalty=1, max_tokens=8)
OPTIONS = HostOptions(threads=1, context_tokens=512)
F32 = 0


@pytest.fixture(scope="module")
def loras(smollm2: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two different adapters of SmolLM2."""
    folder = tmp_path_factory.mktemp("loras")
    made = [folder / f"{seed}.lora.gguf" for seed in (1, 2)]
    for seed, path in enumerate(made):
        adapter = write_adapter(folder / str(seed), smollm2, seed=seed)
        lora_to_gguf(smollm2, read_adapter(adapter), path, name=f"tavern/checkpoint-{seed}")
    return made


@pytest.fixture(scope="module")
def swapped(smollm2: BaseModel) -> Iterator[ModelHost]:
    with ModelHost(smollm2.directory / "base.gguf", OPTIONS) as host:
        yield host


def said(host: ModelHost) -> str:
    """Not `fresh`: what an earlier adapter left in the KV cache must not be used."""
    return "".join(one.text for one in host.generate(PROMPT, GREEDY) if isinstance(one, Token))


def test_every_adapter_speaks_for_itself_and_the_base_again_without(swapped: ModelHost, loras: list[Path]) -> None:
    texts = []
    for path in (None, *loras, None, loras[0]):
        swapped.use_adapter(path)
        texts.append(said(swapped))
    alone, first, second, alone_again, first_again = texts
    assert len({alone, first, second}) == 3
    assert (alone_again, first_again) == (alone, first)


def test_a_host_that_starts_with_an_adapter_says_the_same_and_so_does_one_that_is_started_again(
    swapped: ModelHost, loras: list[Path], smollm2: BaseModel
) -> None:
    swapped.use_adapter(loras[1])
    expected = said(swapped)
    swapped.close()
    assert said(swapped) == expected
    with HostPool() as pool:
        host = pool.get(swapped.path, HostOptions(threads=1, context_tokens=512, adapter=loras[1]))
        assert host is not pool.get(swapped.path, OPTIONS)
        assert said(host) == expected
        assert host.info() == swapped.info().model_copy(update=varying(host.info()))


def varying(info: HostInfo) -> dict[str, object]:
    return {"process_id": info.process_id, "load_seconds": info.load_seconds, "id": info.id}


def test_the_host_names_file_and_adapter_by_their_hashes(swapped: ModelHost, loras: list[Path]) -> None:
    info = swapped.use_adapter(loras[0])
    assert info == swapped.info()
    assert info.adapter is not None
    hashes = sha256_file(swapped.path), sha256_file(loras[0])
    assert (info.sha256, info.adapter.sha256) == hashes
    assert info.played_sha256 == joint_sha256(*hashes)
    assert "studio.adapter.sha256" in info.parents
    stamp = ModelStamp.of(info)
    assert (stamp.sha256, stamp.adapter, stamp.adapter_sha256) == (hashes[0], "tavern/checkpoint-0", hashes[1])
    alone = swapped.use_adapter(None)
    assert alone.played_sha256 == hashes[0]
    assert "studio.adapter.sha256" not in alone.parents


FILE, BASE = {BASE_FILE_HASH: "f" * 64}, {"studio.base.sha256": "b" * 64}
MERGED = {**BASE, "studio.adapter.sha256": "a" * 64}


@pytest.mark.parametrize(
    ("adapter", "sha256", "model", "fits"),
    [
        (FILE | BASE, "f" * 64, {}, True),  # the base's own file
        (FILE | BASE, "0" * 64, BASE, True),  # another quantization of it, made here
        (FILE | BASE, "0" * 64, {}, False),
        (FILE | BASE, "0" * 64, {"studio.base.sha256": "0" * 64}, False),
        (FILE, "0" * 64, {}, False),
        (BASE, "0" * 64, BASE, True),
        (BASE, "0" * 64, {}, False),
        ({}, "0" * 64, {}, True),  # it says nothing: llama.cpp looks at the layers
        (FILE | BASE, "0" * 64, MERGED, False),
        ({}, "0" * 64, MERGED, False),
    ],
)
def test_an_adapter_goes_over_its_own_base_and_over_nothing_that_is_merged(
    adapter: dict[str, str], sha256: str, model: dict[str, str], fits: bool
) -> None:
    over = AdapterInfo(path="a", sha256="a" * 64, size_bytes=1, parents=adapter)
    loaded = HostInfo(
        path="m", sha256=sha256, size_bytes=1, context_tokens=1, trained_context_tokens=1, threads=1, load_seconds=0,
        process_id=1, parents=model,
    )  # fmt: skip
    if fits:
        check_base(over, loaded)
        return
    with pytest.raises(PlayError) as caught:
        check_base(over, loaded)
    assert caught.value.next_step


def foreign(path: Path, rows: int = 576, **metadata: str) -> Path:
    """A LoRA of one layer that names no parents but those given; SmolLM2's layer has 576 rows."""

    def source(part: str, rows: int, columns: int) -> TensorSource:
        data = np.zeros((rows, columns), np.float32)
        return TensorSource(f"blk.0.attn_q.weight.{part}", (columns, rows), F32, data.nbytes, lambda: iter([data]))

    general = {"general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora"}
    values = {**general, "adapter.lora.alpha": 2.0, **metadata}
    write_gguf(path, values, [source("lora_a", 2, 576), source("lora_b", rows, 2)])
    return path


def other_base(path: Path) -> Path:
    return foreign(path, **{BASE_FILE_HASH: "0" * 64})


def other_layers(path: Path) -> Path:
    return foreign(path, rows=64)


def other_architecture(path: Path) -> Path:
    return foreign(path, **{"general.architecture": "gemma3"})


def no_adapter(path: Path) -> Path:
    return foreign(path, **{"general.type": "model"})


def garbage(path: Path) -> Path:
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
    return path


def missing(path: Path) -> Path:
    return path


@pytest.mark.parametrize("spoil", [other_base, other_layers, other_architecture, no_adapter, garbage, missing])
def test_an_adapter_that_does_not_fit_is_refused_and_the_one_before_stays(
    swapped: ModelHost, loras: list[Path], spoil: Callable[[Path], Path], tmp_path: Path
) -> None:
    before = swapped.use_adapter(loras[0])
    with pytest.raises(PlayError) as caught:
        swapped.use_adapter(spoil(tmp_path / "bad.lora.gguf"))
    assert caught.value.next_step
    assert swapped.info() == before
    assert said(swapped)
    assert swapped.info().process_id == before.process_id


def test_an_adapter_of_nobody_is_taken_when_its_layers_fit(swapped: ModelHost, tmp_path: Path) -> None:
    swapped.use_adapter(None)
    alone = said(swapped)
    swapped.use_adapter(foreign(tmp_path / "nobody.lora.gguf"))
    assert said(swapped) == alone  # its matrices are zero


def test_a_host_that_cannot_lay_its_adapter_on_does_not_start(smollm2: BaseModel, tmp_path: Path) -> None:
    options = HostOptions(threads=1, context_tokens=512, adapter=other_base(tmp_path / "bad.lora.gguf"))
    with ModelHost(smollm2.directory / "base.gguf", options) as host, pytest.raises(PlayError) as caught:
        host.info()
    assert "another base model" in caught.value.what
