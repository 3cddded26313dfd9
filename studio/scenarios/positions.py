"""Offsets -> lines and columns, as editors count them: a line ends with LF, CR LF or CR."""

from __future__ import annotations

import re
from bisect import bisect_right

from studio.scenarios.models import Span

_NEWLINE = re.compile(r"\r\n|\n|\r")


class LineIndex:
    """The line starts of one text, found once. Offsets count characters from 0; lines and columns count from 1."""

    def __init__(self, text: str) -> None:
        pattern = _NEWLINE if "\r" in text else re.compile("\n")
        self._starts = [0, *(match.end() for match in pattern.finditer(text))]

    def line_of(self, offset: int) -> int:
        """The line that holds the character at `offset`."""
        return bisect_right(self._starts, offset)

    def span(self, start: int, end: int) -> Span:
        """The stretch `start..end` with its lines and columns."""
        line, end_line = self.line_of(start), self.line_of(end)
        return Span(
            start=start,
            end=end,
            line=line,
            column=start - self._starts[line - 1] + 1,
            end_line=end_line,
            end_column=end - self._starts[end_line - 1] + 1,
        )
