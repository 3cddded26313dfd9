"""The scenario language: a long file against markdown-it-py, ten thousand files against reading them, a hostile one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Ratio, interleaved
from studio.scenarios import MarkdownParser
from studio.workspace import PROJECT_ROOT

MB = 1e6
ROUNDS = 9
LINES = (300, 2_000, 10_000)
FILES = (1_000, 10_000)
HOSTILE_MB = 10
_FOLDER = """
import json, os, resource, sys, time
from pathlib import Path
from studio.scenarios import validate_paths
if __name__ == "__main__":
    size, start = 0, time.perf_counter()
    for report in validate_paths([sys.argv[1]], workers=len(os.sched_getaffinity(0))):
        size += report.bytes
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for path in Path(sys.argv[1]).rglob("*.md"):
        path.read_bytes().decode("utf-8")
    reading = time.perf_counter() - start
    peak = [resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([size, seconds, reading, *peak]))
"""
_HOSTILE = """
import json, resource, sys, time
from studio.scenarios import MarkdownParser
parser = MarkdownParser()
parser.validate_format("<DM>[roll: stealth]</DM>")
text = "<DM>[" * (int(sys.argv[1]) // 5)
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, time.perf_counter()
parser.validate_format(text)
print(json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before]))
"""


def main() -> list[Ratio | str]:
    return [*(one_file(lines) for lines in LINES), keystroke(), *many_files(), hostile()]


def long_scenario(lines: int) -> str:
    """A valid scenario of about so many lines: a shipped one, with its turns again and again under other words."""
    text = (PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md").read_text(encoding="utf-8")
    head, tag, turns = text.partition("</SYSTEM>\n")
    head, rest, number = [head, tag], lines - head.count("\n"), 0
    while rest > 0:
        number += 1
        head.append(turns.replace(". ", f" ({number}). "))
        rest -= turns.count("\n")
    return "".join(head)


def one_file(lines: int) -> Ratio:
    """Milliseconds of one validation in a warm process, and of CommonMark tokens of the same text."""
    from markdown_it import MarkdownIt

    text, parser, markdown = long_scenario(lines), MarkdownParser(), MarkdownIt("commonmark")
    title = f"validating {text.count(chr(10))} lines ({len(text) / MB:.3f} MB)"
    return interleaved(
        title, "ms", "markdown-it-py, CommonMark",
        lambda: milliseconds(lambda: parser.validate_format(text)), lambda: milliseconds(lambda: markdown.parse(text)),
        rounds=ROUNDS,
    )  # fmt: skip


def keystroke() -> Ratio:
    """What the page does on a keystroke, scenario and diagnostics, against the diagnostics alone."""
    text, parser = long_scenario(300), MarkdownParser()
    return interleaved(
        "a keystroke in a file of 300 lines: scenario and diagnostics", "ms", "diagnostics alone",
        lambda: milliseconds(lambda: parser.parse_text(text)),
        lambda: milliseconds(lambda: parser.validate_format(text)), rounds=ROUNDS,
    )  # fmt: skip


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def many_files() -> list[str]:
    """MB a second on all cores, starting them included, and the peak memory of the parent and its largest worker."""
    return [_folder(count) for count in FILES]


def _folder(count: int) -> str:
    shipped = [path.read_text(encoding="utf-8") for path in sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            text = shipped[number % len(shipped)].replace("the ", f"the {number}th ", 3)
            (Path(folder) / f"{number:05}.md").write_text(text, encoding="utf-8")
        size, seconds, reading, parent, worker = _measured(_FOLDER, folder)
    return (
        f"{count} files ({size / MB:.1f} MB): {size / MB / seconds:.1f} MB/s, reading and decoding alone "
        f"{size / MB / reading:.0f} MB/s; peak memory {parent:.0f} MB, each worker at most {worker:.0f} MB"
    )


def hostile() -> str:
    """A file of nothing but opened turns, and half of it."""
    half, _ = _measured(_HOSTILE, str(int(HOSTILE_MB * MB / 2)))
    seconds, memory = _measured(_HOSTILE, str(int(HOSTILE_MB * MB)))
    return (
        f"{HOSTILE_MB} MB of '<DM>[': {seconds:.1f} s, {seconds / half:.2f} times half of it; {memory:.0f} MB of memory"
    )


def _measured(program: str, *arguments: str) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "measure.py"  # worker processes are started from a file
        script.write_text(f"import sys\nsys.path.insert(0, {str(PROJECT_ROOT)!r})\n{program}", encoding="utf-8")
        run = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True)
    return [float(one) for one in json.loads(run.stdout)]
