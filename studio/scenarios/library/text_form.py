"""Keeps the form of a file through an editor that forgets it: byte order mark, CR LF and mixed line ends.

Browsers hand text back with LF only. Lines that were not changed get the ends they had, new ones the usual end of the
file, so that saving touches nothing that the author did not touch.
"""

from __future__ import annotations

import re
from collections import Counter

from rapidfuzz.distance import LCSseq

from studio.scenarios.grammar import BOM
from studio.scenarios.library.merge import MAX_LINES, split_lines

_NEWLINE = re.compile(r"\r\n|\r|\n")


def editor_text(text: str) -> str:
    """A file's text as an editor shows it: without byte order mark, every line end LF."""
    return _NEWLINE.sub("\n", text.removeprefix(BOM))


def stored_text(edited: str, former: str) -> str:
    """What became of `editor_text(former)` in an editor, in the form of `former`, the file's text as it was read."""
    mark = BOM if former.startswith(BOM) else ""
    body = _NEWLINE.sub("\n", edited)
    ends = Counter(_NEWLINE.findall(former))
    usual = ends.most_common(1)[0][0] if ends else "\n"
    if len(ends) <= 1 or max(body.count("\n"), ends.total()) > MAX_LINES:
        return mark + body.replace("\n", usual)
    return mark + _with_former_ends(split_lines(body), split_lines(former.removeprefix(BOM)), usual)


def _with_former_ends(lines: list[str], former: list[str], usual: str) -> str:
    bare, bare_former = ([line.rstrip("\r\n") for line in side] for side in (lines, former))
    ended = [text + (usual if line.endswith("\n") else "") for text, line in zip(bare, lines, strict=True)]
    for code in LCSseq.opcodes(bare_former, bare):
        if code.tag == "equal":
            for offset in range(code.src_end - code.src_start):
                old, new = former[code.src_start + offset], code.dest_start + offset
                if lines[new].endswith("\n") and old[-1:] in ("\r", "\n"):
                    ended[new] = old
    return "".join(ended)
