"""The command line of a run gives the settings of the run, whatever they are and however they must be quoted."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.cli import parsers
from studio.commands import Context
from studio.commands.training import chosen_settings
from studio.config import (
    DatasetConfig,
    TrainingConfig,
    TrainingPreset,
    load_dataset_config,
    load_presets,
    save_dataset_config,
    save_settings,
)
from studio.jobs import JobState
from studio.jobs.state import save_state
from studio.training import Provenance, Run, find_run
from studio.training.command_line import Beginning, command_of, nearest_preset, train_command
from studio.training.provenance import WEIGHTS_FILE
from studio.training.runs import PARENT_DIR
from studio.workspace import Workspace, atomic_write
from tests.training.random_settings import training_configs

ONCE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.text(max_size=12).filter(lambda one: "\0" not in one)
PARSER = parsers(["training"])[""]


def parsed(command: str) -> Namespace:
    """What the command line understands of it, as a shell would hand it over."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "studio"]
    return PARSER.parse_args(words[3:])


def settings_of(workspace: Workspace, command: str) -> TrainingConfig:
    """The settings that the command begins a run with; a relative path in it is one inside the workspace."""
    options = parsed(command)
    assert Path(options.workspace) == workspace.root
    like = find_run(workspace, options.like) if options.like else None
    return chosen_settings(options, Context(workspace), like)


def with_rows(config: TrainingConfig, workspace: Workspace) -> TrainingConfig:
    return config.model_copy(update={"dataset": config.dataset or load_dataset_config(workspace)})


def make_run(workspace: Workspace, name: str, config: TrainingConfig, scenarios: Path | None = None) -> Run:
    run = Run(workspace.checkpoints_dir / name)
    save_settings(config, run.directory / "config.yaml")
    learned_from = str(scenarios or workspace.scenarios_dir)
    save_state(run.directory, JobState(kind="train", arguments={"scenarios": learned_from}))
    return run


@ONCE
@given(training_configs(), NAMES)
def test_the_command_of_any_settings_gives_these_settings(
    empty_workspace: Workspace, config: TrainingConfig, name: str
) -> None:
    beginning = nearest_preset(config, load_presets(empty_workspace))
    assert beginning
    command = train_command(empty_workspace, config, beginning, name=name)
    assert settings_of(empty_workspace, command) == with_rows(config, empty_workspace)
    assert parsed(command).name == name


@ONCE
@given(training_configs(), training_configs())
def test_the_command_of_a_run_like_another_gives_the_changed_settings(
    empty_workspace: Workspace, config: TrainingConfig, former: TrainingConfig
) -> None:
    former = with_rows(former, empty_workspace)  # as a run keeps them
    make_run(empty_workspace, "former", former)
    command = train_command(empty_workspace, config, Beginning("--like", "former", former))
    assert settings_of(empty_workspace, command) == with_rows(config, empty_workspace)


def test_the_command_of_a_run_as_it_stands_on_its_page(empty_workspace: Workspace) -> None:
    elsewhere = empty_workspace.root / "my scenes' folder"
    rows = DatasetConfig(pairs=True, test_fraction=0.25)
    config = TrainingConfig(epochs=5, target_modules=["q_proj", "v_proj"], learning_rate=1e-5, dataset=rows)
    command = command_of(empty_workspace, make_run(empty_workspace, "evening", config, elsewhere))
    assert settings_of(empty_workspace, command) == config
    assert parsed(command).scenarios == elsewhere
    assert "epochs=5 " in command
    save_dataset_config(empty_workspace, rows)  # now it goes without saying
    shorter = command_of(empty_workspace, Run(empty_workspace.checkpoints_dir / "evening"))
    assert "dataset=" not in shorter
    assert settings_of(empty_workspace, shorter) == config


@pytest.mark.parametrize("text", ["presets: [unclosed", "{}"])
def test_without_presets_the_command_names_the_runs_own_file(empty_workspace: Workspace, text: str) -> None:
    config = TrainingConfig(epochs=5, dataset=DatasetConfig(recap=True))
    run = make_run(empty_workspace, "evening", config)
    atomic_write(empty_workspace.config_dir / "training_config.yaml", text)
    command = command_of(empty_workspace, run)
    assert parsed(command).config == run.directory / "config.yaml"
    assert settings_of(empty_workspace, command) == config


def test_what_a_run_began_with_is_named_by_its_run_while_that_has_it(empty_workspace: Workspace) -> None:
    first, second = (make_run(empty_workspace, name, TrainingConfig()) for name in ("first", "second"))
    learned = Provenance(
        base="b", base_sha256="0", dataset_fingerprint="1", config_sha256="2", adapter_sha256="3", run="first"
    )
    for folder in (first.directory / "adapter", second.directory / PARENT_DIR):
        atomic_write(folder / WEIGHTS_FILE, b"{}")
        learned.write(folder)
    assert parsed(command_of(empty_workspace, second)).parent == "first"
    assert parsed(command_of(empty_workspace, first)).parent is None
    learned.model_copy(update={"adapter_sha256": "4"}).write(first.directory / "adapter")  # it was trained on since
    assert parsed(command_of(empty_workspace, second)).parent == str(second.directory / PARENT_DIR)


def test_the_preset_with_the_fewest_changes_is_taken(empty_workspace: Workspace) -> None:
    presets = load_presets(empty_workspace)
    for name, preset in presets.items():
        assert nearest_preset(preset.training.model_copy(update={"seed": 99}), presets) == Beginning(
            "--preset", name, preset.training
        )
    assert nearest_preset(TrainingConfig(), {}) is None
    odd = {"-x": TrainingPreset(title="x", summary="x", training=TrainingConfig())}
    beginning = nearest_preset(TrainingConfig(), odd)
    assert beginning
    assert parsed(train_command(empty_workspace, TrainingConfig(), beginning)).preset == "-x"
