"""What models wrote: one JSON line per generated turn, appended as it is made, never generated again.

A model's rows are shared by all evaluations of a workspace: a baseline that was measured once is not asked again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.metrics import Likelihood
from studio.workspace import Workspace

Line = TypeVar("Line", bound=BaseModel)


class GeneratedTurn(BaseModel):
    """What a model wrote for one turn. Verdicts are not kept: they follow from the text."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_sha256: str
    key: str
    fingerprint: str = Field(description="Of everything that decides the text: see `evaluation.group_fingerprint`.")
    text: str
    reason: str = Field(
        description="Why the reply ended: a `StopReason`, or 'does_not_fit' when it was never asked for."
    )
    finished: bool = Field(True, description="The model ended its turn, or asked for dice, before the token limit.")
    n_prompt: int = 0
    n_reused: int = 0
    n_generated: int = 0
    hidden: int = Field(0, description="Messages that did not fit the window.")
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    peak_memory_bytes: int = 0

    likelihood: Likelihood | None = Field(None, description="Of the author's turn; None where there is none.")

    @property
    def identity(self) -> tuple[str, str, str]:
        """Model, turn and fingerprint: rows with the same identity answer the same question."""
        return self.model_sha256, self.key, self.fingerprint


class RowStore:
    """Rows in a JSONL file. A line torn by a kill is left out and closed; two writers at once lose nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = {row.identity: row for row in read_lines(path, GeneratedTurn)}

    @classmethod
    def of(cls, workspace: Workspace, model_sha256: str) -> RowStore:
        """The store of one model file, `.studio/evaluations/HASH.jsonl`."""
        return cls(workspace.state_dir / "evaluations" / f"{model_sha256}.jsonl")

    def get(self, identity: tuple[str, str, str]) -> GeneratedTurn | None:
        """The row of that identity, if it was made already."""
        return self._rows.get(identity)

    def add(self, rows: Iterable[GeneratedTurn]) -> None:
        """Append rows; they are on disk when this returns."""
        new = list(rows)
        append_lines(self.path, new)
        self._rows |= {row.identity: row for row in new}

    def __len__(self) -> int:
        return len(self._rows)


def read_lines(path: Path, model: type[Line]) -> list[Line]:
    """The lines of a JSONL file; what was torn by a kill is passed over. Empty when there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    found = []
    for line in content.splitlines():
        try:
            found.append(model.model_validate_json(line))
        except ValidationError:
            continue
    return found


def append_lines(path: Path, lines: Sequence[BaseModel]) -> None:
    """Append to a JSONL file, in one write; on disk when this returns. A torn last line is closed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line.model_dump_json()}\n" for line in lines)
    with path.open("a+b") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, end - 1))
        torn = stream.read(1) not in (b"", b"\n")
        stream.write((b"\n" if torn else b"") + text.encode())
        stream.flush()
        os.fsync(stream.fileno())
