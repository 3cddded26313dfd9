"""`check`: a model plays the spot checks, and what it did is judged."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from datetime import UTC, datetime

from studio.commands import Command, Context, Exit, whole_number
from studio.conversion import resolve_playable
from studio.errors import PlayError
from studio.play import HostOptions, ModelHost, play_vocabulary
from studio.play.spot_checks.results import CheckRow, SuiteResult, save_result
from studio.play.spot_checks.runner import count_lines, run_suite
from studio.play.spot_checks.suite import SpotSuite, load_suite, suite_names


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL",
        help="a GGUF file, the name of a model, a run or a base model, or an adapter such as RUN/checkpoint-40",
    )  # fmt: skip
    parser.add_argument(
        "suites", metavar="SUITE", nargs="*", help="names of suites in data/validation/spot_checks; all without any"
    )
    parser.add_argument(
        "--repeat", type=whole_number(1, 50), default=None, metavar="N",
        help="play each suite so often, with other seeds, instead of as often as it says; every time must pass",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=whole_number(0, 1024), default=0, metavar="N", help="processor threads; 0 takes every core"
    )


def _check(options: Namespace, context: Context) -> int:
    workspace = context.workspace
    vocabulary = play_vocabulary(workspace)
    names = options.suites or suite_names(workspace)
    if not names:
        raise PlayError(
            "There is no spot check in this workspace.",
            next_step="Make one on the page Play, or put a YAML file into data/validation/spot_checks.",
        )
    suites = {name: _as_asked(load_suite(workspace, name, vocabulary), options.repeat) for name in names}
    model = resolve_playable(workspace, options.model)
    progress = context.progress("Playing")
    results, before, total = [], 0, sum(map(count_lines, suites.values()))
    with ModelHost(model.path, HostOptions(threads=options.threads, adapter=model.adapter)) as host:
        for name, suite in suites.items():
            on_line = _counter(progress, before, total)
            result = run_suite(workspace, name, suite, host, vocabulary, datetime.now(UTC), on_line=on_line)
            save_result(workspace, result)
            results.append(result)
            before += count_lines(suite)
    context.show("\n\n".join(map(result_text, results)), [_plain(one) for one in results])
    return Exit.DONE if all(one.passed for one in results) else Exit.FINDINGS


def result_text(result: SuiteResult) -> str:
    """A suite's result for the terminal: a line per expectation, with evidence where it was not met."""
    rows = result.rows
    head = f"{result.title}: {sum(one.passed for one in rows)} of {len(rows)} passed ({result.model_name})"
    lines = [head]
    for number, row in enumerate(rows):
        if number == 0 or rows[number - 1].line != row.line:
            lines.append(f"  {row.player}")
        lines.append(_row_text(row))
    return "\n".join(lines)


def _row_text(row: CheckRow) -> str:
    counted = f" ({row.met} of {row.attempts})" if row.attempts > 1 else ""
    shown = "" if row.passed or not row.evidence else f": {row.evidence}"
    return f"    {'passed' if row.passed else 'FAILED'}  {row.check}{counted}{shown}"


def _as_asked(suite: SpotSuite, repeat: int | None) -> SpotSuite:
    return suite if repeat is None else suite.model_copy(update={"repeat": repeat, "at_least": None})


def _counter(progress: Callable[[float, float, str], None], before: int, total: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(before + done, total, "lines")


def _plain(result: SuiteResult) -> dict[str, object]:
    return {**result.model_dump(mode="json"), "passed": result.passed}


COMMANDS = (
    Command(
        "check",
        "play spot checks with a model: does it ask for the right rolls?",
        _configure,
        _check,
        description="Play the spot checks of data/validation/spot_checks with a model and judge what the Dungeon "
        "Master does: what it asks for, what it says, how long it talks. Results are kept and can be compared on the "
        "page Play. Exit status 1 when an expectation was not met.",
    ),
)
