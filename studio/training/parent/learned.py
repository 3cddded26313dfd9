"""What an adapter has learned: the texts that it and its parents were trained on, kept in the run as learned.json.

Known for adapters whose run wrote it. Being in the training split counts as learned, however short the run was.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from studio.dataset import ProcessedDataset
from studio.training.provenance import Provenance
from studio.workspace import atomic_write

LEARNED_FILE = "learned.json"


class Learned(BaseModel):
    """learned.json of a run, and of the folder with its parent."""

    dataset: str = Field(description="Fingerprint of the dataset that was learned last.")
    scenarios: dict[str, str] = Field(description="SHA-256 of a scenario's text -> its name when it was learned.")

    @classmethod
    def of(cls, dataset: ProcessedDataset, before: Learned | None = None) -> Learned:
        """What is learned once `dataset` is, by an adapter that had learned `before`. Raises `DatasetError`."""
        texts = dataset.manifest.scenarios
        now = {texts[source]: source for source in dataset.arrow("train").unique("source")}
        return cls(dataset=dataset.fingerprint, scenarios={**(before.scenarios if before else {}), **now})

    @classmethod
    def beside(cls, adapter: Path) -> Learned | None:
        """What the adapter in a folder learned; None where that is not known.

        The file lies in the folder itself or in its run's; one that belongs to another dataset than the adapter's is
        not believed. Raises `TrainingError` when the adapter has no provenance.
        """
        wanted = Provenance.read(adapter).dataset_fingerprint
        read = (_read(folder / LEARNED_FILE) for folder in (adapter, adapter.parent))
        return next((one for one in read if one and one.dataset == wanted), None)

    def write(self, folder: Path) -> None:
        """Keep it in a folder, atomically."""
        atomic_write(folder / LEARNED_FILE, self.model_dump_json(indent=1) + "\n")


def _read(path: Path) -> Learned | None:
    try:
        return Learned.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
