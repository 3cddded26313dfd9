"""Every capability as `python -m studio [--workspace DIR] COMMAND [--json]`.

Exit status: 0 done, 1 findings or a failed gate, 2 wrong usage. The commands themselves are in `studio/commands/`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence

from studio import __version__
from studio.commands import Command, Context, Exit, UsageError, shared_options
from studio.errors import ConfigError, StudioError
from studio.workspace import Workspace

GROUPS: dict[str, tuple[str, ...]] = {
    "setup": ("setup", "bases"),
    "scenarios": ("validate",),
    "dataset": ("preprocess",),
    "augment": ("augment",),
    "exchange": ("import", "export"),
    "training": ("train", "stop"),
    "queue": ("runs", "queue"),
    "imatrix": ("imatrix",),
    "quality": ("quality",),
    "types": ("types",),
    "models": ("convert", "quantize", "inspect", "models"),
    "parity": ("parity",),
    "play": ("chat",),
    "compare": ("compare",),
    "spot_checks": ("check",),
    "validation": ("evaluate", "benchmark", "cactus"),
    "reports": ("reports",),
    "registry": ("approve", "deploy", "rollback", "deployments"),
    "serve": ("serve",),
    "monitor": ("monitor",),
}
"""The modules of `studio/commands/` and the commands of each, in the order of the work."""


def commands(groups: Iterable[str] = GROUPS) -> list[Command]:
    """The commands of these groups."""
    return [command for group in groups for command in importlib.import_module(f"studio.commands.{group}").COMMANDS]


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; `--json` and `--workspace` are understood before and after the command."""
    return parsers()[""]


def parsers(groups: Iterable[str] = GROUPS) -> dict[str, argparse.ArgumentParser]:
    """The command line of these groups under the empty name, and the parser of each command under the command's."""
    shared = shared_options()
    parser = argparse.ArgumentParser(
        prog="python -m studio",
        parents=[shared],
        description="Write D&D scenarios, fine-tune a small language model on them, turn it into a GGUF, play with it.",
        epilog="Exit status: 0 done, 1 findings, a failed gate or something that went wrong, 2 wrong usage.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"studio {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    found = {"": parser}
    for command in commands(groups):
        child = subparsers.add_parser(
            command.name,
            parents=[shared],
            help=command.help,
            description=command.description or command.help,
            allow_abbrev=False,
        )
        command.configure(child)
        child.set_defaults(run=command.run)
        found[command.name] = child
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Wrong usage ends the process with 2, as argparse does."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parsers(_needed(arguments))[""].parse_args(arguments)
    as_json = getattr(options, "json", False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without the character is no reason to fail
    try:
        context = Context(Workspace.find(getattr(options, "workspace", None)), as_json)
        return int(options.run(options, context))
    except StudioError as error:
        return _report(error, options.command, as_json)
    except KeyboardInterrupt:
        print("\nInterrupted; nothing half-written is left behind.", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:  # for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except OSError as error:  # a full disk, a folder that may not be written
        return _report(_refused(error), options.command, as_json)


def _needed(arguments: Sequence[str]) -> list[str]:
    """The group of the command that is asked for, which need not wait for the others; all if that is unclear."""
    words = iter(arguments)
    for word in words:
        if word == "--workspace":
            next(words, None)
        elif word != "--json" and not word.startswith("--workspace="):
            return [group for group, names in GROUPS.items() if word in names] or list(GROUPS)
    return list(GROUPS)


def _report(error: StudioError, command: str, as_json: bool) -> Exit:
    """The sentences on standard error; with `--json` the same as one document on standard output."""
    if as_json:
        print(json.dumps(error.as_dict(), indent=2))
    print(f"{command}: {error}", file=sys.stderr)
    return Exit.USAGE if isinstance(error, ConfigError | UsageError) else Exit.FINDINGS


def _refused(error: OSError) -> StudioError:
    return StudioError(
        "The system refused to read or write a file.",
        why=f"{error.strerror or error}.",
        next_step="Check the path, the permissions and the free disk space.",
        where=str(error.filename or ""),
    )
