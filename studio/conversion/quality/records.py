"""What was measured of GGUF files, kept in the workspace's state so that nothing is measured twice.

A record is named by the SHA-256 of the file, of the unquantized file it was compared with, and of the rows: a file that
was changed, or other scenarios, find no record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.workspace import Workspace, atomic_write, sha256_file

FORMAT = 1
"""Counts how often the meaning of a figure changed; records of another format are measured anew."""


class HeldOutRow(BaseModel):
    """A conversation that no training saw, as tokens.

    Attributes:
        ids: token ids, `[tokens]`.
        mask: True where the token is one that training puts loss on (the DM's turns), `[tokens]`.
    """

    model_config = ConfigDict(frozen=True)

    ids: tuple[int, ...]
    mask: tuple[bool, ...]

    @property
    def wanted(self) -> list[int]:
        """The positions after which a trained token follows: what a model says there is compared."""
        return [place for place in range(len(self.ids) - 1) if self.mask[place + 1]]

    def cut(self, tokens: int) -> HeldOutRow:
        """Its first `tokens` tokens."""
        return HeldOutRow(ids=self.ids[:tokens], mask=self.mask[:tokens])


class FileQuality(BaseModel):
    """How near a file comes to the unquantized one it was made from, at the trained positions of held-out rows.

    `kl` is KL(unquantized || file) of the next-token distribution, in nats, `same_top` the share of positions at which
    both think the same token likeliest, `perplexity` the exponential of the mean loss per trained token.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    file: str = Field(description="Name of the file when it was measured.")
    size: int = Field(description="Bytes.")
    sha256: str
    reference_sha256: str
    rows_sha256: str
    positions: int
    perplexity: float
    reference_perplexity: float
    kl: float = Field(description="Mean over the positions.")
    kl_p99: float = Field(description="99th percentile over the positions.")
    same_top: float

    @property
    def perplexity_increase(self) -> float:
        """By what share the perplexity is above the unquantized file's: 0.02 is 2 %; below 0 where it is lower."""
        return self.perplexity / self.reference_perplexity - 1

    @property
    def is_reference(self) -> bool:
        """Whether this is the unquantized file itself."""
        return self.sha256 == self.reference_sha256


def rows_digest(rows: Sequence[HeldOutRow]) -> str:
    """The SHA-256 of rows: the same text in the same tokens has the same."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.model_dump_json().encode())
    return digest.hexdigest()


def quality_folder(workspace: Workspace) -> Path:
    """Where everything about measured quality lies."""
    return workspace.state_dir / "quality"


def find_quality(workspace: Workspace, sha256: str, reference_sha256: str, rows_sha256: str) -> FileQuality | None:
    """The record of a file, if it was measured on these rows."""
    return _read(_record_path(workspace, sha256, reference_sha256, rows_sha256))


def save_quality(workspace: Workspace, quality: FileQuality) -> None:
    """Keep a record."""
    path = _record_path(workspace, quality.sha256, quality.reference_sha256, quality.rows_sha256)
    atomic_write(path, quality.model_dump_json(indent=1) + "\n")


def known_qualities(workspace: Workspace) -> list[FileQuality]:
    """All records that can be read, the newest first."""
    found = [(path, _read(path)) for path in sorted(quality_folder(workspace).glob("*.json"), key=_when, reverse=True)]
    return [one for _, one in found if one]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file; remembered by this process until the file changes. Raises `OSError`."""
    found = path.stat()
    return _digest(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=512)
def _digest(path: Path, _changed: int, _size: int) -> str:
    return sha256_file(path)


def _record_path(workspace: Workspace, *parts: str) -> Path:
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    return quality_folder(workspace) / f"{name}.json"


def _read(path: Path) -> FileQuality | None:
    try:
        found = FileQuality.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.format == FORMAT else None


def _when(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0
