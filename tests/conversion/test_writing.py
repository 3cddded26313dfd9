"""A file appears whole or not at all: full disk, read-only folder, stop in the middle. And merging loads no torch."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.quantization.quantize import quantize_file
from studio.workspace import PROJECT_ROOT
from tests.conversion.conftest import Bench

TINY = "tiny-llama"
SMOLLM2 = "smollm2-135m-instruct"
OLD = b"the file that was there before"
PRELUDE = """
import os, resource, sys
from pathlib import Path
from studio.bases import BaseModel
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.lora_gguf import lora_to_gguf
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.quantization.quantize import quantize_file
from studio.conversion.quantization.sizes import estimate_size
from studio.errors import ConversionError
base, adapter, source, target = (Path(one) for one in sys.argv[1:])
def merge(path):
    return merge_to_gguf(BaseModel.load(base), read_adapter(adapter), path)
def lay_over(path):
    return lora_to_gguf(BaseModel.load(base), read_adapter(adapter), path)
def full_at(limit, work):
    # the disk takes so many bytes of a file and no more
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    before = target.read_bytes()
    refused(work)
    assert target.read_bytes() == before, limit
    assert list(target.parent.iterdir()) == [target], limit
def refused(work):
    try:
        work()
    except ConversionError as error:
        print(error)
        return
    raise SystemExit("it was not refused")
"""
FULL = PRELUDE + "resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))\n"
# Root may write anywhere, so it becomes a user without rights, after everything was imported and read once.
READ_ONLY = PRELUDE + "merge(target.parent / 'probe.gguf')\n(target.parent / 'probe.gguf').unlink()\n"
READ_ONLY += "target.parent.chmod(0o555)\nif os.geteuid() == 0: os.seteuid(65534)\n"


def run(bench: Bench, program: str, target: Path) -> str:
    arguments = (bench.bases[TINY].directory, bench.adapters[TINY], bench.merged(TINY), target)
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "model.gguf"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def untouched(target: Path) -> bool:
    return target.read_bytes() == OLD and list(target.parent.iterdir()) == [target]


def test_a_full_disk_while_merging_leaves_the_old_file(bench: Bench, target: Path) -> None:
    said = run(bench, FULL + "refused(lambda: merge(target))", target)
    assert "could not be written" in said
    assert untouched(target)


@pytest.mark.slow
def test_a_full_disk_while_quantizing_leaves_the_old_file(bench: Bench, target: Path) -> None:
    run(bench, FULL + "refused(lambda: quantize_file(source, target, 'Q8_0'))", target)
    assert untouched(target)


@pytest.mark.parametrize("work", ["merge", "lay_over"])
def test_a_disk_that_is_full_at_any_write_leaves_the_old_file(bench: Bench, target: Path, work: str) -> None:
    """From the first byte of the header to the last of the data."""
    made = bench.merged(TINY) if work == "merge" else bench.lora(TINY)
    header, size = read_header(made).header_size, made.stat().st_size
    limits = [0, 1, header - 1, header + 5, size // 2, size - 1]
    run(bench, PRELUDE + f"for limit in {limits!r}:\n    full_at(limit, lambda: {work}(target))", target)
    assert untouched(target)


@pytest.mark.slow
def test_a_disk_that_lacks_one_byte_for_the_quantized_file_leaves_the_old_file(bench: Bench, target: Path) -> None:
    """llama.cpp itself does not notice."""
    program = "full_at(estimate_size(source, 'Q8_0').size - 1, lambda: quantize_file(source, target, 'Q8_0'))"
    run(bench, PRELUDE + program, target)
    assert untouched(target)


@pytest.fixture
def open_bench(bench: Bench) -> Iterator[Path]:
    """A folder that everyone can enter, unlike pytest's own: readable copies for a user without rights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "out").mkdir(mode=0o755)
        (folder / "out" / "model.gguf").write_bytes(OLD)
        yield folder
        (folder / "out").chmod(0o755)


def test_a_read_only_folder_is_told_and_keeps_the_old_file(bench: Bench, open_bench: Path) -> None:
    target = open_bench / "out" / "model.gguf"
    program = READ_ONLY + "from studio.conversion.formats.gguf_stream import write_gguf\n"
    program += "metadata = {'general.architecture': 'llama'}\nrefused(lambda: write_gguf(target, metadata, []))\n"
    program += "from studio.conversion.quantization.quantize import _partial_path\n"
    program += "refused(lambda: _partial_path(target))"
    said = run(bench, program, target)
    assert said.count("Permission denied") == 2
    target.parent.chmod(0o755)
    assert untouched(target)


def test_a_target_below_a_file_is_refused(bench: Bench, target: Path) -> None:
    said = run(bench, PRELUDE + "refused(lambda: merge(target / 'below.gguf'))", target)
    assert "could not be written" in said
    assert untouched(target)


def test_a_merge_that_is_stopped_in_the_middle_leaves_nothing(bench: Bench, target: Path) -> None:
    blocks: list[int] = []

    def progress(done: int, total: int) -> None:
        blocks.append(done)

    with pytest.raises(ConversionStopped):
        merge_to_gguf(
            bench.bases[TINY], read_adapter(bench.adapters[TINY]), target,
            progress=progress, stop=lambda: len(blocks) == 3,
        )  # fmt: skip
    assert len(blocks) == 3
    assert untouched(target)


@pytest.mark.slow
def test_a_quantization_that_is_stopped_in_the_middle_leaves_nothing(bench: Bench, target: Path) -> None:
    tensors: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == 272
        tensors.append(done)

    with pytest.raises(ConversionStopped):
        quantize_file(bench.merged(SMOLLM2), target, "IQ4_NL", progress=progress, stop=lambda: bool(tensors))
    assert 0 < tensors[-1] < 272
    assert untouched(target)


def test_merging_loads_no_torch(bench: Bench, tmp_path: Path) -> None:
    heavy = {"torch", "transformers", "peft", "llama_cpp"}
    said = run(bench, PRELUDE + f"merge(target)\nprint({heavy!r} & set(sys.modules))", tmp_path / "model.gguf")
    assert said.strip() == "set()"
    assert (tmp_path / "model.gguf").read_bytes() == bench.merged(TINY).read_bytes()


def test_the_same_merge_gives_the_same_bytes_with_ordinary_rights(bench: Bench, tmp_path: Path) -> None:
    report = merge_to_gguf(bench.bases[TINY], read_adapter(bench.adapters[TINY]), tmp_path / "again.gguf")
    assert report.path.read_bytes() == bench.merged(TINY).read_bytes()
    assert report.merged == 14
    assert report.path.stat().st_mode & 0o777 == 0o644
