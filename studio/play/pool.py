"""`HostPool`: the loaded files, at most so many at once; the least recently used one that is idle goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Self

from studio.play.client import HostOptions, ModelHost

_Stamp = tuple[int, int]
_Key = tuple[Path, _Stamp, _Stamp, HostOptions]


class HostPool:
    """Thread-safe. A file that was replaced on disk is loaded anew; hosts in the middle of a reply are never closed."""

    def __init__(self, limit: int = 2) -> None:
        self._limit = limit
        self._hosts: OrderedDict[_Key, ModelHost] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, path: str | Path, options: HostOptions | None = None) -> ModelHost:
        """The host of a file; it loads the file when it is first asked for something."""
        key = _key(Path(path), options or HostOptions())
        with self._lock:
            host = self._hosts.setdefault(key, ModelHost(key[0], key[3]))
            self._hosts.move_to_end(key)
            surplus = self._surplus(keep=key)
        for one in surplus:
            one.close()
        return host

    def close(self) -> None:
        """End all hosts."""
        with self._lock:
            hosts = list(self._hosts.values())
            self._hosts.clear()
        for host in hosts:
            host.close()

    def _surplus(self, keep: _Key) -> list[ModelHost]:
        idle = [key for key, host in self._hosts.items() if key != keep and not host.busy]
        return [self._hosts.pop(key) for key in idle[: max(0, len(self._hosts) - self._limit)]]


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
