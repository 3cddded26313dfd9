"""Where GGUF files are put and how they are named; the only place of this part that decides it."""

from __future__ import annotations

from pathlib import Path

from studio.workspace import Workspace, safe_name

LORA_ENDING = ".lora.gguf"
IMATRIX_ENDING = ".imatrix.gguf"
NO_MODELS = (LORA_ENDING, IMATRIX_ENDING)
"""Endings of files that are GGUF, but no models."""
_UNQUANTIZED = (".f16", ".bf16", ".f32")


def gguf_folder(workspace: Workspace, name: str) -> Path:
    """The folder of a run's files, models/gguf/NAME/. Raises `WorkspaceError` for a name that cannot be a folder."""
    return workspace.inside(workspace.gguf_dir, safe_name(name))


def merged_path(workspace: Workspace, name: str) -> Path:
    """The unquantized file of a run."""
    return gguf_folder(workspace, name) / f"{safe_name(name)}.f16.gguf"


def lora_path(workspace: Workspace, name: str) -> Path:
    """The adapter of a run as a GGUF file of its own, to be laid over its base model."""
    return gguf_folder(workspace, name) / f"{safe_name(name)}{LORA_ENDING}"


def overlay_folder(workspace: Workspace) -> Path:
    """Where adapters lie that were made ready to be tried, by the hash of what they were made from."""
    return workspace.state_dir / "adapters"


def quantized_path(workspace: Workspace, source: Path, type_name: str, *, mixed: bool = False) -> Path:
    """Where the quantized form of `source` goes: beside it, or to models/gguf/ for a base model's own file.

    An imported base model is complete as it is and never gets further files.

    Args:
        mixed: single tensors have other types than a file of this name has otherwise.
    """
    return _beside(workspace, source, f".{type_name}{'-mixed' if mixed else ''}.gguf")


def imatrix_path(workspace: Workspace, source: Path) -> Path:
    """Where the importance matrix of `source` goes, likewise."""
    return _beside(workspace, source, IMATRIX_ENDING)


def _beside(workspace: Workspace, source: Path, ending: str) -> Path:
    if source.resolve().is_relative_to(workspace.base_dir.resolve()):
        name = source.resolve().relative_to(workspace.base_dir.resolve()).parts[0]
        return gguf_folder(workspace, name) / f"{safe_name(name)}{ending}"
    stem = source.name.removesuffix(".gguf")
    for unquantized in _UNQUANTIZED:
        stem = stem.removesuffix(unquantized)
    return source.with_name(f"{stem}{ending}")
