"""What the user's pip knows: where a package's file is, and which certificate and proxy to use for it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_NEEDS_PIP = {"client-cert", "trusted-host", "keyring-provider"}
_TELLS_WITHOUT_FETCHING = (25, 3)
"""Seen: `pip install --dry-run` of 25.3 reads a wheel's metadata alone; 24.0 and older fetch the whole wheel for it."""
_SAFE_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")


@dataclass(frozen=True)
class PipSettings:
    """The part of pip's configuration that a plain HTTP client must honour."""

    cert: str = ""
    proxy: str = ""
    plain: bool = True
    """False where only pip itself should fetch: an old pip, or a configuration that asks for more than these."""

    @classmethod
    def read(cls) -> PipSettings:
        """Ask `pip config list`; a pip without an answer gives settings that are not `plain`."""
        lines = _pip("config", "list")
        if lines is None:
            return cls(plain=False)
        values = dict(_setting(line) for line in lines.splitlines() if "=" in line)
        plain = not _NEEDS_PIP & values.keys() and _version() >= _TELLS_WITHOUT_FETCHING
        return cls(values.get("cert", ""), values.get("proxy", ""), plain)


@dataclass(frozen=True)
class WheelPlace:
    """Where pip would fetch a wheel from."""

    url: str
    file_name: str


def locate(requirement: str) -> WheelPlace | None:
    """Where pip would fetch the wheel of `requirement` from, or None if it does not say."""
    arguments = ("--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet")
    text = _pip("install", *arguments, "--report", "-", requirement)
    try:
        url = str(json.loads(text or "")["install"][0]["download_info"]["url"])
    except (ValueError, LookupError, TypeError):
        return None
    parts = urlsplit(url)
    file_name = unquote(parts.path).rpartition("/")[2]
    usable = parts.scheme in ("https", "http", "file") and "@" not in parts.netloc and _SAFE_FILE.fullmatch(file_name)
    return WheelPlace(url, file_name) if usable else None


def _setting(line: str) -> tuple[str, str]:
    """`global.cert='/x'` -> `("cert", "/x")`."""
    key, _, value = line.partition("=")
    try:
        return key.rpartition(".")[2], str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return key.rpartition(".")[2], value


def _version() -> tuple[int, int]:
    """`pip 25.3 from ...` -> `(25, 3)`; `(0, 0)` if it cannot be told."""
    found = re.match(r"pip (\d+)\.(\d+)", _pip("--version") or "")
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _pip(*arguments: str) -> str | None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return finished.stdout if finished.returncode == 0 else None
