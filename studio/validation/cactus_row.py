"""One row of the Cactus check: what was looked at, for which engine, and the verdict in a sentence."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Verdict = Literal["pass", "fail", "warn", "not measured"]


class CactusCheck(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True)

    name: str
    engine: str
    """Version of Cactus that the verdict is about; 'any' where all agree."""
    verdict: Verdict
    sentence: str


def good(name: str, engine: str, sentence: str) -> CactusCheck:
    """A row that passes."""
    return CactusCheck(name=name, engine=engine, verdict="pass", sentence=sentence)


def fail(name: str, engine: str, sentence: str) -> CactusCheck:
    """A row that fails: the engine refuses the file, or answers as if it were another."""
    return CactusCheck(name=name, engine=engine, verdict="fail", sentence=sentence)


def warn(name: str, engine: str, sentence: str) -> CactusCheck:
    """A row that an app's author should know."""
    return CactusCheck(name=name, engine=engine, verdict="warn", sentence=sentence)


def not_measured(name: str, engine: str, sentence: str) -> CactusCheck:
    """A row that nothing here can tell."""
    return CactusCheck(name=name, engine=engine, verdict="not measured", sentence=sentence)
