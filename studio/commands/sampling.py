"""What several commands ask of a model's voice: how freely it chooses words, and how long a reply may be."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from studio.config import parse_settings
from studio.play import Sampling


def add_sampling(parser: ArgumentParser) -> None:
    """The options that `sampling_of` reads."""
    parser.add_argument(
        "--temperature", type=float, default=None, metavar="X", help="0 always takes the likeliest word"
    )
    parser.add_argument("--max-tokens", type=int, default=None, metavar="N", help="longest reply in tokens")


def sampling_of(options: Namespace) -> Sampling:
    """The sampling that was asked for; what was not is the default. Raises `ConfigError`."""
    given = {"temperature": options.temperature, "max_tokens": options.max_tokens}
    return parse_settings(Sampling, {key: value for key, value in given.items() if value is not None}, "the options")
