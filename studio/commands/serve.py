"""`serve`: lets other programs of this machine play with a model over an OpenAI-compatible endpoint."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import suppress
from pathlib import Path

from studio.commands import Command, Context, Exit
from studio.conversion import resolve_playable
from studio.errors import ConfigError
from studio.play import HostOptions, ModelHost, ModelService, ServerSettings, listen_on_loopback, server_for

KEY_VARIABLE = "STUDIO_API_KEY"


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL",
        help="a GGUF file, the name of a model, a run or a base model, or an adapter such as RUN/checkpoint-40",
    )  # fmt: skip
    parser.add_argument("--port", type=_port, default=8080, help="0 takes a free one (default 8080)")
    parser.add_argument(
        "--api-key", metavar="KEY", default=os.environ.get(KEY_VARIABLE, ""),
        help=f"clients must send this key; {KEY_VARIABLE} does the same and is not seen in the list of processes",
    )  # fmt: skip
    parser.add_argument("--context", type=int, default=HostOptions.context_tokens, metavar="N", help="window in tokens")


def _serve(options: Namespace, context: Context) -> int:
    model = resolve_playable(context.workspace, options.model)
    if options.context < 1:
        raise ConfigError("A context window has at least one token.", next_step="Try 2048.", where="--context")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as cleanly as Ctrl+C
    host_options = HostOptions(context_tokens=options.context, adapter=model.adapter)
    with listen_on_loopback(options.port) as listener, ModelHost(model.path, host_options) as host:
        info = host.info()
        name = _public_name(options.model)
        settings = ServerSettings(name, options.api_key, created=int((model.adapter or model.path).stat().st_mtime))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        context.show(
            f"{name} (SHA-256 {info.played_sha256[:12]}) answers at {url}. Ctrl+C ends it.",
            {"url": url, "model": name, "sha256": info.played_sha256, "context_tokens": info.context_tokens},
        )
        with suppress(KeyboardInterrupt):
            server_for(ModelService(host, settings)).run(sockets=[listener])
    context.note("The server has ended.")
    return Exit.DONE


def _public_name(chosen: str) -> str:
    """What clients call the model: the name it was asked for by; a file's name without folders and suffix."""
    return Path(chosen).stem if chosen.endswith(".gguf") else chosen


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise ArgumentTypeError(f"{text!r} is no port: use a number from 0 to 65535")
    return int(text)


COMMANDS = (Command("serve", "let other programs play with a model (OpenAI-compatible)", _configure, _serve),)
