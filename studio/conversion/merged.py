"""The unquantized file of a run: as it is while it is whole and of the same parents, else merged anew."""

from __future__ import annotations

from pathlib import Path

from studio import __version__
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback
from studio.conversion.inspection.structure import structure_faults
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.metadata import ADAPTER, BASE_SHA256, CHAT_TEMPLATE, RUN, STUDIO_VERSION
from studio.conversion.places import merged_path
from studio.conversion.sources import ModelSource, find_source, run_adapter
from studio.errors import ConversionError
from studio.workspace import Workspace, sha256_file


def current_merged(
    workspace: Workspace, run: str, *, progress: ProgressCallback | None = None, stop: StopCallback | None = None
) -> Path:
    """The unquantized file of a run, made (again) unless it is there and of the run's adapter as it is now.

    Raises:
        ConversionError: the run has no adapter, or it cannot be merged.
        ConversionStopped: `stop` said yes.
    """
    source, merged = find_source(workspace, run_adapter(workspace, run).parent), merged_path(workspace, run)
    if not is_current(merged, source):
        merge_to_gguf(source.base, source.adapter, merged, progress=progress, stop=stop)
    return merged


def is_current(merged: Path, source: ModelSource) -> bool:
    """Whether a merged file is whole and what merging this base and adapter would write now."""
    try:
        header = read_header(merged)
    except ConversionError:
        return False
    expected = {
        ADAPTER: sha256_file(source.adapter.weights) if source.adapter else "",
        RUN: source.adapter.provenance.run if source.adapter else "",
        BASE_SHA256: source.base.fingerprint,
        CHAT_TEMPLATE: source.base.template().source,
        STUDIO_VERSION: __version__,
    }
    same = all((header.text(key) or "") == value for key, value in expected.items())
    return same and not any(structure_faults(header))
