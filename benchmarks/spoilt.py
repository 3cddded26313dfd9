"""A thousand spoilt GGUF files, each looked at in full: whether there always is a report, and who found what.

python -m benchmarks spoilt
python -m benchmarks.spoilt 0 250      these seeds alone
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.spoilt_files import spoilt, write_whole
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.inspection.validation import GGUFReport, inspect_gguf

FILES = 1000
PATIENCE_SECONDS = 60
WORKERS = 2


def main(first: int = 0, end: int = FILES) -> Iterator[str]:
    """The lines of the report."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(WORKERS) as pool:
        folder = Path(name)
        whole = write_whole(folder / "whole.gguf")
        data, header_size = whole.read_bytes(), read_header(whole).header_size
        started = time.perf_counter()
        outcomes = Counter(pool.map(partial(_outcome, folder, data, header_size), range(first, end)))
        seconds = time.perf_counter() - started
    yield f"{end - first} spoilt files, {sum(outcomes.values())} reports, {seconds:.0f} s on {WORKERS} processes"
    yield from (f"  {count:5}  {outcome}" for outcome, count in outcomes.most_common())


def _outcome(folder: Path, data: bytes, header_size: int, seed: int) -> str:
    path = folder / f"{seed}.gguf"
    path.write_bytes(spoilt(data, header_size, seed))
    try:
        return _found(inspect_gguf(path, timeout=PATIENCE_SECONDS))
    finally:
        path.unlink()


def _found(report: GGUFReport) -> str:
    if len(report.checks) == 1:
        return "refused while its header was read"
    told = report.check("runs").detail
    failed = [check.name for check in report.checks if not check.passed]
    if "structure" in failed:
        return "its structure is wrong, llama.cpp not asked"
    if "crashed" in told:
        return f"llama.cpp crashed, {'found by reading, too' if failed != ['runs'] else 'found by nobody else'}"
    if "too long" in told:
        return f"llama.cpp hung, {'found by reading, too' if failed != ['runs'] else 'found by nobody else'}"
    if "runs" in failed:
        return "llama.cpp refused it"
    return f"plays, {' and '.join(failed)} wrong" if failed else "plays, nothing found"


if __name__ == "__main__":
    for line in main(int(sys.argv[1]), int(sys.argv[2])):
        print(line, flush=True)
