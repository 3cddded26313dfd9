"""The conversion job and the commands: exit statuses, stop, collisions, and the size that a profile allows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.cli import main
from studio.conversion import list_models, start_conversion
from studio.conversion.formats.gguf_header import read_header
from studio.errors import ConfigError, ConversionError, WorkspaceError
from studio.jobs import Job, MessageEvent
from studio.workspace import PROJECT_ROOT, Workspace, sha256_file
from tests.commands.running import Outcome
from tests.conversion.conftest import Bench

TINY, SMOLLM2 = "tiny-llama", "smollm2-135m-instruct"
PROFILE = """profiles:
  - name: tight
    target_platform: mobile
    memory_limit_gb: 1
    inference_speed_priority: 0.5
    quality_priority: 0.5
    quantization_settings: {{type: Q8_0, size_limit_gb: {limit}}}
"""


@pytest.fixture
def studio(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """The command line in this process: `studio(workspace, "models")`."""

    def run(workspace: Workspace, *arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            status = main(["--workspace", str(workspace.root), *map(str, arguments)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


Studio = Callable[..., Outcome]
Stock = Callable[[str], Workspace]


def allow(workspace: Workspace, limit: float) -> None:
    workspace.config_dir.mkdir(exist_ok=True)
    (workspace.config_dir / "optimization_profiles.yaml").write_text(PROFILE.format(limit=limit))


def files(workspace: Workspace) -> list[str]:
    """Everything below models/gguf/, hidden files too."""
    return sorted(path.relative_to(workspace.gguf_dir).as_posix() for path in workspace.gguf_dir.rglob("*.*"))


@pytest.mark.slow
def test_convert_makes_both_files_and_says_so(stocked: Stock, studio: Studio) -> None:
    workspace = stocked(TINY)
    outcome = studio(workspace, "convert", "first", "--json")
    assert outcome.status == 0, outcome.err
    made = outcome.document
    assert files(workspace) == ["first/first.Q8_0.gguf", "first/first.f16.gguf"]
    assert (made["type"], made["fits"]) == ("Q8_0", True)
    assert made["sha256"] == sha256_file(workspace.root / made["quantized"])
    assert read_header(workspace.root / made["quantized"]).text("studio.run") == "first"
    listed = {row["name"]: row for row in studio(workspace, "models", "--json").document}
    assert listed["first.Q8_0"]["size"] == made["size"]
    assert listed[SMOLLM2]["base"]
    told = studio(workspace, "convert", "first")
    assert told.status == 0
    assert "first.Q8_0.gguf" in told.out
    assert "Merging" in told.err


def test_convert_refuses_what_it_cannot_find(empty_workspace: Workspace, studio: Studio) -> None:
    (empty_workspace.checkpoints_dir / "unfinished").mkdir(parents=True)
    assert studio(empty_workspace, "convert", "nobody").status == 1
    outcome = studio(empty_workspace, "convert", "unfinished", "--json")
    assert outcome.status == 1
    assert "no finished adapter" in outcome.document["what"]
    assert studio(empty_workspace, "convert", "../escape").status == 1
    assert not empty_workspace.gguf_dir.exists()


def test_convert_is_used_wrongly_with_a_type_or_profile_that_does_not_exist(stocked: Stock, studio: Studio) -> None:
    workspace = stocked(TINY)
    assert studio(workspace, "convert", "first", "--type", "Q9").status == 2
    assert studio(workspace, "convert", "first", "--profile", "fridge").status == 2
    assert studio(workspace, "convert").status == 2
    with pytest.raises(ConfigError):
        start_conversion(workspace, "first", "fridge")
    with pytest.raises(ConversionError):
        start_conversion(workspace, "first", type_name="Q9")
    with pytest.raises(WorkspaceError):
        start_conversion(workspace, "../first")


def test_a_failed_conversion_ends_with_status_1_and_the_reason(stocked: Stock, studio: Studio) -> None:
    workspace = stocked(TINY)
    weights = workspace.checkpoints_dir / "first" / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    outcome = studio(workspace, "convert", "first")
    assert outcome.status == 1
    assert "damaged" in outcome.out
    assert studio(workspace, "convert", "first", "--json").document["status"] == "failed"


@pytest.mark.slow
def test_a_profile_that_is_too_small_for_its_type_gets_the_largest_that_fits(stocked: Stock) -> None:
    workspace = stocked(TINY)
    allow(workspace, 0.014)
    job = start_conversion(workspace, "first", "tight")
    state = job.wait(120)
    assert state.status == "done", state.error
    assert state.result["type"] != "Q8_0"
    assert state.result["fits"] is True
    assert int(str(state.result["size"])) <= 14_000_000
    assert "the largest type that fits" in warnings(job)


@pytest.mark.slow
def test_a_type_that_was_asked_for_is_kept_and_the_excess_reported(stocked: Stock) -> None:
    workspace = stocked(TINY)
    allow(workspace, 0.014)
    job = start_conversion(workspace, "first", "tight", type_name="q8_0")
    state = job.wait(120)
    assert (state.result["type"], state.result["fits"]) == ("Q8_0", False)
    assert "allows 14.0 MB" in warnings(job)


def test_a_profile_that_nothing_fits_makes_no_quantized_file(stocked: Stock) -> None:
    workspace = stocked(TINY)
    allow(workspace, 0.001)
    state = start_conversion(workspace, "first", "tight").wait(120)
    assert state.status == "failed"
    assert state.error is not None
    assert "smallest" in state.error["why"]
    assert files(workspace) == ["first/first.f16.gguf"]


def warnings(job: Job) -> str:
    events = job.events().events
    return " ".join(event.text for event in events if isinstance(event, MessageEvent) and event.level == "warning")


def quantizing(job: Job) -> bool:
    """Whether the job has come past merging and is in the middle of quantizing."""
    state = job.state()
    return state.is_finished or 52 < state.progress.done < 100


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_run_is_converted_once_at_a_time_and_stopping_leaves_no_half_file(stocked: Stock) -> None:
    workspace = stocked(SMOLLM2)
    job = start_conversion(workspace, "first", type_name="IQ4_NL")
    wait_for(lambda: quantizing(job))
    with pytest.raises(ConversionError) as caught:
        start_conversion(workspace, "first")
    assert "already" in caught.value.what
    job.stop()
    assert job.wait(60).status == "stopped"
    assert files(workspace) == ["first/first.f16.gguf"]
    (workspace.gguf_dir / "first" / ".first.IQ4_NL.gguf.left.part").write_bytes(b"of a killed conversion")
    again = start_conversion(workspace, "first").wait(120)
    assert again.status == "done"
    assert files(workspace) == ["first/first.Q8_0.gguf", "first/first.f16.gguf"]


@pytest.mark.slow
def test_ctrl_c_stops_the_conversion(stocked: Stock) -> None:
    workspace = stocked(SMOLLM2)
    command = [
        sys.executable,
        "-m",
        "studio",
        "--workspace",
        str(workspace.root),
        "convert",
        "first",
        "--type",
        "IQ4_NL",
    ]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        jobs = workspace.jobs_dir
        wait_for(lambda: any(quantizing(Job(path.parent)) for path in jobs.glob("*/state.json")))
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert b"stopped" in out
    assert files(workspace) == ["first/first.f16.gguf"]


@pytest.mark.slow
def test_quantize_makes_a_type_or_fits_a_limit(bench: Bench, empty_workspace: Workspace, studio: Studio) -> None:
    source = empty_workspace.gguf_dir / "hero" / "hero.f16.gguf"
    source.parent.mkdir(parents=True)
    source.hardlink_to(bench.merged(TINY))
    by_type = studio(empty_workspace, "quantize", "hero", "--type", "q4_0", "--json")
    assert by_type.status == 0, by_type.err
    assert by_type.document["path"] == str(source.with_name("hero.Q4_0.gguf"))
    out = empty_workspace.root / "phone.gguf"
    by_size = studio(empty_workspace, "quantize", source, "--size-limit-gb", "0.014", "--fast", "--out", out)
    assert by_size.status == 0, by_size.err
    assert out.stat().st_size <= 14_000_000
    assert "phone.gguf" in by_size.out
    assert next(one.name for one in list_models(empty_workspace)) == "hero.Q4_0"


def test_quantize_tells_what_cannot_be(bench: Bench, empty_workspace: Workspace, studio: Studio) -> None:
    source = bench.merged(TINY)
    too_small = studio(empty_workspace, "quantize", source, "--size-limit-gb", "0.0001", "--json")
    assert too_small.status == 1
    assert "smallest" in too_small.document["why"]
    assert studio(empty_workspace, "quantize", "nothing", "--type", "Q8_0").status == 1
    assert studio(empty_workspace, "quantize", source, "--type", "IQ1_S").status == 1
    base = bench.bases[SMOLLM2].gguf
    assert studio(empty_workspace, "quantize", base, "--type", "Q4_0").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--type", "Q9"], ["--size-limit-gb", "0"], ["--size-limit-gb", "much"], ["--size-limit-gb", "nan"],
        ["--type", "Q8_0", "--size-limit-gb", "1"], ["--type", "Q8_0", "--out", "notes.md"],
    ],
)  # fmt: skip
def test_quantize_is_used_wrongly(
    bench: Bench, empty_workspace: Workspace, studio: Studio, arguments: list[str]
) -> None:
    assert studio(empty_workspace, "quantize", bench.merged(TINY), *arguments).status == 2


def test_quantize_never_writes_over_its_source(bench: Bench, empty_workspace: Workspace, studio: Studio) -> None:
    source = bench.merged(TINY)
    before = sha256_file(source)
    assert studio(empty_workspace, "quantize", source, "--type", "Q8_0", "--out", source).status == 2
    assert sha256_file(source) == before


@pytest.mark.slow
def test_inspect_shows_a_good_file(bench: Bench, empty_workspace: Workspace, studio: Studio) -> None:
    outcome = studio(empty_workspace, "inspect", bench.merged(TINY))
    assert outcome.status == 0, outcome.out
    assert "studio.base.name" in outcome.out
    assert "F16" in outcome.out
    document = studio(empty_workspace, "inspect", bench.merged(TINY), "--json").document
    assert document["valid"] is True
    assert sum(group["tensors"] for group in document["tensor_types"]) == len(read_header(bench.merged(TINY)).tensors)


def test_inspect_ends_with_status_1_for_a_bad_file(empty_workspace: Workspace, studio: Studio, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF\x03\0\0\0")
    outcome = studio(empty_workspace, "inspect", bad, "--json")
    assert outcome.status == 1
    assert outcome.document["valid"] is False
    assert "NOT VALID" in studio(empty_workspace, "inspect", bad).out
    assert studio(empty_workspace, "inspect", "nothing").status == 1


def test_inspect_lets_no_file_steer_the_terminal(
    bench: Bench, empty_workspace: Workspace, studio: Studio, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.gguf"
    data = bench.merged(TINY).read_bytes()[:4_000_000].replace(b"tiny-llama", b"\x1b[2J\x1b[31mx", 1)
    bad.write_bytes(data)
    outcome = studio(empty_workspace, "inspect", bad)
    assert outcome.status == 1
    assert "\x1b" not in outcome.out
    assert "\\x1b[2J" in outcome.out
