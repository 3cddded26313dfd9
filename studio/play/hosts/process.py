"""One running model host process as its starter sees it: options, pipes, reader thread, queues of the open requests."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from studio.play.hosts.limits import HostLimits
from studio.play.hosts.protocol import (
    REPLY,
    BranchDone,
    BranchesDone,
    BranchesRequest,
    BranchProgress,
    CancelRequest,
    Done,
    Failed,
    GenerateRequest,
    HostInfo,
    LoadAdapterRequest,
    Prefilled,
    PrefillProgress,
    Token,
    TokenizeRequest,
    Tokens,
    line_of,
)
from studio.workspace import PROJECT_ROOT

_LETTER = re.compile(r"\w")
HostReply = (
    HostInfo | Prefilled | PrefillProgress | Token | Done | BranchProgress | BranchDone | BranchesDone | Tokens | Failed
)
HostRequest = GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest | CancelRequest


@dataclass(frozen=True)
class HostOptions:
    """How a file is loaded.

    Attributes:
        context_tokens: size of the context window.
        threads: processor threads; 0 means one per core.
        parked_bytes: memory for the KV caches of conversations that are kept aside, those of replies that are made by
            turns included; 0 answers one request after the other.
        stall_seconds: a host that says nothing for so long while it has work is taken for hung.
        load_seconds: the same while it loads the file, which it does in silence.
        adapter: a LoRA in GGUF form to lay over the file.
        limits: memory and cores that the host may use; None means all.
        flash_attention: as llama.cpp chooses, which other players do; without it a processor reads and writes faster
            behind a long history (docs/performance.md).
    """

    context_tokens: int = 2048
    threads: int = 0
    parked_bytes: int = 512 * 2**20
    stall_seconds: float = 120.0
    load_seconds: float = 600.0
    adapter: Path | None = None
    limits: HostLimits | None = None
    flash_attention: bool = False

    def arguments(self) -> list[str]:
        """The arguments of `python -m studio.play.hosts.host` that stand for these options."""
        return [
            *("--context", str(self.context_tokens)),
            *("--threads", str(self.threads or os.cpu_count() or 1)),
            *("--parked-bytes", str(self.parked_bytes)),
            *(("--lora", str(self.adapter.resolve())) if self.adapter else ()),
            *(self.limits.arguments() if self.limits else ()),
            *(("--flash-attention",) if self.flash_attention else ()),
        ]


class HostProcess:
    """One running host process: its pipes, its reader thread and the queues of the open requests."""

    def __init__(self, path: Path, options: HostOptions) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "studio.play.hosts.host", str(path), *options.arguments()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=PROJECT_ROOT, start_new_session=True,
        )  # fmt: skip
        self._write_lock = threading.Lock()
        self._queues: dict[int, queue.SimpleQueue[HostReply | None]] = {0: queue.SimpleQueue()}
        self._queues_lock = threading.Lock()
        self._dead = False
        self.last_word = time.monotonic()
        threading.Thread(target=self._read, args=(self._popen.stdout,), daemon=True).start()

    @property
    def number(self) -> int:
        """The operating system's number of the process."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return not self._dead and self._popen.poll() is None

    @property
    def busy(self) -> bool:
        """Whether a request is open, the loading included."""
        with self._queues_lock:
            return any(self._queues)

    def open(self, number: int) -> queue.SimpleQueue[HostReply | None]:
        """The queue of replies to request `number`; None in it means that the process is gone."""
        with self._queues_lock:
            found = self._queues.setdefault(number, queue.SimpleQueue())
            if self._dead:
                found.put(None)
        return found

    def close(self, number: int) -> None:
        """Nobody waits for replies to this request any more."""
        with self._queues_lock:
            self._queues.pop(number, None)

    def send(self, request: HostRequest) -> None:
        """Write one request; a dead process is noticed by its reader, not here."""
        pipe = self._popen.stdin
        with self._write_lock:
            try:
                if pipe is not None:
                    pipe.write(line_of(request))
                    pipe.flush()
            except (OSError, ValueError):
                return

    def kill(self) -> None:
        """End the process now and free its pipes."""
        self._popen.kill()
        self._popen.wait()

    def end(self) -> None:
        """Ask it to end by closing its input; kill it when it does not."""
        if self._popen.stdin is not None:
            with self._write_lock, contextlib.suppress(OSError):
                self._popen.stdin.close()
        try:
            self._popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()

    def cause_of_death(self) -> str:
        """How it ended, and its last words."""
        code = self._popen.wait()
        self._log.seek(0)
        lines = [one for one in self._log.read().decode("utf-8", errors="replace").splitlines() if _LETTER.search(one)]
        how = f"It was ended by {signal.Signals(-code).name}." if code < 0 else f"Its exit status was {code}."
        return f"{how} Its last words: {lines[-1].strip()}" if lines else how

    def _read(self, stream: BinaryIO) -> None:
        for line in stream:
            self.last_word = time.monotonic()
            try:
                reply = REPLY.validate_json(line)
            except ValidationError:
                continue  # half a line of a process that is dying
            with self._queues_lock:
                waiting = self._queues.get(reply.id)
            if waiting is not None:
                waiting.put(reply)
        with self._queues_lock:
            self._dead = True
            for waiting in self._queues.values():
                waiting.put(None)
        stream.close()
