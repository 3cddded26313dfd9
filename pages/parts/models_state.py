"""What was chosen on the page Models, and what is known of its types; read again only when a file changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.parts.layout import workspace
from studio.config import OptimizationProfile
from studio.conversion.formats.gguf_header import GGUFHeader
from studio.conversion.places import gguf_folder
from studio.conversion.quality.records import quality_folder
from studio.conversion.speed.expected import DecodingPace, known_pace
from studio.ui.file_quality import shapes_of, type_rows
from studio.ui.model_types import TypeLine, base_name, recommended, type_lines
from studio.validation.benchmark import BENCHMARK_FILE
from studio.validation.card import REPORT_FILE
from studio.workspace import Workspace

_Stamp = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Choice:
    """A run and the device that its model is made for, with all types for it.

    Attributes:
        base: name of the run's base model; empty where the file does not say.
        shapes: the file that sizes are computed from.
        best: the recommended type; None when nothing fits.
    """

    run: str
    profile: OptimizationProfile
    base: str
    shapes: Path
    pace: DecodingPace | None
    lines: tuple[TypeLine, ...]
    best: TypeLine | None

    def line(self, type_name: str) -> TypeLine | None:
        """The line of a type."""
        return next((one for one in self.lines if one.row.type == type_name), None)


def choice_of(run: str, profile: OptimizationProfile) -> Choice:
    """Everything about a run's types for a device. Raises `StudioError`."""
    header = _header(run)
    base = base_name(workspace(), header)
    pace = known_pace(workspace(), base) if base else None
    lines = tuple(_lines(workspace(), run, profile, pace, _stamp(run), header.path))
    return Choice(run, profile, base, header.path, pace, lines, recommended(lines, profile))


def _header(run: str) -> GGUFHeader:
    return _read_header(workspace(), run, _stamp(run))


@st.cache_resource(max_entries=16, show_spinner=False)
def _read_header(here: Workspace, run: str, stamp: _Stamp) -> GGUFHeader:
    return shapes_of(here, run)


@st.cache_data(max_entries=64, show_spinner="Looking at the types")
def _lines(
    here: Workspace, run: str, profile: OptimizationProfile, pace: DecodingPace | None, stamp: _Stamp, shapes: Path
) -> list[TypeLine]:
    return type_lines(type_rows(here, run), _read_header(here, run, stamp), profile, pace)


def _stamp(run: str) -> _Stamp:
    """Names and times of all that the table is read from."""
    here = workspace()
    reports = [path for name in (REPORT_FILE, BENCHMARK_FILE) for path in here.jobs_dir.glob(f"*/{name}")]
    found = [*gguf_folder(here, run).glob("*.gguf"), *quality_folder(here).glob("*.json"), *reports]
    return tuple(sorted((str(one), _changed(one)) for one in found))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # deleted meanwhile
        return 0
