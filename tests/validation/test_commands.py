"""`evaluate`, `benchmark` and `cactus` with their exit statuses; jobs and models are real."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.bases import load_template
from studio.cli import main
from studio.metrics import TurnCase
from studio.validation import SAYS_NOT, EvaluationSettings, ReportCard
from studio.validation.digest import DIGEST_FILE
from studio.validation.evaluation import by_scenario, group_fingerprint
from studio.validation.rows import GeneratedTurn, RowStore
from studio.workspace import PROJECT_ROOT, Workspace, sha256_file
from tests.validation.conftest import SHIPPED

QUICK = ["--max-tokens", "10", "--threads", "1", "--no-stress"]


def run(workspace: Workspace, *arguments: object) -> int:
    return main(["--workspace", str(workspace.root), *map(str, arguments)])


def store_rows(workspace: Workspace, model: Path, cases: list[TurnCase], texts: list[str]) -> None:
    """Rows as if the model had written `texts`, so that a comparison can be had without a good and a bad model."""
    template, settings = load_template("smollm2").source, EvaluationSettings(max_tokens=10)
    sha256 = sha256_file(model)
    prints = [group_fingerprint(group, settings, 1, template) for group in by_scenario(cases) for _ in group]
    RowStore.of(workspace, sha256).add(
        GeneratedTurn(
            model_sha256=sha256,
            key=case.key,
            fingerprint=fingerprint,
            text=text,
            reason="end_of_turn",
        )
        for case, text, fingerprint in zip(cases, texts, prints, strict=True)
    )


def another(base: Path, path: Path, name: bytes = b"Altered 135M") -> Path:
    """The base model under another name inside the file, so that it is another file by content."""
    shutil.copyfile(base, path)
    with path.open("r+b") as stream:
        position = stream.read(65536).index(b"Smollm2 135M")
        stream.seek(position)
        stream.write(name)
    return path


@pytest.mark.slow
def test_evaluate_shows_figures_and_writes_the_report(
    campaign: Workspace, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(campaign, "evaluate", base, *QUICK) == 0
    shown = capsys.readouterr()
    assert "0 % (0 of 3)" in shown.out
    assert "Evaluating: 7 of 7 turns" in shown.err
    report = campaign.root / shown.out.split("Report: ")[1].strip()
    assert "smollm2-135m-instruct" in report.read_text(encoding="utf-8")
    assert (report.parent / DIGEST_FILE).is_file()
    assert run(campaign, "evaluate", base, *QUICK, "--json") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    card = ReportCard.model_validate_json(shown.out)
    assert card.models[0].summary.turns == 7


@pytest.mark.slow
def test_evaluate_fails_when_a_model_lost_what_its_baseline_had(
    other_campaign: Workspace, held_out: list[TurnCase], base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned, small = another(base, tmp_path / "tuned.gguf"), another(base, tmp_path / "small.gguf", b"Smaller 135M")
    authors = [case.authored for case in held_out]
    for model in (base, small):
        store_rows(other_campaign, model, held_out, authors)
    store_rows(other_campaign, tuned, held_out, ["It rains."] * len(held_out))
    arguments = ["--scenarios", SHIPPED, *QUICK]
    assert run(other_campaign, "evaluate", small, tuned, "--baseline", base, *arguments) == 1
    shown = capsys.readouterr().out
    good, bad = shown.split("tuned against smollm2-135m-instruct")
    assert "small against smollm2-135m-instruct" in good
    assert "Nothing is shown to be worse" in good
    assert "Worse than the baseline" in bad
    assert "In mixed: worse in 'Turns that are right'" in bad
    assert run(other_campaign, "evaluate", base, "--baseline", tuned, *arguments) == 0
    assert "Nothing is shown to be worse" in capsys.readouterr().out


@pytest.mark.slow
def test_ctrl_c_stops_the_job_keeps_what_was_generated_and_the_same_command_goes_on(
    other_campaign: Workspace, base: Path
) -> None:
    command = [sys.executable, "-m", "studio", "--workspace", str(other_campaign.root), "evaluate", str(base), *QUICK]
    rows = RowStore.of(other_campaign, sha256_file(base)).path
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not rows.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 130, output + errors
    assert "goes on where it was left" in output
    kept = rows.read_bytes()
    assert run(other_campaign, "evaluate", base, *QUICK) == 0
    assert rows.read_bytes().startswith(kept)
    assert len(RowStore(rows)) == 7


@pytest.mark.slow
def test_benchmark_prints_its_rows(campaign: Workspace, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ("--rounds", 1, "--prompt-tokens", 32, "--threads", 1)
    assert run(campaign, "benchmark", base, *quick, "--device", "phone_2gb") == 0
    shown = capsys.readouterr().out
    assert "smollm2-135m-instruct" in shown
    assert "not measured" in shown
    assert "fits" in shown.split("VERDICT")[1]
    assert SAYS_NOT in shown


def test_benchmark_refuses_a_device_that_nobody_knows(
    campaign: Workspace, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(campaign, "benchmark", base, "--device", "toaster") == 2
    assert "phone_3gb" in capsys.readouterr().err


def test_cactus_says_yes_to_the_base_model_and_no_to_a_damaged_file(
    campaign: Workspace, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(campaign, "cactus", base, "--json") == 0
    assert json.loads(capsys.readouterr().out)["architecture"] == "llama"
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    assert run(campaign, "cactus", broken) == 1
    assert "fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "model", "--max-turns", "0"],
        ["evaluate", "model", "--max-turns", "many"],
        ["benchmark"],
        ["cactus"],
        ["cactus", "model", "--fast"],
    ],
)
def test_wrong_usage_ends_with_status_2(campaign: Workspace, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(campaign, *arguments)
    assert caught.value.code == 2


def test_a_model_cannot_be_its_own_baseline(campaign: Workspace, base: Path) -> None:
    assert run(campaign, "evaluate", base, "--baseline", base) == 2
    assert run(campaign, "evaluate", base, base) == 2


@pytest.mark.parametrize("command", ["evaluate", "benchmark", "cactus"])
def test_a_model_that_is_unknown_is_reported(
    campaign: Workspace, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(campaign, command, "nobody-knows-me") == 1
    assert "nobody-knows-me" in capsys.readouterr().err
