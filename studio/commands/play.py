"""`chat`: the playground in the terminal, with a person or with a script of player lines."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from studio.commands import Command, Context, Exit, UsageError, whole_number
from studio.commands.sampling import add_sampling, sampling_of
from studio.conversion import PlayableModel, resolve_playable
from studio.play import (
    ChatSession,
    HostOptions,
    ModelHost,
    ModelStamp,
    PlayEvent,
    PlaySettings,
    TurnEndEvent,
    chat_loop,
    load_script,
    loaded_text,
    new_session,
    play_vocabulary,
    read_scenario,
    run_script,
    save_session,
    transcript_markdown,
)
from studio.scenarios import TrainingScenario
from studio.ui.monitor import record_turn
from studio.workspace import atomic_write


def _configure_chat(parser: ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL",
        help="a GGUF file, the name of a model, a run or a base model, or an adapter such as RUN/checkpoint-40",
    )  # fmt: skip
    parser.add_argument("--scenario", metavar="FILE", type=Path, help="play in this scenario's world with its party")
    parser.add_argument("--script", metavar="FILE", type=Path, help="player lines, one per line; prints the transcript")
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=7,
        metavar="N",
        help="same file, seed and settings: same dice, same replies (default 7)",
    )
    parser.add_argument("--speaking-as", default="", metavar="NAME", help="the character you speak for")
    parser.add_argument(
        "--valid-requests", action="store_true", help="after a bracket, only a request of the vocabulary can follow"
    )
    parser.add_argument("--own-dice", action="store_true", help="throw your own dice and type what they show")
    add_sampling(parser)
    parser.add_argument(
        "--context", type=whole_number(64, 131_072), default=None, metavar="N", help="context window in tokens"
    )
    parser.add_argument(
        "--when-full", choices=("hide", "studio", "summarise"), default="hide",
        help="a full window: hide the oldest turns, tell them in a recap of the studio's, or let the model summarise",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the transcript of a script here (Markdown)")


def _chat(options: Namespace, context: Context) -> int:
    _check_usage(options, context)
    settings = _settings(options)
    lines = load_script(options.script) if options.script else []
    scenario = read_scenario(context.workspace, options.scenario) if options.scenario else TrainingScenario()
    model = resolve_playable(context.workspace, options.model)
    if options.script:
        return _scripted(options, context, scenario, model, settings, lines)
    return _interactive(options, context, scenario, model, settings)


def _check_usage(options: Namespace, context: Context) -> None:
    if options.script and options.own_dice:
        raise UsageError("--own-dice needs a person.", next_step="Leave --script out and type your turns.")
    if options.script:
        return
    asked = "--json" if context.as_json else "--out" if options.out else ""
    if asked:
        raise UsageError(f"{asked} needs --script.", next_step="Give a file of player lines with --script.")


def _scripted(
    options: Namespace,
    context: Context,
    scenario: TrainingScenario,
    model: PlayableModel,
    settings: PlaySettings,
    lines: list[str],
) -> int:
    transcript = run_script(
        context.workspace,
        model.path,
        scenario,
        lines,
        seed=options.seed,
        settings=settings,
        options=_host(options, model),
        on_event=_line_counter(context, len(lines)),
    )
    text = transcript_markdown(transcript)
    if options.out:
        atomic_write(options.out, text)
    context.show(text.removesuffix("\n"), transcript)
    return Exit.DONE


def _line_counter(context: Context, total: int) -> Callable[[PlayEvent], None]:
    """Shows how many of the script's lines have been played."""
    progress, played = context.progress("Playing"), 0

    def count(event: PlayEvent) -> None:
        nonlocal played
        if isinstance(event, TurnEndEvent):
            played += 1
            progress(played, total, "lines")

    return count


def _interactive(
    options: Namespace, context: Context, scenario: TrainingScenario, model: PlayableModel, settings: PlaySettings
) -> int:
    created = datetime.now(UTC)
    session = new_session(
        scenario,
        session_id=f"{created:%Y%m%d-%H%M%S-%f}-terminal",
        created=created,
        seed=options.seed,
        settings=settings,
    )
    with ModelHost(model.path, _host(options, model)) as host:
        info = host.info()
        session.model = ModelStamp.of(info)
        context.note(f"{loaded_text(info)}, seed {options.seed}. Type your turn; /help says what else, /quit ends.")
        chat_loop(
            session,
            host,
            play_vocabulary(context.workspace),
            lambda: input("> "),
            _write,
            after_turn=_saver(context, host),
        )
    return Exit.DONE


def _saver(context: Context, host: ModelHost) -> Callable[[ChatSession], None]:
    def save(session: ChatSession) -> None:
        save_session(context.workspace, session)
        record_turn(context.workspace, session, host, time.time())

    return save


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _settings(options: Namespace) -> PlaySettings:
    return PlaySettings(
        sampling=sampling_of(options),
        speaking_as=options.speaking_as,
        valid_requests=options.valid_requests,
        dice="own" if options.own_dice else "studio",
        context_tokens=options.context or HostOptions.context_tokens,
        when_full=options.when_full,
    )


def _host(options: Namespace, model: PlayableModel) -> HostOptions:
    return HostOptions(context_tokens=options.context or HostOptions.context_tokens, adapter=model.adapter)


COMMANDS = (
    Command(
        "chat",
        "play with a model in the terminal, or run a script of player lines",
        _configure_chat,
        _chat,
        description="Play with a model in the terminal; the studio rolls the dice that it asks for. With --script the "
        "player's lines come from a file (blank lines and lines that begin with # are left out), and the transcript is "
        "printed: the same file, seed and settings give the same transcript.",
    ),
)
