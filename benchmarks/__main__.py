"""`python -m benchmarks [NAME...]`: run benchmarks and print their lines, with the date and the machine."""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime

from studio.machine import look
from studio.workspace import PROJECT_ROOT, Workspace

NAMES = (
    "scenarios", "editor", "dataset", "playground", "evaluation", "training", "adapter", "conversion", "spoilt",
    "memory",
)  # fmt: skip


def main() -> None:
    machine = look(Workspace.find(PROJECT_ROOT))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine.cores} cores, {machine.processor}")
    for name in sys.argv[1:] or NAMES:
        for ratio in importlib.import_module(f"benchmarks.{name}").main():
            print(ratio, flush=True)


if __name__ == "__main__":
    main()
