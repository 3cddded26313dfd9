"""The importance matrix of a model of the workspace: where it lies, making it when it is missing, and that as a job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, JsonValue

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import ConversionStopped, ProgressCallback, StopCallback
from studio.conversion.imatrix.making import DEFAULT_TOKENS, ImatrixReport, make_imatrix
from studio.conversion.imatrix.matrix import read_imatrix
from studio.conversion.imatrix.texts import imatrix_texts
from studio.conversion.places import imatrix_path
from studio.errors import ConversionError
from studio.jobs import Job, Worker, launch
from studio.workspace import Workspace, safe_name, sha256_file

_TARGET = "studio.conversion.imatrix.service:main"


class ImatrixOrder(BaseModel):
    """What the job is asked to do."""

    workspace: Path
    gguf: Path


def ensure_imatrix(
    workspace: Workspace,
    gguf: Path,
    *,
    scenarios: Sequence[Path] = (),
    target: Path | None = None,
    tokens: int = DEFAULT_TOKENS,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> ImatrixReport:
    """The importance matrix of a model from the texts of its run, or from the scenarios of the workspace.

    One that was made of the same model and texts is taken as it is.

    Args:
        gguf: the unquantized file.
        scenarios: scenario files or folders to take instead.
        target: file to write; beside the model by default.
        tokens: read at most so many.
        progress: told the tokens read and to read.

    Raises:
        ConversionError: there is no text, or llama.cpp cannot run the file.
        BaseModelError: the model's base is not imported.
        ConversionStopped: `stop` said yes.
    """
    texts = imatrix_texts(workspace, read_header(gguf), scenarios)
    place = target or imatrix_path(workspace, gguf)
    return make_imatrix(gguf, texts.rows, place, texts=texts.name, tokens=tokens, progress=progress, stop=stop)


def known_imatrix(workspace: Workspace, gguf: Path) -> Path | None:
    """The importance matrix beside a model, if there is one and it was made of this very file."""
    place = imatrix_path(workspace, gguf)
    try:
        return place if read_imatrix(place).model_sha256 == sha256_file(gguf) else None
    except (ConversionError, OSError):
        return None


def start_imatrix(workspace: Workspace, gguf: Path) -> Job:
    """Make the importance matrix of a model as a job; its result is an `ImatrixReport`, with its path in the workspace.

    Raises:
        ConversionError: the file cannot be read.
    """
    read_header(gguf)
    name = safe_name(gguf.name.removesuffix(".gguf"))
    directory = workspace.jobs_dir / f"imatrix-{name}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    order = ImatrixOrder(workspace=workspace.root, gguf=gguf.resolve())
    return launch(directory, _TARGET, order, kind="imatrix", title=f"Importance matrix of {name}")


def main(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The job. It ends as stopped, and leaves what was there before, when it is asked to stop."""
    order = ImatrixOrder.model_validate(arguments)
    workspace = Workspace(order.workspace)
    worker.message(f"Reading your scenarios with {order.gguf.name} ...")
    try:
        made = ensure_imatrix(
            workspace,
            order.gguf,
            progress=lambda done, total: worker.progress(done, total, "tokens"),
            stop=worker.stop_requested,
        )
    except ConversionStopped:
        return
    worker.result({**made.model_dump(mode="json"), "path": workspace.relative(made.path)})
