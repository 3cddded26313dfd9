"""Rows of a dataset as tensors: right padding, and labels only where the loss mask says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from datasets.table import InMemoryTable

from studio.dataset import ProcessedDataset, Split, TrainingRow

IGNORED = -100
"""Label of a position without loss; torch's cross-entropy leaves it out."""

Rows = ProcessedDataset | Iterable[TrainingRow]
"""What can be trained on: a dataset on disk (its own split is taken), or rows."""

Batch = dict[str, torch.Tensor]
"""input_ids, attention_mask and labels, each `[batch, sequence]`."""


def as_features(rows: Rows, split: Split) -> Dataset:
    """The rows in the form that trl takes: columns `input_ids` and `labels`, not yet padded.

    Those of a dataset on disk stay there, memory-mapped; only their labels are in memory (4 bytes per token).
    """
    if not isinstance(rows, ProcessedDataset):
        return Dataset.from_list([_feature(row) for row in rows])
    table = rows.arrow(split).data.table
    ids, masks = table["input_ids"], table["loss_mask"]
    labels = [_labels(*chunks) for chunks in zip(ids.chunks, masks.chunks, strict=True)]
    return Dataset(InMemoryTable(pa.table({"input_ids": ids, "labels": pa.chunked_array(labels, ids.type)})))


def collate(features: Sequence[dict[str, Any]], pad_id: int = 0) -> Batch:
    """Rows padded at their right end to the longest of them."""
    longest = max(len(feature["input_ids"]) for feature in features)

    def padded(key: str, filler: int) -> torch.Tensor:
        return torch.tensor([[*f[key], *[filler] * (longest - len(f[key]))] for f in features], dtype=torch.long)

    lengths = torch.tensor([[len(feature["input_ids"])] for feature in features])
    mask = (torch.arange(longest)[None, :] < lengths).long()
    return {"input_ids": padded("input_ids", pad_id), "attention_mask": mask, "labels": padded("labels", IGNORED)}


def _labels(ids: pa.ListArray, mask: pa.ListArray) -> pa.ListArray:
    """The ids where the mask is set, `IGNORED` elsewhere; lists as long as the rows."""
    flat = pc.if_else(mask.flatten(), ids.flatten(), pa.scalar(IGNORED, ids.type.value_type))
    lengths = pc.list_value_length(ids).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, flat)


def _feature(row: TrainingRow) -> dict[str, list[int]]:
    labels = [token if trained else IGNORED for token, trained in zip(row.input_ids, row.loss_mask, strict=True)]
    return {"input_ids": row.input_ids, "labels": labels}
