"""What the page Models says of types: limits of the device, the recommended one, the frontier, and the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from studio.bases import BaseModel
from studio.config import OptimizationProfile, load_profiles
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.quantization.sizes import estimate_sizes
from studio.conversion.speed.expected import DecodingPace, possible_kinds
from studio.ui.file_quality import TypeRow
from studio.ui.frontier_chart import LOSSES, frontier_chart
from studio.ui.model_types import (
    SHORT_LIST,
    TypeLine,
    frontier,
    limits_words,
    recommendation,
    recommended,
    short_list,
    type_lines,
)
from studio.ui.type_table import option, type_table
from tests.conftest import PROJECT

Lines = Callable[..., list[TypeLine]]


@pytest.fixture(scope="module")
def header(smollm2: BaseModel) -> GGUFHeader:
    assert smollm2.gguf
    return read_header(smollm2.gguf)


@pytest.fixture(scope="module")
def rows(header: GGUFHeader) -> list[TypeRow]:
    return [TypeRow(one.type, one.size, one.bits_per_weight, None, one.needs_imatrix) for one in estimate_sizes(header)]


@pytest.fixture
def lines(header: GGUFHeader, rows: list[TypeRow]) -> Lines:
    """Lines for a profile; `measured`: type -> KL divergence, those files are made."""

    def make(profile: OptimizationProfile, **measured: float) -> list[TypeLine]:
        made = [
            replace(one, path=header.path, kl=measured[one.type], same_top=0.97, perplexity=10 + measured[one.type])
            if one.type in measured
            else one
            for one in rows
        ]
        return type_lines(made, header, profile, None)

    return make


def device(**settings: float) -> OptimizationProfile:
    """The phone with 2 GB, with other limits."""
    phone = load_profiles(PROJECT)["phone_2gb"]
    limits = phone.quantization_settings.model_copy(
        update={key: value for key, value in settings.items() if key != "memory_limit_gb"}
    )
    return phone.model_copy(
        update={
            "quantization_settings": limits,
            "memory_limit_gb": settings.get("memory_limit_gb", phone.memory_limit_gb),
        }
    )


def test_before_anything_is_made_the_profiles_type_is_recommended(lines: Lines) -> None:
    chosen = recommended(lines(device()), device())
    assert chosen is not None
    assert chosen.row.type == "Q8_0"


def test_a_limit_below_the_profiles_type_takes_the_largest_that_fits(lines: Lines) -> None:
    small = device(size_limit_gb=0.1)
    found = lines(small)
    chosen = recommended(found, small)
    assert chosen is not None
    assert chosen.row.size <= 100_000_000
    assert all(one.row.size > 100_000_000 for one in found if one.row.size > chosen.row.size)


def test_a_memory_limit_counts_the_kv_cache(lines: Lines) -> None:
    tight = device(memory_limit_gb=0.2)
    by_type = {one.row.type: one for one in lines(tight)}
    assert not by_type["Q8_0"].fits
    assert "memory" in by_type["Q8_0"].too_large
    assert by_type["Q8_0"].memory[2048] > by_type["Q8_0"].row.size
    assert by_type["Q8_0"].memory[8192] > by_type["Q8_0"].memory[4096] > by_type["Q8_0"].memory[2048]


def test_what_was_measured_wins_and_equal_quality_goes_to_the_smaller(lines: Lines) -> None:
    found = lines(device(), Q8_0=0.0006, Q6_K=0.0008, Q4_K_M=0.03)
    chosen = recommended(found, device())
    assert chosen is not None
    assert chosen.row.type == "Q6_K"


def test_nothing_that_needs_a_matrix_or_is_no_quantization_is_recommended_unmeasured(lines: Lines) -> None:
    tiny = device(size_limit_gb=0.0865, type="IQ2_M")
    chosen = recommended(lines(tiny), tiny)
    assert chosen is None
    assert "No type" in recommendation(chosen, lines(tiny), tiny)


def test_the_sentence_says_what_it_takes_and_how_near_it_comes(lines: Lines) -> None:
    found = lines(device(), Q8_0=0.0006)
    sentence = recommendation(recommended(found, device()), found, device())
    for words in ("Q8_0", "145 MB", "2,048 tokens", "97.0%", "0.0006"):
        assert words in sentence


def test_the_frontier_leaves_out_what_another_beats(lines: Lines) -> None:
    found = lines(device(), F16=0.0, Q8_0=0.001, Q5_1=0.05, Q5_0=0.02)
    assert [one.row.type for one in frontier(found)] == ["Q5_0", "Q8_0", "F16"]


@pytest.mark.parametrize("which", LOSSES)
def test_the_chart_has_every_measured_type_and_one_star(lines: Lines, which: str) -> None:
    found = lines(device(), F16=0.0, Q8_0=0.001, Q5_1=0.05, Q5_0=0.02)
    chosen = recommended(found, device())
    figure = frontier_chart(found, chosen, which, limit=120_000_000)
    drawn = {one.name: list(one.text) for one in figure.data}
    assert set(drawn["no type beats these"]) | set(drawn["others"]) == {"F16", "Q8_0", "Q5_1", "Q5_0"}
    assert chosen is not None
    assert drawn["recommended"] == [chosen.row.type]
    assert [shape.x0 for shape in figure.layout.shapes] == [120]


def test_the_short_list_is_short_and_keeps_what_is_made(lines: Lines) -> None:
    found = lines(device(), Q3_K_L=0.1)
    chosen = recommended(found, device())
    assert {one.row.type for one in short_list(found, chosen)} == {*SHORT_LIST, "Q3_K_L"}
    assert len(found) == 32


def test_the_table_tells_the_state_and_leaves_out_empty_columns(lines: Lines) -> None:
    found = lines(device())
    columns = type_table(found, recommended(found, device()))
    assert {"KL", "Measured", "Expected"}.isdisjoint(columns)
    state = dict(zip(columns["Type"], columns["State"], strict=True))
    assert state["Q8_0"] == "recommended"
    assert state["IQ1_S"] == "needs a matrix"
    assert "importance matrix" in option(next(one for one in found if one.row.type == "IQ1_S"))
    assert "KL" in type_table(lines(device(), Q8_0=0.001), None)


def test_the_expected_speed_is_the_time_of_all_bytes_and_the_rest(header: GGUFHeader, rows: list[TypeRow]) -> None:
    """With 10 ns for every byte, whatever its type, and 1 ms beside: half the bytes write nearly twice as fast."""
    kinds = {one.name: 1e-8 for one in possible_kinds(header)}
    pace = DecodingPace(processor="p", cores=2, seconds_per_byte=kinds, rest_seconds=1e-3, measured=1.0)
    speeds = {one.row.type: one.expected for one in type_lines(rows, header, device(), pace)}
    matrices = sum(tensor.elements for tensor in header.tensors if len(tensor.shape) == 2)
    assert speeds["F16"] == pytest.approx(1 / (2 * matrices * 1e-8 + 1e-3))
    assert speeds["Q8_0"] == pytest.approx(1 / (matrices * 34 / 32 * 1e-8 + 1e-3))
    without = pace.model_copy(update={"seconds_per_byte": {"F16": 1e-8}})
    unknown = {one.row.type: one.expected for one in type_lines(rows, header, device(), without)}
    assert unknown["F16"] == speeds["F16"]
    assert unknown["Q8_0"] is None


def test_the_limits_of_a_device_are_told() -> None:
    assert limits_words(device()) == "A file of 400 MB and 859 MB of memory with a window of 2,048 tokens."
    assert limits_words(load_profiles(PROJECT)["server"]).startswith("A file of any size and 34.36 GB")
