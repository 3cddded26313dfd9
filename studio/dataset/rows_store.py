"""The rows of a split in one Arrow file: written in batches, read memory-mapped, by us and by Hugging Face `datasets`.

The same rows give the same bytes, whichever shards they came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pydantic

from studio.dataset.models import SplitCounts, TrainingRow
from studio.errors import DatasetError
from studio.workspace import atomic_writer

if TYPE_CHECKING:
    from datasets import Dataset

BATCH_ROWS = 256
COUNTED = (
    pa.field("trained", pa.int32()),
    pa.field("tools", pa.list_(pa.string())),
    pa.field("outcomes", pa.list_(pa.string())),
    pa.field("calls", pa.list_(pa.bool_())),
)
"""What a row counts for: its trained tokens, and the fields of `Lessons`. Known without reading tokens or scenarios."""
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("scenario_type", pa.string()),
        ("turns", pa.list_(pa.int32())),
        ("input_ids", pa.list_(pa.int32())),
        ("loss_mask", pa.list_(pa.bool_())),
        *COUNTED,
    ]
)


_ROW_COLUMNS = list(TrainingRow.model_fields)


def write_rows(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of `SCHEMA` one after the other, as one file; memory holds one table and one batch."""
    with atomic_writer(path) as stream, pa.ipc.new_stream(stream, SCHEMA) as writer:
        for batch in _batches(tables):
            writer.write_table(batch)


def read_rows(path: Path) -> Iterator[TrainingRow]:
    """The rows of a file in order. Raises `DatasetError` when it is missing or damaged."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as batches:
            for batch in batches:
                for row in batch.select(_ROW_COLUMNS).to_pylist():
                    yield TrainingRow.model_validate(row)
    except (OSError, KeyError, pa.ArrowException, pydantic.ValidationError) as error:
        raise _unreadable(path, error) from error


def read_row(path: Path, number: int) -> TrainingRow:
    """One row of a file, counted from 0; the others are not read.

    Raises:
        DatasetError: the file is missing or damaged, or it has no such row.
    """
    table = open_table(path)
    if not 0 <= number < table.num_rows:
        raise DatasetError(
            f"There is no row {number + 1}.",
            why=f"{path.stem} has {table.num_rows} rows.",
            next_step="Process the scenarios again and choose another row.",
        )
    try:
        return TrainingRow.model_validate(table.select(_ROW_COLUMNS).slice(number, 1).to_pylist()[0])
    except (KeyError, pydantic.ValidationError) as error:
        raise _unreadable(path, error) from error


def open_table(path: Path) -> pa.Table:
    """The rows of a file as an Arrow table, memory-mapped: nothing is read before it is used. Raises `DatasetError`."""
    try:
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_stream(source).read_all()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def open_dataset(path: Path) -> Dataset:
    """The rows of a file as a memory-mapped Hugging Face dataset. Raises `DatasetError` as `read_rows` does."""
    from datasets import Dataset

    try:
        return Dataset.from_file(str(path))
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def count_rows(path: Path, scenarios_by_type: dict[str, int]) -> SplitCounts:
    """Sizes of the rows in a file, whose scenarios the caller has counted; memory holds one batch."""
    rows = tokens = trained = longest = 0
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as batches:
        for batch in batches:
            lengths = pc.list_value_length(batch["input_ids"])
            rows += batch.num_rows
            tokens += pc.sum(lengths).as_py() or 0
            trained += pc.sum(batch["trained"]).as_py() or 0
            longest = max(longest, pc.max(lengths).as_py() or 0)
    return SplitCounts(
        scenarios=sum(scenarios_by_type.values()),
        rows=rows,
        tokens=tokens,
        trained_tokens=trained,
        longest_row=longest,
        scenarios_by_type=dict(sorted(scenarios_by_type.items())),
    )


def _batches(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `BATCH_ROWS`, and a rest."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= BATCH_ROWS:
            together = pa.concat_tables(waiting)
            whole = together.num_rows - together.num_rows % BATCH_ROWS
            for start in range(0, whole, BATCH_ROWS):
                yield together.slice(start, BATCH_ROWS).combine_chunks()
            waiting = [together.slice(whole)]
    if waiting and any(one.num_rows for one in waiting):
        yield pa.concat_tables(waiting).combine_chunks()


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        "The dataset's rows cannot be read.",
        why=(str(error).splitlines() or [type(error).__name__])[0],
        next_step="Delete its folder and process the scenarios again.",
        where=str(path),
    )
