"""The model host process: `python -m studio.play.host FILE`; requests on standard input, replies on standard output.

One thread reads requests, the main thread answers them in the order they came. The reader also ends the process the
moment its input closes, which is what happens when the process that started it dies, even in the middle of a reply.
Nothing else writes to the reply pipe: the file descriptor of standard output is moved away before llama.cpp is loaded.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import BaseModel, ValidationError

from studio.errors import PlayError
from studio.play.branch_replies import BranchReplies
from studio.play.limits import add_arguments, limits_of, peak_memory_bytes
from studio.play.overlay import fitting_overlay, with_adapter
from studio.play.protocol import (
    REQUEST,
    BranchesRequest,
    CancelRequest,
    Done,
    Failed,
    GenerateRequest,
    HostInfo,
    LoadAdapterRequest,
    Prefilled,
    PrefillProgress,
    StopReason,
    Token,
    TokenizeRequest,
    Tokens,
    line_of,
)
from studio.play.stopping import ReplyText
from studio.workspace import sha256_file

if TYPE_CHECKING:
    from studio.play.engine import Engine

_Work = GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest
_PARENT_KEYS = ("studio.", "general.source", "general.base_model", "general.license")


class Host:
    """Answers requests with one engine. `output` is the reply pipe, `model` what was loaded, without an adapter."""

    def __init__(self, engine: Engine, output: BinaryIO, model: HostInfo) -> None:
        self._engine = engine
        self._output = output
        self._model = model
        self._waiting: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._cancelled: set[int] = set()

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
                self._cancelled.add(request.id)
            else:
                self._waiting.put(request)
        os._exit(0)

    def serve(self) -> None:
        """Answer requests for ever; a request that fails is reported and the next one is taken."""
        while True:
            request = self._waiting.get()
            try:
                self._answer(request)
            except PlayError as error:
                self.send(Failed(id=request.id, what=error.what, why=error.why, next_step=error.next_step))
            self._cancelled.discard(request.id)

    def load_adapter(self, path: Path | None) -> HostInfo:
        """Lay an adapter over the model, or none, and say what is loaded now. Raises `PlayError`."""
        adapter = fitting_overlay(path, self._model) if path else None
        self._engine.use_adapter(path)
        return with_adapter(self._model, adapter)

    def _answer(self, request: _Work) -> None:
        if isinstance(request, LoadAdapterRequest):
            loaded = self.load_adapter(Path(request.path) if request.path else None)
            self.send(loaded.model_copy(update={"id": request.id}))
            return
        if isinstance(request, TokenizeRequest):
            self.send(Tokens(id=request.id, ids=tuple(self._engine.tokenize(request.text))))
            return
        if isinstance(request, BranchesRequest):
            messages = BranchReplies(self._engine, request, self._cancelled).run()
        else:
            messages = _Generation(self._engine, request, self._cancelled).run()
        for message in messages:
            self.send(message)


class _Generation:
    """One reply, from prompt to `Done`."""

    def __init__(self, engine: Engine, request: GenerateRequest, cancelled: set[int]) -> None:
        self._engine = engine
        self._request = request
        self._cancelled = cancelled
        self._started = time.perf_counter()
        self._first = self._last = self._prefilled = self._started
        self._count = 0
        self._progress: list[PrefillProgress] = []

    def run(self) -> Iterator[BaseModel]:
        """The messages to send, `Done` last."""
        prompt = self._engine.tokenize(self._request.prompt)
        self._engine.check_length(len(prompt))
        reused = 0
        if not self._is_cancelled():
            reused = self._engine.prefill(prompt, fresh=self._request.fresh, progress=self._goes_on)
        self._prefilled = time.perf_counter()
        yield Prefilled(
            id=self._request.id, n_prompt=len(prompt), n_reused=reused, seconds=self._seconds(self._prefilled)
        )
        reason: StopReason = "cancelled"
        if not self._is_cancelled():
            reason = yield from self._reply()
        yield self._done(reason, len(prompt), reused)

    def _reply(self) -> Generator[Token, None, StopReason]:
        said = ReplyText(self._request.stop)
        reason: StopReason = "context_full"
        asked = self._request
        for token in self._engine.generate(asked.sampling, asked.grammar, asked.grammar_from):
            self._note_token()
            if self._engine.ends_turn(token):
                reason = "end_of_turn"
                break
            if text := said.feed(self._engine.piece(token)):
                yield Token(id=self._request.id, text=text)
            if stopped := self._stopped(said):
                reason = stopped
                break
        if rest := said.rest():
            yield Token(id=self._request.id, text=rest)
        return reason

    def _stopped(self, said: ReplyText) -> StopReason | None:
        if said.hit:
            return "stop_string"
        if self._is_cancelled():
            return "cancelled"
        return "length" if self._count >= self._request.sampling.max_tokens else None

    def _note_token(self) -> None:
        self._last = time.perf_counter()
        self._first = self._last if not self._count else self._first
        self._count += 1

    def _goes_on(self, done: int, total: int) -> bool:
        return not self._is_cancelled()

    def _is_cancelled(self) -> bool:
        return self._request.id in self._cancelled

    def _seconds(self, moment: float) -> float:
        return max(0.0, moment - self._started)

    def _done(self, reason: StopReason, n_prompt: int, n_reused: int) -> Done:
        return Done(
            id=self._request.id,
            reason=reason,
            n_prompt=n_prompt,
            n_reused=n_reused,
            n_generated=self._count,
            prefill_seconds=self._seconds(self._prefilled),
            ttft_seconds=self._seconds(self._first) if self._count else 0.0,
            decode_seconds=max(0.0, self._last - self._first),
            peak_memory_bytes=peak_memory_bytes(),
        )


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
    parser = argparse.ArgumentParser(prog="python -m studio.play.host", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--context", type=int, default=2048, help="tokens of the context window")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lora", type=Path, default=None, help="adapter to lay over the file, in GGUF form")
    parser.add_argument("--parked", type=int, default=4, help="conversations whose KV cache is kept aside")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    output = _private_output()
    started = time.perf_counter()
    try:
        limits = limits_of(options)
        limits.begin()
        from studio.play.engine import Engine

        limits.hold_memory()
        engine = Engine(
            options.file, context_tokens=options.context, threads=options.threads, parked=options.parked,
            mapped=not limits.memory_bytes,
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
