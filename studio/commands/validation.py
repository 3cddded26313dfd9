"""`evaluate`, `benchmark` and `cactus`: how good a model is, how fast, and whether it suits the phone's engine."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, clock_text, size_text, table
from studio.conversion import locate_playable
from studio.errors import ConfigError
from studio.jobs import Job, JobState
from studio.validation import (
    CHECKS,
    FIGURES,
    HTML_FILE,
    BenchmarkReport,
    BenchmarkSettings,
    CactusReport,
    EvaluationSettings,
    ModelResult,
    ModelValidator,
    ReportCard,
    difference_text,
    figure_text,
    load_benchmark,
    load_report,
    start_benchmark,
    start_evaluation,
)
from studio.validation.breakdown import type_differences
from studio.validation.reach import reach_sentences

_MODEL_HELP = "a GGUF file, the name of a model, a run or a base model, or an adapter such as RUN/checkpoint-40"
_POLL_SECONDS = 0.2
_PLAIN_SECONDS = 5.0
_HEADLINES = (
    "turn_right", "call_accuracy", "call_recall", "call_exact", "outcome_told", "invented_numbers", "faithful",
    "out_of_role", "english", "repetition", "perplexity", "bits_per_character",
)  # fmt: skip


def _configure_evaluate(parser: ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="MODEL", help=f"{_MODEL_HELP}; several stand side by side")
    parser.add_argument(
        "--baseline", metavar="MODEL",
        help="compare with this model on the same turns (default: of several models, the first is the baseline)",
    )  # fmt: skip
    parser.add_argument(
        "--scenarios", nargs="+", type=Path, default=[], metavar="PATH",
        help="scenario files or folders (default: data/validation, which is never trained on)",
    )  # fmt: skip
    parser.add_argument("--max-turns", type=_count, default=None, metavar="N", help="DM turns of each scenario at most")
    parser.add_argument("--max-tokens", type=_count, default=None, metavar="N", help="longest reply in tokens")
    parser.add_argument("--threads", type=_count, default=None, metavar="N", help="processor threads (default: all)")
    parser.add_argument("--no-stress", action="store_true", help="leave out the turns that try to break the model")


def _evaluate(options: Namespace, context: Context) -> int:
    named = [options.baseline] if options.baseline else []
    models = [_found(context, one) for one in [*named, *options.models]]
    if options.baseline and models[0] in models[1:]:
        raise ConfigError("A model cannot be its own baseline.", next_step="Name another one with --baseline.")
    if len(set(models)) < len(models):
        raise ConfigError("A model is named twice.", next_step="Name every model once.")
    given = {"max_turns": options.max_turns, "max_tokens": options.max_tokens, "threads": options.threads}
    settings = EvaluationSettings(
        stress=not options.no_stress, **{key: value for key, value in given.items() if value is not None}
    )
    scenarios = [_placed(context, one) for one in options.scenarios]
    job = start_evaluation(context.workspace, models, scenarios, settings)
    state = _follow(job, context, "Evaluating")
    if state.status != "done":
        return _unfinished(state, context)
    card = load_report(job.directory)
    context.show(f"{_card_text(card)}\nReport: {context.workspace.relative(job.directory / HTML_FILE)}", card)
    return Exit.FINDINGS if card.regressed else Exit.DONE


def _card_text(card: ReportCard) -> str:
    rows = [
        (FIGURES[name].title, *(figure_text(one.summary.figures[name]) for one in card.models)) for name in _HEADLINES
    ]
    head = f"{len(card.turns)} turns"
    figures = table(rows, (head, *(one.model.label for one in card.models)))
    return "\n".join([figures, *_comparison_lines(card)])


def _comparison_lines(card: ReportCard) -> list[str]:
    baseline = card.baseline.model.label if card.baseline else ""
    compared = [line for model in card.models[1:] for line in _compared_lines(model, baseline)]
    return [*compared, *reach_sentences(card)]


def _compared_lines(model: ModelResult, baseline: str) -> list[str]:
    """A model against the baseline, property by property, and where to look."""
    rows = [
        (CHECKS[one.name].title, difference_text(one.difference.value, one.difference.interval), one.verdict)
        for one in model.comparisons
    ]
    lost = sorted({key for one in model.regressions for key in one.lost})
    conclusion = f"Worse than the baseline; look at {', '.join(lost[:5])}." if lost else "Nothing is shown to be worse."
    title = f"{model.model.label} against {baseline}"
    return ["", table(rows, (title, "DIFFERENCE", "VERDICT")), conclusion, *_type_lines(model)]


def _type_lines(model: ModelResult) -> list[str]:
    """Scenario types in which a model is worse, each judged by itself; they decide nothing."""
    return [
        f"In {kind or 'scenarios without a type'}: worse in {CHECKS[one.name].title!r} "
        f"({difference_text(one.difference.value, one.difference.interval)})."
        for kind, one in type_differences(model)
        if one.verdict == "worse"
    ]


def _configure_benchmark(parser: ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="MODEL", help=f"{_MODEL_HELP}; the first is the baseline")
    parser.add_argument("--rounds", type=_count, default=None, metavar="N", help="times that everything is measured")
    parser.add_argument(
        "--prompt-tokens", nargs="+", type=_count, default=None, metavar="N",
        help="lengths of the prompts; writing is measured behind each of them (default: 128 512 1024)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", nargs="+", type=_count, default=None, metavar="N",
        help="processor threads to try (default: one, and one per core)",
    )  # fmt: skip
    parser.add_argument(
        "--device", nargs="+", default=(), metavar="NAME", dest="devices",
        help="also run every model under the memory limit of these device classes (optimization profiles), or of 'all'",
    )  # fmt: skip


def _benchmark(options: Namespace, context: Context) -> int:
    models = [_found(context, one) for one in options.models]
    given = {
        "rounds": options.rounds,
        "context_lengths": sorted(set(options.prompt_tokens or ())),
        "threads": sorted(set(options.threads or ())),
        "devices": options.devices,
    }
    settings = BenchmarkSettings.model_validate({key: value for key, value in given.items() if value})
    job = start_benchmark(context.workspace, models, settings)
    state = _follow(job, context, "Measuring")
    if state.status != "done":
        return _unfinished(state, context)
    report = load_benchmark(job.directory)
    context.show(_benchmark_text(report), report)
    return Exit.DONE


def _benchmark_text(report: BenchmarkReport) -> str:
    rows = [
        (
            one.model,
            f"{one.threads}",
            f"{one.prompt_tokens}",
            f"{one.prefill_per_second:.0f}{_ratio(one.prefill_ratio)}",
            f"{one.decode_per_second:.1f}{_ratio(one.decode_ratio)}" if one.decode_per_second else "too short",
            f"{one.ttft_seconds:.2f} s",
            f"{one.load_seconds:.1f} s",
            size_text(one.peak_memory_bytes),
        )
        for one in report.rows
    ]
    header = ("MODEL", "THREADS", "PROMPT", "READ TOKENS/S", "WRITE TOKENS/S", "FIRST TOKEN", "LOAD", "MEMORY")
    imitated = {one.device for one in report.simulated}
    small = [
        f"{one.model} needs too much memory for {one.profile}."
        for one in report.devices
        if not one.fits and one.profile not in imitated
    ]
    return "\n".join([table(rows, header), *small, report.statement, *_device_lines(report)])


def _device_lines(report: BenchmarkReport) -> list[str]:
    if not report.simulated:
        return []
    rows = [
        (
            one.title or one.device,
            one.model,
            "fits" if one.fits else "does not fit",
            f"{size_text(one.peak_memory_bytes)} of {size_text(one.limit_bytes)}",
            f"{one.threads} of {one.device_threads}",
            f"{one.window_tokens}",
            f"{one.prefill_per_second:.0f}{_ratio(one.prefill_ratio)}" if one.prefill_per_second else "-",
            f"{one.decode_per_second:.1f}{_ratio(one.decode_ratio)}" if one.decode_per_second else "-",
            f"{one.ttft_seconds:.2f} s" if one.ttft_seconds else "-",
            f"{one.load_seconds:.1f} s" if one.load_seconds else "-",
        )
        for one in report.simulated
    ]
    header = (
        "DEVICE", "MODEL", "VERDICT", "MEMORY", "CORES", "WINDOW", "READ TOKENS/S", "WRITE TOKENS/S", "FIRST TOKEN",
        "LOAD",
    )  # fmt: skip
    refused = [one.verdict for one in report.simulated if not one.fits]
    return ["", table(rows, header), *refused, report.device_statement]


def _ratio(ratio: float | None) -> str:
    return f" ({ratio:.2f}x)" if ratio is not None else ""


def _configure_cactus(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a GGUF file, or the name of a model, a run or a base model")


def _cactus(options: Namespace, context: Context) -> int:
    report = ModelValidator(context.workspace).test_cactus_compatibility(options.model)
    context.show(_cactus_text(report), report)
    return Exit.DONE if report.passes else Exit.FINDINGS


def _cactus_text(report: CactusReport) -> str:
    rows = [(one.verdict, one.engine, one.name, one.sentence) for one in report.checks]
    levels = [
        f"Level {one.level} ({one.title}, engine {one.engine}): {one.status}. {one.reason}" for one in report.levels
    ]
    conclusion = (
        "No check failed." if report.passes else "At least one check failed: this file is not ready for Cactus."
    )
    return "\n".join([table(rows, ("VERDICT", "CACTUS", "CHECK", "WHAT WAS FOUND")), *levels, conclusion])


def _follow(job: Job, context: Context, title: str) -> JobState:
    """Show a job until it ends. Ctrl+C asks it to stop; a second one no longer waits for a safe point."""
    line, stopping = _StateLine(context, title), False
    while True:
        try:
            state = job.state()
            line.show(state)
            if state.is_finished:
                return state
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            context.note("\nStopping now ..." if stopping else "\nStopping; what was made so far is kept ...")
            job.stop(grace_seconds=0 if stopping else None)
            stopping = True


class _StateLine:
    """How far a job is and how long it still takes, by the job's own count: work of an earlier start is no speed."""

    def __init__(self, context: Context, title: str) -> None:
        self._stream, self._title, self._silent = context.err, title, context.as_json
        self._terminal = context.err.isatty()
        self._last, self._when = "", 0.0

    def show(self, state: JobState) -> None:
        """Write the line when it has changed; plain lines at most every few seconds where there is no terminal."""
        now, text = time.monotonic(), f"{self._title}: {_state_text(state)}"
        due = self._terminal or state.is_finished or now - self._when >= _PLAIN_SECONDS
        if self._silent or not state.progress.total or not due or text == self._last:
            return
        self._last, self._when = text, now
        end = "" if self._terminal and not state.is_finished else "\n"
        self._stream.write(("\r\x1b[K" if self._terminal else "") + text + end)
        self._stream.flush()


def _state_text(state: JobState) -> str:
    """For example '3 of 12 turns, 0:13 left'."""
    done = f"{state.progress.done:.0f} of {state.progress.total:.0f} {state.progress.unit}"
    return f"{done}, {clock_text(state.seconds_left)} left" if state.seconds_left else done


def _unfinished(state: JobState, context: Context) -> int:
    """Say why there is no report."""
    if state.status == "stopped":
        context.show("Stopped. The same command goes on where it was left.", state)
        return Exit.INTERRUPTED
    error = state.error or {}
    context.show(" ".join(filter(None, (error.get(part, "") for part in ("what", "why", "next_step")))), state)
    return Exit.FINDINGS


def _found(context: Context, name: str) -> Path:
    return locate_playable(context.workspace, name).resolve()


def _placed(context: Context, path: Path) -> Path:
    """A path as typed: seen from here, else from the workspace."""
    return path.resolve() if path.exists() else context.workspace.root / path


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


COMMANDS = (
    Command("evaluate", "judge a model on scenarios it was not trained on", _configure_evaluate, _evaluate),
    Command("benchmark", "measure speed and memory of models in alternation", _configure_benchmark, _benchmark),
    Command("cactus", "check a file against what the Cactus runtime needs", _configure_cactus, _cactus),
)
