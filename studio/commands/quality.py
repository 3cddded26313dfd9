"""`quality`, and the limits of `quantize`: what quantizing costs, and the best file that a size or a memory allows."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError, size_text, table
from studio.commands.imatrix import AUTO, NONE
from studio.commands.model_names import source_named
from studio.conversion import (
    FileQuality,
    Limits,
    OptimizeReport,
    QualityMeter,
    ensure_imatrix,
    find_model,
    fit_file,
    held_out_rows,
    optimize_file,
    quality_words,
    reference_of,
)
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.search.matrix import helpful_imatrix
from studio.conversion.service import profile_named


def _configure_quality(parser: ArgumentParser) -> None:
    parser.add_argument(
        "models", nargs="+", metavar="GGUF", help="a GGUF file, or the name of a model or a run; several stand together"
    )
    parser.add_argument(
        "--reference", metavar="GGUF",
        help="the unquantized file to compare with (default: the one in the same folder, .f16.gguf)",
    )  # fmt: skip


def _quality(options: Namespace, context: Context) -> int:
    found = [_measured(name, options.reference, context) for name in options.models]
    context.show(_quality_text(found), found)
    return Exit.DONE


def _measured(name: str, reference: str | None, context: Context) -> FileQuality:
    path = Path(name) if Path(name).is_file() else find_model(context.workspace, name)
    against = source_named(reference, context) if reference else reference_of(context.workspace, path)
    rows = held_out_rows(context.workspace, read_header(against))
    progress = context.progress(f"Measuring {path.name}")
    meter = QualityMeter(context.workspace, against, rows)
    return meter.measure(path, progress=lambda done, total: progress(done, total, "tokens"))


def _quality_text(found: list[FileQuality]) -> str:
    header = ("FILE", "SIZE", "PERPLEXITY", "KL DIVERGENCE", "99 % BELOW", "SAME TOP TOKEN")
    rows = [
        (
            one.file,
            size_text(one.size),
            f"{one.perplexity:.3f} ({100 * one.perplexity_increase:+.1f} %)",
            f"{one.kl:.5f}",
            f"{one.kl_p99:.4f}",
            f"{100 * one.same_top:.1f} %",
        )
        for one in found
    ]
    places = f"{found[0].positions:,} tokens of the DM's turns in held-out scenarios; KL divergence in nats."
    return f"{table(rows, header)}\n{places}"


def configure_limits(parser: ArgumentParser) -> None:
    """The options of `quantize` that give limits instead of a type."""
    parser.add_argument(
        "--size-limit-gb", type=_limit, metavar="X",
        help="the file of the best measured quality with at most X GB (10^9 bytes)",
    )  # fmt: skip
    parser.add_argument(
        "--memory-limit-gb", type=_limit, metavar="X",
        help="the same, for weights, KV cache and working buffer together (10^9 bytes)",
    )  # fmt: skip
    parser.add_argument(
        "--profile", default="", metavar="NAME",
        help="device whose limits, window and quality floor are meant, such as phone_2gb",
    )  # fmt: skip
    parser.add_argument(
        "--fast", action="store_true", help="with a limit: the largest type that fits; nothing is measured"
    )


def has_limits(options: Namespace) -> bool:
    """Whether a limit was given instead of a type.

    Raises:
        UsageError: both were, or neither, or something that goes with the other.
    """
    limited = bool(options.size_limit_gb or options.memory_limit_gb or options.profile)
    if limited and options.type:
        raise UsageError("A type and a limit do not go together.", next_step="Leave out one of them.")
    if limited and options.override:
        raise UsageError("The search chooses the types of single tensors itself.", next_step="Leave out --override.")
    if not limited and not options.type:
        raise UsageError("Say what to make.", next_step="Give --type, --size-limit-gb, --memory-limit-gb or --profile.")
    if options.fast and not limited:
        raise UsageError("--fast goes with a limit.", next_step="Leave it out: a type is made at once.")
    return limited


def make_within_limits(options: Namespace, source: Path, context: Context) -> int:
    """Search for the best file, or with `--fast` make the largest type."""
    workspace = context.workspace
    device = profile_named(workspace, options.profile) if options.profile else None
    limits = Limits.given(options.size_limit_gb, options.memory_limit_gb, device)
    progress = context.progress("Making the file" if options.fast else "Searching")
    if options.fast:
        made = fit_file(
            workspace, source, limits, target=options.out, progress=lambda done, total: progress(done, total, "tensors")
        )
    else:
        made = optimize_file(
            workspace, source, limits, target=options.out, imatrix=_matrix(options.imatrix, source, limits, context),
            tell=lambda text: None if context.as_json else context.note(text),
            progress=lambda done, total: progress(100 * done / total, 100, "%"),
        )  # fmt: skip
    context.show(_made_text(made, context), made)
    return Exit.DONE


def _matrix(choice: str, source: Path, limits: Limits, context: Context) -> Path | None:
    """The importance matrix that is meant; without a choice the one that helps within these limits."""
    if choice not in ("", AUTO):
        return None if choice == NONE else Path(choice)
    progress = context.progress("Reading your scenarios for the importance matrix")

    def told(done: int, total: int) -> None:
        progress(done, total, "tokens")

    if choice == AUTO:
        return ensure_imatrix(context.workspace, source, progress=told).path
    say = context.note if not context.as_json else lambda text: None
    return helpful_imatrix(context.workspace, source, limits, tell=say, progress=told)


def _made_text(made: OptimizeReport, context: Context) -> str:
    parts = " and ".join(f"{part} in {kind}" for part, kind in made.overrides.items())
    what = f"{made.type} with {parts}" if parts else made.type
    text = f"Made {context.workspace.relative(made.path)} ({what}, {size_text(made.size)})"
    return f"{text}: {quality_words(made.quality)}." if made.quality else f"{text}."


def _limit(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text} GB is not a size above 0")
    return value


COMMANDS = (
    Command("quality", "measure what quantizing cost a model, on held-out scenarios", _configure_quality, _quality),
)
