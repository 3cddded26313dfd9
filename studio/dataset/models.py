"""The typed values of a dataset: rows, report, manifest (dataset.json), and the dataset itself as files on disk.

Reading rows loads pyarrow, and nothing else here does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pydantic

from studio.errors import DatasetError
from studio.scenarios import Message

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from studio.dataset.balancing import RowFeatures
    from studio.dataset.coverage import RowCoverage

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MANIFEST_FILE = "dataset.json"
PREPARED_FOLDER = "prepared"
FORMAT_VERSION = 3
ReportKind = Literal["excluded file", "excluded turns", "held out", "duplicate", "near duplicate", "split", "variation"]


class _Value(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class TrainingRow(_Value):
    """One training sequence: a conversation, or a part of one with the system block repeated.

    `turns` counts the turns of the scenario from 0 (the system block is not a turn); its end is exclusive.
    """

    source: str
    scenario_type: str
    turns: tuple[int, int]
    input_ids: list[int]
    loss_mask: list[bool]

    @property
    def trained_tokens(self) -> int:
        """How many tokens carry loss."""
        return sum(self.loss_mask)


class RowHead(_Value):
    """A row without its tokens: its number in its split (from 0), and `tokens` and `trained` counted."""

    number: int
    source: str
    scenario_type: str
    turns: tuple[int, int]
    tokens: int
    trained: int


class ReportRow(_Value):
    """Something that is not in the dataset, or should be known about it: one line, with its place and its reason."""

    source: str
    kind: ReportKind
    reason: str
    turns: tuple[int, int] | None = None
    line: int | None = None


class SplitCounts(_Value):
    """Sizes of one split."""

    scenarios: int
    rows: int
    tokens: int
    trained_tokens: int
    longest_row: int
    scenarios_by_type: dict[str, int]

    @property
    def trained_share(self) -> float:
        """Share of the tokens that carry loss, 0 to 1."""
        return self.trained_tokens / self.tokens if self.tokens else 0.0


class DatasetSettings(_Value):
    """What decides, beside the scenarios and the base model, which tokens come out.

    Attributes:
        max_seq_length: longest row in tokens.
        validation_fraction: share of the scenarios in the validation split, besides data/validation/.
        test_fraction: share of the scenarios in the test split.
        pairs: one row for every DM turn, and only that turn trained, instead of whole conversations.
        recap: whether a row that begins in the middle of a scene is told what came before.
        split_seed: another number, another split.
    """

    max_seq_length: int
    validation_fraction: float
    test_fraction: float = 0.0
    pairs: bool = False
    recap: bool = False
    split_seed: int = 0
    format_version: int = FORMAT_VERSION


class LeakPair(_Value):
    """A held-out scenario and one to train on that have runs of words in common."""

    held_out: str
    train: str
    shared: int = pydantic.Field(description="Runs of words found in both, of those that are compared.")
    example: str = ""


class LeakageReport(_Value):
    """Which words of the held-out scenarios also stand in the training split.

    A shared run of `certain_words` words is always found; one of at least `words` words may be.
    """

    words: int
    certain_words: int
    held_out_scenarios: int
    leaking_scenarios: int
    shared_runs: int
    pairs: list[LeakPair] = pydantic.Field(description="The pairs that share most, at most 50.")


class DatasetManifest(_Value):
    """dataset.json. `fingerprint`: SHA-256 over scenario names and texts, tokenizer, template, tools and settings."""

    fingerprint: str
    base_model: str
    base_fingerprint: str
    template: str
    settings: DatasetSettings
    scenarios: dict[str, str] = pydantic.Field(
        description="Scenario file -> SHA-256 of its content, excluded ones too."
    )
    counts: dict[Split, SplitCounts]
    report: list[ReportRow]
    leakage: LeakageReport | None = pydantic.Field(None, description="None where nothing is held out.")


@dataclass(frozen=True)
class ProcessedDataset:
    """A dataset on disk: `data/processed/<fingerprint>/` with dataset.json and one Arrow file per split."""

    directory: Path
    manifest: DatasetManifest

    @classmethod
    def load(cls, directory: Path) -> ProcessedDataset:
        """Read dataset.json.

        Raises:
            DatasetError: it is missing or damaged.
        """
        path = directory / MANIFEST_FILE
        try:
            return cls(directory, DatasetManifest.model_validate_json(path.read_bytes()))
        except (OSError, pydantic.ValidationError) as error:
            raise DatasetError(
                "The dataset cannot be read.",
                why=str(error).splitlines()[0],
                next_step="Delete its folder and process the scenarios again.",
                where=str(path),
            ) from error

    @property
    def fingerprint(self) -> str:
        """What this dataset is, in 64 hex digits."""
        return self.manifest.fingerprint

    def rows(self, split: Split) -> Iterator[TrainingRow]:
        """The rows of a split, one at a time, in the order of the scenarios' names; memory stays flat.

        Raises:
            DatasetError: the file is missing or damaged, or an earlier version of the studio made it.
        """
        from studio.dataset.rows_store import read_rows

        return read_rows(self._file(split))

    def arrow(self, split: Split) -> Dataset:
        """The rows of a split as a Hugging Face dataset, memory-mapped.

        Its columns are the fields of `TrainingRow`, the number of trained tokens, and the fields of `Lessons`.

        Raises:
            DatasetError: the file is missing or damaged, or an earlier version of the studio made it.
        """
        from studio.dataset.rows_store import open_dataset

        return open_dataset(self._file(split))

    def row(self, split: Split, number: int) -> TrainingRow:
        """One row of a split, counted from 0.

        Raises:
            DatasetError: there is no such row, or as `rows` does.
        """
        from studio.dataset.rows_store import read_row

        return read_row(self._file(split), number)

    def listing(self, split: Split, start: int = 0, count: int = 50, contains: str = "") -> list[RowHead]:
        """At most `count` rows of a split from the `start`-th on, without their tokens.

        Args:
            contains: only rows whose source has this in it, in capitals or not; `start` counts among them.

        Raises:
            DatasetError: as `rows` does.
        """
        from studio.dataset.row_index import heads, matching

        table = self._table(split)
        return heads(table, matching(table, contains)[start : start + count])

    def matches(self, split: Split, contains: str = "") -> int:
        """How many rows `listing` finds in all. Raises `DatasetError` as `rows` does."""
        from studio.dataset.row_index import matching

        return len(matching(self._table(split), contains))

    def features(self, split: Split) -> list[RowFeatures]:
        """What every row of a split counts for, in order. Raises `DatasetError` as `rows` does."""
        from studio.dataset.row_index import row_features

        return row_features(self._table(split))

    def coverage(self, split: Split | None = None) -> RowCoverage:
        """How long the rows of a split, or of all, are and how much is trained. Raises `DatasetError` as `rows`."""
        from studio.dataset.coverage import RowCoverage
        from studio.dataset.row_index import row_coverage

        limit = self.manifest.settings.max_seq_length
        found = RowCoverage(limit)
        for one in SPLITS if split is None else (split,):
            found.include(row_coverage(self._table(one), limit))
        return found

    def _table(self, split: Split) -> pa.Table:
        from studio.dataset.rows_store import open_table

        return open_table(self._file(split))

    def _file(self, split: Split) -> Path:
        if self.manifest.settings.format_version != FORMAT_VERSION:
            raise DatasetError(
                "An earlier version of the studio made this dataset.",
                why="Its rows are kept in another form now.",
                next_step="Process the scenarios again, and start a new run.",
                where=str(self.directory),
            )
        return rows_file(self.directory, split)


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One DM turn and everything that came before it."""

    source: str
    turn: int
    prompt: list[Message]
    completion: Message


def rows_file(directory: Path, split: Split) -> Path:
    """Where the rows of a split lie."""
    return directory / f"{split}.arrow"
