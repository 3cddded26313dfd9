"""Scenario files -> training rows: whole conversations, loss on the DM's turns, nothing left out without a report row.

The rows are written to data/processed/<fingerprint>/; a scenario whose text is unchanged is never tokenized twice
(data/processed/prepared/). Heavy libraries are loaded when there is something to process, not before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.bases import BaseModel
from studio.config import BalanceConfig, DatasetConfig, load_dataset_config
from studio.dataset.augmentation import reordered
from studio.dataset.balancing import Balance, balance_by
from studio.dataset.models import (
    MANIFEST_FILE,
    PREPARED_FOLDER,
    DatasetManifest,
    DatasetSettings,
    ProcessedDataset,
    ReportRow,
    TrainingPair,
)
from studio.dataset.sources import Source, held_out_files, list_sources
from studio.dataset.splits import SplitRule
from studio.dataset.variations import accepted_sources
from studio.errors import DatasetError
from studio.scenarios import TrainingScenario, load_check_settings, load_vocabulary, to_messages
from studio.scenarios.recap import RECAP_FORM
from studio.scenarios.review import waits_for_review
from studio.workspace import Workspace, atomic_write

if TYPE_CHECKING:
    from studio.dataset.building import Build
    from studio.dataset.pruning import Pruned

DEFAULT_FRACTION = 0.1
ProgressCallback = Callable[[int, int], None]
"""Called with scenario files done and in all; it may raise to stop: what is finished then is not done again."""


class TrainingDataProcessor:
    """Turns a folder of scenarios into exactly the tokens that will be trained.

    Args:
        base: whose tokenizer and chat template to use.
        max_seq_length: longest row in tokens; longer conversations are cut before a player's turn.
        validation_fraction: share of the scenarios that is held out, besides all of data/validation/. None: nothing
            more where data/validation/ holds scenarios, because somebody chose what to hold out; else a tenth.
        test_fraction: share of the scenarios in a third split that no run looks at.
        pairs: one row per DM turn (everything before it that fits, and loss on that turn alone) instead of whole
            conversations.
        recap: tell a row that begins in the middle of a scene what came before. Off, as play does unless asked.
        variations: take the variations that were accepted, each on its parent's side of the split.
        split_seed: another number, another split.
        workers: processes that prepare scenarios; None for one per core where there is much to do.
    """

    def __init__(
        self,
        workspace: Workspace,
        base: BaseModel,
        max_seq_length: int,
        *,
        validation_fraction: float | None = None,
        test_fraction: float = 0.0,
        pairs: bool = False,
        recap: bool = False,
        variations: bool = True,
        split_seed: int = 0,
        workers: int | None = None,
    ) -> None:
        self.workspace = workspace
        self.base = base
        if validation_fraction is None:
            validation_fraction = 0.0 if held_out_files(workspace.validation_dir) else DEFAULT_FRACTION
        self.settings = DatasetSettings(
            max_seq_length=max_seq_length,
            validation_fraction=validation_fraction,
            test_fraction=test_fraction,
            pairs=pairs,
            recap=recap,
            split_seed=split_seed,
        )
        self._variations = variations
        self._workers = workers
        self._template = base.template()
        self._tools, self._checks = (workspace.config_file(name) for name in ("tools.yaml", "diagnostics.yaml"))

    @classmethod
    def configured(
        cls,
        workspace: Workspace,
        base: BaseModel,
        max_seq_length: int,
        config: DatasetConfig | None = None,
        *,
        workers: int | None = None,
    ) -> TrainingDataProcessor:
        """The processor of `config`, of the workspace's config/dataset.yaml where it is None. Raises `ConfigError`."""
        options = (config or load_dataset_config(workspace)).model_dump(exclude={"balance"})
        return cls(workspace, base, max_seq_length, **options, workers=workers)

    def process_scenarios(self, directory: Path, progress: ProgressCallback | None = None) -> ProcessedDataset:
        """The dataset of all `*.md` below `directory`, with data/validation/ held out; made unless it is there.

        Accepted variations of these scenarios are in it, unless they were switched off.

        It may be killed at any moment: the next call takes over what was finished.

        Raises:
            DatasetError: there is no scenario that can be trained on, or one changed meanwhile.
        """
        sources, report = self._sources(directory)
        reading = self._reading()
        fingerprint = self._fingerprint(sources, reading)
        folder = self.workspace.processed_dir / fingerprint
        if (folder / MANIFEST_FILE).exists():
            return self._reused(ProcessedDataset.load(folder), report)
        from studio.dataset.building import Build, prepare
        from studio.dataset.preparation import Recipe

        tokenizer = self.base.hf / "tokenizer.json"
        recipe = Recipe(tokenizer, self.base.family, self._settings_of_rows(), self._tools, self._checks)
        prepared = self.workspace.processed_dir / PREPARED_FOLDER / self._recipe_name(reading)
        store = prepare(sources, recipe, prepared, progress, self._workers)
        rule = SplitRule(self.settings.validation_fraction, self.settings.test_fraction, self.settings.split_seed)
        build = Build(sources, store, rule)
        report = sorted([*report, *build.report], key=lambda row: row.source)
        if not build.sources_in("train"):
            raise _nothing_to_train(directory, report)
        return self._write(folder, fingerprint, sources, build, report)

    def _sources(self, directory: Path) -> tuple[list[Source], list[ReportRow]]:
        """The scenarios, what was made of them and accepted, and a report row for everything that is not taken."""
        sources, report = list_sources(directory, self.workspace.validation_dir)
        if self._variations:
            made, left_out = accepted_sources(self.workspace, sources)
            return [*sources, *made], [*report, *left_out]
        return sources, report

    def _reused(self, dataset: ProcessedDataset, listed: list[ReportRow]) -> ProcessedDataset:
        """The dataset for this base and folder: others that share its rows may have made the files.

        What a report says of files that are not in the dataset is said anew: such files do not change the fingerprint.
        """
        known = dataset.manifest.scenarios
        report = [*listed, *(row for row in dataset.manifest.report if row.source in known)]
        mine = {
            "base_model": self.base.name,
            "base_fingerprint": self.base.fingerprint,
            "report": sorted(report, key=lambda row: row.source),
        }
        return ProcessedDataset(dataset.directory, dataset.manifest.model_copy(update=mine))

    def create_training_pairs(self, scenarios: Iterable[TrainingScenario]) -> list[TrainingPair]:
        """One pair for every DM turn: all that came before it, and the turn.

        Scenarios with errors give none, nor do those that wait for review.
        """
        usable = (one for one in scenarios if not (_errors(one) or waits_for_review(one.metadata)))
        return [pair for scenario in usable for pair in _pairs(scenario)]

    def augment_data(self, dataset: Iterable[TrainingScenario], *, seed: int = 7) -> list[TrainingScenario]:
        """The scenarios, each followed by its variant with the party in another order, where there is one.

        A variant names its parent, the operation and the seed in `metadata["augmentation"]`.
        """
        pairs = ((scenario, reordered(scenario, seed)) for scenario in dataset)
        return [one for pair in pairs for one in pair if one is not None]

    def balance_dataset(
        self, dataset: ProcessedDataset, balance: BalanceConfig | None = None, seed: int = 7
    ) -> Balance:
        """How often a run reads which training row, so that shares become fairer; with tables of before and after.

        Args:
            balance: None: as config/dataset.yaml says, or by scenario type where that asks for nothing.

        Raises:
            ConfigError: config/dataset.yaml cannot be used.
            DatasetError: the rows cannot be read, or there is none.
        """
        chosen = balance or load_dataset_config(self.workspace).balance
        if not chosen.by:
            chosen = chosen.model_copy(update={"by": ["type"]})
        return balance_by(dataset.features("train"), chosen, seed)

    def prune(self, dataset: ProcessedDataset, now: float | None = None) -> Pruned:
        """Remove prepared scenarios and datasets that nothing refers to, beside this one and what made it.

        What is younger than an hour stays as well; `now` is in seconds since the epoch.

        Raises:
            DatasetError: a training run is going on.
        """
        from studio.dataset.pruning import prune

        texts = set(dataset.manifest.scenarios.values())
        return prune(self.workspace, self._recipe_name(self._reading()), {dataset.fingerprint}, texts, now)

    def _recipe_name(self, reading: dict[str, Any]) -> str:
        return self._hash(reading)[:32]

    def _fingerprint(self, sources: Sequence[Source], reading: dict[str, Any]) -> str:
        names = sorted([source.name, source.sha256] for source in sources)
        return self._hash({**reading, "scenarios": names, "settings": self.settings.model_dump()})

    def _reading(self) -> dict[str, Any]:
        """What decides about the rows of one text: tokenizer, template, tools and rules of the language, settings.

        It reads the workspace's tools.yaml and diagnostics.yaml, so ask once.
        """
        return {
            "tokenizer": self.base.manifest.files["hf/tokenizer.json"].sha256,
            "template": self._template.source,
            "tools": load_vocabulary(self._tools).model_dump(),
            "checks": load_check_settings(self._checks).model_dump(),
            "settings": self._settings_of_rows().model_dump(),
            **({"recap": RECAP_FORM} if self.settings.recap else {}),
        }

    def _settings_of_rows(self) -> DatasetSettings:
        """The settings with those left out that only decide in which split a row is."""
        return self.settings.model_copy(update={"validation_fraction": 0.0, "test_fraction": 0.0, "split_seed": 0})

    @staticmethod
    def _hash(parts: dict[str, Any]) -> str:
        text = json.dumps(parts, sort_keys=True, default=lambda one: sorted(map(str, one)))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def _write(
        self, folder: Path, fingerprint: str, sources: Sequence[Source], build: Build, report: list[ReportRow]
    ) -> ProcessedDataset:
        """Rows first, dataset.json last: a folder with a dataset.json is complete."""
        manifest = DatasetManifest(
            fingerprint=fingerprint,
            base_model=self.base.name,
            base_fingerprint=self.base.fingerprint,
            template=self._template.name,
            settings=self.settings,
            scenarios={source.name: source.sha256 for source in sources},
            counts=build.write(folder),
            report=report,
            leakage=build.leakage(),
        )
        atomic_write(folder / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")
        return ProcessedDataset(folder, manifest)


def _errors(scenario: TrainingScenario) -> list[tuple[int, str]]:
    """Line and message of every error-level diagnostic."""
    return [(one.span.line, one.message) for one in scenario.diagnostics if one.severity == "error"]


def _pairs(scenario: TrainingScenario) -> list[TrainingPair]:
    messages = to_messages(scenario)
    turns_before = len(messages) - len(scenario.conversation)
    source = str(scenario.metadata.get("source", ""))
    return [
        TrainingPair(source, index - turns_before, messages[:index], message)
        for index, message in enumerate(messages)
        if message.role == "assistant"
    ]


def _nothing_to_train(directory: Path, report: list[ReportRow]) -> DatasetError:
    first = f"{report[0].source}: {report[0].reason}" if report else "The folder holds no *.md file."
    return DatasetError(
        "There is nothing to train on.",
        why=first,
        next_step="Correct the scenarios, write one, or allow longer rows (max_seq_length).",
        where=str(directory),
    )
