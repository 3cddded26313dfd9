"""Whether a GGUF file suits Cactus, the on-device runtime: a static check of the file's header, in milliseconds.

This is level 1 of three. No engine runs here: level 2 (the 0.2.11 engine loads and answers) and level 3 (2.2.2 converts
and computes the same) are reported as not run, and what only a phone can tell as not measured. A file that passes has
none of the faults that were seen to break or silently bend it; that it plays well is not claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.errors import ConversionError, EvaluationError
from studio.validation import cactus_file, cactus_text
from studio.validation.cactus_row import CactusCheck, fail, not_measured

Status = Literal["run", "not run"]
CHECKS: tuple[Callable[[GGUFHeader], CactusCheck], ...] = (
    cactus_file.check_version,
    cactus_file.check_tensor_bounds,
    cactus_file.check_architecture,
    cactus_file.check_tensor_types,
    cactus_file.check_hyperparameters,
    cactus_text.check_pre_tokenizer,
    cactus_text.check_end_token,
    cactus_text.check_template,
    cactus_text.check_template_syntax,
    cactus_text.check_first_token,
    cactus_text.check_turn_end,
    cactus_file.check_context,
    cactus_file.check_size,
    cactus_file.check_newer_engine,
    cactus_file.check_newer_context,
    cactus_file.check_widths,
)


class CactusLevel(BaseModel):
    """One of the three levels of the check."""

    model_config = ConfigDict(frozen=True)

    level: int
    title: str
    engine: str
    status: Status
    reason: str


class CactusReport(BaseModel):
    """All rows about one file."""

    model_config = ConfigDict(frozen=True)

    file: str
    size_bytes: int
    architecture: str = ""
    checks: tuple[CactusCheck, ...]
    levels: tuple[CactusLevel, ...]

    @property
    def passes(self) -> bool:
        """No check failed; warnings and what is not measured do not count."""
        return all(one.verdict != "fail" for one in self.checks)

    def check(self, name: str) -> CactusCheck:
        """The row of that name. Raises `KeyError`."""
        return {one.name: one for one in self.checks}[name]


LEVELS = (
    CactusLevel(
        level=1,
        title="static check of the file",
        engine="none",
        status="run",
        reason="Read from the file's header; what each engine demands was found by running it or reading its binary.",
    ),
    CactusLevel(
        level=2,
        title="the engine loads the file, formats a chat and answers",
        engine="0.2.11",
        status="not run",
        reason="The studio does not bring this engine yet; try the file in an app built on it.",
    ),
    CactusLevel(
        level=3,
        title="conversion to the newer format, and the same first words",
        engine="2.2.2",
        status="not run",
        reason="The studio does not bring this engine yet; it converts checkpoints, no GGUF.",
    ),
)


def check_cactus(gguf_path: Path) -> CactusReport:
    """Check one file. A damaged file gives a report with a failed row, not an error.

    Raises:
        EvaluationError: there is no such file.
    """
    if not gguf_path.is_file():
        raise EvaluationError("This model file is not there.", next_step="Choose another model.", where=gguf_path.name)
    size = gguf_path.stat().st_size
    try:
        header = read_header(gguf_path)
    except ConversionError as error:
        row = fail("file", "0.2.11", f"The file cannot be read: {error.why or error.what}")
        return _report(gguf_path, size, "", [row])
    rows = [check(header) for check in CHECKS]
    return _report(gguf_path, size, header.architecture, [*rows, *_unmeasured()])


def _report(path: Path, size: int, architecture: str, rows: Iterable[CactusCheck]) -> CactusReport:
    return CactusReport(file=path.name, size_bytes=size, architecture=architecture, checks=tuple(rows), levels=LEVELS)


def _unmeasured() -> list[CactusCheck]:
    return [
        not_measured("tools", "0.2.11", "The tool list in OpenAI form is not exported from config/tools.yaml yet."),
        not_measured("activations", "2.2.2", "Whether every activation fits 16 bits needs a run of the model."),
        not_measured("phone speed", "any", "Needs the phone; a computer's speed says nothing about it."),
        not_measured("phone memory", "any", "Needs the phone; `benchmark` measures memory on this computer."),
        not_measured("phone battery", "any", "Needs the phone."),
    ]
