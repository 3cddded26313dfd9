"""The rows that a model's run was trained on or held out, as long as its dataset is there: read as plain Arrow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from studio.conversion.formats.gguf_header import GGUFHeader
from studio.conversion.metadata import PARENT_KEYS
from studio.errors import ConversionError
from studio.workspace import Workspace

DATASET_FINGERPRINT = next(key for key, name in PARENT_KEYS.items() if name == "dataset")
"""The metadata key by which a GGUF file names the dataset of its run."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def rows_file(workspace: Workspace, header: GGUFHeader, split: Literal["train", "validation"]) -> Path | None:
    """The file with a split of the dataset that the model's run was made with; None where it is gone."""
    fingerprint = header.text(DATASET_FINGERPRINT)
    path = workspace.processed_dir / fingerprint / f"{split}.arrow"
    return path if _SHA256.fullmatch(fingerprint) and path.is_file() else None


def read_columns(path: Path, columns: list[str], what: str, next_step: str) -> list[dict[str, Any]]:
    """Some columns of every row. Raises `ConversionError`, which says `what` and `next_step`, for a damaged file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as batches:
            return [row for batch in batches for row in batch.select(columns).to_pylist()]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ConversionError(
            what,
            why=(str(error).splitlines() or [type(error).__name__])[0],
            next_step=next_step,
            where=path.name,
        ) from error
