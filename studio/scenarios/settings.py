"""How strict the checks are: severity per code and the limits that some of them compare with.

Read from config/diagnostics.yaml; a scenario's front matter may override severities for itself:

    diagnostics: {W003: off, R004: warning}
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.config import load_settings
from studio.scenarios.models import Severity
from studio.workspace import PROJECT_ROOT

_CODE = re.compile(r"[STRW]\d{3}")


class Limits(BaseModel):
    """Numbers that checks compare with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn_words: int = Field(250, gt=0, description="A DM turn longer than this is reported (words).")
    repeated_sentence_words: int = Field(5, gt=0, description="Shorter sentences may repeat.")
    close_match: int = Field(75, ge=0, le=100, description="How alike a did-you-mean must be (percent).")
    per_code: int = Field(200, gt=0, description="Diagnostics of one code in one file; the rest is only counted.")


class CheckSettings(BaseModel):
    """The content of config/diagnostics.yaml. A severity of None means that the code is off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: dict[str, Severity | None] = Field(default_factory=dict)
    limits: Limits = Field(default_factory=lambda: Limits())

    @field_validator("severity", mode="before")
    @classmethod
    def _words(cls, written: Any) -> Any:
        return {code: read_severity(level) for code, level in written.items()} if isinstance(written, dict) else written

    @field_validator("severity")
    @classmethod
    def _codes(cls, severity: dict[str, Severity | None]) -> dict[str, Severity | None]:
        wrong = [code for code in severity if not _CODE.fullmatch(code)]
        if wrong:
            raise ValueError(f"not a code: {', '.join(wrong)}")
        return severity


def read_severity(written: object) -> Severity | None:
    """`error`, `warning`, `info` or `off` (which YAML may read as False).

    Raises:
        ValueError: anything else.
    """
    if written is False or written is None or str(written).lower() == "off":
        return None
    return Severity(str(written).lower())


def load_check_settings(path: Path | None = None) -> CheckSettings:
    """The settings of a diagnostics.yaml; the project's own when no path is given (then read once).

    Raises:
        ConfigError: the file is missing, not YAML, or holds a setting that does not exist.
    """
    return _shipped_settings() if path is None else load_settings(CheckSettings, path)


@lru_cache(maxsize=1)
def _shipped_settings() -> CheckSettings:
    return load_settings(CheckSettings, PROJECT_ROOT / "config" / "diagnostics.yaml")
