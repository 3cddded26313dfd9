"""Evaluations and benchmarks as jobs: started from a page or the command line, and the functions their workers call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, JsonValue

from studio.errors import JobError
from studio.jobs import Job, Worker, launch
from studio.validation.benchmark import (
    BENCHMARK_FILE,
    BenchmarkRequest,
    BenchmarkSettings,
    MeasurementStore,
    run_benchmark,
)
from studio.validation.card import REPORT_FILE, ReportCard
from studio.validation.digest import read_digest
from studio.validation.evaluation import EvaluationStoppedError
from studio.validation.html import report_html
from studio.validation.request import EvaluationRequest, EvaluationSettings, model_files, scenario_files
from studio.validation.run import run_evaluation
from studio.workspace import Workspace, atomic_write

EVALUATION_KIND = "evaluate"
BENCHMARK_KIND = "benchmark"
HTML_FILE = "report.html"
MEASUREMENTS_FILE = "measurements.jsonl"


def start_evaluation(
    workspace: Workspace,
    models: Sequence[str | Path],
    scenarios: Sequence[str | Path] = (),
    settings: EvaluationSettings | None = None,
) -> Job:
    """Start an evaluation; the first model is the baseline that the others are compared with.

    The job's folder is `.studio/jobs/evaluate-FINGERPRINT/`, with `report.json` and `report.html` in the end. The same
    question asked again goes on where it was left; while it is being answered, the job that does so is returned.

    Args:
        models: GGUF files, absolute or relative to the workspace.
        scenarios: scenario files or folders; without any, all of `data/validation/`.

    Raises:
        EvaluationError: a model or the scenarios are not there.
        JobError: it cannot be started.
    """
    request = EvaluationRequest(
        workspace=workspace.root,
        models=model_files(workspace, models),
        scenarios=scenario_files(workspace, scenarios),
        settings=settings or EvaluationSettings(),
    )
    title = f"Evaluate {', '.join(one.label for one in request.models)}"
    folder = workspace.jobs_dir / f"{EVALUATION_KIND}-{request.fingerprint}"
    return _running(folder) or _launch(folder, "evaluate", request, EVALUATION_KIND, title)


def start_benchmark(
    workspace: Workspace, models: Sequence[str | Path], settings: BenchmarkSettings | None = None
) -> Job:
    """Start a benchmark of several files in alternation; the first is the baseline. Result: `benchmark.json`.

    One that was stopped goes on after its last whole round; one that was finished is measured anew.

    Raises:
        EvaluationError: a model is not there, or devices cannot be imitated on this computer.
        ConfigError: there is no device of a name.
        JobError: it cannot be started.
    """
    request = BenchmarkRequest.of(workspace, models, settings)
    title = f"Measure the speed of {', '.join(one.label for one in request.models)}"
    folder = workspace.jobs_dir / f"{BENCHMARK_KIND}-{request.fingerprint}"
    return _running(folder) or _launch(folder, "benchmark", request, BENCHMARK_KIND, title)


def evaluate(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The worker of `start_evaluation`."""
    request = EvaluationRequest.model_validate(arguments)
    try:
        card = run_evaluation(
            request,
            time.time(),
            on_turn=lambda done, total: worker.progress(done, total, "turns"),
            should_stop=worker.stop_requested,
        )
    except EvaluationStoppedError:
        return
    atomic_write(worker.directory / REPORT_FILE, card.model_dump_json(indent=1))
    atomic_write(worker.directory / HTML_FILE, report_html(card))
    read_digest(worker.directory)  # made and kept, so that no list has to
    worker.result(_headline(card))


def benchmark(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The worker of `start_benchmark`."""
    request = BenchmarkRequest.model_validate(arguments)
    store = MeasurementStore(worker.directory / MEASUREMENTS_FILE)
    report = run_benchmark(
        request,
        time.time(),
        store,
        on_step=lambda done, total: worker.progress(done, total, "measurements"),
        should_stop=worker.stop_requested,
    )
    if report is None:
        return
    atomic_write(worker.directory / BENCHMARK_FILE, report.model_dump_json(indent=1))
    store.clear()
    worker.result({"report": BENCHMARK_FILE})


def _running(folder: Path) -> Job | None:
    try:
        return None if Job(folder).state().is_finished else Job(folder)
    except JobError:
        return None  # nothing was ever started there


def _launch(folder: Path, function: str, request: BaseModel, kind: str, title: str) -> Job:
    return launch(folder, f"studio.validation.jobs:{function}", request, kind, title=title)


def _headline(card: ReportCard) -> dict[str, JsonValue]:
    right: dict[str, JsonValue] = {one.model.label: one.summary.figures["turn_right"].value for one in card.models}
    worse: list[JsonValue] = [one.model.label for one in card.regressed]
    return {"report": REPORT_FILE, "html": HTML_FILE, "turn_right": right, "regressions": worse}
