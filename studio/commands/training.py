"""`train` and `stop`: start training runs, follow them, and end them. What they leave is in `studio.commands.queue`."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import yaml

from studio.commands import Command, Context, Exit
from studio.commands.balance_options import BALANCE_OPTIONS, add_balance_options, chosen_balance
from studio.commands.estimate import show_estimate
from studio.config import TrainingConfig, load_dataset_config, load_presets, load_settings, parse_settings
from studio.errors import ConfigError
from studio.jobs import EvaluationEvent, JobQueue, MessageEvent, StepEvent
from studio.training import Run, find_run, resume_run, start_run, stop_run
from studio.training.memory.in_use import settings_in_use

_POLL_SECONDS = 0.5
_DEFAULT_PRESET = "quick"


def _configure_train(parser: ArgumentParser) -> None:
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--preset", metavar="NAME", help=f"a preset of config/training_config.yaml (default: {_DEFAULT_PRESET})"
    )
    start.add_argument("--config", type=Path, metavar="FILE", help="settings from a YAML file instead of a preset")
    start.add_argument("--like", metavar="RUN", help="the settings, scenarios and beginning of another run")
    start.add_argument("--resume", metavar="RUN", help="go on with a stopped or interrupted run, as it was set up")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting; repeatable"
    )
    parser.add_argument(
        "--from", dest="parent", metavar="ADAPTER", help="begin with the adapter of a run (its name) or of a folder"
    )
    parser.add_argument(
        "--scenarios", type=Path, metavar="DIR", help="learn from this folder (default: data/scenarios)"
    )
    add_balance_options(parser)
    parser.add_argument("--name", default="", help="name of the run (default: date and time)")
    parser.add_argument(
        "--detach", "--queue", action="store_true", help="return at once; it starts when no other run is at work"
    )
    parser.add_argument(
        "--estimate", action="store_true", help="only say how much memory and time it would need; start nothing"
    )


def _train(options: Namespace, context: Context) -> int:
    already_said = 0
    if options.estimate:
        return show_estimate(context, *_to_estimate(options, context))
    if options.resume:
        _refuse_changes(options)
        already_said = find_run(context.workspace, options.resume).job.events().offset
        run = resume_run(context.workspace, options.resume)
    else:
        like = find_run(context.workspace, options.like) if options.like else None
        run = start_run(
            context.workspace,
            chosen_settings(options, context, like),
            name=options.name,
            scenarios=options.scenarios or (like.scenarios if like else None),
            parent=options.parent or (like.parent if like else None),
        )
    begun = f"Run {run.name} started; stop it with `stop {run.name}`, it keeps what it has learned."
    line = _waiting_line(run, context) or begun
    if options.detach:
        context.note(line)
        context.show(run.name, {"run": run.name})
        return Exit.DONE
    return _follow(run, context, already_said, line)


def _to_estimate(options: Namespace, context: Context) -> tuple[TrainingConfig, Path]:
    """The settings and the scenarios of the run that would be started, or resumed."""
    if options.resume:
        _refuse_changes(options)
        run = find_run(context.workspace, options.resume)
        return settings_in_use(run.directory, run.config()), run.scenarios or context.workspace.scenarios_dir
    like = find_run(context.workspace, options.like) if options.like else None
    scenarios = options.scenarios or (like.scenarios if like else None)
    return chosen_settings(options, context, like), scenarios or context.workspace.scenarios_dir


def _waiting_line(run: Run, context: Context) -> str:
    """Where a run stands in the queue; empty when its turn has come."""
    entries = JobQueue(context.workspace).entries()
    mine = next((one for one in entries if one.title == run.name and one.position), None)
    if mine is None:
        return ""
    before = entries[entries.index(mine) - 1].title if entries.index(mine) else ""
    return f"Run {run.name} waits, number {mine.position} in the queue" + (f", after {before}." if before else ".")


def _refuse_changes(options: Namespace) -> None:
    given = {"--set": options.set, "--from": options.parent, "--scenarios": options.scenarios, "--name": options.name}
    given |= {f"--{name.replace('_', '-')}": getattr(options, name) is not None for name in BALANCE_OPTIONS}
    if changed := [flag for flag, value in given.items() if value]:
        raise ConfigError(
            f"A run is resumed as it was set up, so {', '.join(changed)} cannot be given with --resume.",
            next_step=f"Leave it out, or begin a new run with what this one learned: --from {options.resume}.",
        )


def chosen_settings(options: Namespace, context: Context, like: Run | None) -> TrainingConfig:
    """The settings that the options of `train` name: a preset, a file or a run, with what `--set` and others change.

    Raises:
        ConfigError: there is no such preset, or a setting cannot be used.
    """
    if like:
        config = like.config()
    elif options.config:
        config = load_settings(TrainingConfig, options.config)
    else:
        presets, chosen = load_presets(context.workspace), options.preset or _DEFAULT_PRESET
        if chosen not in presets:
            raise ConfigError(f"There is no preset {chosen!r}.", next_step=f"Use one of {', '.join(presets)}.")
        config = presets[chosen].training
    config = parse_settings(TrainingConfig, {**config.model_dump(), **_changes(options.set)}, "--set")
    dataset = config.dataset or load_dataset_config(context.workspace)
    balanced = dataset.model_copy(update={"balance": chosen_balance(options, dataset.balance)})
    return config.model_copy(update={"dataset": balanced})


def _changes(pairs: list[str]) -> dict[str, Any]:
    changes = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair} has no value.", next_step="Write it as --set key=value.")
        try:
            changes[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {pair} cannot be read.", why=str(error), next_step="Quote the value.") from error
    return changes


def _follow(run: Run, context: Context, offset: int, line: str) -> int:
    """Show a run, its events from a byte offset on, until it ends; Ctrl+C asks it to stop, and it saves first.

    `line` is what is said first, of its start or its place in the queue.
    """
    told = ""
    while True:
        try:
            state = run.state()
            if state.is_finished:
                break
            if line and line != told:
                context.note(line)
            told, offset = line, _tell_events(run, context, offset)
            time.sleep(_POLL_SECONDS)
            if state.is_waiting:
                JobQueue(context.workspace).wake()
                line = _waiting_line(run, context)
        except KeyboardInterrupt:
            waits = "Taking it out of the queue ..." if run.state().is_waiting else ""
            context.note(waits or "Stopping after this step; what is learned is saved ...")
            stop_run(context.workspace, run.name)
    _tell_events(run, context, offset)
    error = state.error or {}
    text = f"Run {run.name}: {state.status}. {error.get('what', '')} {error.get('next_step', '')}".rstrip()
    context.show(text, {"run": run.name, **state.model_dump(mode="json")})
    return Exit.DONE if state.status in ("done", "stopped") else Exit.FINDINGS


def _tell_events(run: Run, context: Context, offset: int) -> int:
    """Say what the run wrote since a byte offset; returns where to go on."""
    batch = run.job.events(offset)
    for event in batch.events:
        if not context.as_json and (line := _event_line(event)):
            context.note(line)
    return batch.offset


def _event_line(event: object) -> str:
    match event:
        case StepEvent():
            return (
                f"step {event.step}/{event.total_steps}  loss {event.loss:.3f}  {event.tokens_per_second:.0f} tokens/s"
            )
        case EvaluationEvent():
            return f"validation loss {event.loss:.3f} (perplexity {event.perplexity:.1f})"
        case MessageEvent():
            return event.text
    return ""


def _configure_stop(parser: ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="the run's name")


def _stop(options: Namespace, context: Context) -> int:
    state = stop_run(context.workspace, options.run_name)
    JobQueue(context.workspace).wake()
    context.show(f"Run {options.run_name}: {state.status}.", {"run": options.run_name, "status": state.status})
    return Exit.DONE


COMMANDS = (
    Command("train", "start a training run, or put it into the queue, and follow it", _configure_train, _train),
    Command(
        "stop", "ask a run to stop, it saves first; one that waits is taken out of the queue", _configure_stop, _stop
    ),
)
