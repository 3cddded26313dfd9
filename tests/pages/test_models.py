"""Models: from a finished run to a file, and the list of files with what they were made from."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.errors import ConversionError
from studio.jobs import JobState, Progress, list_jobs
from studio.jobs.process import process_start
from studio.jobs.state import STOP_FILE, save_state
from studio.training import Provenance
from studio.training.provenance import config_digest
from studio.ui.wording import short_hash
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write, sha256_file
from tests.pages.conftest import Borrow, MakeRun
from tests.pages.visit import Visit

MAKE_ADAPTER = PROJECT_ROOT / "tests" / "conversion" / "make_adapter.py"
BASE_FILE = "base/smollm2-135m-instruct/base.gguf"


def conversion(workspace: Workspace, name: str, **state: object) -> Path:
    """The folder of a conversion job as its worker leaves it; its process is this one."""
    folder = workspace.jobs_dir / name
    folder.mkdir(parents=True)
    process = {"pid": os.getpid(), "process_start": process_start(os.getpid()) or ""}
    known = {"kind": "convert", "title": f"Convert {name}", "created": time.time(), **process, **state}
    save_state(folder, JobState.model_validate(known))
    return folder


def test_without_a_finished_run_the_page_leads_to_training(make_run: MakeRun) -> None:
    make_run("half", "failed", steps=2)
    visit = Visit("models")
    assert "No finished run yet" in visit.words
    assert not visit.has("convert_start")
    assert visit.click("to_train").title == "Train"


def test_a_run_with_an_adapter_can_be_made_into_a_file_for_a_device(make_run: MakeRun) -> None:
    make_run("first", adapter=True)
    make_run("second", adapter=True)
    visit = Visit("models", run="first")
    assert visit.app.selectbox(key="convert_run").value == "first"
    assert "Phone with 2 GB" in visit.app.selectbox(key="convert_profile").options


def test_an_adapter_that_cannot_be_converted_fails_with_its_reason(workspace: Workspace, make_run: MakeRun) -> None:
    make_run("empty", adapter=True)  # a safetensors file without tensors
    visit = Visit("models").click("convert_start")
    [job] = list_jobs(workspace.jobs_dir)
    assert job.wait(100).status == "failed"
    visit.run()
    assert len(visit.errors) == 1
    assert "failed" in visit.words


@pytest.mark.slow
def test_a_run_becomes_a_file_with_its_parents_in_the_list(
    tiny_llama: BaseModel, borrow: Borrow, workspace: Workspace, make_run: MakeRun
) -> None:
    base, run = borrow(tiny_llama), make_run("first", steps=10)
    options = '{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}'
    command = [sys.executable, str(MAKE_ADAPTER), str(base.hf), str(run.directory / "adapter"), options]
    subprocess.run(command, check=True, capture_output=True)
    digest = sha256_file(run.directory / "adapter" / "adapter_model.safetensors")
    Provenance(
        base=base.name,
        base_sha256=base.fingerprint,
        dataset_fingerprint="d" * 64,
        config_sha256=config_digest(run.config()),
        adapter_sha256=digest,
        run="first",
    ).write(run.directory / "adapter")
    visit = Visit("models").click("convert_start")
    [job] = list_jobs(workspace.jobs_dir)
    state = job.wait(100)
    assert (state.status, state.error) == ("done", None)
    visit.run()
    assert "first.Q8_0" in visit.words
    assert short_hash(digest) in visit.words
    assert short_hash(base.fingerprint) in visit.words
    made = workspace.gguf_dir / "first" / "first.Q8_0.gguf"
    assert short_hash(sha256_file(made), 16) in visit.words


def test_a_conversion_in_progress_shows_time_left_and_stops(empty_workspace: Workspace) -> None:
    progress = Progress(done=500, total=1000, unit="thousandths")
    folder = conversion(empty_workspace, "first", status="running", progress=progress, seconds_left=75.0)
    visit = Visit("models")
    assert "1 min 15 s left" in visit.words
    assert visit.app.get("progress")[0].value == 50
    visit.click("stop_first")
    assert (folder / STOP_FILE).exists()
    assert "stopping" in visit.words


def test_conversions_that_ended_tell_how_and_a_damaged_one_hides_none(empty_workspace: Workspace) -> None:
    error = ConversionError("The adapter does not fit.", next_step="Train again.")
    conversion(empty_workspace, "bad", status="failed", error=error.as_dict())
    conversion(empty_workspace, "good", status="done", result={"quantized": "models/gguf/x.gguf", "size": 98_000_000})
    atomic_write(conversion(empty_workspace, "torn", status="done") / "state.json", "{")
    visit = Visit("models")
    assert "models/gguf/x.gguf · 98 MB" in visit.words
    assert visit.errors == ["**The adapter does not fit.**\n\nTrain again."]


def test_the_base_model_is_listed_with_hash_and_quantization(workspace: Workspace) -> None:
    visit = Visit("models")
    assert "Base models" in visit.words
    digest = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of the packaged file
    assert short_hash(digest, 16) in visit.words
    assert "Q4_1" in visit.words
    visit.click(f"play_{BASE_FILE}")
    assert (visit.title, visit.address) == ("Play", {"model": BASE_FILE})


def test_a_file_that_is_no_gguf_does_not_hide_the_others(workspace: Workspace) -> None:
    atomic_write(workspace.gguf_dir / "mine" / "torn.gguf", b"GGUF\x03\x00\x00\x00 and then nothing")
    atomic_write(workspace.gguf_dir / "mine" / "text.gguf", b"not a model at all")
    visit = Visit("models")
    assert len(visit.errors) == 2
    assert "Q4_1" in visit.words


def test_a_file_that_was_deleted_while_it_was_on_show_is_gone_from_the_list(workspace: Workspace) -> None:
    path = workspace.gguf_dir / "mine" / "mine.Q4_1.gguf"
    path.parent.mkdir(parents=True)
    os.link(workspace.base_dir / "smollm2-135m-instruct" / "base.gguf", path)
    visit = Visit("models")
    path.unlink()
    assert not visit.run().has("play_gguf/mine/mine.Q4_1.gguf")
    assert visit.errors == []


def test_profiles_that_cannot_be_read_leave_the_list_of_files(workspace: Workspace, make_run: MakeRun) -> None:
    make_run("first", adapter=True)
    atomic_write(workspace.config_dir / "optimization_profiles.yaml", "profiles: [unclosed")
    visit = Visit("models")
    assert any("optimization_profiles.yaml" in one for one in visit.errors)
    assert "Q4_1" in visit.words
