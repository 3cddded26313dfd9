"""Importance matrices in a workspace: which texts they are made from, where they lie, and which commands make them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from studio import cli
from studio.conversion import (
    GGUFConverter,
    Limits,
    estimate_sizes,
    known_imatrix,
    list_models,
    merged_path,
    start_imatrix,
)
from studio.conversion.formats.gguf_header import GGUFHeader, read_header, type_names
from studio.conversion.imatrix.matrix import IMATRIX_SHA256, read_imatrix
from studio.conversion.imatrix.texts import imatrix_texts
from studio.conversion.search.matrix import helpful_imatrix
from studio.dataset.rows_store import SCHEMA, write_rows
from studio.errors import ConversionError
from studio.workspace import PROJECT_ROOT, Workspace, sha256_file
from tests.conversion.conftest import Bench

TINY = "tiny-llama"
SCENARIO = PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md"


@pytest.fixture
def campaign(stocked: Callable[[str], Workspace], bench: Bench) -> Workspace:
    """A workspace with one scenario and a run called `first`, merged already."""
    workspace = stocked(TINY)
    place = workspace.scenarios_dir / "combat" / SCENARIO.name
    place.parent.mkdir(parents=True)
    shutil.copyfile(SCENARIO, place)
    GGUFConverter(workspace).convert_to_gguf(workspace.checkpoints_dir / "first", merged_path(workspace, "first"))
    return workspace


def header_of(workspace: Workspace) -> GGUFHeader:
    return read_header(merged_path(workspace, "first"))


def test_without_a_dataset_the_scenarios_are_read_as_the_model_reads_them(campaign: Workspace) -> None:
    texts = imatrix_texts(campaign, header_of(campaign))
    assert texts.name == "1 scenarios"
    tokens = header_of(campaign).array("tokenizer.ggml.tokens")
    assert [tokens[one] for one in texts.rows[0][:2]] == ["<|im_start|>", "system"]


def test_what_the_run_was_trained_on_comes_before_the_scenarios(campaign: Workspace) -> None:
    rows = [{"source": "a.md", "scenario_type": "combat", "turns": [0, 1], "input_ids": ids} for ids in ([1, 7], [9])]
    write_rows(campaign.processed_dir / ("d" * 64) / "train.arrow", [pa.Table.from_pylist(rows, schema=SCHEMA)])
    assert imatrix_texts(campaign, header_of(campaign)).rows == [[1, 7], [9]]
    assert imatrix_texts(campaign, header_of(campaign), [campaign.scenarios_dir]).name == "1 scenarios"


def test_a_damaged_dataset_and_no_scenario_at_all_are_told(campaign: Workspace, tmp_path: Path) -> None:
    damaged = campaign.processed_dir / ("d" * 64) / "train.arrow"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no rows")
    with pytest.raises(ConversionError):
        imatrix_texts(campaign, header_of(campaign))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConversionError) as caught:
        imatrix_texts(campaign, header_of(campaign), [empty])
    assert "scenario" in caught.value.what


@pytest.mark.slow
def test_the_commands_make_a_matrix_once_and_the_smallest_type_with_it(
    campaign: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> dict[str, object]:
        assert cli.main(["--workspace", str(campaign.root), *words, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    made = run("quantize", "first", "--type", "IQ2_XXS", "--override", "attn_v=Q8_0")
    matrix = campaign.gguf_dir / "first" / "first.imatrix.gguf"
    assert made["path"] == str(campaign.gguf_dir / "first" / "first.IQ2_XXS-mixed.gguf")
    assert made["size"] == made["predicted_size"]
    header = read_header(Path(str(made["path"])))
    assert header.text(IMATRIX_SHA256) == sha256_file(matrix)
    assert type_names(one for one in header.tensors if "attn_v" in one.name) == {"Q8_0": 2}
    assert run("imatrix", "first")["reused"] is True
    assert known_imatrix(campaign, merged_path(campaign, "first")) == matrix
    assert read_imatrix(matrix).datasets == ("1 scenarios",)
    assert "first.imatrix" not in {one.name for one in list_models(campaign)}


@pytest.mark.slow
def test_a_job_makes_the_matrix_and_the_converter_takes_it(campaign: Workspace) -> None:
    merged = merged_path(campaign, "first")
    assert known_imatrix(campaign, merged) is None
    state = start_imatrix(campaign, merged).wait(timeout=120)
    assert state.status == "done", state.error
    matrix = campaign.root / str(state.result["path"])
    written = matrix.stat().st_mtime_ns
    made = GGUFConverter(campaign).quantize_model(merged, "iq1_s", imatrix="auto")
    assert matrix.stat().st_mtime_ns == written
    assert made.size == made.predicted_size
    assert read_header(made.path).text(IMATRIX_SHA256) == sha256_file(matrix)


@pytest.mark.parametrize("wish", ["attn_v", "=Q8_0", "attn_v="])
def test_an_override_of_another_form_is_wrong_usage(campaign: Workspace, wish: str) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--workspace", str(campaign.root), "quantize", "first", "--type", "Q4_0", "--override", wish])
    assert caught.value.code == 2


def test_a_search_gets_a_matrix_where_only_small_types_fit(campaign: Workspace) -> None:
    merged, told = merged_path(campaign, "first"), list[str]()
    sizes = {one.type: one.size for one in estimate_sizes(merged)}
    assert helpful_imatrix(campaign, merged, Limits(size=sizes["Q8_0"]), tell=told.append) is None
    assert not told
    matrix = helpful_imatrix(campaign, merged, Limits(size=sizes["Q4_0"]), tell=told.append)
    assert matrix == known_imatrix(campaign, merged)
    assert matrix is not None
    assert "importance matrix" in told[0]
    assert helpful_imatrix(campaign, merged, Limits(size=sizes["Q8_0"])) == matrix  # it lies there now


def test_a_search_without_any_text_says_so_and_goes_on_without_a_matrix(campaign: Workspace) -> None:
    shutil.rmtree(campaign.scenarios_dir)
    merged, told = merged_path(campaign, "first"), list[str]()
    size = next(one.size for one in estimate_sizes(merged) if one.type == "Q4_0")
    assert helpful_imatrix(campaign, merged, Limits(size=size), tell=told.append) is None
    assert "no importance matrix" in told[-1]
    with pytest.raises(ConversionError):
        helpful_imatrix(campaign, merged, Limits(size=1000))
