"""A small campaign on the tiny random Llama, and one finished run that many tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.scenes import write_scenes
from studio.bases import BaseModel, get_base
from studio.config import TrainingConfig
from studio.dataset import ProcessedDataset, TrainingDataProcessor, TrainingRow
from studio.jobs import Job, JobState, Worker
from studio.jobs.state import save_state
from studio.training import Run, start_run
from studio.workspace import Workspace

PATIENCE = 300.0
SETTINGS = TrainingConfig(
    base_model="tiny-llama",
    learning_rate=3e-3,
    epochs=100,
    max_steps=40,
    lora_rank=4,
    lora_alpha=8,
    lora_dropout=0.1,  # so that a resumed run needs the state of the random numbers, too
    max_seq_length=512,
    checkpoint_steps=2,
    keep_checkpoints=3,
    eval_steps=10,
    warmup_steps=3,
)


def furnish(workspace: Workspace, base: BaseModel) -> Workspace:
    """Put a base model, five scenes and one held-out scene into a workspace."""
    shutil.copytree(base.directory, workspace.base_dir / base.name)
    write_scenes(workspace.scenarios_dir)
    write_scenes(workspace.validation_dir, {"the well": (10, "A bucket of gold coins hangs in the dark.")})
    return workspace


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Layers this small gain nothing from a second thread, and sums must be formed in one order to be compared."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("MKL_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def campaign(one_thread: None, tiny_llama: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace that tests share: they add runs of their own names and change nothing else."""
    return furnish(Workspace(tmp_path_factory.mktemp("campaign")), tiny_llama)


@pytest.fixture
def own_campaign(tiny_llama: BaseModel, empty_workspace: Workspace) -> Workspace:
    """The same campaign for one test alone, which may damage it."""
    return furnish(empty_workspace, tiny_llama)


@pytest.fixture(scope="package")
def finished(campaign: Workspace) -> Run:
    """An uninterrupted run of `SETTINGS`."""
    run = start_run(campaign, SETTINGS, name="finished")
    assert run.job.wait(PATIENCE).status == "done", run.job.tail_log()
    return run


@pytest.fixture(scope="package")
def dataset(campaign: Workspace) -> ProcessedDataset:
    """The campaign's rows."""
    base = get_base(campaign, SETTINGS.base_model)
    processor = TrainingDataProcessor(campaign, base, SETTINGS.max_seq_length)
    return processor.process_scenarios(campaign.scenarios_dir)


@pytest.fixture(scope="package")
def rows(dataset: ProcessedDataset) -> list[TrainingRow]:
    """The five rows that are trained, of different lengths."""
    return list(dataset.rows("train"))


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """The worker's side of a job that runs in this process."""
    folder = tmp_path / "job"
    folder.mkdir()
    save_state(folder, JobState(kind="train"))
    return Worker(folder)


@pytest.fixture
def wait_until() -> Callable[[Job, Callable[[object], bool]], None]:
    """Wait for an event of a job that is under way: `wait_until(job, lambda event: ...)`."""
    import time

    def wait(job: Job, seen: Callable[[object], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(seen(event) for event in job.events().events):
            assert time.monotonic() < deadline, job.tail_log()
            assert not job.state().is_finished, job.tail_log()
            time.sleep(0.01)

    return wait
