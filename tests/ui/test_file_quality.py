"""The table of types of a run: exact sizes before anything is made, and what was measured of the very file since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.places import merged_path, quantized_path
from studio.conversion.quality.records import FileQuality, save_quality
from studio.conversion.quantization.quantize import quantize_file
from studio.conversion.quantization.sizes import estimate_size
from studio.conversion.quantization.types import TYPES
from studio.errors import ConversionError
from studio.jobs import JobState
from studio.jobs.state import save_state
from studio.metrics import Figure
from studio.ui.file_quality import TypeRow, type_rows
from studio.validation.benchmark import BENCHMARK_FILE
from studio.validation.card import REPORT_FILE
from studio.validation.digest import DIGEST_FILE, Measured, ReportDigest, report_state
from studio.workspace import Workspace, sha256_file
from tests.ui.test_speed import benchmark


@pytest.fixture
def made(workspace: Workspace, tiny_llama: BaseModel, borrow: Callable[[BaseModel], BaseModel]) -> Path:
    """The Q4_0 file of a run called `first` on the tiny model, beside its unquantized one."""
    merged = merged_path(workspace, "first")
    merge_to_gguf(borrow(tiny_llama), None, merged)
    return quantize_file(merged, quantized_path(workspace, merged, "Q4_0"), "Q4_0").path


def row_of(workspace: Workspace, name: str) -> TypeRow:
    (found,) = (one for one in type_rows(workspace, "first") if one.type == name)
    return found


def quality(path: Path, **changes: object) -> FileQuality:
    known = {
        "file": path.name, "size": path.stat().st_size, "sha256": sha256_file(path), "reference_sha256": "f16",
        "rows_sha256": "rows", "positions": 9, "perplexity": 3.3, "reference_perplexity": 3.0, "kl": 0.1,
        "kl_p99": 0.4, "same_top": 0.9,
    }  # fmt: skip
    return FileQuality.model_validate({**known, **changes})


def measured_by_report(workspace: Workspace, created: float, path: Path, accuracy: float) -> None:
    folder = workspace.jobs_dir / f"evaluate-{created:g}"
    folder.mkdir(parents=True)
    (folder / REPORT_FILE).write_text("{}")
    model = Measured(
        label=path.stem, sha256=sha256_file(path), size_bytes=path.stat().st_size,
        figures={"call_accuracy": Figure(name="call_accuracy", value=accuracy)},
    )  # fmt: skip
    digest = ReportDigest(
        source=report_state(folder), created=created, test_set="one", turns=23, tone="same", models=(model,)
    )
    (folder / DIGEST_FILE).write_text(digest.model_dump_json())


def measured_by_benchmark(workspace: Workspace, path: Path, speed: float) -> None:
    folder = workspace.jobs_dir / "benchmark-one"
    folder.mkdir(parents=True)
    models = [{"label": "old", "sha256": "other"}, {"label": "new", "sha256": sha256_file(path)}]
    save_state(folder, JobState(kind="benchmark", status="done", arguments={"models": models}))
    report = benchmark(("old", 100, 10), ("new", 150, speed))
    sizes = {"old": 1, "new": path.stat().st_size}
    (folder / BENCHMARK_FILE).write_text(report.model_copy(update={"file_bytes": sizes}).model_dump_json())


@pytest.mark.slow
def test_every_type_has_a_row_with_what_is_known_of_its_file(workspace: Workspace, made: Path) -> None:
    rows = type_rows(workspace, "first")
    assert [one.size for one in rows] == sorted((one.size for one in rows), reverse=True)
    assert {one.type for one in rows} == set(TYPES)
    assert {one.type: one.path for one in rows if one.path} == {"Q4_0": made, "F16": merged_path(workspace, "first")}
    assert all(one.size == estimate_size(merged_path(workspace, "first"), one.type).size for one in rows)
    assert not any(one.is_measured or one.tool_accuracy or one.tokens_per_second for one in rows)
    save_quality(workspace, quality(made))
    measured_by_report(workspace, 1, made, 0.5)
    measured_by_report(workspace, 2, made, 0.75)
    measured_by_benchmark(workspace, made, 42)
    found = row_of(workspace, "Q4_0")
    assert (found.perplexity, found.kl, found.kl_p99, found.same_top) == (3.3, 0.1, 0.4, 0.9)
    assert (found.tool_accuracy, found.tokens_per_second) == (0.75, 42)
    assert found.sha256 == sha256_file(made)
    assert not row_of(workspace, "F16").is_measured

    # A file that was made anew was never measured.
    made.write_bytes(made.read_bytes()[:-1] + b"\x01")
    changed = row_of(workspace, "Q4_0")
    assert (changed.kl, changed.tool_accuracy, changed.tokens_per_second) == (None, None, None)


@pytest.mark.slow
def test_figures_on_other_texts_do_not_stand_beside_newer_ones(workspace: Workspace, made: Path) -> None:
    save_quality(workspace, quality(made))
    assert row_of(workspace, "Q4_0").kl == 0.1
    save_quality(workspace, quality(made, sha256="another file", rows_sha256="newer rows"))
    assert row_of(workspace, "Q4_0").kl is None


@pytest.mark.slow
def test_a_mixed_file_has_a_row_of_its_own(workspace: Workspace, made: Path) -> None:
    mixed = made.with_name("first.Q4_0-mixed-9MB.gguf")
    quantize_file(merged_path(workspace, "first"), mixed, "Q4_0", overrides={"token_embd": "Q8_0"})
    assert row_of(workspace, "Q4_0").path == made
    assert row_of(workspace, "Q4_0, mixed").path == mixed
    assert row_of(workspace, "Q4_0, mixed").size == mixed.stat().st_size


def test_a_run_that_does_not_exist_has_no_table(workspace: Workspace) -> None:
    with pytest.raises(ConversionError):
        type_rows(workspace, "nobody")
