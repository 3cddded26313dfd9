"""Scenario files -> training rows: whole conversations, loss on the DM's turns, nothing left out without a report row.

The rows are written to data/processed/<fingerprint>/; the same scenarios, base and settings are processed once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.bases import BaseModel, ConversationRenderer
from studio.dataset.models import (
    MANIFEST_FILE,
    SPLITS,
    DatasetManifest,
    DatasetSettings,
    ProcessedDataset,
    ReportRow,
    Split,
    SplitCounts,
    TrainingPair,
    TrainingRow,
    rows_file,
)
from studio.dataset.splits import split_of
from studio.dataset.variation import evened, reordered
from studio.dataset.windows import cut_conversation
from studio.errors import DatasetError
from studio.scenarios import MarkdownParser, TrainingScenario, to_messages
from studio.workspace import Workspace, atomic_write, atomic_writer, sha256_file

DEFAULT_FRACTION = 0.1
ProgressCallback = Callable[[int, int], None]
"""Called with scenario files done and in all; it may raise to stop (nothing is kept then)."""


@dataclass(frozen=True)
class _Source:
    """One scenario file: its name in rows and report, where it is, its SHA-256, and its split."""

    name: str
    path: Path
    sha256: str
    split: Split


class TrainingDataProcessor:
    """Turns a folder of scenarios into exactly the tokens that will be trained.

    Args:
        base: whose tokenizer and chat template to use.
        max_seq_length: longest row in tokens; longer conversations are cut before a player's turn.
        validation_fraction: share of the scenarios that is held out, besides all of data/validation/. None: nothing
            more where data/validation/ holds scenarios, because somebody chose what to hold out; else a tenth.
    """

    def __init__(
        self, workspace: Workspace, base: BaseModel, max_seq_length: int, *, validation_fraction: float | None = None
    ) -> None:
        self.workspace = workspace
        self.base = base
        if validation_fraction is None:
            validation_fraction = 0.0 if self._held_out_files() else DEFAULT_FRACTION
        self.settings = DatasetSettings(max_seq_length=max_seq_length, validation_fraction=validation_fraction)
        self._renderer = ConversationRenderer(base.tokenizer(), base.template())
        self._parser = MarkdownParser()

    def process_scenarios(self, directory: Path, progress: ProgressCallback | None = None) -> ProcessedDataset:
        """The dataset of all `*.md` below `directory`, with data/validation/ held out; made unless it is there.

        Raises:
            DatasetError: there is no scenario that can be trained on.
            WorkspaceError: a file cannot be read.
        """
        sources, report = self._sources(directory)
        fingerprint = self._fingerprint(sources)
        folder = self.workspace.processed_dir / fingerprint
        if (folder / MANIFEST_FILE).exists():
            return self._reused(ProcessedDataset.load(folder))
        rows: dict[Split, list[TrainingRow]] = {"train": [], "validation": []}
        for number, source in enumerate(sources, start=1):
            found, remarks = self._rows_of(source)
            rows[source.split] += found
            report += remarks
            if progress:
                progress(number, len(sources))
        if not rows["train"]:
            raise _nothing_to_train(directory, report)
        return self._write(folder, fingerprint, sources, rows, report)

    def _reused(self, dataset: ProcessedDataset) -> ProcessedDataset:
        """The dataset for this base: another one with the same tokenizer and template may have made the files."""
        mine = {"base_model": self.base.name, "base_fingerprint": self.base.fingerprint}
        return ProcessedDataset(dataset.directory, dataset.manifest.model_copy(update=mine))

    def create_training_pairs(self, scenarios: Iterable[TrainingScenario]) -> list[TrainingPair]:
        """One pair for every DM turn: all that came before it, and the turn. Scenarios with errors give none."""
        usable = (scenario for scenario in scenarios if not _errors(scenario))
        return [pair for scenario in usable for pair in _pairs(scenario)]

    def augment_data(self, dataset: Iterable[TrainingScenario], *, seed: int = 7) -> list[TrainingScenario]:
        """The scenarios, each followed by its variant with the party in another order, where there is one.

        A variant names its parent, the operation and the seed in `metadata["augmentation"]`.
        """
        pairs = ((scenario, reordered(scenario, seed)) for scenario in dataset)
        return [one for pair in pairs for one in pair if one is not None]

    def balance_dataset(self, dataset: ProcessedDataset, *, seed: int = 7) -> list[TrainingRow]:
        """The training rows, with rows of rarer scenario types repeated until all types teach about as much."""
        return evened(list(dataset.rows("train")), seed)

    def _sources(self, directory: Path) -> tuple[list[_Source], list[ReportRow]]:
        """Every scenario file once; a training file whose content is also held out is held out."""
        held_out = [self._source(path, self.workspace.validation_dir, "validation") for path in self._held_out_files()]
        known = {source.sha256: source.name for source in held_out}
        sources, report = list(held_out), []
        for path in _scenario_files(directory):
            if path.resolve().is_relative_to(self.workspace.validation_dir.resolve()):
                continue
            source = self._source(path, directory, None)
            if twin := known.get(source.sha256):
                report.append(ReportRow(source=source.name, kind="held out", reason=f"It is the same text as {twin}."))
                continue
            known[source.sha256] = source.name
            sources.append(source)
        return sources, report

    def _held_out_files(self) -> list[Path]:
        folder = self.workspace.validation_dir
        return _scenario_files(folder) if folder.is_dir() else []

    def _source(self, path: Path, root: Path, split: Split | None) -> _Source:
        relative = path.relative_to(root).as_posix()
        name = f"validation/{relative}" if split else relative
        return _Source(name, path, sha256_file(path), split or split_of(name, self.settings.validation_fraction))

    def _fingerprint(self, sources: Sequence[_Source]) -> str:
        parts = {
            "scenarios": sorted([source.name, source.sha256] for source in sources),
            "tokenizer": self.base.manifest.files["hf/tokenizer.json"].sha256,
            "template": self._renderer.template.source,
            "settings": self.settings.model_dump(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _rows_of(self, source: _Source) -> tuple[list[TrainingRow], list[ReportRow]]:
        scenario = self._parser.parse_scenario(source.path)
        if errors := _errors(scenario):
            return [], [ReportRow(source=source.name, kind="excluded file", reason=errors[0][1], line=errors[0][0])]
        messages = to_messages(scenario)
        if not any(message.role == "assistant" for message in messages):
            return [], [ReportRow(source=source.name, kind="excluded file", reason="It has no DM turn to learn from.")]
        limit = self.settings.max_seq_length
        cut = cut_conversation(messages, self._renderer, limit)
        rows = [
            TrainingRow(
                source=source.name,
                scenario_type=scenario.scenario_type,
                turns=(window.turns.start, window.turns.stop),
                input_ids=window.rendered.ids,
                loss_mask=window.rendered.mask,
            )
            for window in cut.windows
        ]
        report = [_too_long(source.name, turns, tokens, limit) for turns, tokens in cut.too_long]
        report += [_untrained(row) for row in rows if not row.trained_tokens]
        if len(cut.windows) > 1:
            reason = f"Longer than {limit} tokens: cut into {len(rows)} rows, the system block repeated in each."
            report.append(ReportRow(source=source.name, kind="split", reason=reason))
        return [row for row in rows if row.trained_tokens], report

    def _write(
        self,
        folder: Path,
        fingerprint: str,
        sources: Sequence[_Source],
        rows: dict[Split, list[TrainingRow]],
        report: list[ReportRow],
    ) -> ProcessedDataset:
        """Rows first, dataset.json last: a folder with a dataset.json is complete."""
        for split in SPLITS:
            with atomic_writer(rows_file(folder, split)) as stream:
                for row in rows[split]:
                    stream.write(row.model_dump_json().encode() + b"\n")
        manifest = DatasetManifest(
            fingerprint=fingerprint,
            base_model=self.base.name,
            base_fingerprint=self.base.fingerprint,
            template=self._renderer.template.name,
            settings=self.settings,
            scenarios={source.name: source.sha256 for source in sources},
            counts={split: _counts(rows[split]) for split in SPLITS},
            report=report,
        )
        atomic_write(folder / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")
        return ProcessedDataset(folder, manifest)


def _scenario_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DatasetError(
            "There is no such folder of scenarios.", next_step="Choose a folder with *.md files.", where=str(folder)
        )
    paths = [
        path for path in folder.rglob("*.md") if not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


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


def _too_long(source: str, turns: range, tokens: int, limit: int) -> ReportRow:
    reason = (
        f"With the system block these turns take {tokens} tokens, more than the {limit} of a row, and belong together."
    )
    return ReportRow(source=source, kind="excluded turns", reason=reason, turns=(turns.start, turns.stop))


def _untrained(row: TrainingRow) -> ReportRow:
    return ReportRow(source=row.source, kind="excluded turns", reason="They hold no DM turn.", turns=row.turns)


def _counts(rows: Sequence[TrainingRow]) -> SplitCounts:
    types = {row.source: row.scenario_type for row in rows}
    return SplitCounts(
        scenarios=len(types),
        rows=len(rows),
        tokens=sum(len(row.input_ids) for row in rows),
        trained_tokens=sum(row.trained_tokens for row in rows),
        longest_row=max((len(row.input_ids) for row in rows), default=0),
        scenarios_by_type=dict(sorted(Counter(types.values()).items())),
    )


def _nothing_to_train(directory: Path, report: list[ReportRow]) -> DatasetError:
    first = f"{report[0].source}: {report[0].reason}" if report else "The folder holds no *.md file."
    return DatasetError(
        "There is nothing to train on.",
        why=first,
        next_step="Correct the scenarios, write one, or allow longer rows (max_seq_length).",
        where=str(directory),
    )
