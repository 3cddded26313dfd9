"""Real GGUF files of a few kilobytes, with the parents that the converter writes into their headers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy
import pytest

from studio.registry import Registry
from studio.workspace import PROJECT_ROOT, Workspace, sha256_file

ModelMaker = Callable[..., Path]


@pytest.fixture
def make_model(empty_workspace: Workspace) -> ModelMaker:
    """`make_model("first")` writes models/gguf/first/first.Q8_0.gguf; another `content` is another file."""

    def make(run: str, content: float = 1.0) -> Path:
        path = empty_workspace.gguf_dir / run / f"{run}.Q8_0.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".making")
        writer = gguf.GGUFWriter(part, "llama")
        writer.add_string("general.name", run)
        writer.add_string("studio.base.sha256", "b" * 64)
        writer.add_string("studio.adapter.sha256", "a" * 64)
        writer.add_string("studio.run", run)
        writer.add_tensor("token_embd.weight", numpy.full((32, 32), content + len(run), dtype=numpy.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return part.replace(path)

    return make


@pytest.fixture
def registry(empty_workspace: Workspace) -> Registry:
    return Registry(empty_workspace)


@pytest.fixture
def approved(registry: Registry, make_model: ModelMaker) -> Callable[..., int]:
    """`approved("first")` makes, registers and approves a model; returns the version's id."""
    return lambda run, content=1.0: registry.approve(registry.register(make_model(run, content)).id).id


def deployed(workspace: Workspace, channel: str = "default") -> dict[str, Any] | None:
    """What lies on a channel, checked to be whole: the label fits the model beside it."""
    folder = workspace.root / "models" / "deployed" / channel
    if not folder.exists():
        return None
    label: dict[str, Any] = json.loads((folder / "deployed.json").read_text(encoding="utf-8"))
    assert sha256_file(folder / "model.gguf") == label["sha256"]
    return label


def in_a_process(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A real process that runs `program`, with `Registry`, `Workspace` and `sys.argv` at hand."""
    head = "import os, sys\nfrom pathlib import Path\nfrom studio.registry import Registry\n"
    head += "from studio.workspace import Workspace\n"
    command = [sys.executable, "-c", head + program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
