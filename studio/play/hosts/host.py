"""The model host process: `python -m studio.play.hosts.host FILE`; requests on standard input, replies on output.

One thread reads requests, the main thread answers them, several replies by turns (`schedule.py`). The reader also ends
the process the moment its input closes, which is what happens when the process that started it dies, even in the middle
of a reply.
Nothing else writes to the reply pipe: the file descriptor of standard output is moved away before llama.cpp is loaded.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import BaseModel, ValidationError

from studio.errors import PlayError
from studio.play.hosts.branch_replies import BranchReplies
from studio.play.hosts.generation import ReplyInTheMaking
from studio.play.hosts.limits import add_arguments, limits_of
from studio.play.hosts.overlay import fitting_overlay, with_adapter
from studio.play.hosts.protocol import (
    REQUEST,
    BranchesRequest,
    CancelRequest,
    Failed,
    HostInfo,
    LoadAdapterRequest,
    TokenizeRequest,
    Tokens,
    line_of,
)
from studio.play.hosts.schedule import Job, Messages, Schedule, Work
from studio.workspace import sha256_file

if TYPE_CHECKING:
    from studio.play.hosts.engine import Engine

TURN_STEPS = 4
"""Steps of many replies at once before another request has its turn."""
_PARENT_KEYS = ("studio.", "general.source", "general.base_model", "general.license")


class Host:
    """Answers requests with one engine. `output` is the reply pipe, `model` what was loaded, without an adapter."""

    def __init__(self, engine: Engine, output: BinaryIO, model: HostInfo) -> None:
        self._engine = engine
        self._output = output
        self._model = model
        self._schedule = Schedule()

    def send(self, message: BaseModel) -> None:
        """Write one reply."""
        self._output.write(line_of(message))
        self._output.flush()

    def read_requests(self, stream: BinaryIO) -> None:
        """Read until the input closes, then end the process at once."""
        for line in stream:
            try:
                request = REQUEST.validate_json(line)
            except ValidationError as error:
                print(f"unreadable request: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the host's log
                continue
            if isinstance(request, CancelRequest):
                self._schedule.cancel(request.id)
            else:
                self._schedule.arrive(request)
        os._exit(0)

    def serve(self) -> None:
        """Answer requests for ever; one that fails is reported, and the others go on."""
        while True:
            job = self._schedule.take()
            if self._answer(job):
                self._schedule.done(job)
            else:
                self._schedule.put_back(job)

    def load_adapter(self, path: Path | None) -> HostInfo:
        """Lay an adapter over the model, or none, and say what is loaded now. Raises `PlayError`."""
        adapter = fitting_overlay(path, self._model) if path else None
        self._engine.use_adapter(path)
        return with_adapter(self._model, adapter)

    def _answer(self, job: Job) -> bool:
        """One turn of a request; False when its answer goes on later."""
        job.messages = job.messages or self._messages(job.request)
        try:
            for message in job.messages:
                if message is None:
                    return False
                self.send(message)
                while short := self._schedule.take_short():
                    self._answer(short)
        except PlayError as error:
            self.send(Failed(id=job.request.id, what=error.what, why=error.why, next_step=error.next_step))
        return True

    def _messages(self, request: Work) -> Messages:
        """The answer to a request, which is worked out as it is read."""
        if isinstance(request, LoadAdapterRequest):
            loaded = self.load_adapter(Path(request.path) if request.path else None)
            yield loaded.model_copy(update={"id": request.id})
        elif isinstance(request, TokenizeRequest):
            yield Tokens(id=request.id, ids=tuple(self._engine.tokenize(request.text)))
        elif isinstance(request, BranchesRequest):
            yield from self._by_turns(BranchReplies(self._engine, request, self._schedule.is_cancelled).run())
        else:
            yield from ReplyInTheMaking(self._engine, request, self._schedule).run()

    def _by_turns(self, messages: Iterator[BaseModel]) -> Messages:
        """Many replies at once, in turn with others: they have a KV cache of their own, so nothing is put aside."""
        for number, message in enumerate(messages, start=1):
            yield message
            if number % TURN_STEPS == 0 and self._schedule.others_wait():
                yield None


def describe(engine: Engine, path: Path, load_seconds: float) -> HostInfo:
    """What a client is told about the loaded file."""
    metadata = engine.metadata()
    return HostInfo(
        path=str(path),
        sha256=sha256_file(path),
        size_bytes=path.stat().st_size,
        name=metadata.get("general.name", ""),
        architecture=metadata.get("general.architecture", ""),
        chat_template=metadata.get("tokenizer.chat_template", ""),
        tokenizer=metadata.get("tokenizer.ggml.pre", ""),
        control_tokens=engine.control_tokens(),
        bos_token=engine.bos_text,
        adds_bos=engine.adds_bos,
        context_tokens=engine.context_tokens,
        trained_context_tokens=engine.trained_context_tokens,
        threads=engine.threads,
        load_seconds=load_seconds,
        process_id=os.getpid(),
        parents={key: value for key, value in metadata.items() if key.startswith(_PARENT_KEYS)},
    )


def _private_output() -> BinaryIO:
    """The reply pipe; whatever prints to standard output from now on lands in the log instead."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def main(arguments: list[str] | None = None) -> int:
    """Load the file and serve until the input closes; exit status 1 when it cannot be loaded."""
    parser = argparse.ArgumentParser(prog="python -m studio.play.hosts.host", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--context", type=int, default=2048, help="tokens of the context window")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lora", type=Path, default=None, help="adapter to lay over the file, in GGUF form")
    parser.add_argument("--parked-bytes", type=int, default=0, help="memory for KV caches that are kept aside")
    parser.add_argument("--flash-attention", action="store_true", help="where llama.cpp chooses it")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    output = _private_output()
    started = time.perf_counter()
    try:
        limits = limits_of(options)
        limits.begin()
        from studio.play.hosts.engine import Engine

        limits.hold_memory()
        engine = Engine(
            options.file, context_tokens=options.context, threads=options.threads,
            parked_bytes=options.parked_bytes, mapped=not limits.memory_bytes, flash_attention=options.flash_attention,
        )  # fmt: skip
        host = Host(engine, output, describe(engine, options.file, time.perf_counter() - started))
        info = host.load_adapter(options.lora)
    except (PlayError, OSError) as error:
        failed = Failed(id=0, **_sentences(error))
        output.write(line_of(failed))
        output.flush()
        return 1
    threading.Thread(target=host.read_requests, args=(sys.stdin.buffer,), daemon=True).start()
    host.send(info)
    host.serve()
    return 0


def _sentences(error: PlayError | OSError) -> dict[str, str]:
    if isinstance(error, PlayError):
        return {"what": error.what, "why": error.why, "next_step": error.next_step}
    return {"what": "The model file cannot be read.", "why": str(error), "next_step": "Check that it is still there."}


if __name__ == "__main__":
    sys.exit(main())
