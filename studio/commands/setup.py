"""`setup` and `bases`: prepare base models and check the machine."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from studio.bases import (
    BaseEntry,
    BaseModel,
    ImportProgress,
    import_base,
    import_folder,
    import_gguf,
    licence_text,
    list_bases,
)
from studio.commands import Command, Context, Exit, size_text, table
from studio.commands.speed import measure_speed, pace_text
from studio.config import load_model_configs
from studio.errors import BaseModelError, PlayError
from studio.machine import GIB, Machine, look
from studio.play import HostOptions, ModelHost, Sampling

DEFAULT_BASE = "smollm2-135m-instruct"
_STAGES = {"download": "Fetching", "unpack": "Unpacking", "convert": "Preparing for training", "finish": "Finishing"}


def _configure_setup(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--base", default=DEFAULT_BASE, metavar="NAME", help=f"base model to prepare (default {DEFAULT_BASE})"
    )
    parser.add_argument(
        "--accept-licence", action="store_true", help="agree to a licence that asks for it, after reading it"
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="also find out how fast this machine trains: a few steps, nothing is kept",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--licence", action="store_true", help="print the licence and import nothing")
    what.add_argument(
        "--from-gguf", metavar="FILE", type=Path, help="import a GGUF of your own under the name of --base"
    )
    what.add_argument(
        "--from-folder",
        metavar="DIR",
        type=Path,
        help="import a Hugging Face folder of your own under the name of --base",
    )
    parser.add_argument(
        "--without-gguf",
        action="store_true",
        help="with --from-folder: do not make a playable GGUF file (which fetches llama.cpp's converter once, 77 MB)",
    )


def _setup(options: Namespace, context: Context) -> int:
    if options.licence:
        text = licence_text(context.workspace, options.base)
        context.show(text, {"name": options.base, "licence": text})
        return Exit.DONE
    known = _imported(context, options.base)
    base = _import(options, context)
    manifest, machine = base.manifest, look(context.workspace)
    concerns = [*machine.concerns(), *([] if known else runtime_concerns(base))]
    pace = measure_speed(context, base.name) if options.measure else None
    context.show(
        f"{manifest.title} is ready ({manifest.parameters / 1e6:.0f} M parameters, licence {manifest.licence}, "
        f"text in {context.workspace.relative(base.licence)}).\n{_machine_text(machine, concerns)}"
        + (f"\n{pace_text(pace)}" if pace else ""),
        {
            "base": manifest.model_dump(mode="json"),
            "machine": machine.model_dump(),
            "concerns": concerns,
            "pace": pace and pace.model_dump(mode="json"),
        },
    )
    return Exit.DONE


def runtime_concerns(base: BaseModel) -> list[str]:
    """Whether the llama.cpp that was built on this machine runs here: it once says one word with the new model."""
    if base.gguf is None:
        return []
    try:
        with ModelHost(base.gguf, HostOptions(context_tokens=256)) as host:
            for _ in host.generate("Hello", Sampling(max_tokens=1)):
                pass
    except PlayError as error:
        return [f"llama.cpp does not run on this machine, so models can be trained but not played. {error}"]
    return []


def _machine_text(machine: Machine, concerns: list[str]) -> str:
    facts = (
        f"This machine: {machine.cores} cores, {machine.memory_available / GIB:.0f} of "
        f"{machine.memory_total / GIB:.0f} GiB memory free, {machine.disk_free / GIB:.0f} GiB disk free, "
        f"{'bfloat16' if machine.native_bfloat16 else 'float32'} training, {machine.gpu_devices or 'no'} NVIDIA GPU."
    )
    return "\n".join([facts, *concerns])


def _import(options: Namespace, context: Context) -> BaseModel:
    reporter = _Reporter(context)
    if options.from_gguf:
        return import_gguf(context.workspace, options.from_gguf, options.base, progress=reporter)
    if options.from_folder:
        return import_folder(
            context.workspace,
            options.from_folder,
            options.base,
            accept_licence=options.accept_licence,
            with_gguf=not options.without_gguf,
            progress=reporter,
        )
    config = load_model_configs(context.workspace).get(options.base)
    if config and config.licence_acceptance and not options.accept_licence and not _imported(context, options.base):
        raise BaseModelError(
            f"{config.title or config.name} comes under the {config.licence}, which must be accepted before use.",
            next_step=f"Read them with `setup --base {config.name} --licence`, then add --accept-licence.",
        )
    return import_base(context.workspace, options.base, accept_licence=options.accept_licence, progress=reporter)


def _imported(context: Context, name: str) -> bool:
    return any(entry.imported for entry in list_bases(context.workspace) if entry.name == name)


class _Reporter:
    """Shows an import as one progress line per stage."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stage = ""
        self._line = context.progress("")

    def __call__(self, progress: ImportProgress) -> None:
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._line = self._context.progress(_STAGES[progress.stage])
            if not self._context.as_json:
                self._context.note(f"{_STAGES[progress.stage]}: {progress.detail} ...")
        if progress.total:
            self._line(progress.done, progress.total, "bytes")


def _bases(_: Namespace, context: Context) -> int:
    entries = list_bases(context.workspace)
    rows = [(entry.name, entry.title, _state(entry), _licence(entry)) for entry in entries]
    context.show(
        table(rows, ("NAME", "TITLE", "STATE", "LICENCE")),
        [{"name": name, "title": title, "state": state, "licence": licence} for name, title, state, licence in rows],
    )
    return Exit.DONE


def _state(entry: BaseEntry) -> str:
    if entry.base:
        return f"ready, {size_text(sum(record.bytes for record in entry.base.manifest.files.values()))}"
    return "can be fetched" if entry.downloadable else "bring your own folder"


def _licence(entry: BaseEntry) -> str:
    return entry.base.manifest.licence if entry.base else (entry.config.licence if entry.config else "")


COMMANDS = (
    Command(
        "setup",
        "prepare a base model (fetch, verify, import) and check the machine",
        _configure_setup,
        _setup,
    ),
    Command("bases", "list the base models", lambda parser: None, _bases),
)
