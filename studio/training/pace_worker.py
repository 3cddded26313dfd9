"""The measurement of `studio.training.pace` as a job: a very short run, of which only the event log is kept."""

from __future__ import annotations

import shutil
from typing import Any

from studio.jobs import Worker
from studio.training.runs import ADAPTER_DIR
from studio.training.worker import main as train


def main(worker: Worker, arguments: dict[str, Any]) -> None:
    """Train as the folder's config.yaml says, then delete the weights."""
    try:
        train(worker, arguments)
    finally:
        for folder in (*worker.directory.glob("checkpoint-*"), worker.directory / ADAPTER_DIR):
            shutil.rmtree(folder, ignore_errors=True)
