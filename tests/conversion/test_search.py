"""The search for the best file within a limit: what it may choose, tries, keeps and refuses."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.config import QualityFloor, load_profiles
from studio.conversion import GGUFConverter, list_models, start_optimization, start_quality
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ConversionStopped
from studio.conversion.memory import memory_needed
from studio.conversion.quality.meter import QualityMeter
from studio.conversion.quality.records import FileQuality, HeldOutRow, known_qualities
from studio.conversion.search.candidates import NOISE, Candidate, candidates, exact_size
from studio.conversion.search.fitting import choosable, size_within_memory
from studio.conversion.search.optimization import Limits
from studio.conversion.search.search import OptimizeReport, Search, floor_faults, promising
from studio.errors import ConversionError
from studio.jobs import Job, MessageEvent
from studio.workspace import Workspace, sha256_file
from tests.conftest import PROJECT
from tests.conversion.conftest import Bench
from tests.conversion.test_service import Stock, Studio, studio

__all__ = ["studio"]  # a fixture

TINY, SMOLLM2 = "tiny-llama", "smollm2-135m-instruct"
SHORT = "<SYSTEM>\n# Role\nDM\n</SYSTEM>\n\n<User>Hello?</User>\n\n<DM>Nobody answers, but something listens.</DM>\n"
LIMIT = 14_000_000
ANYTHING = QualityFloor(max_kl=100, max_perplexity_increase=100)


@pytest.fixture(scope="module")
def smollm2_header(bench: Bench) -> GGUFHeader:
    return read_header(bench.merged(SMOLLM2))


@pytest.fixture(scope="module")
def every(smollm2_header: GGUFHeader) -> list[Candidate]:
    return candidates(smollm2_header)


# -- what could be made


def test_sizes_of_candidates_are_exact(bench: Bench, smollm2_header: GGUFHeader, every: list[Candidate]) -> None:
    tiny = read_header(bench.merged(TINY))
    for header, found in ((smollm2_header, every), (tiny, candidates(tiny))):
        for one in found[:: len(found) // 5]:
            assert exact_size(header, one) == one.size, one


def test_every_plain_type_is_a_candidate_and_no_file_stands_there_twice(
    smollm2_header: GGUFHeader, every: list[Candidate]
) -> None:
    plain = {one.type for one in every if not one.overrides}
    sizes = {one.size for one in choosable(smollm2_header)}
    assert {one.size for one in every if not one.overrides} == sizes
    assert plain <= {one.type for one in choosable(smollm2_header)}
    assert len(every) > 2 * len(plain)
    assert every == sorted(every, key=lambda one: one.expected_loss)
    assert {part for one in every for part in one.overrides} == {"token_embd", "attn_v", "ffn_down", "ffn_gate"}


def test_only_with_a_matrix_are_types_tried_that_need_one(smollm2_header: GGUFHeader, every: list[Candidate]) -> None:
    without = {one.type for one in every}
    assert without <= {one.type for one in choosable(smollm2_header)}
    assert {"IQ1_S", "IQ2_M"} <= {one.type for one in candidates(smollm2_header, imatrix=True)} - without


def test_less_noise_is_expected_to_lose_less(every: list[Candidate]) -> None:
    plain = {one.type: one.expected_loss for one in every if not one.overrides}
    order = ["Q8_0", "Q5_0", "IQ4_NL", "Q4_0"]
    assert sorted(order, key=plain.__getitem__) == order
    assert NOISE[max(NOISE, key=NOISE.__getitem__)] < 1


def promised(*rows: tuple[str, float, int], mixed: bool = True) -> list[Candidate]:
    return [Candidate(name, {"attn_v": "Q8_0"} if mixed else {}, size, loss) for name, loss, size in rows]


def test_what_is_tried_is_near_the_best_and_not_all_of_one_type() -> None:
    many = promised(("A", 1, 9), ("A", 1.1, 9), ("A", 1.2, 9), ("B", 1.3, 9), ("C", 1.9, 9), ("D", 2.1, 9))
    assert [one.type for one in promising(many, 6)] == ["A", "A", "B", "C"]
    assert [one.type for one in promising(many, 3)] == ["A", "A", "B"]


def test_what_size_alone_would_choose_is_always_tried() -> None:
    mixed, plain = promised(("A", 1, 9), ("B", 1.1, 8)), promised(("C", 5, 7), ("D", 6, 8), mixed=False)
    assert [one.type for one in promising([*mixed, *plain], 6)] == ["A", "B", "D"]
    assert [one.type for one in promising([*mixed, *plain], 2)] == ["A", "D"]


# -- limits


def test_a_memory_limit_leaves_room_for_weights_beside_the_window(smollm2_header: GGUFHeader) -> None:
    for context in (2048, 4096, 8192):
        size = size_within_memory(smollm2_header, 400_000_000, context)
        assert memory_needed(smollm2_header, size, context) == 400_000_000
    with pytest.raises(ConversionError) as caught:
        size_within_memory(smollm2_header, 10_000_000, 8192)
    missing = memory_needed(smollm2_header, smollm2_header.data_offset, 8192) - 10_000_000
    assert f"{missing:,} bytes" in caught.value.why


def test_limits_that_are_given_hold_beside_those_of_the_device(smollm2_header: GGUFHeader) -> None:
    phone = load_profiles(PROJECT)["phone_2gb"]
    assert Limits.of(phone).size == 400_000_000
    assert Limits.given(0.1, None, phone).file_size(smollm2_header) == 100_000_000
    assert Limits.given(9, None, phone).size == 400_000_000
    both = Limits.given(0.2, 0.15)
    assert both.file_size(smollm2_header) == size_within_memory(smollm2_header, 150_000_000, 2048) < 150_000_000
    for nothing in ((None, None), (0.0, None), (None, float("nan"))):
        with pytest.raises(ConversionError):
            Limits.given(*nothing)


def test_every_shipped_profile_has_a_floor_that_can_be_met() -> None:
    for profile in load_profiles(PROJECT).values():
        assert 0 < profile.quality_floor.max_kl < 1
        assert 0 < profile.quality_floor.max_perplexity_increase < 0.5


def quality(kl: float, perplexity: float) -> FileQuality:
    return FileQuality(
        file="a", size=1, sha256="a", reference_sha256="r", rows_sha256="t", positions=9, perplexity=perplexity,
        reference_perplexity=10.0, kl=kl, kl_p99=kl, same_top=0.9,
    )  # fmt: skip


def test_the_floor_is_about_divergence_and_perplexity() -> None:
    floor = QualityFloor(max_kl=0.1, max_perplexity_increase=0.05)
    assert floor_faults(quality(0.1, 10.4), floor) == []
    assert len(floor_faults(quality(0.11, 10.4), floor)) == 1
    assert len(floor_faults(quality(0.11, 10.6), floor)) == 2


# -- the search


@pytest.fixture(scope="module")
def rows(bench: Bench) -> list[HeldOutRow]:
    ids = bench.bases[TINY].tokenizer().encode("The goblin draws an arrow and looks at the door.").ids
    return [HeldOutRow(ids=tuple(ids), mask=(False, *(True,) * (len(ids) - 1)))]


@pytest.fixture
def make_search(
    bench: Bench, rows: list[HeldOutRow], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Callable[..., Search]:
    def make(**changes: object) -> Search:
        known: dict[str, object] = {
            "meter": QualityMeter(Workspace(tmp_path / "measured"), bench.merged(TINY), rows, threads=1),
            "size_limit": LIMIT,
            "floor": ANYTHING,
            "target": lambda word: tmp_path / "made" / f"tiny.{word}.gguf",
            "tries": 2,
        }
        return Search(**{**known, **changes})  # type: ignore[arg-type]

    return make


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "made").iterdir())


@pytest.mark.slow
def test_the_best_measured_candidate_is_kept_and_no_other(make_search: Callable[..., Search], tmp_path: Path) -> None:
    told: list[str] = []
    steps: list[tuple[int, int]] = []
    search = make_search(tell=told.append, progress=lambda *pair: steps.append(pair))
    report = search.run()
    assert made(tmp_path) == [report.path.name]
    assert report.size == report.predicted_size == report.path.stat().st_size <= LIMIT
    assert len(report.tried) == 2
    assert report.quality
    assert report.quality.kl == min(one.quality.kl for one in report.tried)
    assert report.quality.sha256 == sha256_file(report.path)
    assert search.meter.measure(report.path, stop=lambda: True).file == report.path.name  # known, so not measured again
    assert all(one.quality in known_qualities(search.meter.workspace) or one.quality.kl == report.quality.kl
               for one in report.tried)  # fmt: skip
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (1000, 1000)
    assert sum("Try " in sentence for sentence in told) == 2
    assert told[-1].startswith("Kept")


@pytest.mark.slow
def test_what_is_below_the_floor_is_refused_and_deleted(make_search: Callable[..., Search], tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        make_search(floor=QualityFloor(max_kl=1e-12), tries=1).run()
    assert "loses too much" in caught.value.what
    assert "KL divergence" in caught.value.why
    assert made(tmp_path) == []


def test_where_nothing_fits_the_missing_bytes_are_told(make_search: Callable[..., Search], bench: Bench) -> None:
    smallest = min(one.size for one in candidates(read_header(bench.merged(TINY))))
    with pytest.raises(ConversionError) as caught:
        make_search(size_limit=1_000_000).run()
    assert f"{smallest - 1_000_000:,} bytes too many" in caught.value.why


@pytest.mark.slow
def test_a_stopped_search_leaves_nothing(make_search: Callable[..., Search], tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(ConversionStopped):
        make_search(tell=told.append, stop=lambda: any("Try 2" in one for one in told)).run()
    assert made(tmp_path) == []


# -- as a job, a command, and from Python


def stock_short(stocked: Stock) -> Workspace:
    """A run called `first` on the tiny model, and one short held-out scenario."""
    workspace = stocked(TINY)
    workspace.validation_dir.mkdir(parents=True)
    (workspace.validation_dir / "short.md").write_text(SHORT)
    return workspace


def profiles(workspace: Workspace, size_gb: float, floor: str = "{max_kl: 100, max_perplexity_increase: 100}") -> None:
    workspace.config_dir.mkdir(exist_ok=True)
    settings = f"{{type: Q8_0, size_limit_gb: {size_gb}}}"
    text = (
        "profiles:\n  - {name: tight, target_platform: mobile, memory_limit_gb: 1, inference_speed_priority: 0.5, "
        f"quality_priority: 0.5, quantization_settings: {settings}, quality_floor: {floor}}}\n"
    )
    (workspace.config_dir / "optimization_profiles.yaml").write_text(text)


def said(job: Job) -> list[str]:
    return [one.text for one in job.events().events if isinstance(one, MessageEvent)]


@pytest.mark.slow
def test_the_job_finds_the_best_file_for_a_device_and_measures_what_is_there(stocked: Stock) -> None:
    workspace = stock_short(stocked)
    profiles(workspace, 0)  # no limit of size: little comes near Q8_0, so little is tried
    job = start_optimization(workspace, "first", "tight")
    state = job.wait(240)
    assert state.status == "done", state.error
    path = workspace.root / str(state.result["quantized"])
    assert state.result["type"] == "Q8_0"
    assert path.name.startswith("first.Q8_0")
    assert path.stat().st_size == state.result["size"]
    assert state.result["sha256"] == sha256_file(path)
    found = FileQuality.model_validate(state.result["quality"])
    assert (found.file, found.sha256) == (path.name, state.result["sha256"])
    assert [one.name for one in list_models(workspace) if not one.is_base] == [path.stem, "first.f16"]
    assert any("Try 1" in text for text in said(job))
    measured = start_quality(workspace, "first").wait(120)
    assert measured.status == "done", measured.error
    qualities = [FileQuality.model_validate(one) for one in measured.result["qualities"]]  # type: ignore[union-attr]
    assert [one.file for one in qualities] == ["first.f16.gguf", path.name]
    assert qualities[1] == found


@pytest.mark.slow
def test_a_stopped_job_leaves_the_merged_file_alone(stocked: Stock) -> None:
    workspace = stock_short(stocked)
    profiles(workspace, LIMIT / 1e9)
    job = start_optimization(workspace, "first", "tight")
    deadline = time.monotonic() + 120
    while not any("Try 1" in text for text in said(job)):
        assert time.monotonic() < deadline
        assert not job.state().is_finished
        time.sleep(0.05)
    with pytest.raises(ConversionError) as caught:
        start_optimization(workspace, "first", "tight")
    assert "already" in caught.value.what
    job.stop()
    assert job.wait(60).status == "stopped"
    assert [path.name for path in (workspace.gguf_dir / "first").iterdir()] == ["first.f16.gguf"]


@pytest.mark.slow
def test_the_command_searches_and_measures(stocked: Stock, studio: Studio) -> None:
    workspace = stock_short(stocked)
    GGUFConverter(workspace).quantize_model(workspace.checkpoints_dir / "first", "Q4_0")
    table = studio(workspace, "quality", "first.Q4_0", "first.f16")
    assert table.status == 0, table.err
    assert "first.Q4_0.gguf" in table.out
    assert "held-out" in table.out
    source = workspace.gguf_dir / "first" / "first.f16.gguf"
    report = GGUFConverter(workspace).optimize_for_mobile(source, LIMIT / 1e9, fast=True)
    assert report.size == max(one.size for one in choosable(source) if one.size <= LIMIT)
    assert report.quality is None
    found = studio(workspace, "quantize", "first", "--size-limit-gb", 1, "--json")
    assert found.status == 0, found.out
    best = OptimizeReport.model_validate(found.document)
    assert best.quality
    assert (best.type, best.size_limit) == ("Q8_0", 1_000_000_000)
    assert best.quality.kl == min(one.quality.kl for one in best.tried)


def test_the_command_tells_what_does_not_fit(stocked: Stock, studio: Studio, bench: Bench) -> None:
    workspace = stocked(TINY)
    source = bench.merged(TINY)
    outcome = studio(workspace, "quantize", source, "--memory-limit-gb", "0.001", "--json")
    assert outcome.status == 1
    assert "bytes more" in outcome.document["why"]
    assert studio(workspace, "quantize", source, "--size-limit-gb", "0.0001", "--json").status == 1
    for wrong in (["--fast"], ["--profile", "fridge"], ["--size-limit-gb", "1", "--override", "attn_v=Q8_0"]):
        assert studio(workspace, "quantize", source, *wrong).status == 2, wrong
