"""The page Models, types: what is told before anything is made, what can be started, and what was measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.bases import BaseModel
from studio.conversion.places import gguf_folder
from studio.conversion.quality.records import FileQuality, save_quality
from studio.conversion.speed.expected import SPEED_FILE, DecodingPace, speed_folder
from studio.jobs import JobState, list_jobs
from studio.jobs.state import save_state
from studio.machine import look
from studio.training import Provenance
from studio.ui.wording import short_hash
from studio.workspace import Workspace, atomic_write, sha256_file
from tests.pages.conftest import MakeRun
from tests.pages.visit import Visit

Q4_1_FILE = "gguf/first/first.Q4_1.gguf"
LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture
def run(workspace: Workspace, smollm2: BaseModel, make_run: MakeRun) -> Path:
    """A finished run on SmolLM2 whose adapter, of rank 1, changes nothing; its folder."""
    folder = make_run("first", steps=10).directory
    adapter = folder / "adapter"
    adapter.mkdir()
    halves = {"A": np.zeros((1, 576), np.float32), "B": np.zeros((576, 1), np.float32)}
    save_file(
        {f"{LAYER}.lora_{name}.weight": half for name, half in halves.items()}, adapter / "adapter_model.safetensors"
    )
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    Provenance(
        base=smollm2.name,
        base_sha256=smollm2.fingerprint,
        adapter_sha256=sha256_file(adapter / "adapter_model.safetensors"),
        dataset_fingerprint="d" * 64,
        config_sha256="c" * 64,
        run="first",
    ).write(adapter)
    return folder


@pytest.fixture
def made(workspace: Workspace, run: Path, smollm2: BaseModel) -> Path:
    """A file of that run: the base model's own, which is of type Q4_1."""
    path = workspace.root / "models" / Q4_1_FILE
    path.parent.mkdir(parents=True)
    assert smollm2.gguf
    os.link(smollm2.gguf, path)
    return path


def table(visit: Visit) -> dict[str, dict[str, object]]:
    """The rows of the table by type."""
    frame = visit.app.dataframe[0].value
    return {str(row["Type"]): dict(row) for _, row in frame.iterrows()}


def quality(path: Path, **figures: float) -> FileQuality:
    known = {"perplexity": 9.0, "reference_perplexity": 8.9, "kl": 0.02, "kl_p99": 0.3, "same_top": 0.93, **figures}
    return FileQuality(
        file=path.name, size=path.stat().st_size, sha256=sha256_file(path), reference_sha256="f" * 64,
        rows_sha256="e" * 64, positions=500, **known,
    )  # fmt: skip


def test_before_anything_is_made_the_page_says_what_suits_the_device(run: Path) -> None:
    visit = Visit("models")
    assert "Q8_0 suits Phone with 2 GB: 145 MB" in visit.words
    rows = table(visit)
    assert 5 <= len(rows) <= 8
    assert rows["Q8_0"]["State"] == "recommended"
    assert rows["Q4_K_M"]["File"] == pytest.approx(105.45, rel=1e-3)
    assert rows["Q4_K_M"]["Memory 2k"] < rows["Q4_K_M"]["Memory 4k"] < rows["Q4_K_M"]["Memory 8k"]  # type: ignore[operator]
    assert "KL" not in rows["Q8_0"]
    everything = table(visit.choose("toggle", "types_all", True))
    assert len(everything) == 32
    assert everything["IQ1_S"]["State"] == "needs a matrix"


def test_another_device_has_other_limits(run: Path) -> None:
    visit = Visit("models").choose("selectbox", "convert_profile", "server")
    assert "suits Server" in visit.words
    assert {row["Device"] for row in table(visit).values()} == {"fits"}


def test_a_type_of_ones_own_is_made_as_a_job(run: Path, workspace: Workspace) -> None:
    visit = Visit("models").choose("selectbox", "make_type", "Q4_K_M").click("make_type_start")
    [job] = list_jobs(workspace.jobs_dir)
    asked = job.state().arguments
    job.stop()
    assert (asked["run"], asked["type"], asked["type_is_fixed"]) == ("first", "Q4_K_M", True)
    assert visit.has(f"stop_{job.directory.name}")
    assert job.wait(100).status in ("stopped", "done")


def test_the_best_for_the_device_is_looked_for_as_a_job(run: Path, workspace: Workspace) -> None:
    visit = Visit("models").click("optimize_start")
    [job] = list_jobs(workspace.jobs_dir)
    job.stop()
    assert (job.state().kind, job.state().arguments["profile"]) == ("optimize", "phone_2gb")
    assert visit.has(f"stop_{job.directory.name}")
    assert job.wait(100).status in ("stopped", "done")


def test_what_was_measured_stands_in_the_table_and_the_chart(made: Path, workspace: Workspace) -> None:
    save_quality(workspace, quality(made))
    visit = Visit("models")
    row = table(visit)["Q4_1"]
    assert row["State"] == "recommended, made"
    assert (row["KL"], row["Same word"], row["Perplexity"]) == (0.02, 93.0, 9.0)
    assert "At 93.0% of the places" in visit.words
    visit.click("quality_start")
    [job] = list_jobs(workspace.jobs_dir)
    job.stop()
    assert (job.state().kind, job.state().arguments["run"]) == ("quality", "first")
    assert job.wait(100).status == "stopped"


def test_a_measured_machine_gives_expected_speeds(run: Path, workspace: Workspace, smollm2: BaseModel) -> None:
    visit = Visit("models")
    assert "Expected" not in table(visit)["Q8_0"]
    assert visit.has("speed_measure")
    machine, folder = look(workspace), speed_folder(workspace, smollm2.name)
    folder.mkdir(parents=True)
    pace = DecodingPace(
        processor=machine.processor,
        cores=machine.cores,
        seconds_per_byte={"Q8_0": 1e-10},
        rest_seconds=5e-3,
        measured=9,
    )
    (folder / SPEED_FILE).write_text(pace.model_dump_json())
    visit.run()
    assert table(visit)["Q8_0"]["Expected"] == pytest.approx(51.8, rel=0.02)
    assert "estimates for this machine" in visit.words


def test_a_file_is_deleted_after_a_question(made: Path, workspace: Workspace) -> None:
    visit = Visit("models").click(f"delete_{Q4_1_FILE}")
    assert made.exists()
    visit.click("delete_model_now")
    assert not made.exists()
    assert not gguf_folder(workspace, "first").exists()
    assert not visit.has(f"play_{Q4_1_FILE}")
    assert not visit.has("delete_base/smollm2-135m-instruct/base.gguf")


def test_validating_a_file_leaves_its_report(workspace: Workspace, smollm2: BaseModel) -> None:
    torn = workspace.gguf_dir / "mine" / "torn.gguf"
    torn.parent.mkdir(parents=True)
    assert smollm2.gguf
    torn.write_bytes(smollm2.gguf.read_bytes()[:5_000_000])
    visit = Visit("models").click("validate_gguf/mine/torn.gguf")
    [job] = list_jobs(workspace.jobs_dir)
    assert job.wait(100).status == "done"
    visit.run()
    assert "Not valid" in visit.words
    visit.click("report_gguf/mine/torn.gguf")
    assert "The file is damaged." in visit.words


@pytest.mark.slow
def test_a_file_from_elsewhere_is_looked_into_and_taken_in(
    workspace: Workspace, smollm2: BaseModel, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "from a friend.gguf"
    assert smollm2.gguf
    os.link(smollm2.gguf, elsewhere)
    visit = Visit("models").choose("text_input", "foreign_path", str(elsewhere)).click("foreign_take")
    [job] = list_jobs(workspace.jobs_dir)
    assert job.wait(100).status == "done"
    visit.run()
    taken = workspace.gguf_dir / "from a friend" / "from a friend.gguf"
    assert sha256_file(taken) == sha256_file(elsewhere)
    assert short_hash(sha256_file(taken), 16) in visit.words
    visit.click("foreign_take")
    assert "there already" in " ".join(visit.errors)


def test_a_path_that_leads_nowhere_is_told(workspace: Workspace) -> None:
    visit = Visit("models").choose("text_input", "foreign_path", "/nowhere/model.gguf").click("foreign_look")
    assert "There is no file at this place." in " ".join(visit.errors)
    assert list_jobs(workspace.jobs_dir) == []


def test_many_files_are_shown_ten_at_a_time(empty_workspace: Workspace) -> None:
    for number in range(30):
        atomic_write(empty_workspace.gguf_dir / f"run{number}" / f"run{number}.gguf", b"not a model")
    visit = Visit("models")
    assert sum(one.startswith("play_gguf/") for one in visit.keys) == 10
    visit.click("models_older")
    assert sum(one.startswith("play_gguf/") for one in visit.keys) == 30
    assert not visit.has("models_older")


def test_a_search_that_ends_tells_its_file_and_one_at_work_its_step(empty_workspace: Workspace) -> None:
    folder = empty_workspace.jobs_dir / "optimize-first"
    folder.mkdir(parents=True)
    result = {"quantized": "models/gguf/first/first.Q5_K_M.gguf", "type": "Q5_K_M", "size": 112_000_000}
    save_state(
        folder, JobState.model_validate({"kind": "optimize", "title": "Find", "status": "done", "result": result})
    )
    assert "first.Q5_K_M.gguf · 112 MB" in Visit("models").words
