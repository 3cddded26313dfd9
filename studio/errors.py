"""The errors that a user of the studio may see: what happened, why, and what to do next.

Code raises the most specific class; pages and the command line print `str(error)`. Programming mistakes stay ordinary
Python exceptions.
"""

from __future__ import annotations

from typing import Any


class StudioError(Exception):
    """An expected failure, told in the three sentences a person needs.

    Args:
        what: what happened, one sentence.
        why: the cause, if it is known.
        next_step: what the user can do now.
        where: the file, row or setting that it is about.
    """

    def __init__(self, what: str, *, why: str = "", next_step: str = "", where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step
        self.where = where

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join(part for part in (head, self.why, self.next_step) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.why, self.next_step, self.where)

    def as_dict(self) -> dict[str, str]:
        """The error as plain strings, for state files and `--json` output."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "why": self.why,
            "next_step": self.next_step,
            "where": self.where,
        }


def _rebuild(kind: type[StudioError], what: str, why: str, next_step: str, where: str) -> StudioError:
    return kind(what, why=why, next_step=next_step, where=where)


class WorkspaceError(StudioError):
    """A path leaves the workspace, is missing, or cannot be written."""


class ConfigError(StudioError):
    """A configuration file or setting cannot be used."""


class BaseModelError(StudioError):
    """A base model cannot be fetched, verified, imported or loaded."""


class DatasetError(StudioError):
    """Scenarios cannot be turned into training data."""


class JobError(StudioError):
    """A job cannot be started, found or controlled."""


class TrainingError(StudioError):
    """A training run cannot start or go on."""


class ConversionError(StudioError):
    """An adapter or model cannot be merged, written as GGUF or quantized."""


class PlayError(StudioError):
    """The playground cannot load or run a model."""


class EvaluationError(StudioError):
    """A model cannot be evaluated, benchmarked or checked, or a report cannot be read."""
