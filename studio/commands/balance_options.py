"""The options of `preprocess` and `train` that even out what is learned, and the table of what they do."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import get_args

from studio.commands import number_between, table
from studio.config import BalanceConfig, BalanceMargin, BalanceMethod
from studio.dataset import Balance
from studio.errors import ConfigError

BALANCE_OPTIONS = {
    "balance": "by",
    "balance_method": "method",
    "balance_strength": "strength",
    "balance_cap": "cap",
}
"""Option -> field of `BalanceConfig`."""
_OFF = "none"
_SHOWN = 20


def add_balance_options(parser: ArgumentParser) -> None:
    """`--balance` and what belongs to it; without them config/dataset.yaml decides."""
    parser.add_argument(
        "--balance",
        type=_margins,
        metavar="BY[,BY]",
        help=f"even out {', '.join(get_args(BalanceMargin))}; {_OFF} switches it off (default: config/dataset.yaml)",
    )
    parser.add_argument(
        "--balance-method",
        choices=get_args(BalanceMethod),
        help="draw rare rows more often, repeat them, or leave frequent ones out",
    )
    parser.add_argument(
        "--balance-strength",
        type=number_between(0, 1),
        metavar="X",
        help="0 leaves the shares as they are, 1 evens them out",
    )
    parser.add_argument(
        "--balance-cap",
        type=number_between(1, 1000),
        metavar="X",
        help="a row counts at most so many times as much as before",
    )


def chosen_balance(options: Namespace, configured: BalanceConfig) -> BalanceConfig:
    """What is configured, with what the options say instead.

    Raises:
        ConfigError: there is a method, a strength or a cap, and nothing to balance by.
    """
    changes = {key: value for name, key in BALANCE_OPTIONS.items() if (value := getattr(options, name)) is not None}
    chosen = configured.model_copy(update=changes)
    if changes and not chosen.by and options.balance is None:
        raise ConfigError(
            "There is nothing to balance by.", next_step=f"Add --balance {','.join(get_args(BalanceMargin))}."
        )
    return chosen


def balance_text(balance: Balance) -> str:
    """Shares before and after, what could not be reached, and the rows that are left out."""
    rows = [
        (
            after.margin,
            after.label,
            f"{after.rows}",
            f"{before.share:.1%}",
            f"{after.target:.1%}" if after.target is not None else "",
            f"{after.share:.1%}",
        )
        for before, after in zip(balance.before, balance.after, strict=True)
    ]
    head = f"Balanced: {balance.rows_per_pass} rows are read in a pass, of {len(balance.weights)}."
    shares = table(rows, ("BALANCE", "LABEL", "ROWS", "BEFORE", "TARGET", "AFTER"))
    short = [
        f"Only {way:.0%} of the way to even shares of {margin} can be reached; a higher --balance-cap allows more, "
        "scenarios of what is rare help best."
        for margin, way in balance.reached.items()
        if way < 1
    ]
    left_out = [f"Left out: {name}" for name in balance.left_out[:_SHOWN]]
    if more := len(balance.left_out) - _SHOWN:
        left_out += [f"Left out: {more} more (--json names them)."] if more > 0 else []
    return "\n".join([head, shares, *balance.unreachable, *short, *left_out])


def _margins(text: str) -> list[str]:
    if text == _OFF:
        return []
    chosen = [one.strip() for one in text.split(",")]
    if unknown := [one for one in chosen if one not in get_args(BalanceMargin)]:
        raise ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(get_args(BalanceMargin))}, {_OFF}")
    return list(dict.fromkeys(chosen))
