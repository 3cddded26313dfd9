"""A run as the command line that starts it: whoever runs it gets the same settings."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from studio.config import DatasetConfig, TrainingConfig, TrainingPreset, load_dataset_config, load_presets
from studio.errors import StudioError
from studio.training.provenance import Provenance
from studio.training.runs import CONFIG_FILE, Run, find_run
from studio.workspace import PROJECT_ROOT, Workspace

_EXACT = 1e15
"""Up to here a whole float is the same number when it is written without its point."""


@dataclass(frozen=True)
class Beginning:
    """What a command line starts from (`--preset NAME`, `--like RUN`, `--config FILE`), and the settings of that."""

    option: Literal["--preset", "--like", "--config"]
    value: str
    config: TrainingConfig


def nearest_preset(config: TrainingConfig, presets: Mapping[str, TrainingPreset]) -> Beginning | None:
    """The preset that takes the fewest changes to become `config`; None where there is no preset."""
    found = [Beginning("--preset", name, one.training) for name, one in presets.items()]
    return min(found, key=lambda one: len(changes(config, one.config)), default=None)


def changes(config: TrainingConfig, beginning: TrainingConfig, rows: DatasetConfig | None = None) -> list[str]:
    """`KEY=VALUE` of every setting that differs, as `--set` takes it.

    Args:
        rows: how scenarios become rows when the settings do not say (config/dataset.yaml).
    """
    wanted, given = _filled(config, rows), _filled(beginning, rows)
    return [f"{name}={_written(wanted[name])}" for name in TrainingConfig.model_fields if wanted[name] != given[name]]


def train_command(
    workspace: Workspace,
    config: TrainingConfig,
    beginning: Beginning,
    *,
    name: str = "",
    scenarios: Path | None = None,
    parent: str = "",
) -> str:
    """The command, quoted for a POSIX shell.

    Args:
        name: of the run; the command leaves it to the studio when empty.
        scenarios: folder that is learned from, if it is not the workspace's own, nor that of a `--like`.
        parent: what `--from` names: a run, or the folder of an adapter.

    Raises:
        ConfigError: config/dataset.yaml cannot be used.
    """
    words = ["python", "-m", "studio"]
    if workspace.root != PROJECT_ROOT:
        words += _option("--workspace", str(workspace.root))
    words += ["train", *_option(beginning.option, beginning.value)]
    for change in changes(config, beginning.config, load_dataset_config(workspace)):
        words += ["--set", change]
    if scenarios and scenarios.resolve() != workspace.scenarios_dir.resolve():
        words += _option("--scenarios", str(scenarios))
    if parent:
        words += _option("--from", parent)
    if name:
        words += _option("--name", name)
    return shlex.join(words)


def command_of(workspace: Workspace, run: Run) -> str:
    """The command that starts another run with the settings, the scenarios and the beginning of `run`.

    Raises:
        ConfigError: its settings or config/dataset.yaml cannot be used.
    """
    config = run.config()
    try:
        beginning = nearest_preset(config, load_presets(workspace))
    except StudioError:  # the presets are broken; the run's own file says everything
        beginning = None
    return train_command(
        workspace,
        config,
        beginning or Beginning("--config", str(run.directory / CONFIG_FILE), config),
        scenarios=run.scenarios,
        parent=_parent(workspace, run),
    )


def _parent(workspace: Workspace, run: Run) -> str:
    """The run whose adapter this one began with; the copy's folder where that run is gone or has another adapter."""
    if run.parent is None:
        return ""
    try:
        mine = Provenance.read(run.parent)
        theirs = find_run(workspace, mine.run).adapter
        if theirs and Provenance.read(theirs).adapter_sha256 == mine.adapter_sha256:
            return mine.run
    except StudioError:
        pass
    return str(run.parent)


def _filled(config: TrainingConfig, rows: DatasetConfig | None) -> dict[str, Any]:
    """The settings as plain values; of the rows' settings only what is not the default."""
    values = config.model_dump(mode="json", exclude={"dataset"})
    dataset = config.dataset or rows
    return {**values, "dataset": dataset and dataset.model_dump(mode="json", exclude_defaults=True)}


def _written(value: object) -> str:
    """A value on one line of YAML: plain where that reads back as it was, else with every odd character escaped."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    text = _yaml(value, allow_unicode=True)
    readable = "\n" not in text and text.isprintable() and yaml.safe_load(text) == value
    return text if readable else _yaml(value, default_style='"')


def _yaml(value: object, **style: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, **style)
    return str(text).removesuffix("\n...\n").strip()


def _option(name: str, value: str) -> list[str]:
    return [f"{name}={value}"] if value.startswith("-") else [name, value]
