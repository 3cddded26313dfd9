"""Foreign files as streams of text lines and of JSON values: any size, any encoding, broken or not, in flat memory.

A file is UTF-8, UTF-16 with a byte order mark, or a mixture in which single lines are Windows-1252. The largest line
and the largest value are bounded; what is larger is passed over and reported, not loaded.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from studio.errors import DatasetError

LARGEST = 8 * 1024 * 1024
"""Bytes of one line, characters of one JSON value; a scenario file may have 16 MiB."""
_CHUNK = 256 * 1024
_STRUCTURE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line end; `problem` says why it could not be read, `note` what was guessed."""

    number: int
    text: str
    problem: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One JSON value and the line on which it begins, or why there is none."""

    line: int
    value: Any = None
    problem: str = ""
    note: str = ""


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, `.gz` unpacked on the way.

    Raises:
        DatasetError: the file cannot be opened or unpacked.
    """
    with _opened(path) as stream:
        yield from _wide_lines(stream) if _is_wide(stream) else _byte_lines(stream)


def looks_like_json(path: Path) -> bool:
    """Whether a file holds JSON records and not prose; `[Sarah] I hide.` is prose. Raises as `read_lines`."""
    for line in read_lines(path):
        text = line.text.lstrip()
        if line.problem and not text:
            return path.name.lower().removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson"))
        if text:
            return re.match(r'\{\s*(?:"|\}|$)|\[\s*(?:[\[{\]]|$)', text) is not None
    return False


def read_values(path: Path) -> Iterator[Value]:
    """The records of a JSON file: one per line, or the elements of one array, or values one after another.

    Raises:
        DatasetError: the file cannot be opened or unpacked.
    """
    if _one_per_line(path):
        for line in read_lines(path):
            if line.problem:
                yield Value(line.number, problem=line.problem)
            elif line.text.strip():
                yield _value(line.text, line.number, line.note)
    else:
        yield from _split(path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if not path.is_file():
            raise DatasetError("There is no such file.", next_step="Check the path.", where=str(path))
        opener = gzip.open if path.suffix.lower() == ".gz" else open
        with opener(path, "rb") as stream:
            yield cast(BinaryIO, stream)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatasetError(
            "The file cannot be read to its end.",
            why=f"{reason.rstrip('.')}.",
            next_step="What came before is imported; get the file again for the rest.",
            where=str(path),
        ) from error


def _byte_lines(stream: BinaryIO) -> Iterator[Line]:
    number = 0
    while raw := stream.readline(LARGEST + 1):
        number += 1
        if len(raw) > LARGEST:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(LARGEST)
            yield Line(number, "", f"The line is longer than {LARGEST // 1024**2} MiB.")
            continue
        yield _decoded(raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw, number)


def _pieces(path: Path) -> Iterator[Line]:
    """Lines with their line ends; a line that is very long comes in pieces of the same number."""
    with _opened(path) as stream:
        if _is_wide(stream):
            yield from _wide_lines(stream)
            return
        number, rest = 1, b""
        while raw := stream.readline(_CHUNK):
            whole = raw.endswith(b"\n")
            raw, rest = (rest + raw, b"") if whole else _at_a_character(rest + raw)
            piece = _decoded(raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw, number)
            yield Line(number, piece.text + "\n" * whole, piece.problem, piece.note)
            number += whole
        if rest:
            yield _decoded(rest, number)


def _at_a_character(raw: bytes) -> tuple[bytes, bytes]:
    """Bytes cut before a UTF-8 character that is not all there (RFC 3629: the first byte says how long it is)."""
    for back in range(1, min(4, len(raw) + 1)):
        byte = raw[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return (raw[:-back], raw[-back:]) if back < needed else (raw, b"")
        if byte < 0x80:
            break
    return raw, b""


def _is_wide(stream: BinaryIO) -> bool:
    head = cast(BufferedReader, stream).peek(2)[:2]
    return head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _decoded(raw: bytes, number: int) -> Line:
    content = raw.rstrip(b"\r\n")
    try:
        return Line(number, content.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    try:
        return Line(number, content.decode("cp1252"), note="The line is not UTF-8; it was read as Windows-1252.")
    except UnicodeDecodeError:
        return Line(number, "", "The line is neither UTF-8 nor Windows-1252; save the file as UTF-8.")


def _wide_lines(stream: BinaryIO) -> Iterator[Line]:
    """Lines of UTF-16 text; the reader decodes as it goes."""
    reader = codecs.getreader("utf-16")(stream, "replace")
    number, rest, skipping = 0, "", False
    while piece := reader.read(_CHUNK):
        *lines, rest = (rest + piece).split("\n")
        for text in lines:
            number += 1
            too_long = skipping or len(text) > LARGEST
            problem = f"The line is longer than {LARGEST // 1024**2} MiB." if too_long else ""
            yield Line(number, "" if too_long else text.rstrip("\r"), problem)
            skipping = False
        if len(rest) > LARGEST:
            rest, skipping = "", True
    if rest or skipping:
        yield Line(number + 1, rest, f"The line is longer than {LARGEST // 1024**2} MiB." if skipping else "")


def _one_per_line(path: Path) -> bool:
    """JSON Lines, unless the first line is the beginning of something longer or one whole array of records."""
    first = next((one.text.strip() for one in read_lines(path) if one.problem or one.text.strip()), "")
    return _is_record(first) or not _stays_open(first)


def _is_record(text: str) -> bool:
    """Whether a line alone is a record: an object, or a list of messages without a name."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, list):
        return isinstance(value, dict)
    return bool(value) and all(isinstance(one, dict) and ("role" in one or "from" in one) for one in value)


def _stays_open(text: str) -> bool:
    """Whether a first line is the beginning of something longer: an array, or a value over several lines."""
    return text.startswith("[") or text in ("", "{") or (text.startswith("{") and text.endswith((",", "[", "{", ":")))


def _value(text: str, line: int, note: str = "") -> Value:
    try:
        value = json.loads(text)
    except RecursionError:
        return Value(line, problem="The JSON is nested too deeply.")
    except ValueError as error:
        return Value(line, problem=f"This is not JSON: {error}.")
    return Value(line, value, note=note)


def _split(path: Path) -> Iterator[Value]:
    """The objects of an array, or one after another. A broken one would swallow the rest: then the rest is read again.

    The second time a line that begins as the broken record did begins the next record.
    """
    splitter = _Splitter()
    yield from splitter.split(_pieces(path))
    if splitter.unfinished:
        again = _Splitter(resume=True)
        yield from again.split(piece for piece in _pieces(path) if piece.number >= splitter.unfinished)
        if again.unfinished:
            yield Value(again.unfinished, problem="The file ends before this record does.")


class _Splitter:
    """Follows brackets and strings; a JSON string never goes over the end of a line."""

    def __init__(self, *, resume: bool = False) -> None:
        self._resume = resume
        self._kept: list[str] = []
        self._size = self._depth = self._line = self._last = 0
        self._indent = ""
        self._in_string = self._escaped = False
        self._problem = self._note = ""

    @property
    def unfinished(self) -> int:
        """The line of the record that does not end, 0 when all do."""
        return self._line if self._depth else 0

    def split(self, pieces: Iterable[Line]) -> Iterator[Value]:
        """The values of a text that comes in lines, or in pieces of very long lines."""
        for piece in pieces:
            if piece.number != self._last:
                self._in_string = self._escaped = False
                if self._depth and self._resume and self._begins_record(piece):
                    yield Value(self._line, problem="The record does not end before the next one begins.")
                    self._forget()
            self._last = piece.number
            if piece.problem:
                self._problem = piece.problem
                if not self._depth:
                    yield Value(piece.number, problem=piece.problem)
                    self._problem = ""
            yield from self._feed(piece)

    def _begins_record(self, piece: Line) -> bool:
        """Whether a line begins as the line of the present record did: indented the same, with a bracket."""
        return piece.number > self._line and piece.text.startswith(self._indent + "{")

    def _feed(self, piece: Line) -> Iterator[Value]:
        text, start = piece.text, 0
        self._note = self._note or piece.note
        for at in self._marks(text):
            mark = text[at]
            if mark == '"':
                self._in_string = not self._in_string and bool(self._depth)
            elif mark == "{" or (mark == "[" and self._depth):
                if not self._depth:
                    start, self._line, self._indent = at, piece.number, text[:at] if text[:at].isspace() else ""
                self._depth += 1
            elif self._depth and mark in "}]":
                self._depth -= 1
                if not self._depth:
                    yield self._done(text[start : at + 1])
                    start = at + 1
        if self._depth:
            self._keep(text[start:])

    def _marks(self, text: str) -> Iterator[int]:
        """Offsets of the brackets outside strings and of the quotes around strings."""
        position, length = int(self._escaped), len(text)
        self._escaped = False
        while position < length:
            match = (_IN_STRING if self._in_string else _STRUCTURE).search(text, position)
            if match is None:
                return
            position = match.end()
            if match[0] == "\\":
                self._escaped = position == length
                position += 1
            else:
                yield match.start()

    def _keep(self, text: str) -> None:
        self._size += len(text)
        if self._size > LARGEST:
            self._problem, self._kept = f"The record is larger than {LARGEST // 1024**2} MiB.", []
        else:
            self._kept.append(text)

    def _done(self, last: str) -> Value:
        self._keep(last)
        value = Value(self._line, problem=self._problem)
        if not self._problem:
            value = _value("".join(self._kept), self._line, self._note)
        self._forget()
        return value

    def _forget(self) -> None:
        self._kept, self._size, self._depth, self._problem, self._note = [], 0, 0, "", ""
