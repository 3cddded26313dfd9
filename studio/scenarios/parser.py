"""`MarkdownParser`: the one way in for those who want a scenario and do not care how the language works inside."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from studio.errors import WorkspaceError
from studio.scenarios.checks import run_checks
from studio.scenarios.meaning import conversation, scenario_type, system_context
from studio.scenarios.models import ConversationTurn, SystemContext, TrainingScenario, ValidationResult
from studio.scenarios.reading import Reading, printable
from studio.scenarios.settings import CheckSettings, load_check_settings
from studio.scenarios.vocabulary import Vocabulary, load_vocabulary

_HUGE = 1_000_000
"""Characters."""


class MarkdownParser:
    """Reads scenario files. Content never makes it raise; a file that cannot be opened does."""

    def __init__(self, vocabulary: Vocabulary | None = None, settings: CheckSettings | None = None) -> None:
        self.vocabulary = vocabulary or load_vocabulary()
        self.settings = settings or load_check_settings()

    def parse_scenario(self, file_path: str | Path) -> TrainingScenario:
        """The scenario of a file, with its diagnostics.

        `scenario_type` is the front matter's, else the name of the folder, else 'mixed'.

        Raises:
            WorkspaceError: the file is missing or cannot be read.
        """
        path = Path(file_path)
        scenario = self.parse_text(read_text(path), default_type=path.parent.name)
        scenario.metadata["source"] = path.name
        return scenario

    def parse_text(self, content: str, *, default_type: str = "mixed") -> TrainingScenario:
        """The scenario of a text, with its diagnostics. What is not UTF-8 becomes the replacement character U+FFFD."""
        reading = self._read(content)
        return TrainingScenario(
            system_context=system_context(reading),
            conversation=conversation(reading),
            scenario_type=scenario_type(reading, default_type),
            metadata=reading.front_matter.values,
            diagnostics=run_checks(reading, self.settings),
        )

    def extract_system_context(self, content: str) -> SystemContext:
        """The SYSTEM block of a text; empty when there is none."""
        return system_context(self._read(content))

    def extract_conversation(self, content: str) -> list[ConversationTurn]:
        """The turns of a text."""
        return conversation(self._read(content))

    def validate_format(self, content: str) -> ValidationResult:
        """What is wrong with a text, in the order of the text."""
        with _collector_paused(len(content)):
            return ValidationResult(diagnostics=run_checks(self._read(content), self.settings))

    def _read(self, content: str) -> Reading:
        """Offsets stay the same: every lone surrogate becomes one other character."""
        return Reading(printable(content), self.vocabulary)


@contextmanager
def _collector_paused(characters: int) -> Iterator[None]:
    """A huge text becomes millions of objects, none of them garbage: looking at them again and again is in vain."""
    pause = characters > _HUGE and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


def read_text(path: Path) -> str:
    """A file's text with its newlines and byte order mark as they are; bytes that are not UTF-8 survive as surrogates.

    Raises:
        WorkspaceError: the file is missing, is no file (a pipe would block for ever), or cannot be read.
    """
    try:
        content = path.read_bytes() if S_ISREG(path.stat().st_mode) else None
    except OSError as error:
        raise _cannot_open(path, str(error.strerror or error)) from error
    if content is None:
        raise _cannot_open(path, "It is not a file.")
    return content.decode("utf-8", errors="surrogateescape")


def _cannot_open(path: Path, why: str) -> WorkspaceError:
    return WorkspaceError("The scenario cannot be opened.", why=why, next_step="Check its name.", where=path.name)
