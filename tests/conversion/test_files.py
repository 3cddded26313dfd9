"""Files of models as a user handles them: deleted, looked into, taken in; and the unquantized file alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.conversion.files import delete_model, inspection_folder, read_report, start_inspection
from studio.conversion.service import start_conversion
from studio.errors import ConversionError
from studio.jobs import list_jobs
from studio.workspace import Workspace, atomic_write


def test_a_model_is_deleted_with_its_folder_but_not_beside_other_files(empty_workspace: Workspace) -> None:
    first, second = (empty_workspace.gguf_dir / "run" / f"{name}.gguf" for name in ("a", "b"))
    atomic_write(first, b"GGUF")
    atomic_write(second, b"GGUF")
    delete_model(empty_workspace, first)
    assert second.exists()
    delete_model(empty_workspace, second)
    assert not first.parent.exists()
    with pytest.raises(ConversionError, match="gone"):
        delete_model(empty_workspace, second)


@pytest.mark.parametrize("place", ["models/base/any/base.gguf", "data/x.gguf", "models/gguf/run/notes.txt"])
def test_nothing_else_is_deleted(empty_workspace: Workspace, place: str) -> None:
    path = empty_workspace.root / place
    atomic_write(path, b"GGUF")
    with pytest.raises(ConversionError):
        delete_model(empty_workspace, path)
    assert path.exists()


def test_a_link_that_leads_out_of_the_workspace_is_not_followed(empty_workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "precious.gguf"
    atomic_write(outside, b"GGUF")
    empty_workspace.gguf_dir.mkdir(parents=True)
    (empty_workspace.gguf_dir / "run").symlink_to(outside.parent)
    with pytest.raises(ConversionError):
        delete_model(empty_workspace, empty_workspace.gguf_dir / "run" / "precious.gguf")
    assert outside.exists()


def test_a_damaged_file_is_reported_and_not_taken_in(empty_workspace: Workspace, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF\x03\x00\x00\x00 and then nothing")
    state = start_inspection(empty_workspace, bad, take_in=True).wait(100)
    assert (state.status, state.result["valid"], state.result["taken"]) == ("done", False, "")
    report = read_report(inspection_folder(empty_workspace, bad))
    assert report is not None
    assert not report.check("structure").passed
    assert not empty_workspace.gguf_dir.exists()


def test_a_file_of_a_name_that_is_taken_or_of_the_workspace_is_refused(
    empty_workspace: Workspace, tmp_path: Path
) -> None:
    here = empty_workspace.gguf_dir / "mine" / "mine.gguf"
    atomic_write(here, b"GGUF old")
    elsewhere = tmp_path / "mine.gguf"
    elsewhere.write_bytes(b"GGUF new")
    for path in (elsewhere, here):
        with pytest.raises(ConversionError):
            start_inspection(empty_workspace, path, take_in=True)
    assert list_jobs(empty_workspace.jobs_dir) == []
    assert here.read_bytes() == b"GGUF old"


@pytest.mark.slow
def test_the_unquantized_file_alone_is_one_file(stocked: Callable[[str], Workspace]) -> None:
    workspace = stocked("tiny-llama")
    state = start_conversion(workspace, "first", type_name="F16").wait(100)
    assert (state.status, state.error) == ("done", None)
    [made] = (workspace.gguf_dir / "first").glob("*.gguf")
    assert made.name == "first.f16.gguf"
    assert state.result["quantized"] == workspace.relative(made)
    assert state.result["size"] == made.stat().st_size
