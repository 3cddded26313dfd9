"""From an adapter to a Q4_K_M file: the studio's streamed merge against peft, save_pretrained, llama.cpp's converter.

Every step in a process of its own, ours and the peer's in turn; time from the first process's start to the last one's
end, memory as the largest sum over all processes. Both files must have the same tensors in the same types.

python -m benchmarks conversion
python -m benchmarks.conversion gemma3-270m 1      that base alone, one round
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.adapter import random_adapter
from benchmarks.measure import Ratio, peak_memory
from studio.bases import BaseModel, get_base
from studio.bases.llama_converter import converter_folder
from studio.bases.progress import ignore_progress
from studio.conversion.formats.gguf_header import read_header
from studio.workspace import PROJECT_ROOT, Workspace

BASES = ("smollm2-135m-instruct", "gemma3-270m")
TYPE = "Q4_K_M"
ROUNDS = 3
MB = 1e6
PEER = "peft, save_pretrained, llama.cpp's converter, quantize"
OURS = """
import sys
from pathlib import Path
from studio.bases import BaseModel
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.quantization.quantize import quantize_file
base, adapter, merged, quantized = map(Path, sys.argv[1:5])
merge_to_gguf(BaseModel.load(base), read_adapter(adapter), merged)
quantize_file(merged, quantized, sys.argv[5], threads=2)
"""


@dataclass(frozen=True)
class Cost:
    """Seconds, seconds of processor time, the largest sum of resident memory in bytes, and the same by step."""

    seconds: float
    cpu: float
    peak: int
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.seconds:.1f} s, {self.cpu:.1f} s of processor time, {self.peak / MB:,.0f} MB"
        return f"{told} ({'; '.join(self.steps)})" if self.steps else told


def main(bases: Sequence[str] = BASES, rounds: int = ROUNDS) -> Iterator[str]:
    """The lines of the report."""
    converter_folder(ignore_progress)  # fetched once, which is no part of either way
    for name in bases:
        base = get_base(Workspace(PROJECT_ROOT), name)
        with tempfile.TemporaryDirectory() as folder:
            yield from _compare(base, Path(folder), rounds)


def _compare(base: BaseModel, folder: Path, rounds: int) -> Iterator[str]:
    adapter = random_adapter(folder / "adapter", base)
    pairs: list[tuple[Cost, Cost]] = []
    for number in range(rounds + 1):  # the first is not counted: it fills the file cache
        ways = [_ours, _theirs] if number % 2 == 0 else [_theirs, _ours]
        costs = {way: way(base, adapter, folder) for way in ways}
        pairs.append((costs[_ours], costs[_theirs]))
    _assert_same_tensors(folder / "ours.gguf", folder / "theirs.gguf")
    mine, other = zip(*pairs[1:], strict=True)
    title = f"{base.name}, adapter to {TYPE}"
    yield str(Ratio(title, "s", [one.seconds for one in mine], [one.seconds for one in other], PEER))
    yield str(Ratio(title, "s of processor time", [one.cpu for one in mine], [one.cpu for one in other], PEER))
    yield str(Ratio(title, "MB", [one.peak / MB for one in mine], [one.peak / MB for one in other], PEER))
    yield f"  ours:  {mine[-1]}"
    yield f"  peer:  {other[-1]}"


def _ours(base: BaseModel, adapter: Path, folder: Path) -> Cost:
    command = ["-c", OURS, base.directory, adapter, folder / "ours.f16.gguf", folder / "ours.gguf", TYPE]
    return _cost({"merge and quantize": command})


def _theirs(base: BaseModel, adapter: Path, folder: Path) -> Cost:
    merged, unquantized = folder / "merged", folder / "theirs.f16.gguf"
    chain, converter = ("-m", "benchmarks.peers.run_merge_chain"), converter_folder(ignore_progress)
    return _cost(
        {
            "merge and save": [*chain, "merge", base.hf, adapter, merged],
            "convert": ["-m", "studio.bases.convert_worker", converter, merged, unquantized, base.name],
            "quantize": [*chain, "quantize", unquantized, folder / "theirs.gguf", TYPE],
        }
    )


def _cost(commands: dict[str, list[object]]) -> Cost:
    steps = {}
    for name, arguments in commands.items():
        started, before = time.perf_counter(), _cpu_seconds()
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)], cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        with peak_memory(process.pid) as peak:
            _, said = process.communicate()
        assert process.returncode == 0, said.decode()[-2000:]
        steps[name] = Cost(time.perf_counter() - started, _cpu_seconds() - before, max(peak))
    return Cost(
        sum(one.seconds for one in steps.values()),
        sum(one.cpu for one in steps.values()),
        max(one.peak for one in steps.values()),
        tuple(f"{name} {one}" for name, one in steps.items()),
    )


def _cpu_seconds() -> float:
    """Of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _assert_same_tensors(ours: Path, theirs: Path) -> None:
    described = [
        {tensor.name: (tensor.shape, tensor.type_name) for tensor in read_header(path).tensors}
        for path in (ours, theirs)
    ]
    assert described[0] == described[1]


if __name__ == "__main__":
    for line in main([sys.argv[1]], int(sys.argv[2])):
        print(line, flush=True)
