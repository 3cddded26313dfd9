"""The curves of a run also for TensorBoard, MLflow or Weights & Biases, where the user has installed them.

All of them write below the run's folder and nothing leaves the machine. Weights & Biases alone can be told to send, by
WANDB_MODE=online in the environment of the studio; then it is the user who says so. Importing this loads none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from studio.config import Tracker
from studio.errors import TrainingError

_TITLES: dict[Tracker, str] = {"tensorboard": "TensorBoard", "mlflow": "MLflow", "wandb": "Weights & Biases"}


def tracker_folder(run: Path, tracker: Tracker) -> Path:
    """Where a tracker writes: a folder of the run with its name."""
    return run / tracker


def check_trackers(trackers: Iterable[Tracker]) -> None:
    """Look before the run starts whether every tracker is installed.

    Raises:
        TrainingError: one is not; it names the package.
    """
    for tracker in trackers:
        if find_spec(tracker) is None:
            raise TrainingError(
                f"{_TITLES[tracker]} is asked for (trackers) and is not installed.",
                why=f"The Python package {tracker} is missing in the studio's environment.",
                next_step=f"Run .venv/bin/pip install {tracker}, or take {tracker} out of trackers.",
            )


def tracker_environment(run: Path, trackers: Iterable[Tracker], given: Mapping[str, str]) -> dict[str, str]:
    """The variables by which the trackers are told where to write; only those of `trackers`.

    Args:
        given: the environment as it is. Of it only WANDB_MODE counts: a server that another project of the user's
            sends to (MLFLOW_TRACKING_URI) is not this run's.
    """
    folders = {one: tracker_folder(run, one).resolve() for one in trackers}
    found: dict[str, str] = {}
    if "tensorboard" in folders:
        found["TENSORBOARD_LOGGING_DIR"] = str(folders["tensorboard"])
    if "mlflow" in folders:
        found["MLFLOW_TRACKING_URI"] = f"sqlite:///{folders['mlflow'] / 'mlflow.db'}"
        found["MLFLOW_EXPERIMENT_NAME"] = run.name
        found["HF_MLFLOW_LOG_ARTIFACTS"] = "false"
        found["MLFLOW_DISABLE_TELEMETRY"] = "true"
    if "wandb" in folders:
        found["WANDB_DIR"] = str(run.resolve())  # it adds a folder of its name itself
        found["WANDB_MODE"] = given.get("WANDB_MODE", "offline")
        found["WANDB_PROJECT"] = given.get("WANDB_PROJECT", "dnd-model-studio")
        found["WANDB_LOG_MODEL"] = "false"
        found["WANDB_ERROR_REPORTING"] = "false"
    return found


def prepare_trackers(run: Path, trackers: Sequence[Tracker], environment: MutableMapping[str, str]) -> None:
    """Make the folders of the trackers and tell them in `environment` where these are.

    Raises:
        TrainingError: one is not installed.
    """
    check_trackers(trackers)
    for tracker in trackers:
        tracker_folder(run, tracker).mkdir(parents=True, exist_ok=True)
    environment.update(tracker_environment(run, trackers, environment))
