"""Where files live: the only place that joins user input to a path, and the only way files are written.

A workspace is one folder with `config/`, `data/` and `models/` in it. Without a choice it is the project's own folder;
`--workspace` or `STUDIO_WORKSPACE` points everything at another one, so tests and two campaigns never share state.
This module does not lock: two writers of one file each leave a whole file, the later one wins.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from studio.errors import WorkspaceError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT_VARIABLE = "STUDIO_WORKSPACE"
_SAFE_NAME = re.compile(r"[\w][\w .+-]*", re.UNICODE)
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True)
class Workspace:
    """The folders of one campaign. Use `Workspace.find` to get one."""

    root: Path

    @classmethod
    def find(cls, chosen: str | Path | None = None) -> Workspace:
        """The workspace that was asked for, else `STUDIO_WORKSPACE`, else the project's own folder.

        Raises:
            WorkspaceError: the path exists and is not a folder.
        """
        root = Path(chosen or os.environ.get(ENVIRONMENT_VARIABLE) or PROJECT_ROOT).expanduser().resolve()
        if root.exists() and not root.is_dir():
            raise WorkspaceError(
                f"{root} is a file, not a folder.", next_step="Choose a folder for the workspace.", where="--workspace"
            )
        return cls(root)

    @property
    def config_dir(self) -> Path:
        """`config/`; files missing here are read from the project's own (see `config_file`)."""
        return self.root / "config"

    @property
    def scenarios_dir(self) -> Path:
        """`data/scenarios/`, with a folder per scenario type."""
        return self.root / "data" / "scenarios"

    @property
    def processed_dir(self) -> Path:
        """`data/processed/`: datasets made from the scenarios."""
        return self.root / "data" / "processed"

    @property
    def validation_dir(self) -> Path:
        """`data/validation/`: scenarios that are never trained on."""
        return self.root / "data" / "validation"

    @property
    def base_dir(self) -> Path:
        """`models/base/`: one folder per imported base model."""
        return self.root / "models" / "base"

    @property
    def checkpoints_dir(self) -> Path:
        """`models/checkpoints/`: one folder per training run."""
        return self.root / "models" / "checkpoints"

    @property
    def fine_tuned_dir(self) -> Path:
        """`models/fine-tuned/`: the final adapter of each run."""
        return self.root / "models" / "fine-tuned"

    @property
    def gguf_dir(self) -> Path:
        """`models/gguf/`: GGUF files ready to play."""
        return self.root / "models" / "gguf"

    @property
    def state_dir(self) -> Path:
        """`.studio/`: what the studio remembers (jobs other than training, drafts, history, chats)."""
        return self.root / ".studio"

    @property
    def jobs_dir(self) -> Path:
        """`.studio/jobs/`: one folder per job that is not a training run."""
        return self.state_dir / "jobs"

    def config_file(self, relative: str) -> Path:
        """A configuration file: the workspace's own if it has one, else the project's.

        Raises:
            WorkspaceError: `relative` leaves the config folder.
        """
        own = self.inside(self.config_dir, relative)
        return own if own.exists() else self.inside(PROJECT_ROOT / "config", relative)

    def inside(self, folder: Path, relative: str | Path) -> Path:
        """`folder / relative`, proven to stay inside `folder` after links and `..` are followed.

        Raises:
            WorkspaceError: the path would leave `folder`, or holds a NUL character.
        """
        try:
            target = (folder / relative).resolve()
        except (ValueError, OSError) as error:
            raise WorkspaceError(
                f"{str(relative)!r} is not a usable path.", why=str(error), next_step="Use a plain file name."
            ) from error
        if not target.is_relative_to(folder.resolve()):
            raise WorkspaceError(
                f"{str(relative)!r} leads outside {folder.name}/.",
                next_step="Use a plain file name without '..' or a leading '/'.",
            )
        return target

    def relative(self, path: Path) -> str:
        """A path as shown to a user: relative to the workspace if it lies in it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def safe_name(name: str) -> str:
    """A name from a form field, checked to be one ordinary file or folder name.

    Raises:
        WorkspaceError: empty, too long, with a separator or control character, hidden, or reserved by a system.
    """
    cleaned = name.strip().rstrip(".")
    if not cleaned or len(cleaned.encode()) > 120 or not _SAFE_NAME.fullmatch(cleaned):
        raise WorkspaceError(
            f"{name!r} cannot be a file name.", next_step="Use letters, digits, spaces, '-', '_' and '.' (at most 120)."
        )
    if cleaned.split(".")[0].lower() in _RESERVED:
        raise WorkspaceError(f"{name!r} is reserved by some systems.", next_step="Choose another name.")
    return cleaned


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Write a whole file or nothing: temporary file in the same folder, fsync, rename, fsync of the folder.

    The temporary file is removed when the block raises; the old file then stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def atomic_write(path: Path, content: str | bytes) -> None:
    """`atomic_writer` for content that is already in memory; text is UTF-8 with its newlines kept as they are."""
    with atomic_writer(path) as stream:
        stream.write(content.encode("utf-8") if isinstance(content, str) else content)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file as 64 hex digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk (POSIX fsync)."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
