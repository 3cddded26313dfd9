"""The memory estimate of a run against the peak of real short runs, each in a process of its own (Linux).

python -m benchmarks memory
python -m benchmarks.memory --base gemma3-270m --rows 1 --tokens 512 --rank 16 --share 0.4 --kind dora      one, here
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from studio.bases import get_base
from studio.config import TrainingConfig
from studio.dataset import TrainingRow
from studio.machine import GIB, look
from studio.training.memory.estimate import BaseFacts, estimate_memory
from studio.workspace import PROJECT_ROOT, Workspace

STEPS, TURN, SHORTER = 2, 60, 10
"""Optimizer steps of a run, tokens of a trained turn, and by how much every other row of a batch is shorter."""
KINDS: dict[str, dict[str, object]] = {"lora": {}, "dora": {"use_dora": True}, "qlora": {"quantize_base": "nf4"}}
SMOLLM2, GEMMA = "smollm2-135m-instruct", "gemma3-270m"


class Case(NamedTuple):
    """One row of the table: `rows` of `tokens` each, of which the share is trained."""

    base: str
    rows: int
    tokens: int
    rank: int
    share: float
    kind: str = "lora"

    def config(self, **more: object) -> TrainingConfig:
        """The settings of a run of this case."""
        known = {
            "base_model": self.base,
            "batch_size": self.rows,
            "lora_rank": self.rank,
            "max_seq_length": self.tokens,
        }
        return TrainingConfig.model_validate({**known, **KINDS[self.kind], **more})


CASES = [
    Case(SMOLLM2, 1, 512, 16, 0.4),
    Case(SMOLLM2, 2, 512, 16, 0.4),
    Case(SMOLLM2, 1, 1024, 16, 0.4),
    Case(SMOLLM2, 2, 1024, 16, 0.4),
    Case(SMOLLM2, 1, 2048, 16, 0.4),
    Case(SMOLLM2, 1, 512, 64, 0.4),
    Case(SMOLLM2, 1, 512, 16, 1.0),
    Case(GEMMA, 1, 512, 16, 0.4),
    Case(SMOLLM2, 1, 1024, 16, 0.4, "dora"),
    Case(SMOLLM2, 1, 1024, 16, 0.4, "qlora"),
    Case(GEMMA, 1, 512, 16, 0.4, "dora"),
    Case(GEMMA, 1, 512, 16, 0.4, "qlora"),
]


def main() -> Iterator[str]:
    """The lines of a table with all cases."""
    workspace = Workspace(PROJECT_ROOT)
    native = look(workspace).native_bfloat16
    yield "| base | kind | rows x tokens | rank | trained | measured | estimate |"
    yield "|---|---|---|---:|---:|---:|---:|"
    for case in CASES:
        peak = int(_in_own_process(case))
        facts = BaseFacts.read(get_base(workspace, case.base).hf)
        estimate = estimate_memory(case.config(), facts, native_bfloat16=native, trained_share=case.share)
        told = f"{estimate.gib:.2f} GiB ({estimate.total / peak - 1:+.0%})"
        size = f"{case.rows} x {case.tokens:,} | {case.rank} | {case.share:.0%}"
        yield f"| {case.base} | {case.kind} | {size} | {peak / GIB:.2f} GiB | {told} |"


def _in_own_process(case: Case) -> str:
    given = [str(part) for name, value in case._asdict().items() for part in (f"--{name}", value)]
    command = [sys.executable, "-m", "benchmarks.memory", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    return done.stdout.split()[-1]


def _measure(case: Case) -> int:
    """Peak of the resident memory of this process in bytes, after a short run with what a worker loads."""
    import studio.training.worker
    from studio.training.memory.limits import status_bytes
    from studio.training.trainer import ModelTrainer

    config = case.config(gradient_accumulation_steps=1, max_steps=STEPS, epochs=STEPS)
    with tempfile.TemporaryDirectory() as folder:
        trainer = ModelTrainer(config, Path(folder), lambda text: None)
        trainer.load_base_model(get_base(Workspace(PROJECT_ROOT), case.base).hf)
        chance = random.Random(studio.training.worker.__name__)
        rows = [_row(case.tokens - SHORTER * (place % 2), case.share, chance) for place in range(STEPS * case.rows)]
        trainer.train(rows)
        return status_bytes("VmHWM") or 0


def _row(tokens: int, share: float, chance: random.Random) -> TrainingRow:
    """Random tokens, with trained turns of 60 at even distances."""
    ids = [chance.randrange(5, 40_000) for _ in range(tokens)]
    mask = [position % int(TURN / share) < TURN for position in range(tokens)]
    return TrainingRow(source="random", scenario_type="mixed", turns=(0, 1), input_ids=ids, loss_mask=mask)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--base", required=True)
    for name, kind in (("rows", int), ("tokens", int), ("rank", int), ("share", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), default="lora")
    return parser.parse_args()


if __name__ == "__main__":
    print(_measure(Case(**vars(_options()))))
