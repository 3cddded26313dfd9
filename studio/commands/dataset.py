"""`preprocess`: scenarios into exactly the tokens that will be trained, with a report of everything left out."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from pathlib import Path

from studio.bases import get_base
from studio.commands import Command, Context, Exit, number_between, size_text, table, whole_number
from studio.commands.balance_options import add_balance_options, balance_text, chosen_balance
from studio.commands.setup import DEFAULT_BASE
from studio.config import DatasetConfig, TrainingConfig, load_dataset_config
from studio.dataset import SPLITS, DatasetManifest, ProcessedDataset, TrainingDataProcessor, balance_of

_SHOWN_LEAKS = 5
_DEFAULT_LENGTH = TrainingConfig.model_fields["max_seq_length"].default
_SHARE = number_between(0, 0.5, "share")
_SWITCHES = {
    "pairs": "one row per DM turn instead of whole conversations",
    "recap": "tell a row that begins in the middle of a scene what came before, as play with recaps does",
    "variations": "train on the variations that were accepted, too",
}


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="scenarios (default: data/scenarios)")
    parser.add_argument("--base", default=DEFAULT_BASE, metavar="NAME", help="whose tokenizer and chat template to use")
    parser.add_argument(
        "--max-seq-length",
        type=whole_number(64, 131_072),
        default=_DEFAULT_LENGTH,
        metavar="N",
        help=f"longest row in tokens (default {_DEFAULT_LENGTH})",
    )
    parser.add_argument(
        "--validation-fraction",
        type=_SHARE,
        metavar="X",
        help="share of the scenarios to hold out for validation, 0 to 0.5 "
        "(default: config/dataset.yaml; where that has null, 0.1, or 0 when data/validation/ holds scenarios)",
    )
    parser.add_argument(
        "--test-fraction",
        type=_SHARE,
        metavar="X",
        help="share of the scenarios for a test split that no run looks at, 0 to 0.5 (default: config/dataset.yaml)",
    )
    for name, what in _SWITCHES.items():
        parser.add_argument(f"--{name}", action=BooleanOptionalAction, help=f"{what} (default: config/dataset.yaml)")
    add_balance_options(parser)
    parser.add_argument(
        "--prune", action="store_true", help="then remove prepared scenarios and datasets that nothing refers to"
    )


def _preprocess(options: Namespace, context: Context) -> int:
    workspace = context.workspace
    config = _chosen(options, load_dataset_config(workspace))
    base = get_base(workspace, options.base)
    processor = TrainingDataProcessor.configured(workspace, base, options.max_seq_length, config)
    line = context.progress("Processing scenarios")
    dataset = processor.process_scenarios(
        options.folder or workspace.scenarios_dir, lambda done, total: line(done, total, "scenarios")
    )
    _show(dataset, config, context)
    if options.prune:
        _prune(processor, dataset, context)
    return Exit.FINDINGS if any(row.kind.startswith("excluded") for row in dataset.manifest.report) else Exit.DONE


def _chosen(options: Namespace, configured: DatasetConfig) -> DatasetConfig:
    """What is configured, with what the options say instead."""
    names = ("validation_fraction", "test_fraction", *_SWITCHES)
    changes = {name: value for name in names if (value := getattr(options, name)) is not None}
    return configured.model_copy(update={**changes, "balance": chosen_balance(options, configured.balance)})


def _show(dataset: ProcessedDataset, config: DatasetConfig, context: Context) -> None:
    """The summary, or dataset.json; and what balancing does where it is asked for."""
    balance = balance_of(dataset, config.balance, TrainingConfig.model_fields["seed"].default)
    text = f"{_summary(dataset.manifest)}\nWritten to {context.workspace.relative(dataset.directory)}."
    document = dataset.manifest.model_dump(mode="json")
    if balance:
        text = f"{balance_text(balance)}\n{text}"
        document["balance"] = {"asked": config.balance.model_dump(mode="json"), **balance.as_dict()}
    context.show(text, document)


def _prune(processor: TrainingDataProcessor, dataset: ProcessedDataset, context: Context) -> None:
    gone = processor.prune(dataset)
    context.note(
        f"{size_text(gone.freed)} freed: datasets that no run needs ({gone.datasets}), scenarios prepared with other "
        f"settings ({gone.recipes}), and files of texts that are gone ({gone.shards})."
    )


def _summary(manifest: DatasetManifest) -> str:
    rows = [
        (split, f"{n.scenarios}", f"{n.rows}", f"{n.tokens:,}", f"{n.trained_share:.0%}", f"{n.longest_row:,}")
        for split in SPLITS
        for n in [manifest.counts[split]]
        if n.rows or split != "test"
    ]
    counts = table(rows, ("SPLIT", "SCENARIOS", "ROWS", "TOKENS", "TRAINED", "LONGEST"))
    remarks = [f"{row.source}{f':{row.line}' if row.line else ''}: {row.kind}. {row.reason}" for row in manifest.report]
    return "\n".join([counts, *remarks, *_leaks(manifest)])


def _leaks(manifest: DatasetManifest) -> list[str]:
    """What held-out scenarios share with those to train on, in words."""
    leakage = manifest.leakage
    if leakage is None or not leakage.leaking_scenarios:
        return []
    head = (
        f"Leaks: {leakage.leaking_scenarios} of {leakage.held_out_scenarios} held-out scenarios share runs of "
        f"{leakage.words} words or more with scenarios to train on, so they look better learned than they are."
    )
    pairs = [f'  {one.held_out} and {one.train}: "{one.example}"' for one in leakage.pairs[:_SHOWN_LEAKS]]
    return [head, *pairs]


COMMANDS = (
    Command(
        "preprocess",
        "turn scenarios into training rows, and report what is left out and why",
        _configure,
        _preprocess,
        description="Turn scenarios into training rows under data/processed/, and report what is left out and why. "
        "Without options it does what config/dataset.yaml says, as every training run does. "
        "Exit status 1 when something was left out.",
    ),
)
