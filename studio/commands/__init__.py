"""What every command of the command line shares: its description, its context, and its output.

Results go to standard output (text, or one JSON document with `--json`); progress and notes go to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TextIO

from pydantic import BaseModel

from studio.errors import StudioError
from studio.workspace import Workspace


def shared_options() -> ArgumentParser:
    """The options that every command and every action of a command understands."""
    shared = ArgumentParser(add_help=False)
    shared.add_argument("--workspace", metavar="DIR", default=SUPPRESS, help="folder with config, data and models")
    shared.add_argument("--json", action="store_true", default=SUPPRESS, help="print the result as JSON")
    return shared


class UsageError(StudioError):
    """The options of a command do not go together."""


class Exit(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    INTERRUPTED = 130


@dataclass(frozen=True)
class Context:
    """What a command works with besides its own arguments."""

    workspace: Workspace
    as_json: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def show(self, text: str, data: Any = None) -> None:
        """Print a result: `text` for a person, or `data` (models, lists, plain values) with `--json`.

        JSON is written in ASCII: every terminal and pipe can carry it, also what a file held that was not UTF-8.
        """
        if self.as_json:
            text = json.dumps(to_plain(data), indent=2)
        print(text, file=self.out, flush=True)

    def write(self, pieces: Iterable[str]) -> None:
        """Print a long result piece by piece, as it is made; the pieces bring their own line ends."""
        for piece in pieces:
            self.out.write(piece)
        self.out.flush()

    def note(self, text: str) -> None:
        """Tell a person something that is not part of the result."""
        print(text, file=self.err, flush=True)

    def progress(self, title: str) -> Progress:
        """A progress line on standard error; silent with `--json`, plain lines when it is not a terminal."""
        return Progress(title, self.err, silent=self.as_json)


@dataclass(frozen=True)
class Command:
    """One command: how it reads its arguments and what it does."""

    name: str
    help: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Context], int]
    description: str = ""


class Progress:
    """A line that says how far something is, how fast it goes and how long it still takes."""

    def __init__(
        self, title: str, stream: TextIO, *, silent: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title, self._stream, self._silent, self._clock = title, stream, silent, clock
        self._started = self._last = clock()
        self._terminal = stream.isatty()

    def __call__(self, done: float, total: float, unit: str = "") -> None:
        """Show that `done` of `total` is reached; at most a few times a second."""
        now = self._clock()
        finished = total > 0 and done >= total
        if self._silent or (not finished and now - self._last < (0.2 if self._terminal else 5.0)):
            return
        self._last = now
        line = f"{self._title}: {progress_text(done, total, unit, now - self._started)}"
        end = "\n" if finished or not self._terminal else ""
        self._stream.write(("\r\x1b[K" if self._terminal else "") + line + end)
        self._stream.flush()


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The `type` of an option that takes a whole number from `least` to `most`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return number

    return read


def number_between(least: float, most: float, what: str = "number") -> Callable[[str], float]:
    """The `type` of an option that takes a number from `least` to `most`; `what` is how a refusal calls it."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise ArgumentTypeError(f"{text!r} is not a {what} from {least:g} to {most:g}")
        return number

    return read


def progress_text(done: float, total: float, unit: str, seconds: float) -> str:
    """For example '42 of 120 steps, 2.1 steps/s, 0:37 left'."""
    if unit == "bytes":
        done, total, unit = done / 1e6, total / 1e6, "MB"
    text = f"{done:,.0f} of {total:,.0f} {unit}".rstrip() if total else f"{done:,.0f} {unit}".rstrip()
    if seconds <= 0 or done <= 0:
        return text
    rate = done / seconds
    text += f", {rate:,.3g} {unit or 'items'}/s"
    return text + (f", {clock_text((total - done) / rate)} left" if total > done else "")


def clock_text(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> str:
    """Rows as aligned columns."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join(lines)


def size_text(count: float) -> str:
    """Bytes as MB or GB (decimal, as disks and phones show them)."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def to_plain(data: Any) -> Any:
    """Models, paths and containers as what JSON can hold."""
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json")
    if isinstance(data, dict):
        return {str(key): to_plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [to_plain(value) for value in data]
    return data if isinstance(data, str | int | float | bool | None) else str(data)
