"""`imatrix`: let a model read your scenarios, so that the smallest types know which weights matter in your play."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, whole_number
from studio.commands.model_names import source_named
from studio.conversion import ensure_imatrix, estimate_size
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.imatrix.making import DEFAULT_TOKENS
from studio.conversion.quantization.quantize import check_possible
from studio.errors import ConfigError

AUTO, NONE = "auto", "none"
_MOST_TOKENS = 10_000_000


def _configure_imatrix(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="an unquantized GGUF file, or the name of a converted run")
    parser.add_argument(
        "--scenarios", nargs="+", type=Path, default=[], metavar="PATH",
        help="scenario files or folders (default: what the run was trained on, else data/scenarios)",
    )  # fmt: skip
    parser.add_argument(
        "--tokens", type=whole_number(1, _MOST_TOKENS), default=DEFAULT_TOKENS, metavar="N",
        help=f"read at most so many tokens (default: {DEFAULT_TOKENS:,})",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="F", help="file to write (default: beside the model)")


def _imatrix(options: Namespace, context: Context) -> int:
    if options.out and options.out.suffix != ".gguf":
        raise ConfigError("--out must name a file that ends in .gguf.", where=str(options.out))
    source = source_named(options.model, context)
    progress = context.progress(f"Reading scenarios with {source.name}")
    made = ensure_imatrix(
        context.workspace,
        source,
        scenarios=_placed(context, options.scenarios),
        target=options.out,
        tokens=options.tokens,
        progress=lambda done, total: progress(done, total, "tokens"),
    )
    name = context.workspace.relative(made.path)
    what = f"{made.entries} weight matrices, {made.tokens:,} tokens of {made.rows} texts"
    told = f"{name} is up to date" if made.reused else f"Made {name}"
    context.show(f"{told} ({what}).", made)
    return Exit.DONE


def configure_mixing(parser: ArgumentParser) -> None:
    """The options of `quantize` that say how it rounds, and what single tensors become."""
    parser.add_argument(
        "--imatrix", metavar="auto|none|FILE", default="",
        help="importance matrix: made from your scenarios or taken from where it was made (auto), none, or a file "
        "(default: auto for types that need one, else none)",
    )  # fmt: skip
    parser.add_argument(
        "--override", action="append", default=[], type=_override, metavar="NAME=TYPE",
        help="another type for a tensor, or for all that a pattern fits, such as attn_v=Q6_K or 'blk.0.*=Q8_0'; "
        "can be repeated, the first that fits decides",
    )  # fmt: skip


def matrix_for(choice: str, source: Path, type_name: str, overrides: dict[str, str], context: Context) -> Path | None:
    """The importance matrix that `--imatrix` asks for; one that is missing is made.

    Raises:
        ConversionError: there is no text to make it from, or llama.cpp cannot run the model.
    """
    if choice not in ("", AUTO, NONE):
        return Path(choice)
    header = read_header(source)
    check_possible(header, type_name, imatrix=True, overrides=overrides)  # before minutes are spent on the matrix
    estimate = estimate_size(header, type_name, overrides=overrides)
    wanted = estimate.uses_imatrix if choice == AUTO else estimate.needs_imatrix
    if choice == NONE or not wanted:
        return None
    progress = context.progress("Reading your scenarios for the importance matrix")
    made = ensure_imatrix(context.workspace, source, progress=lambda done, total: progress(done, total, "tokens"))
    context.note(f"Importance matrix: {context.workspace.relative(made.path)} ({made.tokens:,} tokens).")
    return made.path


def overrides_of(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The overrides in their order; of two for the same name the first decides, as it does of two that fit a tensor."""
    overrides: dict[str, str] = {}
    for name, kind in pairs:
        overrides.setdefault(name, kind)
    return overrides


def _override(text: str) -> tuple[str, str]:
    name, separator, kind = text.rpartition("=")
    if not (name and separator and kind):
        raise ArgumentTypeError(f"{text!r} is not of the form NAME=TYPE")
    return name, kind


def _placed(context: Context, paths: list[Path]) -> list[Path]:
    """Paths as they are, or inside the workspace; one that is not there is refused."""
    found = [path if path.exists() else context.workspace.root / path for path in paths]
    if missing := next((path for path in found if not path.exists()), None):
        raise ConfigError("There is no such scenario file or folder.", where=str(missing))
    return found


COMMANDS = (
    Command(
        "imatrix", "find out which weights matter in your play, for the smallest types", _configure_imatrix, _imatrix
    ),
)
