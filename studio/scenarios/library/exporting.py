"""Scenarios -> a zip with `type/name.md`, whose bytes depend on nothing but names and texts.

Sorted, one fixed date, fixed permissions: exporting twice gives the same file, and importing it gives the same ids.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from typing import BinaryIO

from studio.scenarios.library.errors import ScenarioMissingError
from studio.scenarios.library.files import read_bytes
from studio.scenarios.library.library import ScenarioLibrary
from studio.scenarios.library.names import SUFFIX

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first date a zip can hold."""
_UNIX = 3
_FILE_MODE = 0o100644


def export_zip(library: ScenarioLibrary, ids: Iterable[str] | None = None) -> bytes:
    """The chosen scenarios, or all, as the bytes of a zip. Raises as `write_zip`."""
    stream = io.BytesIO()
    write_zip(library, stream, ids)
    return stream.getvalue()


def write_zip(library: ScenarioLibrary, stream: BinaryIO, ids: Iterable[str] | None = None) -> int:
    """Write the chosen scenarios, or all, as a zip; returns how many. A file deleted meanwhile is left out of "all".

    Raises:
        ScenarioMissingError: one of the chosen does not exist.
    """
    chosen = {entry.id for entry in library.entries()} if ids is None else set(ids)
    written = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for scenario_id in sorted(chosen):
            content = read_bytes(library.path(scenario_id), scenario_id)
            if content is not None:
                archive.writestr(_member(scenario_id), content, zipfile.ZIP_DEFLATED, 6)
                written += 1
            elif ids is not None:
                raise ScenarioMissingError("There is no such scenario to export.", where=scenario_id)
    return written


def _member(scenario_id: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(scenario_id + SUFFIX, _EARLIEST)
    info.create_system = _UNIX
    info.external_attr = _FILE_MODE << 16
    return info
