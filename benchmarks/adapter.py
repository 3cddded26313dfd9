"""From an adapter to the first word: laid over the loaded base, against merging, quantizing and loading a new file."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from benchmarks.measure import Ratio, interleaved
from studio.bases import BaseModel, get_base
from studio.bases.disk import link_or_copy
from studio.conversion import make_overlay
from studio.conversion.formats.safetensors_file import read_index
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.places import overlay_folder
from studio.conversion.quantization.quantize import quantize_file
from studio.play import HostOptions, ModelHost, Sampling, Token
from studio.workspace import PROJECT_ROOT, Workspace

BASE = "smollm2-135m-instruct"
ROUNDS = 3
RANK = 16
TYPE = "Q8_0"
OPTIONS = HostOptions(context_tokens=2048, threads=2)
PROMPT = "<|im_start|>user\nI open the door.<|im_end|>\n<|im_start|>assistant\n"


def main() -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        base = _borrowed(workspace)
        adapter = random_adapter(workspace.checkpoints_dir / "tavern" / "checkpoint-40", base)
        assert base.gguf
        with ModelHost(base.gguf, OPTIONS) as host:
            host.info()
            ratio = interleaved(
                f"adapter (r={RANK}, all linear layers) to its first token, base loaded", "s",
                f"merge, {TYPE}, load",
                partial(_seconds, lambda: _over_the_base(workspace, adapter, host)),
                partial(_seconds, lambda: _as_a_file(workspace, base, adapter)), rounds=ROUNDS,
            )  # fmt: skip
    return [ratio]


def _over_the_base(workspace: Workspace, adapter: Path, host: ModelHost) -> None:
    """Nothing that an earlier round made is used again."""
    shutil.rmtree(overlay_folder(workspace), ignore_errors=True)
    host.use_adapter(make_overlay(workspace, adapter).adapter)
    _first_token(host)


def _as_a_file(workspace: Workspace, base: BaseModel, adapter: Path) -> None:
    merged, quantized = workspace.root / "merged.f16.gguf", workspace.root / "quantized.gguf"
    merge_to_gguf(base, read_adapter(adapter), merged)
    quantize_file(merged, quantized, TYPE)
    with ModelHost(quantized, OPTIONS) as host:
        _first_token(host)


def _first_token(host: ModelHost) -> None:
    sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=4)
    next(one for one in host.generate(PROMPT, sampling, fresh=True) if isinstance(one, Token))


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _borrowed(workspace: Workspace) -> BaseModel:
    """The project's base model in a workspace that is thrown away."""
    base = get_base(Workspace.find(PROJECT_ROOT), BASE)
    shutil.copytree(base.directory, workspace.base_dir / BASE, copy_function=link_or_copy)
    return get_base(workspace, BASE)


def random_adapter(folder: Path, base: BaseModel) -> Path:
    """In PEFT's form, of the size that a run with the default settings has."""
    random = np.random.default_rng(7)
    layers = {name: one.shape for name, one in read_index(base.hf).items() if name.endswith("_proj.weight")}
    weights = {}
    for name, (rows, columns) in layers.items():
        module = f"base_model.model.{name.removesuffix('.weight')}"
        weights[f"{module}.lora_A.weight"] = random.standard_normal((RANK, columns), np.float32)
        weights[f"{module}.lora_B.weight"] = random.standard_normal((rows, RANK), np.float32) / 1000
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    modules = sorted({name.split(".")[-2] for name in layers})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 2 * RANK}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": modules}))
    (folder / "provenance.json").write_text(json.dumps({"base": base.name, "run": "tavern"}))
    return folder
