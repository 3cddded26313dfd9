"""A package registry on loopback, with HTTP Range, that a real pip downloads real wheels from."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Registry:
    """Wheels by file name, and what clients asked for: `(path, Range header)`."""

    address: str = ""
    wheels: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def wheel_requests(self) -> list[str]:
        """Range header of every request for a wheel itself, in order."""
        return [wanted for path, wanted in self.requests if path.endswith(".whl")]


def build_wheel(folder: Path, package: str, members: dict[str, Path | bytes]) -> Path:
    """A wheel that pip accepts, version 1.0, holding `members`."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for member, content in members.items():
            archive.writestr(member, content if isinstance(content, bytes) else content.read_bytes())
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@contextmanager
def serve() -> Iterator[Registry]:
    """A registry until the block ends."""
    registry = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(registry))
    registry.address = f"http://127.0.0.1:{server.server_address[1]}/simple"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def metadata_of(wheel: bytes) -> bytes:
    """The METADATA file of a wheel (PEP 658)."""
    import io

    archive = zipfile.ZipFile(io.BytesIO(wheel))
    return archive.read(next(name for name in archive.namelist() if name.endswith("METADATA")))


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            registry.requests.append((self.path, wanted))
            if self.path.startswith("/simple/"):
                self._answer(200, self._links().encode(), "text/html")
                return
            name = self.path.rpartition("/")[2]
            wheel = registry.wheels.get(name.removesuffix(".metadata"), b"")
            if name.endswith(".metadata"):
                self._answer(200, metadata_of(wheel), "text/plain")
            elif wanted.startswith("bytes="):
                start = int(wanted[6:].partition("-")[0])
                self._answer(206 if start < len(wheel) else 416, wheel[start:], "application/zip")
            else:
                self._answer(200, wheel, "application/zip")

        def _links(self) -> str:
            package = self.path.strip("/").rpartition("/")[2].replace("-", "_")
            files = (name for name in registry.wheels if name.startswith(f"{package}-"))
            return "".join(
                f'<a href="/files/{name}" data-dist-info-metadata="sha256='
                f'{hashlib.sha256(metadata_of(registry.wheels[name])).hexdigest()}">{name}</a>'
                for name in files
            )

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
