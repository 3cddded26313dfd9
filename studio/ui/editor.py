"""What the Ace editor shows on top of the text: gutter marks of problems, and coloured stretches.

Offsets of the engine are in characters; Ace counts rows and columns from 0, columns in UTF-16 units.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TypedDict

from studio.scenarios import BOM, Diagnostic, Severity, Tree, Vocabulary, find_directives, parse_tree
from studio.scenarios.otherwise import find_otherwise
from studio.scenarios.slots import find_braces

# Ace breaks lines at these only; str.splitlines would also break at form feeds and line separators.
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_ACE_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "info"}
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class Annotation(TypedDict):
    """A gutter mark, as Ace wants it."""

    row: int
    column: int
    type: str
    text: str


class Marker(TypedDict):
    """A coloured stretch, as react-ace wants it."""

    startRow: int
    startCol: int
    endRow: int
    endCol: int
    className: str
    type: str


class Positions:
    """Offsets of one text, as a file holds it, as rows and columns of Ace, which shows no byte order mark."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = text.isascii()
        self._starts = [int(text.startswith(BOM)), *(match.end() for match in _LINE_BREAK.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Row and column of a character offset."""
        row = max(0, bisect_right(self._starts, offset) - 1)
        if self._plain:
            return row, min(offset, len(self._text)) - self._starts[row]
        before = self._text[self._starts[row] : offset]
        if before.isascii():
            return row, len(before)
        return row, len(before.encode("utf-16-le", errors="surrogatepass")) // 2

    def offset(self, row: int, column: int) -> int:
        """The character offset of a row and column; a place outside the text becomes the nearest inside."""
        if row >= len(self._starts):
            return len(self._text)
        start = self._starts[max(0, row)]
        end = self._starts[row + 1] if 0 <= row < len(self._starts) - 1 else len(self._text)
        line = self._text[start:end].rstrip("\r\n")
        units = line.encode("utf-16-le", errors="surrogatepass")[: 2 * max(0, column)]
        return start + len(units.decode("utf-16-le", errors="ignore"))


def gutter_marks(diagnostics: Sequence[Diagnostic]) -> list[Annotation]:
    """Gutter marks: one per diagnostic, message and reason as its tool tip."""
    return [
        {
            "row": one.span.line - 1,
            "column": one.span.column - 1,
            "type": _ACE_LEVEL[one.severity],
            "text": f"{one.code} {one.message}" + (f" {one.why}" if one.why else ""),
        }
        for one in diagnostics
    ]


def markers(text: str, vocabulary: Vocabulary, diagnostics: Sequence[Diagnostic] = ()) -> list[Marker]:
    """Coloured stretches: whole turns (a bar beside them), tags, directives, results, slots, alternatives, problems."""
    positions, tree = Positions(text), parse_tree(text)
    stretches: list[tuple[int, int, str]] = []
    for node in tree.nodes:
        if node.kind != "block" or node.block is None:
            continue
        kind = node.block.lower()
        stretches += [
            (node.start, node.end, f"studio-turn-{kind}"),
            (node.start, node.body_start, f"studio-tag-{kind}"),
            (node.body_end, node.end, f"studio-tag-{kind}"),
        ]
        if node.block == "TOOLCALL":
            stretches.append((node.body_start, node.body_end, "studio-result"))
        if node.block == "DM":
            body = tree.body(node)
            found = find_directives(body, vocabulary)
            stretches += [(node.body_start + one.start, node.body_start + one.end, "studio-ask") for one in found]
        if node.block in ("User", "DM"):
            stretches += _slots(tree.body(node), node.body_start)
    stretches += _alternatives(tree)
    stretches += [(one.span.start, one.span.end, f"studio-{_ACE_LEVEL[one.severity]}") for one in diagnostics]
    return [_marker(positions, *one) for one in stretches if one[0] < one[1]]


def _slots(text: str, offset: int) -> Iterator[tuple[int, int, str]]:
    return (
        (offset + one.start, offset + one.end, "studio-slot") for one in find_braces(text).slots if not one.is_fixed
    )


def _alternatives(tree: Tree) -> Iterator[tuple[int, int, str]]:
    """Those that can be read; what only looks like one has no colour, as any other comment."""
    for one in find_otherwise(tree):
        if one.slip is None:
            yield one.comment.start, one.comment.end, "studio-turn-otherwise"
            yield one.comment.start, one.mark_end + 1, "studio-tag-otherwise"
            yield from _slots(tree.text[one.start : one.end], one.start)


def _marker(positions: Positions, start: int, end: int, name: str) -> Marker:
    (row, column), (end_row, end_column) = positions.place(start), positions.place(end)
    return {
        "startRow": row,
        "startCol": column,
        "endRow": end_row,
        "endCol": end_column,
        "className": name,
        "type": "fullLine" if name.startswith("studio-turn-") else "text",
    }


def system_row(stretches: Sequence[Marker]) -> int | None:
    """The row where the SYSTEM block begins, by the coloured stretches of a text; None when there is none."""
    return next((one["startRow"] for one in stretches if one["className"] == "studio-turn-system"), None)


def safe_fixes(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Those whose fix cannot change what the scenario says: what one click may apply to all of a text."""
    return [one for one in diagnostics if one.fix and one.fix.safe]


def windows_text(text: str) -> str:
    """Text whose bytes were read as UTF-8 and are Windows-1252: the letters that its author saw.

    Args:
        text: with a lone surrogate for every byte that is not UTF-8, as the library reads files.
    """
    return text.encode("utf-8", errors="surrogateescape").decode("cp1252", errors="replace")


def by_severity(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Errors first, then warnings, then information; each from top to bottom."""
    return sorted(diagnostics, key=lambda one: (_ORDER[one.severity], one.span.start))
