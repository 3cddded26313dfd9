"""`compare`: models side by side on the same lines, scene and seed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError, whole_number
from studio.commands.sampling import add_sampling, sampling_of
from studio.conversion import resolve_playable
from studio.errors import StudioError
from studio.play import HostOptions, PlaySettings, load_script, play_vocabulary, read_scenario
from studio.play.comparison import MOST_MODELS
from studio.play.comparison_report import ComparedModel, Contender, compare, comparison_markdown, failure_of
from studio.scenarios import TrainingScenario
from studio.workspace import atomic_write


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("models", metavar="MODEL", nargs="+", help="two or three models, named as for `chat`")
    parser.add_argument("--script", metavar="FILE", type=Path, required=True, help="player lines, one per line")
    parser.add_argument("--scenario", metavar="FILE", type=Path, help="play in this scenario's world with its party")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**32 - 1), default=7, metavar="N", help="of dice and replies (default 7)"
    )
    add_sampling(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the comparison here (Markdown)")


def _compare(options: Namespace, context: Context) -> int:
    if not 2 <= len(options.models) <= MOST_MODELS:
        raise UsageError(f"{len(options.models)} models were given.", next_step="Give two or three.")
    lines = load_script(options.script)
    scenario = read_scenario(context.workspace, options.scenario) if options.scenario else TrainingScenario()
    found = [_contender(context, name) for name in options.models]
    progress, played = context.progress("Playing"), 0

    def count() -> None:
        nonlocal played
        played += 1
        progress(played, len(lines) * len(found), "lines")

    present = [one for one in found if isinstance(one, Contender)]
    result = compare(
        present,
        scenario,
        lines,
        play_vocabulary(context.workspace),
        seed=options.seed,
        settings=PlaySettings(sampling=sampling_of(options)),
        on_turn=count,
    )
    spoke = iter(result.models)
    result.models = [next(spoke) if isinstance(one, Contender) else one for one in found]
    text = comparison_markdown(result)
    if options.out:
        atomic_write(options.out, text)
    context.show(text.removesuffix("\n"), result)
    return Exit.FINDINGS if any(one.error for one in result.models) else Exit.DONE


def _contender(context: Context, name: str) -> Contender | ComparedModel:
    """The model of that name; one that is not there keeps its column and says why."""
    try:
        model = resolve_playable(context.workspace, name)
    except StudioError as error:
        return failure_of(name, error)
    return Contender(name, model.path, HostOptions(adapter=model.adapter))


COMMANDS = (
    Command(
        "compare",
        "let two or three models answer the same lines, side by side",
        _configure,
        _compare,
        description="Each model is given the same player lines, scene and seed, one model after the other; "
        "where they ask for the same roll they get the same dice. A model that cannot be loaded keeps its column and "
        "says why; the exit status is then 1.",
    ),
)
