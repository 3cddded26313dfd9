"""An import as a job ends with its base, or with the error that `import_base` would have raised."""

from __future__ import annotations

from studio.bases import BaseModel, get_base, launch_import
from studio.conversion import inspect_gguf
from studio.workspace import Workspace
from tests.bases.registry import Registry


def test_the_job_names_the_base_that_it_imported(workspace: Workspace) -> None:
    job = launch_import(workspace, "smollm2-135m-instruct")
    job.wait(120)
    state = job.state()
    assert (state.status, state.result["base"]) == ("done", "smollm2-135m-instruct")


def test_a_job_that_fails_says_why(registry: Registry, empty_workspace: Workspace) -> None:
    job = launch_import(empty_workspace, "gemma3-270m")
    job.wait(120)
    state = job.state()
    assert state.status == "failed"
    assert state.error is not None
    assert "Gemma Terms of Use" in state.error["why"]
    assert registry.requests == []


def test_a_folder_of_the_users_own_is_imported_by_a_job_too(empty_workspace: Workspace, tiny_qwen3: BaseModel) -> None:
    job = launch_import(empty_workspace, "qwen3-folder", folder=tiny_qwen3.hf, with_gguf=True)
    job.wait(120)
    assert (job.state().status, job.state().result["base"]) == ("done", "qwen3-folder")
    base = get_base(empty_workspace, "qwen3-folder")
    assert base.gguf
    assert base.damaged_files() == []
    assert inspect_gguf(base.gguf).valid
