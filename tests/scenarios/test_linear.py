"""Reading is linear in the text: twice the text is at most about twice the work, whatever the text is made of.

Work is counted in calls, not in seconds. What happens inside one call of a regular expression is not counted; for that,
a process whose CPU time is limited reads a large text of every shape: quadratic work would not come to an end in it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from studio.scenarios import MarkdownParser, fix_text
from studio.workspace import PROJECT_ROOT

PARSER = MarkdownParser()
SHAPES = {
    "opened turns": "<DM>[",
    "half a request": "[roll: ",
    "brackets": "[",
    "closed brackets": "[roll: stealth]",
    "openers of comments": "<!--",
    "comments": "<!-- -->",
    "backticks": "` `` ",
    "fences": "```\n~~~\n",
    "stars": "*a **",
    "pipes": "|a ",
    "dashes": "---\n",
    "quotes": '"',
    "curly quotes": "“a",
    "closing tags": "</DM>",
    "half a tag": "<User",
    "labels": "**DM:** a\n",
    "escaped tags": "&lt;DM&gt;",
    "things like tags": "<a b ",
    "quoted lines": "> ",
    "lists": "- - ",
    "headings": "# a\n## b\n",
    "carriage returns": "\r",
    "tabs": "\t ",
    "invisible": "\u200b ",
    "sums": "1 + 1(a) ",
    "answers": "stealth: 1 + 1 = *2*\n",
    "outcomes": "*SUCCESS* ",
    "sentences": "You say that. ",
}
AROUND = {
    "nothing": ("", ""),
    "a DM turn": ("<DM>", "</DM>"),
    "a TOOLCALL turn": ("<TOOLCALL>", "</TOOLCALL>"),
    "a sheet": ("<SYSTEM>\n# Party\n## A\n- Skills: ", "\n</SYSTEM>"),
    "front matter": ("---\na: ", "\n---\n"),
}
SMALL, LARGE = 6_000, 600_000
CPU_SECONDS = 120
_READ_ALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
from studio.scenarios import MarkdownParser
from tests.scenarios.test_linear import LARGE, SHAPES, text_of
for shape in SHAPES:
    MarkdownParser().validate_format(text_of(shape, sys.argv[2], LARGE))
print("read", len(SHAPES))
"""


def text_of(shape: str, around: str, length: int) -> str:
    """A text of a shape, with at least `length` characters of it."""
    before, after = AROUND[around]
    return before + SHAPES[shape] * (length // len(SHAPES[shape]) + 1) + after


def calls(work: Callable[[], Any]) -> int:
    """How many calls of functions, Python's or C's, the work is."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def grows_linearly(work: Callable[[str], Any], shape: str, around: str) -> None:
    work(text_of(shape, around, SMALL))  # what is cached is not work
    once, twice = (calls(lambda size=size: work(text_of(shape, around, size))) for size in (SMALL, 2 * SMALL))
    assert twice <= 2.3 * once + 500, f"{once} calls, then {twice}"


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_text_is_twice_the_work(shape: str, around: str) -> None:
    grows_linearly(PARSER.parse_text, shape, around)


@pytest.mark.parametrize("shape", SHAPES)
def test_so_it_is_when_everything_is_fixed(shape: str) -> None:
    once, twice = (
        calls(lambda size=size: fix_text(text_of(shape, "nothing", size), PARSER)) for size in (1_000, 2_000)
    )
    assert twice <= 3 * once + 2_000, f"{once} calls, then {twice}"


@pytest.mark.slow
@pytest.mark.parametrize("around", AROUND)
def test_a_long_text_of_every_shape_is_read_to_the_end(around: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _READ_ALL, str(CPU_SECONDS), around],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.stdout, run.returncode) == (f"read {len(SHAPES)}\n", 0), run.stderr[-2_000:]
