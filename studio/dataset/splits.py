"""Train or validation, decided for each scenario by a hash of its name, so that adding files moves no other file."""

from __future__ import annotations

import hashlib

from studio.dataset.models import Split


def split_of(source: str, validation_fraction: float) -> Split:
    """The split of the scenario file `source` (relative path, '/' between folders); the same on every machine."""
    position = int.from_bytes(hashlib.sha256(source.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64
    return "validation" if position < validation_fraction else "train"
