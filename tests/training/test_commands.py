"""`train`, `runs` and `stop` on the command line: what they do, what they print, and their exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio import cli
from studio.config import BalanceConfig, save_settings
from studio.jobs import Job
from studio.training import Provenance, Run, find_run
from studio.workspace import PROJECT_ROOT, Workspace
from tests.training.conftest import PATIENCE, SETTINGS

SHORT = ["--set", "base_model=tiny-llama", "--set", "max_steps=2"]


@pytest.fixture
def studio(campaign: Workspace, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in the campaign: its exit status, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["--workspace", str(campaign.root), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_preset_is_trained_and_followed_to_its_end(studio: Any, campaign: Workspace) -> None:
    status, out, err = studio("train", "--preset", "good", *SHORT, "--name", "by preset")
    assert status == 0
    assert "done" in out
    assert "step 2/2" in err
    assert find_run(campaign, "by preset").config().lora_rank == 16


def test_a_file_of_settings_and_an_earlier_run_are_trained_further_and_told_as_json(
    studio: Any, campaign: Workspace, finished: Run, tmp_path: Path
) -> None:
    save_settings(SETTINGS.model_copy(update={"lora_rank": 64}), tmp_path / "mine.yaml")
    arguments = ["--config", str(tmp_path / "mine.yaml"), "--set", "max_steps=1", "--set", "learning_rate=1e-4"]
    status, out, _ = studio("train", *arguments, "--name", "by file", "--from", finished.name, "--json")
    result = json.loads(out)
    assert status == 0
    assert (result["run"], result["status"], result["progress"]["total"]) == ("by file", "done", 1)
    run = find_run(campaign, "by file")
    assert run.config().learning_rate == 1e-4
    assert run.config().lora_rank == SETTINGS.lora_rank  # of the adapter it began with
    assert run.adapter
    assert len(Provenance.read(run.adapter).parent_adapter_sha256) == 64


@pytest.mark.parametrize(("changes", "expected"), [([], 0), (["--set", "memory_limit_gb=0.2"], 1)])
def test_an_estimate_starts_nothing(studio: Any, campaign: Workspace, changes: list[str], expected: int) -> None:
    before = list(campaign.checkpoints_dir.glob("*"))
    status, out, _ = studio("train", "--estimate", *SHORT, *changes, "--json")
    memory = json.loads(out)["memory"]
    assert (status, memory["judgement"] == "does not fit") == (expected, bool(expected))
    assert memory["estimate"]["total"] > memory["estimate"]["weights"] > 0
    status, out, _ = studio("train", "--estimate", *SHORT, *changes)
    assert status == expected
    needed, _, _ = memory["sentence"].partition(", and ")  # how much is free changes while other programs run
    assert needed in out
    assert {"fits": "That fits easily.", "does not fit": "That does not fit."}[memory["judgement"]] in out
    assert list(campaign.checkpoints_dir.glob("*")) == before


def test_a_detached_run_outlives_the_command_and_is_stopped_and_resumed_by_others(
    studio: Any, campaign: Workspace
) -> None:
    command = [sys.executable, "-m", "studio", "--workspace", str(campaign.root), "train", "--detach", "--json"]
    command += [*SHORT, "--set", "max_steps=400", "--set", "epochs=400", "--name", "detached"]
    started = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert json.loads(started.stdout) == {"run": "detached"}
    job: Job = find_run(campaign, "detached").job
    status, out, _ = studio("runs", "--json")
    assert status == 0
    assert {one["run"]: one["status"] for one in json.loads(out)}["detached"] in ("queued", "running")
    assert studio("train", "--resume", "detached")[0] == 1  # it is running
    status, out, _ = studio("stop", "detached", "--json")
    assert (status, json.loads(out)["status"]) == (0, "stopping")
    assert job.wait(PATIENCE).status == "stopped"
    status, out, _ = studio("runs")
    assert status == 0
    (line,) = [line for line in out.splitlines() if line.startswith("detached")]
    assert "stopped" in line


def test_a_run_that_fails_is_a_finding(studio: Any, tmp_path: Path) -> None:
    status, out, _ = studio("train", *SHORT, "--name", "no scenes", "--scenarios", str(tmp_path), "--json")
    assert status == 1
    assert json.loads(out)["error"]["error"] == "DatasetError"


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--name", "finished", *SHORT),
        ("train", "--set", "base_model=never-imported"),
        ("train", *SHORT, "--from", "never started"),
        ("train", "--resume", "never started"),
        ("train", "--resume", "finished"),
        ("stop", "never started"),
    ],
)
def test_what_cannot_be_done_is_a_finding(arguments: tuple[str, ...], studio: Any, finished: Run) -> None:
    status, _, err = studio(*arguments)
    assert status == 1
    assert err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--preset", "gigantic"), "gigantic"),
        (("--config", "no-such-file.yaml"), "no-such-file.yaml"),
        (("--set", "lora_rank=0", "--set", "colour=red"), "lora_rank"),
        (("--set", "lora_rank=0", "--set", "colour=red"), "colour"),
        (("--set", "learning_rate"), "learning_rate"),
        (("--set", "target_modules=[q_proj"), "target_modules"),
        (("--resume", "finished", "--set", "epochs=9"), "--set"),
    ],
)
def test_wrong_usage_names_what_is_wrong(
    arguments: tuple[str, ...], named: str, studio: Any, campaign: Workspace, finished: Run
) -> None:
    before = set(campaign.checkpoints_dir.iterdir())
    status, _, err = studio("train", *arguments)
    assert status == 2
    assert named in err
    assert set(campaign.checkpoints_dir.iterdir()) == before


def test_a_preset_and_a_file_exclude_each_other(studio: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        studio("train", "--preset", "quick", "--config", "mine.yaml")
    assert caught.value.code == 2


def test_a_file_with_bad_settings_is_refused_with_their_names(studio: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("learning_rate: fast\nbatch_sise: 2\n")
    status, _, err = studio("train", "--config", str(tmp_path / "bad.yaml"))
    assert status == 2
    assert "learning_rate" in err
    assert "batch_sise" in err


def test_balancing_is_an_option_of_a_run_and_cannot_be_changed_afterwards(studio: Any, campaign: Workspace) -> None:
    options = ["--balance", "call,type", "--balance-method", "repeats", "--balance-cap", "2"]
    status, _, err = studio("train", *SHORT, *options, "--name", "by option")
    assert status == 0
    assert "Balanced: " in err
    run = find_run(campaign, "by option")
    dataset = run.config().dataset
    assert dataset
    assert dataset.balance == BalanceConfig(by=["call", "type"], method="repeats", cap=2)
    assert json.loads((run.directory / "balance.json").read_text())["asked"] == dataset.balance.model_dump()
    assert studio("train", "--resume", "by option", "--balance", "none")[0] == 2
