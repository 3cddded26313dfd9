"""`monitor`: how each model did in its last turns at the table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from studio.commands import Command, Context, Exit, size_text, table, whole_number
from studio.play.watching.monitor import ModelFigures, MonitorLog, Switched, figures_of
from studio.play.watching.rules import load_play_rules
from studio.ui.monitor import switch_sentence

_HEADER = ("model", "SHA-256", "turns", "first word", "tokens/s", "memory", "misread", "crashes")
_SWITCHES = 5


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--turns", type=whole_number(1, 1000), default=None, metavar="N",
        help="the last N turns of each model (default: as config/play_rules.yaml says)",
    )  # fmt: skip


def _monitor(options: Namespace, context: Context) -> int:
    records = MonitorLog.of(context.workspace).records()
    figures = figures_of(records, options.turns or load_play_rules(context.workspace).window)
    switches = [one for one in records if isinstance(one, Switched) and not one.by_hand][-_SWITCHES:]
    data = {"models": [asdict(one) for one in figures], "switches": switches}
    if not figures:
        context.show("No turn has been played yet. `python -m studio chat MODEL` plays one.", data)
        return Exit.DONE
    lines = [table([_row(one) for one in figures], _HEADER), *(switch_sentence(one) for one in switches)]
    context.show("\n".join(lines), data)
    return Exit.DONE


def _row(one: ModelFigures) -> tuple[str, ...]:
    return (
        one.name,
        one.model[:12],
        str(one.turns),
        f"{one.ttft_seconds:.2f} s",
        f"{one.tokens_per_second:.1f}",
        size_text(one.memory_bytes),
        f"{one.malformed} of {one.requests}",
        str(one.crashes),
    )


COMMANDS = (Command("monitor", "show how each model did in its last turns at the table", _configure, _monitor),)
