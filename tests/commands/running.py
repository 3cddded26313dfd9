"""The command line as a process, what a command leaves behind, and small scenario texts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio.workspace import PROJECT_ROOT

UNREACHABLE = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0", "PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
"""Settings with which pip finds nothing: whatever needs the network fails."""
HEAD = """<SYSTEM>
# Role
You are the DM.

# World
Faerun

# Location
A cellar

# Party
</SYSTEM>

"""
FINE = HEAD + "<User>Hello?</User>\n\n<DM>Nobody answers.</DM>\n"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


Studio = Callable[..., Outcome]


def process(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The command line as a process of its own, started in the project's folder."""
    environment = {**os.environ, **options.pop("environment", {})}
    command = [sys.executable, "-m", "studio", *(str(one) for one in arguments)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, **{**pipes, **options})


def finished(*arguments: object, text: str = "", **options: Any) -> Outcome:
    """Run such a process to its end, with `text` typed in."""
    with process(*arguments, stdin=subprocess.PIPE, **options) as running:
        out, err = running.communicate(text, timeout=300)
    return Outcome(running.returncode, out, err)
