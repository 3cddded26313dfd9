"""What the page tells about a GGUF: its quantization by tensor type, its hash, and the hashes of its parents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.conversion.formats.gguf_header import read_header, type_names
from studio.conversion.metadata import PARENT_KEYS
from studio.workspace import sha256_file


@dataclass(frozen=True)
class ModelFacts:
    """`parents` maps what it was made from to its SHA-256; empty for files from elsewhere."""

    quantization: str
    sha256: str
    parents: dict[str, str]


def read_model_facts(path: Path) -> ModelFacts:
    """Header and hash of a file; reads every byte (about 1 s per GB). Raises `ConversionError` for no sound GGUF."""
    header = read_header(path)
    matrices = type_names(tensor for tensor in header.tensors if len(tensor.shape) > 1)
    quantization = ", ".join(f"{name} ×{number}" for name, number in sorted(matrices.items(), key=lambda one: -one[1]))
    parents = {label: header.text(key) for key, label in PARENT_KEYS.items() if header.text(key)}
    return ModelFacts(quantization, sha256_file(path), parents)
