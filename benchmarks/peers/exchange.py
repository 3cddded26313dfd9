"""What a peer's process is asked and what it answers. The standard library alone: it runs in every environment."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

EPOCHS, RANK, ALPHA, LEARNING_RATE, SEED = 1, 16, 32, 5e-4, 7
ACCUMULATION = 4
"""Rows of an optimizer step, one to a forward pass."""
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def request() -> dict[str, Any]:
    """The request of this process: `hf`, `rows` (input_ids, labels, messages each), `setting`, `folder`."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return found


def answer(asked: dict[str, Any], clock: Any) -> None:
    """Say how long the steps took and how much memory this process had at most; the adapter lies in `folder`."""
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    result = {"seconds": clock.seconds, "steps": clock.steps, "peak_bytes": int(peak.split()[1]) * 1024}
    Path(asked["folder"], "answer.json").write_text(json.dumps(result))


def clock_of(callback: type) -> Any:
    """A callback of that class that adds up the seconds of optimizer steps; what lies between them does not count."""

    class Clock(callback):  # type: ignore[misc]
        seconds, steps, begun = 0.0, 0, 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds += time.perf_counter() - self.begun
            self.steps += 1

    return Clock()
