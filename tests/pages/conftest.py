"""Every test gets its own workspace, caches that remember nothing, and no model host left behind."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner

from pages.parts.play_hosts import host_pool
from studio.bases import BaseModel
from studio.config import TrainingConfig, save_settings
from studio.jobs import EvaluationEvent, Event, EventLog, JobState, Progress, Status, StepEvent
from studio.jobs.process import process_start
from studio.jobs.state import EVENTS_FILE, save_state
from studio.training import Run
from studio.training.runs import CONFIG_FILE
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

MakeRun = Callable[..., Run]
Borrow = Callable[[BaseModel], BaseModel]


@pytest.fixture(scope="session", autouse=True)
def _one_scan() -> Iterator[None]:
    """AppTest looks through every installed package for components at each visit; they are the same each time."""
    found = manifest_scanner.scan_component_manifests()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", lambda: found)
        yield


@pytest.fixture(autouse=True)
def _served(empty_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The pages serve this test's workspace, and nothing cached of another's."""
    monkeypatch.setenv("STUDIO_WORKSPACE", str(empty_workspace.root))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    host_pool().close()


@pytest.fixture
def scenarios(empty_workspace: Workspace) -> Path:
    """The eleven scenarios that the studio ships, in this test's workspace; their folder."""
    shutil.copytree(PROJECT_ROOT / "data" / "scenarios", empty_workspace.scenarios_dir)
    return empty_workspace.scenarios_dir


@pytest.fixture
def make_run(empty_workspace: Workspace) -> MakeRun:
    """Write a training run's folder as its worker would: `make_run("first", "running", steps=3)`."""
    return partial(write_run, empty_workspace)


def write_run(
    workspace: Workspace, name: str, status: Status = "done", *, steps: int = 0, events: Sequence[Event] = (),
    adapter: bool = False, alive: bool = False, **state: object,
) -> Run:  # fmt: skip
    """The folder of a run that made so many steps; `alive`: this process stands for its worker."""
    run = Run(workspace.checkpoints_dir / name)
    save_settings(TrainingConfig(max_steps=10), _made(run.directory) / CONFIG_FILE)
    learned = [_step(number, steps) for number in range(1, steps + 1)]
    with EventLog(run.directory / EVENTS_FILE) as log:
        for one in [*learned, *events]:
            log.append(one)
    process = {"pid": os.getpid(), "process_start": (process_start(os.getpid()) or "") if alive else "long ago"}
    progress = Progress(done=steps, total=10, unit="step")
    known = {"kind": "train", "title": name, "created": time.time(), "progress": progress, **process, **state}
    save_state(run.directory, JobState.model_validate({"status": status, **known}))
    if adapter:  # an adapter without tensors, which is a whole safetensors file: its length, then its header
        atomic_write(run.directory / "adapter" / "adapter_model.safetensors", (2).to_bytes(8, "little") + b"{}")
    return run


def evaluation(step: int, loss: float) -> EvaluationEvent:
    """The loss on held-out play after a step."""
    return EvaluationEvent(step=step, epoch=0.5, loss=loss, perplexity=2.0, trained_tokens=100)


def _step(number: int, total: int) -> StepEvent:
    return StepEvent(
        step=number,
        total_steps=max(total, 10),
        epoch=number / 10,
        loss=3.0 / number,
        learning_rate=1e-3,
        grad_norm=1.0,
        tokens_per_second=123.0,
        tokens_seen=500 * number,
        memory_bytes=900_000_000,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
