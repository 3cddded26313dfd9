"""`parity`: prove that GGUF files say what the trained model says."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, table
from studio.conversion.parity.check import QUESTIONS, TOKENS, FileParity, check_files
from studio.conversion.places import IMATRIX_ENDING, gguf_folder, merged_path
from studio.conversion.service import find_model
from studio.workspace import Workspace


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a converted run (all of its files), or one of its files")
    parser.add_argument(
        "--say", action="append", default=[], metavar="TEXT", help="what the player says; may be given several times"
    )
    parser.add_argument("--tokens", type=int, default=TOKENS, metavar="N", help=f"tokens of an answer ({TOKENS})")


def _parity(options: Namespace, context: Context) -> int:
    files = _files(options.model, context.workspace)
    line = context.progress(f"Comparing {len(files)} file{'s' if len(files) > 1 else ''} with the merged model")
    found = check_files(
        context.workspace,
        files,
        questions=options.say or QUESTIONS,
        tokens=max(1, options.tokens),
        progress=lambda done, total: line(done, total, "files"),
    )
    context.show(_text(found), [one.model_dump(mode="json") for one in found])
    return Exit.DONE if all(one.passed for one in found) else Exit.FINDINGS


def _files(name: str, workspace: Workspace) -> list[Path]:
    """A file, or all models of a run: the unquantized one first."""
    if not Path(name).is_file() and "/" not in name and gguf_folder(workspace, name).is_dir():
        first = merged_path(workspace, name)
        others = sorted(path for path in gguf_folder(workspace, name).glob("*.gguf") if _is_model(path))
        return [path for path in (first, *(one for one in others if one != first)) if path.exists()]
    return [find_model(workspace, name)]


def _is_model(path: Path) -> bool:
    return not path.name.startswith(".") and not path.name.endswith(IMATRIX_ENDING)


def _text(found: list[FileParity]) -> str:
    rows = [
        (
            one.path.name, one.type, f"{one.same_tokens} of {one.tokens}", f"{one.max_difference:.2g}",
            f"{one.kl_divergence:.2g}", "none" if one.bound is None else f"{one.bound:.2g}",
            "ok" if one.passed else "DIFFERS",
        )
        for one in found
    ]  # fmt: skip
    return table(rows, ("FILE", "TYPE", "SAME TOKENS", "LOGITS", "MEAN KL", "BOUND", "RESULT"))


COMMANDS = (Command("parity", "compare a run's GGUF files with the model it trained", _configure, _parity),)
