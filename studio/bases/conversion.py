"""Running the import worker and understanding what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from studio.errors import BaseModelError
from studio.workspace import PROJECT_ROOT


def convert_in_worker(gguf: Path, out: Path, family: str) -> str:
    """Turn `gguf` into the training form in `out`, in another process; returns the family.

    Raises:
        BaseModelError: what the worker said, or that it was killed.
    """
    command = [sys.executable, "-m", "studio.bases.import_worker", "--gguf", str(gguf), "--out", str(out)]
    finished = subprocess.run(
        [*command, "--family", family],
        capture_output=True, text=True, errors="replace", check=False, cwd=PROJECT_ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    answer = _last_json(finished.stdout)
    if finished.returncode == 0 and "family" in answer:
        return answer["family"]
    if "what" in answer:
        raise BaseModelError(
            answer["what"], why=answer["why"], next_step=answer["next_step"], where=answer["where"] or gguf.name
        )
    raise BaseModelError(
        "The process that converts the model ended without an answer.",
        why=_reason(finished.returncode, finished.stderr),
        next_step="Free some memory, then start again: the download is kept.",
        where=gguf.name,
    )


def _last_json(text: str) -> dict[str, str]:
    lines = text.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in answer.items()} if isinstance(answer, dict) else {}


def _reason(code: int, stderr: str) -> str:
    if code == -9:
        return "The system killed it, most likely because memory ran out."
    lines = stderr.strip().splitlines()
    return lines[-1] if lines else f"Exit status {code}."
