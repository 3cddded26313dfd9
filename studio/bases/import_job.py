"""An import as a job: it goes on when the page is closed, can be stopped, and goes on later where it was."""

from __future__ import annotations

from pathlib import Path

import pydantic

from studio.bases.folders import import_folder
from studio.bases.importer import import_base
from studio.bases.manifest import BaseModel
from studio.bases.progress import ImportProgress, ProgressCallback
from studio.jobs import Job, Worker, launch
from studio.workspace import Workspace, safe_name

KIND = "import"
_UNITS = {"download": "bytes", "unpack": "bytes", "convert": "step", "finish": "step"}


class ImportArguments(pydantic.BaseModel):
    """What the worker is told."""

    workspace: Path
    name: str
    accept_licence: bool = False
    folder: Path | None = None
    with_gguf: bool = False


class _StoppedError(Exception):
    """Someone asked the job to stop."""


def launch_import(
    workspace: Workspace,
    name: str,
    *,
    accept_licence: bool = False,
    folder: Path | None = None,
    with_gguf: bool = False,
) -> Job:
    """Start an import as a job in `.studio/jobs/import-NAME/`; a stopped or failed one goes on in the same folder.

    Args:
        folder: a Hugging Face folder of the user's own (`import_folder`); None fetches the catalogue's model
            (`import_base`).
        with_gguf: also make a GGUF file of the folder with llama.cpp's converter.

    Raises:
        JobError: it is running already, or cannot be started.
        WorkspaceError: `name` is not a usable folder name.
    """
    arguments = ImportArguments(
        workspace=workspace.root, name=name, accept_licence=accept_licence, folder=folder, with_gguf=with_gguf
    )
    directory = workspace.jobs_dir / f"import-{safe_name(name)}"
    return launch(directory, "studio.bases.import_job:work", arguments, KIND, title=f"Import {name}")


def work(worker: Worker, arguments: dict[str, object]) -> None:
    """The job itself: progress in bytes while downloading and unpacking; the result names the base model."""
    wanted = ImportArguments.model_validate(arguments)

    def report(step: ImportProgress) -> None:
        if worker.stop_requested():
            raise _StoppedError
        if step.done == 0:
            worker.message(f"{step.stage}: {step.detail}")
        worker.progress(step.done, step.total, _UNITS[step.stage])

    try:
        base = _import(wanted, report)
    except _StoppedError:
        return
    worker.result({"base": base.name, "fingerprint": base.fingerprint})


def _import(wanted: ImportArguments, report: ProgressCallback) -> BaseModel:
    workspace, accepted = Workspace.find(wanted.workspace), wanted.accept_licence
    if wanted.folder:
        return import_folder(
            workspace, wanted.folder, wanted.name,
            accept_licence=accepted, with_gguf=wanted.with_gguf, progress=report,
        )  # fmt: skip
    return import_base(workspace, wanted.name, accept_licence=accepted, progress=report)
