"""Reads an uploaded zip as if an enemy had packed it: nothing is written to disk here, and every size is measured.

Covered: names that lead elsewhere, absolute names, links, devices, encrypted and oddly compressed members, too many
members, sizes that lie, and archives that unpack to far more than they say. Archives in archives are not opened.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from studio.scenarios.library.errors import ScenarioLibraryError

_CENTRAL_HEADER = b"PK\x01\x02"
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
_DRIVE = ":"


@dataclass(frozen=True)
class ImportLimits:
    """What one upload may hold."""

    archive_bytes: int = 128 * 1024 * 1024
    members: int = 20_000
    file_bytes: int = 2 * 1024 * 1024
    """Largest scenario, unpacked."""
    total_bytes: int = 512 * 1024 * 1024
    """All files together, unpacked."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: its name as text, and its bytes or the reason why it was not read."""

    name: str
    content: bytes | None
    problem: str = ""


def read_zip(data: bytes, limits: ImportLimits) -> Iterator[Member]:
    """The files of a zip in order, directories left out. Bytes are read one member at a time.

    Raises:
        ScenarioLibraryError: it is no zip, is damaged as a whole, or holds more than the limits allow.
    """
    _check_outside(data, limits)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, UnicodeDecodeError, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise ScenarioLibraryError(
            "The zip cannot be opened.", why=str(error), next_step="Pack it again and upload it once more."
        ) from error
    with archive:
        left = limits.total_bytes
        for info in archive.infolist():
            if info.orig_filename.endswith("/"):  # is_dir() fails on a name that begins with a NUL
                continue
            member = _read(archive, info, limits, left)
            left -= len(member.content or b"")
            yield member


def is_safe_path(name: str) -> bool:
    """Whether a member's name is an ordinary relative path."""
    parts = name.replace("\\", "/").split("/")
    return not (
        not name
        or parts[0] == ""
        or _DRIVE in parts[0]
        or any(part in ("", ".", "..") for part in parts)
        or any(ord(letter) < 32 or ord(letter) == 127 for letter in name)
    )


def _check_outside(data: bytes, limits: ImportLimits) -> None:
    """What can be told before the archive's directory is read into memory."""
    if len(data) > limits.archive_bytes:
        limit = f"The limit is {limits.archive_bytes // 1024**2} MiB."
        raise ScenarioLibraryError("The zip is too large.", why=limit, next_step="Split it in several.")
    if data.count(_CENTRAL_HEADER) > limits.members:
        raise ScenarioLibraryError(
            "The zip holds too many files.", why=f"The limit is {limits.members}.", next_step="Split it in several."
        )


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: ImportLimits, left: int) -> Member:
    name = _name(info)
    if problem := _refusal(name, info, limits):
        return Member(name, None, problem)
    try:
        with archive.open(info) as stream:
            content = stream.read(min(limits.file_bytes, left) + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError, OSError) as error:
        return Member(name, None, f"It cannot be unpacked: {error}.")
    if len(content) > left:
        return Member(name, None, "The zip unpacks to more than an upload may hold.")
    if len(content) > limits.file_bytes:
        return Member(name, None, _too_large(limits))
    return Member(name, content)


def _refusal(name: str, info: zipfile.ZipInfo, limits: ImportLimits) -> str:
    """Why a member is not even opened; empty when it may be."""
    mode = info.external_attr >> 16
    if not is_safe_path(name):
        return "Its name leads out of the archive."
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "It is a link or a device, not a file."
    if info.flag_bits & _ENCRYPTED_FLAG:
        return "It is encrypted."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "It is compressed in an unusual way."
    if info.file_size > limits.file_bytes:
        return _too_large(limits)
    return ""


def _name(info: zipfile.ZipInfo) -> str:
    """The member's name. Without the UTF-8 flag the bytes are often UTF-8 all the same; else they are code page 437."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8_FLAG:
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            return name
    return name


def _too_large(limits: ImportLimits) -> str:
    return f"It is larger than {limits.file_bytes / 1024**2:g} MiB."
