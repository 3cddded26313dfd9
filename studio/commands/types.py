"""`types`: what a run's model takes and gives in every quantization type, before anything is made and after."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, table
from studio.conversion.service import profile_named
from studio.conversion.speed.expected import known_pace, start_speed_measurement
from studio.errors import StudioError
from studio.ui.file_quality import shapes_of, type_rows
from studio.ui.model_types import WINDOWS, TypeLine, base_name, recommendation, recommended, short_list, type_lines
from studio.ui.type_table import COLUMNS, state_word

_POLL_SECONDS = 0.2


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="a finished training run")
    parser.add_argument("--profile", default="phone_2gb", help="device profile of config/optimization_profiles.yaml")
    parser.add_argument("--short", action="store_true", help="only the few types that most people need")
    parser.add_argument(
        "--measure",
        action="store_true",
        help="first measure how fast this computer is, in less than a minute when it is idle",
    )


def _run(options: Namespace, context: Context) -> int:
    profile = profile_named(context.workspace, options.profile)
    header = shapes_of(context.workspace, options.run_name)
    base = base_name(context.workspace, header)
    if options.measure and base:
        _measure(base, header.path, context)
    pace = known_pace(context.workspace, base) if base else None
    lines = type_lines(type_rows(context.workspace, options.run_name), header, profile, pace)
    best = recommended(lines, profile)
    shown = short_list(lines, best) if options.short else lines
    text = f"{_text(shown, best)}\n\n{recommendation(best, lines, profile)}"
    context.show(text, {"recommended": best.row.type if best else None, "types": [_plain(one) for one in shown]})
    return Exit.DONE if best else Exit.FINDINGS


def _text(lines: list[TypeLine], best: TypeLine | None) -> str:
    """The table; columns of which nothing is known are left out."""
    columns = [one for one in COLUMNS if any(one.value(line) is not None for line in lines)]
    rows = [
        (line.row.type, *(_cell(one.format, one.value(line)) for one in columns), _word(line, best)) for line in lines
    ]
    return table(rows, ("TYPE", *(one.title.upper() for one in columns), ""))


def _cell(form: str, value: float | None) -> str:
    return "-" if value is None else form % value


def _word(line: TypeLine, best: TypeLine | None) -> str:
    return ", ".join(filter(None, (state_word(line, best), "" if line.fits else "too large")))


def _plain(line: TypeLine) -> dict[str, object]:
    """A line as JSON, sizes in bytes."""
    row = line.row
    return {
        "type": row.type, "size": row.size, "bits_per_weight": row.bits_per_weight, "fits": line.fits,
        "needs_imatrix": row.needs_imatrix, "path": str(row.path) if row.path else None,
        "memory": {str(length): line.memory[length] for length in WINDOWS},
        "expected_tokens_per_second": line.expected, "tokens_per_second": row.tokens_per_second,
        "perplexity": row.perplexity, "kl": row.kl, "same_top": row.same_top, "tool_accuracy": row.tool_accuracy,
    }  # fmt: skip


def _measure(base: str, gguf: Path, context: Context) -> None:
    """Wait for the measurement; Ctrl+C stops it. Raises `StudioError` where it fails."""
    job, progress = start_speed_measurement(context.workspace, base, gguf), context.progress("Measuring this computer")
    while not (state := job.state()).is_finished:
        progress(state.progress.done, state.progress.total, state.progress.unit)
        try:
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            job.stop()
    if state.error:
        raise StudioError(state.error.get("what", ""), why=state.error.get("why", ""))


COMMANDS = [
    Command("types", "what every quantization type of a run takes and gives", _configure, _run),
]
