"""Training against trl's SFTTrainer and LLaMA-Factory: the same base, conversations and LoRA; padding is not counted.

Some scenarios, cut into rows of up to `ROW_TOKENS`; an optimizer step takes as many rows as each of them has. A round
is one epoch of every trainer, each in a fresh process with its own packages; only optimizer steps are timed.
`default` is what the trainer does on a processor when told nothing else; the other settings are the fastest found by
hand: weights of one type, no gradient checkpointing. bfloat16 is tried where the processor multiplies it.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from benchmarks.measure import Ratio
from benchmarks.peers.environments import python_of
from benchmarks.peers.exchange import ACCUMULATION, RANK
from studio.bases import BaseModel, get_base
from studio.config import TrainingConfig
from studio.dataset import TrainingDataProcessor, TrainingRow
from studio.training import ModelTrainer
from studio.training.batches import as_features, collate
from studio.training.beginnings import BEGINNING, Beginning, share_beginnings
from studio.training.devices import choose_dtype
from studio.training.loss import mean_loss
from studio.workspace import PROJECT_ROOT, Workspace

ROUNDS, ROW_TOKENS, SCENARIOS = 3, 1024, 2
OURS = ("ours", "default")
_SCRIPTS = {"ours": "benchmarks.peers.run_ours", "trl": "run_trl.py", "llamafactory": "run_llamafactory.py"}
_MESSAGE = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n?", re.DOTALL)


@dataclass(frozen=True)
class Trained:
    """What one process did."""

    speed: float
    peak_bytes: int
    loss: float


def main() -> list[Ratio]:
    base = get_base(Workspace.find(PROJECT_ROOT), "smollm2-135m-instruct")
    train, held_out = _rows(base)
    judge = Judge(base, held_out)
    fast = "bfloat16" if choose_dtype("cpu") is torch.bfloat16 else "float32"
    sides = [OURS, ("trl", "default"), ("trl", fast), ("llamafactory", "default"), ("llamafactory", fast)]
    found: dict[tuple[str, str], list[Trained]] = {side: [] for side in sides}
    rates: list[float] = []
    for number in range(ROUNDS):
        rates.append(matmul_rate(choose_dtype("cpu")))
        for side in sides if number % 2 == 0 else reversed(sides):
            found[side].append(_run(base, side, train, judge))
    _say_share(base, train, found[OURS], rates)
    return [_ratio(found, side) for side in sides if side != OURS]


def matmul_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Floating-point operations per second of the processor's matrix multiplication, the best of five."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - begun)
    return 2 * size**3 / min(seconds)


def operations(base: BaseModel, rows: list[TrainingRow], *, shared: bool = False) -> float:
    """Floating-point operations that one pass over the rows takes; a multiplication and an addition are two.

    For each weight and token: forward and the gradient of the inputs through the frozen matrices 4, through LoRA's own,
    which have gradients, too, 6, through the output matrix 4 where a token is trained. For each pair of a token and one
    before it, and each feature: attention 12.

    Args:
        shared: what rows that begin alike share is counted once in a step.
    """
    config = json.loads((base.hf / "config.json").read_text())
    width, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    heads = config["num_attention_heads"]
    narrow = width // heads * config["num_key_value_heads"]
    shapes = [(width, width), (width, narrow), (width, narrow), (width, width), *[(width, inner)] * 3]
    frozen = layers * sum(a * b for a, b in shapes)
    lora = layers * sum(RANK * (a + b) for a, b in shapes)
    tokens, trained = (sum(one) for one in zip(*[(len(r.input_ids), r.trained_tokens) for r in rows], strict=True))
    pairs = sum(len(row.input_ids) ** 2 / 2 for row in rows)
    if shared:
        lengths = _repeated(rows)
        tokens, pairs = tokens - sum(lengths), pairs - sum(length**2 / 2 for length in lengths)
    head = width * config["vocab_size"]
    return tokens * (4 * frozen + 6 * lora) + trained * 4 * head + 12 * layers * width * pairs


def _repeated(rows: list[TrainingRow]) -> list[int]:
    """Tokens of each row that another row of its step began with already."""
    met: set[Beginning] = set()
    repeated = []
    for batch in share_beginnings([collate([one]) for one in as_features(rows, "train")]):
        if beginning := batch.get(BEGINNING):
            repeated += [beginning.length] if beginning in met else []
            met.add(beginning)
    return repeated


class Judge:
    """Held-out loss of an adapter, the same for all trainers."""

    def __init__(self, base: BaseModel, rows: list[TrainingRow]) -> None:
        self._base = base
        self._batches = [collate([one]) for one in as_features(rows, "validation")]

    def __call__(self, adapter: Path) -> float:
        model = ModelTrainer(TrainingConfig()).load_base_model(self._base.hf)
        loss, _ = mean_loss(PeftModel.from_pretrained(model, adapter), self._batches, "cpu")
        return loss


def _rows(base: BaseModel) -> tuple[list[TrainingRow], list[TrainingRow]]:
    """As many rows of each of the first scenarios as a step takes, and two held-out ones."""
    workspace = Workspace.find(PROJECT_ROOT)
    dataset = TrainingDataProcessor.configured(workspace, base, ROW_TOKENS).process_scenarios(workspace.scenarios_dir)
    scenes = [list(rows)[:ACCUMULATION] for _, rows in groupby(dataset.rows("train"), lambda row: row.source)]
    long = [rows for rows in scenes if len(rows) == ACCUMULATION]
    return [row for rows in long[:SCENARIOS] for row in rows], list(dataset.rows("validation"))[:2]


def _run(base: BaseModel, side: tuple[str, str], rows: list[TrainingRow], judge: Judge) -> Trained:
    peer, setting = side
    with tempfile.TemporaryDirectory() as folder:
        asked = {"hf": str(base.hf), "folder": folder, "setting": setting, "rows": _asked(base, rows)}
        order = Path(folder, "request.json")
        order.write_text(json.dumps(asked))
        script = _SCRIPTS[peer]
        where = [str(Path(__file__).parent / "peers" / script)] if script.endswith(".py") else ["-m", script]
        command = [str(python_of(peer)), *where, str(order)]
        ended = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"{peer} {setting} failed:\n{ended.stderr[-3000:]}")
        told = json.loads(Path(folder, "answer.json").read_text())
        assert told["steps"] == len(rows) // ACCUMULATION, told
        loss = judge(Path(folder, "adapter"))
    speed = sum(len(row.input_ids) for row in rows) / told["seconds"]
    print(
        f"  {peer} {setting}: {speed:.0f} tokens/s, peak {told['peak_bytes'] / 2**30:.2f} GiB, held-out loss {loss:.3f}"
    )
    return Trained(speed, told["peak_bytes"], loss)


def _asked(base: BaseModel, rows: list[TrainingRow]) -> list[dict[str, Any]]:
    """The rows as tokens and as conversations."""
    features = as_features(rows, "train")
    return [{**one, "messages": _messages(base, row)} for one, row in zip(features, rows, strict=True)]


def _messages(base: BaseModel, row: TrainingRow) -> list[dict[str, str]]:
    text = base.tokenizer().decode(row.input_ids, skip_special_tokens=False)
    messages = [{"role": role, "content": content} for role, content in _MESSAGE.findall(text)]
    assert all(one["role"] != other["role"] for one, other in pairwise(messages)), "a peer wants them to alternate"
    return messages


def _ratio(found: dict[tuple[str, str], list[Trained]], side: tuple[str, str]) -> Ratio:
    ours, theirs = found[OURS], found[side]
    losses = f"held-out loss {_median(ours, 'loss'):.3f}, theirs {_median(theirs, 'loss'):.3f}"
    title = f"training SmolLM2, LoRA r={RANK} on all linear layers; {losses}"
    return Ratio(title, "tokens/s", [one.speed for one in ours], [one.speed for one in theirs], " ".join(side))


def _median(some: list[Trained], name: str) -> float:
    return statistics.median(getattr(one, name) for one in some)


def _say_share(base: BaseModel, rows: list[TrainingRow], ours: list[Trained], rates: list[float]) -> None:
    tokens = sum(len(row.input_ids) for row in rows)
    print(
        f"  {len(rows)} rows, {tokens} tokens, {sum(_repeated(rows)) / tokens:.0%} of them shared with a row before; "
        f"a matrix multiplication does {statistics.median(rates) / 1e9:.0f} GFLOP/s"
    )
    for shared, what in ((True, "what is computed"), (False, "the same counted row by row")):
        each = operations(base, rows, shared=shared) / tokens
        shares = sorted(one.speed * each / rate for one, rate in zip(ours, rates, strict=True))
        print(
            f"  {what}: {each / 1e9:.2f} GFLOP a token, at {statistics.median(shares):.0%} "
            f"({shares[0]:.0%} to {shares[-1]:.0%}) of that rate",
            flush=True,
        )


if __name__ == "__main__":
    for one in main():
        print(one)
