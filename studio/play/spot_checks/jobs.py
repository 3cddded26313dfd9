"""Spot checks as a job: started from a page, played in a process of its own, with a result that outlives the page."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from studio.conversion import resolve_playable
from studio.errors import JobError
from studio.jobs import Job, Worker, launch
from studio.play.hosts.client import HostOptions, ModelHost
from studio.play.script import play_vocabulary
from studio.play.spot_checks.results import save_result
from studio.play.spot_checks.runner import SpotCheckStoppedError, count_lines, run_suite
from studio.play.spot_checks.suite import load_suite
from studio.workspace import Workspace

SPOT_CHECK_KIND = "spot check"


class SpotCheckRequest(BaseModel):
    """Which suites a model is to play. `model` is a file or an adapter, as `chat` takes it."""

    model_config = ConfigDict(frozen=True)

    workspace: Path
    model: str
    title: str = ""
    suites: tuple[str, ...] = Field(min_length=1)
    threads: int = 0


def start_spot_checks(
    workspace: Workspace, model: str | Path, suites: Sequence[str], *, title: str = "", threads: int = 0
) -> Job:
    """Play suites with a model in a process of its own; the job that does so already is returned instead.

    Raises:
        ConversionError: there is no such model.
        PlayError, ConfigError: a suite is not there or cannot be read.
        JobError: it cannot be started.
    """
    vocabulary = play_vocabulary(workspace)
    for name in suites:
        load_suite(workspace, name, vocabulary)
    resolve_playable(workspace, model)
    request = SpotCheckRequest(
        workspace=workspace.root, model=str(model), title=title, suites=tuple(suites), threads=threads
    )
    which = hashlib.sha256("\0".join([str(model), *suites]).encode()).hexdigest()[:16]
    folder = workspace.jobs_dir / f"spot-check-{which}"
    if running := _running(folder):
        return running
    name = title or Path(str(model)).name
    return launch(
        folder, "studio.play.spot_checks.jobs:check", request, SPOT_CHECK_KIND, title=f"Spot checks of {name}"
    )


def check(worker: Worker, arguments: dict[str, JsonValue]) -> None:
    """The worker of `start_spot_checks`."""
    request = SpotCheckRequest.model_validate(arguments)
    workspace = Workspace(request.workspace)
    vocabulary = play_vocabulary(workspace)
    suites = {name: load_suite(workspace, name, vocabulary) for name in request.suites}
    total, before = sum(map(count_lines, suites.values())), 0
    model = resolve_playable(workspace, request.model)
    passed: dict[str, JsonValue] = {}
    worker.progress(0, total, "lines")
    with ModelHost(model.path, HostOptions(threads=request.threads, adapter=model.adapter)) as host:
        for name, suite in suites.items():
            played = before

            def on_line(done: int, _: int, played: int = played) -> None:
                worker.progress(played + done, total, "lines")

            try:
                result = run_suite(
                    workspace, name, suite, host, vocabulary, datetime.now(UTC), on_line=on_line,
                    should_stop=worker.stop_requested,
                )  # fmt: skip
            except SpotCheckStoppedError:
                return
            save_result(workspace, result)
            before += count_lines(suite)
            passed[name] = result.passed
            worker.result({"passed": passed})


def _running(folder: Path) -> Job | None:
    try:
        return None if Job(folder).state().is_finished else Job(folder)
    except JobError:
        return None  # nothing was ever started there
