"""How the library touches files: revisions, reading with clear errors, creating and moving without overwriting, a lock.

The lock is between processes and threads of the studio. An editor outside does not take it: a save by one in the few
microseconds between the last look at the file and its replacement is not seen (it is not in the history either).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from studio.scenarios.library.errors import ScenarioLibraryError, ScenarioNameError
from studio.workspace import atomic_write

LOCK_TIMEOUT = 30.0
"""Seconds that an action waits for another one to finish."""
MAX_BYTES = 16 * 1024 * 1024
"""Largest scenario that is opened or saved, in bytes."""


def revision_of(content: bytes) -> str:
    """The revision of a file: the SHA-256 of its bytes, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def decode(content: bytes) -> str:
    """Bytes as text, byte order mark and line ends kept; what is not UTF-8 survives as lone surrogates."""
    return content.decode("utf-8", errors="surrogateescape")


def encode(text: str, where: str) -> bytes:
    """Text as bytes, the inverse of `decode`.

    Raises:
        ScenarioLibraryError: half a character that is no byte of a file either, or too much text.
    """
    try:
        content = text.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise ScenarioLibraryError(
            "The text holds half a character.",
            why=f"Position {error.start} is a lone surrogate.",
            next_step="Delete that character and save again.",
            where=where,
        ) from error
    if len(content) > MAX_BYTES:
        limit = f"The limit is {MAX_BYTES // 1024**2} MiB."
        raise ScenarioLibraryError("The text is too long.", why=limit, next_step="Split it in two.", where=where)
    return content


def read_bytes(path: Path, where: str) -> bytes | None:
    """The content of a file, None when there is none.

    Raises:
        ScenarioLibraryError: it exists and cannot be read, or is too large.
    """
    with telling("The scenario cannot be read.", where):
        try:
            with path.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
    if len(content) > MAX_BYTES:
        raise ScenarioLibraryError(f"The file is larger than {MAX_BYTES // 1024**2} MiB.", where=where)
    return content


def create_file(path: Path, content: bytes, where: str) -> None:
    """Write a file that must not exist yet, whole or not at all.

    Raises:
        ScenarioNameError: somebody else made it meanwhile.
        ScenarioLibraryError: the disk refuses.
    """
    with telling("The scenario cannot be written.", where):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            atomic_write(temporary, content)
            temporary.chmod(0o644)
            move_file(temporary, path, where)
        finally:
            temporary.unlink(missing_ok=True)


def move_file(source: Path, target: Path, where: str) -> None:
    """Rename without overwriting; for an instant both names may exist, never none.

    Raises:
        ScenarioNameError: the target exists.
        ScenarioLibraryError: the disk refuses.
    """
    with telling("The scenario cannot be moved.", where):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError as error:
            raise ScenarioNameError("A file of that name is there already.", where=where) from error
        except OSError:  # a file system without hard links
            if target.exists():
                raise ScenarioNameError("A file of that name is there already.", where=where) from None
            source.rename(target)
        else:
            source.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the library's lock; it is released when the process ends, however it ends.

    Raises:
        ScenarioLibraryError: another action keeps it for longer than `LOCK_TIMEOUT`.
    """
    with telling("The library cannot be locked.", path.name):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=LOCK_TIMEOUT)
    try:
        lock.acquire()
    except Timeout as error:
        raise ScenarioLibraryError(
            "The scenarios are busy.",
            why=f"Another action has held them for {LOCK_TIMEOUT:.0f} seconds.",
            next_step="Try again; if it goes on, restart the studio.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def telling(what: str, where: str) -> Iterator[None]:
    """Turn a refusal of the operating system into a sentence."""
    try:
        yield
    except OSError as error:
        raise ScenarioLibraryError(
            what, why=error.strerror or str(error), next_step="Check free space and permissions.", where=where
        ) from error
