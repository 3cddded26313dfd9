"""A peer's own packages in a virtual environment of its own, made from the registry when it is first asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from studio.workspace import PROJECT_ROOT

_REQUIREMENTS = {"llamafactory": ("llamafactory==0.9.5",)}


def python_of(peer: str) -> Path:
    """The interpreter that has the peer; this one where nothing else is needed. Some GB and minutes the first time."""
    if peer not in _REQUIREMENTS:
        return Path(sys.executable)
    folder = PROJECT_ROOT / ".studio" / "peers" / peer
    python, made = folder / "bin" / "python", folder / "made"
    if not made.exists():
        print(f"  making an environment for {peer} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_REQUIREMENTS[peer]], check=True)
        made.touch()
    return python
