"""Strong random adapters on real and tiny bases, made once, and the files merged from them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.bases.disk import link_or_copy
from studio.conversion.merging.adapter import read_adapter
from studio.conversion.merging.lora_gguf import LoraType, lora_to_gguf
from studio.conversion.merging.merge import merge_to_gguf
from studio.workspace import Workspace, sha256_file

MAKER = Path(__file__).with_name("make_adapter.py")
PLAIN = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"}
OPTIONS = {
    "smollm2-135m-instruct": {**PLAIN, "r": 16, "lora_alpha": 32},
    "gemma3-270m": PLAIN,
    "tiny-llama": {**PLAIN, "use_rslora": True, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"down_proj": 5}},
    "tiny-qwen2": PLAIN,
    "tiny-qwen3": {**PLAIN, "target_modules": ["q_proj", "v_proj", "o_proj", "up_proj"]},
    "tiny-gemma3": PLAIN,
}
OTHERS = {"dora": {**PLAIN, "use_dora": True}, "head": {**PLAIN, "modules_to_save": ["lm_head"]}}


@dataclass(frozen=True)
class Bench:
    """A workspace with every base in it (so that the tiny ones find a tokenizer in llama.cpp's form), and adapters.

    Adapters and merged files are shared by all tests: copy what you want to change.
    """

    workspace: Workspace
    bases: dict[str, BaseModel]
    adapters: dict[str, Path]

    def merged(self, name: str) -> Path:
        """The f16 file of a base with its adapter, made when it is first asked for."""
        path = self.workspace.root / "merged" / f"{name}.f16.gguf"
        if not path.exists():
            merge_to_gguf(self.bases[name], read_adapter(self.adapters[name]), path)
        return path

    def unmerged(self, name: str) -> Path:
        """The f16 file of a base alone."""
        path = self.workspace.root / "unmerged" / f"{name}.f16.gguf"
        if not path.exists():
            merge_to_gguf(self.bases[name], None, path)
        return path

    def lora(self, name: str, kind: LoraType = "F16") -> Path:
        """A base's adapter as a LoRA GGUF."""
        path = self.workspace.root / "lora" / f"{name}.{kind}.lora.gguf"
        if not path.exists():
            lora_to_gguf(self.bases[name], read_adapter(self.adapters[name]), path, output_type=kind)
        return path


@pytest.fixture(scope="session")
def bench(
    tmp_path_factory: pytest.TempPathFactory,
    smollm2: BaseModel,
    gemma3: BaseModel,
    tiny_llama: BaseModel,
    tiny_qwen2: BaseModel,
    tiny_qwen3: BaseModel,
    tiny_gemma3: BaseModel,
) -> Bench:
    root = tmp_path_factory.mktemp("bench")
    workspace = Workspace(root)
    originals = (smollm2, gemma3, tiny_llama, tiny_qwen2, tiny_qwen3, tiny_gemma3)
    bases = {base.name: link_base(workspace, base) for base in originals}
    adapters = {name: root / "adapters" / name for name in (*OPTIONS, *OTHERS)}
    orders = [(bases[name].hf, adapters[name], options) for name, options in OPTIONS.items()]
    orders += [(bases["tiny-llama"].hf, adapters[name], options) for name, options in OTHERS.items()]
    command = [str(part) for hf, out, options in orders for part in (hf, out, json.dumps(options))]
    subprocess.run([sys.executable, str(MAKER), *command], check=True, capture_output=True)
    return Bench(workspace, bases, adapters)


@pytest.fixture
def stocked(bench: Bench, empty_workspace: Workspace) -> Callable[[str], Workspace]:
    """A fresh workspace with SmolLM2, the base of that name, and a finished run called `first` on it."""

    def stock(name: str) -> Workspace:
        for base in {"smollm2-135m-instruct", name}:
            link_base(empty_workspace, bench.bases[base])
        put_run(empty_workspace, "first", bench.bases[name], bench.adapters[name])
        return empty_workspace

    return stock


def link_base(workspace: Workspace, base: BaseModel) -> BaseModel:
    target = workspace.base_dir / base.name
    shutil.copytree(base.directory, target, copy_function=link_or_copy, ignore=shutil.ignore_patterns(".*"))
    return BaseModel.load(target)


def put_run(workspace: Workspace, run: str, base: BaseModel, adapter: Path) -> Path:
    """A run folder as training leaves it."""
    folder = workspace.checkpoints_dir / run / "adapter"
    shutil.copytree(adapter, folder)
    provenance = {
        "base": base.name,
        "base_sha256": base.fingerprint,
        "dataset_fingerprint": "d" * 64,
        "config_sha256": "c" * 64,
        "adapter_sha256": sha256_file(folder / "adapter_model.safetensors"),
        "run": run,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder.parent
