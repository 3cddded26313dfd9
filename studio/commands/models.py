"""`convert`, `quantize`, `inspect` and `models`: make GGUF files, look into them, and list them."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError, size_text, table
from studio.commands.imatrix import configure_mixing, matrix_for, overrides_of
from studio.commands.model_names import source_named
from studio.commands.quality import configure_limits, has_limits, make_within_limits
from studio.conversion import (
    GGUFReport,
    find_model,
    inspect_gguf,
    list_models,
    quantization_type,
    quantize_file,
    quantized_path,
    start_conversion,
    write_lora,
)
from studio.errors import ConfigError, ConversionError
from studio.jobs import Job, JobState, MessageEvent
from studio.workspace import sha256_file

_POLL_SECONDS = 0.2
_SHOWN_TEXT = 100


def _configure_convert(parser: ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="a finished training run")
    parser.add_argument("--profile", default="phone_2gb", help="device profile of config/optimization_profiles.yaml")
    parser.add_argument(
        "--type", default="", type=_type_name, help="quantization type instead of the profile's, such as Q4_K_M"
    )
    parser.add_argument(
        "--lora", action="store_true",
        help="write the adapter alone as a GGUF file of a few MB, to be laid over its base model",
    )  # fmt: skip


def _convert(options: Namespace, context: Context) -> int:
    if options.lora:
        return _write_lora(options, context)
    job = start_conversion(context.workspace, options.run_name, options.profile, type_name=options.type)
    state = _follow(job, f"Converting {options.run_name}", context)
    if state.status == "stopped":
        context.show("The conversion was stopped; the file it was making is gone.", state)
        return Exit.INTERRUPTED
    if state.status != "done":
        error = state.error or {}
        told = (error.get(part, "") for part in ("where", "what", "why", "next_step"))
        context.show(" ".join(filter(None, told)), state)
        return Exit.FINDINGS
    size = size_text(float(str(state.result["size"])))
    context.show(f"Made {state.result['quantized']} ({size}, SHA-256 {state.result['sha256']}).", state.result)
    return Exit.DONE


def _write_lora(options: Namespace, context: Context) -> int:
    if options.type:
        raise UsageError(
            "--lora and --type do not go together.",
            why="An adapter over its base plays with the base's own quantization.",
            next_step="Leave out one of them.",
        )
    made = write_lora(context.workspace, options.run_name)
    data = {"lora": context.workspace.relative(made.path), "size": made.size, "sha256": sha256_file(made.path)}
    context.show(f"Made {data['lora']} ({size_text(made.size)}, SHA-256 {data['sha256']}).", data)
    return Exit.DONE


def _follow(job: Job, title: str, context: Context) -> JobState:
    """Show a job until it ends; Ctrl+C asks it to stop, and it leaves no half file."""
    progress, offset = context.progress(title), 0
    while True:
        state = job.state()
        batch = job.events(offset)
        offset = batch.offset
        for event in batch.events:
            if isinstance(event, MessageEvent) and not context.as_json:
                context.note(event.text)
        if state.is_finished:
            return state
        progress(state.progress.done, state.progress.total, state.progress.unit)
        try:
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            context.note("Stopping ...")
            job.stop()


def _configure_quantize(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="GGUF", help="an unquantized GGUF file, or the name of a converted run")
    parser.add_argument("--type", default="", type=_type_name, metavar="T", help="this type, such as Q8_0 or Q4_K_M")
    configure_limits(parser)
    parser.add_argument("--out", type=Path, metavar="F", help="file to write (default: beside the source)")
    configure_mixing(parser)


def _quantize(options: Namespace, context: Context) -> int:
    within_limits = has_limits(options)
    source = source_named(options.model, context)
    if options.out and options.out.suffix != ".gguf":
        raise ConfigError("--out must name a file that ends in .gguf.", where=str(options.out))
    if options.out and options.out.resolve() == source.resolve():
        raise ConfigError("--out is the file to be quantized itself.", next_step="Choose another name.")
    if within_limits:
        return make_within_limits(options, source, context)
    overrides = overrides_of(options.override)
    target = options.out or quantized_path(context.workspace, source, options.type, mixed=bool(overrides))
    matrix = matrix_for(options.imatrix, source, options.type, overrides, context)
    progress = context.progress(f"Quantizing to {options.type}")
    made = quantize_file(
        source, target, options.type,
        imatrix=matrix, overrides=overrides, progress=lambda done, total: progress(done, total, "tensors"),
    )  # fmt: skip
    context.show(f"Made {context.workspace.relative(made.path)} ({made.type}, {size_text(made.size)}).", made)
    return Exit.DONE


def _configure_inspect(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="GGUF", help="a GGUF file, or the name of a model, a run or a base model")


def _inspect(options: Namespace, context: Context) -> int:
    path = Path(options.model)
    report = inspect_gguf(path if path.is_file() else find_model(context.workspace, options.model))
    context.show(_report_text(report), report)
    return Exit.DONE if report.valid else Exit.FINDINGS


def _report_text(report: GGUFReport) -> str:
    checks = [("ok" if one.passed else "FAILED", one.name, _printable(one.detail)) for one in report.checks]
    parts = [f"{report.path.name}: {size_text(report.size)}, {'valid' if report.valid else 'NOT VALID'}"]
    parts.append(table(checks, ("CHECK", "OF", "FOUND")))
    if report.tensor_types:
        groups = [(one.type, str(one.tensors), size_text(one.bytes)) for one in report.tensor_types]
        parts.append(table(groups, ("TYPE", "TENSORS", "SIZE")))
    values = [(_printable(key), _short(value)) for key, value in report.metadata.items()]
    values += [(_printable(key), f"[{count:,} items]") for key, count in report.arrays.items()]
    if values:
        parts.append(table(sorted(values), ("KEY", "VALUE")))
    return "\n\n".join(parts)


def _short(value: object) -> str:
    text = _printable(str(value))
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]} ... ({len(str(value)):,} characters)"


def _printable(text: str) -> str:
    """A text from a file that nobody vouches for, unable to steer the terminal."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _type_name(name: str) -> str:
    try:
        return quantization_type(name).name if name else ""
    except ConversionError as error:
        raise ArgumentTypeError(str(error)) from error


def _models(_: Namespace, context: Context) -> int:
    models = list_models(context.workspace)
    rows = [(one.name, size_text(one.size), "base" if one.is_base else "yours") for one in models]
    data = [{"name": one.name, "size": one.size, "base": one.is_base, "path": str(one.path)} for one in models]
    context.show(table(rows, ("MODEL", "SIZE", "KIND")), data)
    return Exit.DONE


COMMANDS = (
    Command("convert", "merge a run's adapter into its base and quantize the result", _configure_convert, _convert),
    Command("quantize", "make a smaller GGUF file, of a type or for a size", _configure_quantize, _quantize),
    Command("inspect", "show what is in a GGUF file and whether it can be used", _configure_inspect, _inspect),
    Command("models", "list the GGUF files that can be played", lambda parser: None, _models),
)
