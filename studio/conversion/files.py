"""Files of models as a user handles them: look into any GGUF as a job, take one in from elsewhere, delete one."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, JsonValue, ValidationError

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped, require_space, write_error
from studio.conversion.inspection.validation import GGUFReport, inspect_gguf
from studio.conversion.places import gguf_folder
from studio.errors import ConversionError, WorkspaceError
from studio.jobs import Job, Worker, launch
from studio.workspace import Workspace, atomic_write, atomic_writer, safe_name

INSPECTION_KIND = "inspect"
REPORT_FILE = "gguf_report.json"
_TARGET = "studio.conversion.files:main"
_BLOCK = 16 << 20
_STEPS = 100.0


class InspectionOrder(BaseModel):
    """What an inspection job is asked to do.

    Attributes:
        take_in: copy the file to models/gguf/NAME/ if it is valid.
    """

    workspace: Path
    gguf: Path
    take_in: bool = False


def start_inspection(workspace: Workspace, gguf: Path, *, take_in: bool = False) -> Job:
    """Look into a file of any origin as a job, which leaves a report (`read_report`); it fails for no file's sake.

    Args:
        take_in: copy a valid file into the workspace, so that it can be played. An invalid one is only reported.

    Raises:
        ConversionError: there is no such file, or with `take_in` a model of its name is there already.
        JobError: it is being looked at already, or the process cannot be started.
    """
    path = gguf.expanduser().resolve()
    if not path.is_file():
        raise ConversionError(
            "There is no file at this place.", next_step="Give the whole path of a .gguf file.", where=str(gguf)
        )
    if take_in:
        _free_place(workspace, path)
    order = InspectionOrder(workspace=workspace.root, gguf=path, take_in=take_in)
    title = f"{'Take in' if take_in else 'Validate'} {path.name}"
    return launch(inspection_folder(workspace, path), _TARGET, order, kind=INSPECTION_KIND, title=title)


def inspection_folder(workspace: Workspace, gguf: Path) -> Path:
    """The job's folder for a file; the newest report about it lies there."""
    digest = hashlib.sha256(str(gguf.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return workspace.jobs_dir / f"inspect-{digest}"


def read_report(folder: Path) -> GGUFReport | None:
    """What an inspection found; None where there is no report that can be read."""
    try:
        return GGUFReport.model_validate_json((folder / REPORT_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def delete_model(workspace: Workspace, path: Path) -> None:
    """Delete a file of models/gguf/, and its folder when nothing is left in it. A deployed copy of it stays.

    Raises:
        ConversionError: it does not lie there, is gone already, or cannot be deleted.
    """
    inside = workspace.gguf_dir.resolve()
    if path.suffix != ".gguf" or not path.resolve().parent.is_relative_to(inside):
        raise ConversionError(
            "Only model files in models/gguf/ can be deleted here.",
            next_step="Base models are managed on the page Setup.",
            where=path.name,
        )
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise ConversionError("This file is gone already.", where=path.name) from error
    except OSError as error:
        raise ConversionError(
            "This file could not be deleted.",
            why=error.strerror or str(error),
            next_step="Check the folder's rights.",
            where=path.name,
        ) from error
    with suppress(OSError):  # something else lies in it
        path.parent.rmdir()


def main(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The inspection job. What it found is kept before anything is copied."""
    order = InspectionOrder.model_validate(arguments)
    worker.progress(0, _STEPS, "%")
    report = inspect_gguf(order.gguf)
    atomic_write(worker.directory / REPORT_FILE, report.model_dump_json(indent=1) + "\n")
    taken = ""
    if order.take_in and report.valid:
        workspace = Workspace(order.workspace)
        try:
            taken = workspace.relative(_take_in(worker, workspace, order.gguf))
        except ConversionStopped:
            return
    worker.result({"report": REPORT_FILE, "valid": report.valid, "taken": taken})


def _free_place(workspace: Workspace, path: Path) -> Path:
    """Where a file of elsewhere goes."""
    try:
        name = safe_name(path.stem)
    except WorkspaceError as error:
        raise ConversionError(
            "This file cannot keep its name here.", why=str(error), next_step="Rename it first.", where=path.name
        ) from error
    target = gguf_folder(workspace, name) / f"{name}.gguf"
    if path.is_relative_to(workspace.gguf_dir.resolve()):
        raise ConversionError("This file is in your workspace already.", where=path.name)
    if target.exists():
        raise ConversionError(
            f"A model called {name} is there already.",
            next_step="Delete that one first, or rename the file.",
            where=workspace.relative(target),
        )
    return target


def _take_in(worker: Worker, workspace: Workspace, source: Path) -> Path:
    target = _free_place(workspace, source)
    total = read_header(source).file_size
    require_space(target, total)
    try:
        with source.open("rb") as stream, atomic_writer(target) as copy:
            done = 0
            while block := stream.read(_BLOCK):
                if worker.stop_requested():
                    raise ConversionStopped
                done += copy.write(block)
                worker.progress(_STEPS * done / max(total, 1), _STEPS, "%")
    except OSError as error:
        raise write_error(target, error) from error
    return target
