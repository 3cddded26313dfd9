"""`preprocess`: scenarios into exactly the tokens that will be trained, with a report of everything left out."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from studio.bases import get_base
from studio.commands import Command, Context, Exit, table, whole_number
from studio.commands.setup import DEFAULT_BASE
from studio.config import TrainingConfig
from studio.dataset import SPLITS, DatasetManifest, TrainingDataProcessor

_SHOWN_LEAKS = 5
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
    parser.add_argument(
        "--validation-fraction",
        type=_share,
        metavar="X",
        help="share of the scenarios to hold out for validation, 0 to 0.5 "
        "(default: 0.1, or 0 when data/validation/ holds scenarios)",
    )
    parser.add_argument(
        "--test-fraction",
        type=_share,
        default=0.0,
        metavar="X",
        help="share of the scenarios for a test split that no run looks at, 0 to 0.5 (default 0)",
    )
    parser.add_argument("--pairs", action="store_true", help="one row per DM turn instead of whole conversations")
    parser.add_argument(
        "--recap",
        action="store_true",
        help="tell a row that begins in the middle of a scene what came before (the playground does not)",
    )


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 0.5:
        raise ArgumentTypeError(f"{text!r} is not a share from 0 to 0.5")
    return share


def _preprocess(options: Namespace, context: Context) -> int:
    workspace = context.workspace
    processor = TrainingDataProcessor(
        workspace,
        get_base(workspace, options.base),
        options.max_seq_length,
        validation_fraction=options.validation_fraction,
        test_fraction=options.test_fraction,
        pairs=options.pairs,
        recap=options.recap,
    )
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
        "Held out is what lies in data/validation/, or a tenth of the scenarios where that is empty. "
        "Exit status 1 when something was left out.",
    ),
)
