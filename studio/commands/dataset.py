"""`preprocess`: scenarios into exactly the tokens that will be trained, with a report of everything left out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from studio.bases import get_base
from studio.commands import Command, Context, Exit, table, whole_number
from studio.commands.setup import DEFAULT_BASE
from studio.config import TrainingConfig
from studio.dataset import SPLITS, DatasetManifest, TrainingDataProcessor

_DEFAULT_LENGTH = TrainingConfig.model_fields["max_seq_length"].default


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


def _preprocess(options: Namespace, context: Context) -> int:
    workspace = context.workspace
    processor = TrainingDataProcessor(workspace, get_base(workspace, options.base), options.max_seq_length)
    line = context.progress("Processing scenarios")
    dataset = processor.process_scenarios(
        options.folder or workspace.scenarios_dir, lambda done, total: line(done, total, "scenarios")
    )
    context.show(f"{_summary(dataset.manifest)}\nWritten to {workspace.relative(dataset.directory)}.", dataset.manifest)
    return Exit.FINDINGS if any(row.kind.startswith("excluded") for row in dataset.manifest.report) else Exit.DONE


def _summary(manifest: DatasetManifest) -> str:
    rows = [
        (split, f"{n.scenarios}", f"{n.rows}", f"{n.tokens:,}", f"{n.trained_share:.0%}", f"{n.longest_row:,}")
        for split in SPLITS
        for n in [manifest.counts[split]]
    ]
    counts = table(rows, ("SPLIT", "SCENARIOS", "ROWS", "TOKENS", "TRAINED", "LONGEST"))
    remarks = [f"{row.source}{f':{row.line}' if row.line else ''}: {row.kind}. {row.reason}" for row in manifest.report]
    return "\n".join([counts, *remarks])


COMMANDS = (
    Command(
        "preprocess",
        "turn scenarios into training rows, and report what is left out and why",
        _configure,
        _preprocess,
        description="Turn scenarios into training rows under data/processed/, and report what is left out and why. "
        "Held out is what lies in data/validation/, or a tenth of the scenarios where that is empty. "
        "Exit status 1 when something was left out.",
    ),
)
