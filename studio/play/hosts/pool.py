"""`HostPool`: the loaded files, within a number and a memory budget; the least recently used idle one goes first.

What a file needs is known from its header before it is loaded, and measured when it is. A host in the middle of a reply
is never ended, and none is ended in vain: if room cannot be made, nothing is closed and the new file is refused.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.memory import player_memory
from studio.errors import ConversionError, PlayError
from studio.play.hosts.client import HostOptions, HostState, ModelHost

PROGRAM_BYTES = 90_000_000
"""Python, its libraries and llama.cpp in a host, before it holds a model."""
_Stamp = tuple[int, int]
_Key = tuple[Path, _Stamp, _Stamp, HostOptions]


@dataclass(frozen=True)
class LoadedFile:
    """One file of the pool, as it is shown.

    Attributes:
        sha256: what is played, by content: the file, or file and adapter together.
        memory_bytes: what its process holds now.
        process: the operating system's number of it; 0 when there is none yet.
    """

    name: str
    sha256: str
    adapter: str
    memory_bytes: int
    state: HostState
    restarts: int
    process: int


class HostPool:
    """Thread-safe. A file that was replaced on disk is loaded anew; hosts in the middle of a reply are never closed."""

    def __init__(self, limit: int = 2, memory_limit_bytes: int = 0) -> None:
        """Keep `limit` files loaded, more only while they all reply, in `memory_limit_bytes`; 0 means any memory."""
        self._limit = limit
        self._memory_limit = memory_limit_bytes
        self._hosts: OrderedDict[_Key, ModelHost] = OrderedDict()
        self._needs: dict[ModelHost, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def memory_limit_bytes(self) -> int:
        """What all hosts together may take; 0 means any memory."""
        return self._memory_limit

    def get(self, path: str | Path, options: HostOptions | None = None) -> ModelHost:
        """The host of a file. It loads the file when it is first asked for something, and makes room for it then.

        A file that does not fit is refused there, with a `PlayError`.
        """
        key = _key(Path(path), options or HostOptions())
        with self._lock:
            if key not in self._hosts:
                self._forget_older(key)
                self._hosts[key] = ModelHost(key[0], key[3], before_loading=self._make_room)
            self._hosts.move_to_end(key)
            return self._hosts[key]

    def loaded(self) -> list[LoadedFile]:
        """The files that are loaded or being loaded, the most recently used first."""
        with self._lock:
            hosts = list(reversed(self._hosts.values()))
        return [_shown(one) for one in hosts if one.state != "not loaded"]

    def close(self) -> None:
        """End all hosts."""
        with self._lock:
            hosts = list(self._hosts.values())
            self._hosts.clear()
            self._needs.clear()
        for host in hosts:
            host.close()

    def _forget_older(self, key: _Key) -> None:
        """Drop what stands for an earlier content of the same file."""
        for old, host in list(self._hosts.items()):
            if (old[0], old[3]) == (key[0], key[3]) and (host.close_if_idle() or host.state == "not loaded"):
                del self._hosts[old]

    def _make_room(self, host: ModelHost) -> None:
        """Called when a host is about to load its file. Raises `PlayError` when it must not."""
        need = memory_of(host)
        with self._lock:
            if host not in self._hosts.values():
                raise PlayError(
                    "This model was put away meanwhile.", next_step="Reload the page.", where=host.path.name
                )
            others = [one for one in self._hosts.values() if one is not host and one.state != "not loaded"]
            if not self._fits(need, [one for one in others if one.busy]):
                raise self._refusal(host, need)
            for one in list(others):
                if self._fits(need, others) and len(others) < self._limit:
                    break
                if one.close_if_idle():
                    others.remove(one)
            if not self._fits(need, others):  # one of them was asked for something at this very moment
                raise self._refusal(host, need)
            self._needs[host] = need

    def _refusal(self, host: ModelHost, need: int) -> PlayError:
        """Why a file cannot be loaded."""
        if self._fits(need, []):
            return PlayError(
                "There is no memory for this file at the moment.",
                why=f"It needs about {_megabytes(need)}, and other models are in the middle of a reply.",
                next_step="Wait until they have answered, then try again, or choose a smaller file.",
                where=host.path.name,
            )
        return PlayError(
            "This file is too large to be played here.",
            why=f"It needs about {_megabytes(need)}; all models together may take {_megabytes(self._memory_limit)}.",
            next_step="Choose a smaller quantization, or allow more memory in config/play_rules.yaml.",
            where=host.path.name,
        )

    def _fits(self, need: int, others: list[ModelHost]) -> bool:
        used = sum(max(self._needs.get(one, 0), one.memory_bytes) for one in others)
        return not self._memory_limit or used + need <= self._memory_limit


def memory_of(host: ModelHost) -> int:
    """What a host will take, from the headers of its files; a file that cannot be read counts by its size."""
    size = _size(host.path)
    try:
        model = player_memory(read_header(host.path), size, host.options.context_tokens).total
    except (ConversionError, OSError):
        model = size
    return PROGRAM_BYTES + model + _size(host.options.adapter)


def _shown(host: ModelHost) -> LoadedFile:
    info = host.loaded
    return LoadedFile(
        name=host.path.name,
        sha256=info.played_sha256 if info else "",
        adapter=(info.adapter.name if info and info.adapter else ""),
        memory_bytes=host.memory_bytes,
        state=host.state,
        restarts=host.restarts,
        process=info.process_id if info else 0,
    )


def _key(path: Path, options: HostOptions) -> _Key:
    path = path.resolve()
    return path, _stamp(path), _stamp(options.adapter), options


def _stamp(path: Path | None) -> _Stamp:
    """When a file was written and its size; zeros where there is none: asking the host for anything then says so."""
    try:
        status = path.stat() if path else None
    except OSError:
        status = None
    return (status.st_mtime_ns, status.st_size) if status else (0, 0)


def _size(path: Path | None) -> int:
    return _stamp(path)[1]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
