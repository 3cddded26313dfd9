"""The typed values of a dataset: rows, report, manifest (dataset.json), and the dataset itself as files on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pydantic

from studio.errors import DatasetError
from studio.scenarios import Message

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")
MANIFEST_FILE = "dataset.json"


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


class ReportRow(_Value):
    """Something that is not in the dataset, or should be known about it: one line, with its place and its reason."""

    source: str
    kind: Literal["excluded file", "excluded turns", "held out", "split"]
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
    """What decides, beside the scenarios and the base model, which tokens come out."""

    max_seq_length: int
    validation_fraction: float
    format_version: int = 1


class DatasetManifest(_Value):
    """dataset.json. `fingerprint` is the SHA-256 over scenario contents, tokenizer, template and settings."""

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


@dataclass(frozen=True)
class ProcessedDataset:
    """A dataset on disk: `data/processed/<fingerprint>/` with dataset.json, train.jsonl and validation.jsonl."""

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
        """The rows of a split, one at a time, in the order in which they were made.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        path = rows_file(self.directory, split)
        try:
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    yield TrainingRow.model_validate_json(line)
        except (OSError, pydantic.ValidationError) as error:
            raise DatasetError(
                "The dataset's rows cannot be read.",
                why=str(error).splitlines()[0],
                next_step="Delete its folder and process the scenarios again.",
                where=str(path),
            ) from error


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One DM turn and everything that came before it."""

    source: str
    turn: int
    prompt: list[Message]
    completion: Message


def rows_file(directory: Path, split: Split) -> Path:
    """Where the rows of a split lie."""
    return directory / f"{split}.jsonl"
