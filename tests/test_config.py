"""Every file of config/ loads, and every mistake in one is told with the file and the key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.config import (
    BalanceConfig,
    DatasetConfig,
    ModelConfig,
    TrainingConfig,
    load_dataset_config,
    load_model_configs,
    load_presets,
    load_profiles,
    load_settings,
    load_yaml,
    save_dataset_config,
    save_settings,
)
from studio.dataset.augmentation.lexicon import load_lexicon
from studio.dataset.suggestions import load_needs
from studio.errors import ConfigError
from studio.play.watching.rules import load_play_rules
from studio.scenarios import SCENARIO_TYPES, MarkdownParser, Severity, load_check_settings, load_vocabulary
from studio.scenarios.srd import load_srd
from studio.workspace import PROJECT_ROOT, Workspace

CONFIG = PROJECT_ROOT / "config"
Load = Callable[[Workspace], Any]
LOADERS: dict[str, Load] = {
    "training_config.yaml": load_presets,
    "optimization_profiles.yaml": load_profiles,
    "tools.yaml": lambda workspace: load_vocabulary(workspace.config_file("tools.yaml")),
    "diagnostics.yaml": lambda workspace: load_check_settings(workspace.config_file("diagnostics.yaml")),
    "model_configs/smollm2-135m-instruct.yaml": load_model_configs,
    "coverage.yaml": lambda workspace: load_needs(workspace.config_file("coverage.yaml")),
    "augmentation.yaml": lambda workspace: load_lexicon(workspace.config_file("augmentation.yaml")),
    "dataset.yaml": load_dataset_config,
    "play_rules.yaml": load_play_rules,
}
WRONG_KEYS = {
    "training_config.yaml": ("learning_rate:", "lerning_rate:", "lerning_rate"),
    "optimization_profiles.yaml": ("memory_limit_gb:", "memory_limit:", "memory_limit"),
    "tools.yaml": ("answer: required", "answr: required", "answr"),
    "diagnostics.yaml": ("turn_words:", "turn_word:", "turn_word"),
    "model_configs/smollm2-135m-instruct.yaml": ("family:", "familiy:", "familiy"),
    "coverage.yaml": ("least_requests:", "least_request:", "least_request"),
    "augmentation.yaml": ("surnames:", "surname:", "surname"),
    "dataset.yaml": ("  strength:", "  strenght:", "balance.strenght"),
    "play_rules.yaml": ("  rest:", "  rset:", "switching.rset"),
}
WRONG_TYPES = {
    "training_config.yaml": ("learning_rate: 1.0e-3", "learning_rate: fast", "learning_rate"),
    "optimization_profiles.yaml": ("memory_limit_gb: 0.8", "memory_limit_gb: lots", "memory_limit_gb"),
    "tools.yaml": ("outcome: true", "outcome: perhaps", "outcome"),
    "diagnostics.yaml": ("turn_words: 250", "turn_words: many", "turn_words"),
    "model_configs/smollm2-135m-instruct.yaml": ("family: smollm2", "family: elvish", "family"),
    "coverage.yaml": ("least_requests: 200", "least_requests: many", "least_requests"),
    "augmentation.yaml": ("modifiers: [", "modifiers: [[1], ", "modifiers"),
    "dataset.yaml": ("method: weights", "method: luck", "balance.method"),
    "play_rules.yaml": ("memory_share: 0.5", "memory_share: most", "hosts.memory_share"),
}


@pytest.fixture
def spoil(tmp_path: Path) -> Callable[[str, str, str], Workspace]:
    """A workspace whose copy of one configuration file has a piece of its text exchanged."""

    def make(name: str, right: str, wrong: str) -> Workspace:
        text = (CONFIG / name).read_text(encoding="utf-8")
        assert right in text
        copy = tmp_path / "config" / name
        copy.parent.mkdir(parents=True)
        copy.write_text(text.replace(right, wrong, 1), encoding="utf-8")
        return Workspace(tmp_path)

    return make


def complaint(load: Load, workspace: Workspace) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(workspace)
    return caught.value


def test_every_yaml_file_of_config_is_known_to_these_tests() -> None:
    found = {path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*.yaml")}
    catalogue = {name for name in found if name.startswith("model_configs/")}
    assert found - catalogue == {*LOADERS} - catalogue | {"srd_gear.yaml"}


@pytest.mark.parametrize("name", LOADERS)
def test_every_shipped_file_loads_from_a_workspaces_own_copy(name: str, tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    assert LOADERS[name](Workspace(tmp_path))


@pytest.mark.parametrize("path", sorted((CONFIG / "model_configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_catalogue_entry_is_named_like_its_file_and_fits_a_profile(path: Path) -> None:
    entry = load_settings(ModelConfig, path)
    assert entry.name == path.stem
    assert entry.optimization_profile in load_profiles(Workspace(PROJECT_ROOT))
    assert set(entry.supported_tools) <= set(load_vocabulary().by_name)


def test_presets_say_for_people_what_they_are_and_differ() -> None:
    presets = load_presets(Workspace(PROJECT_ROOT))
    assert list(presets) == ["quick", "good", "best"]
    assert all(preset.title and preset.summary.endswith(".") for preset in presets.values())
    assert len({preset.training.model_dump_json() for preset in presets.values()}) == 3
    assert all(preset.training.base_model in load_model_configs(Workspace(PROJECT_ROOT)) for preset in presets.values())


def test_profiles_leave_room_beside_the_file() -> None:
    for profile in load_profiles(Workspace(PROJECT_ROOT)).values():
        limit = profile.quantization_settings.size_limit_gb
        assert not limit or limit < profile.memory_limit_gb


def test_the_gear_of_the_rule_book_is_a_list_of_names() -> None:
    gear = load_yaml(CONFIG / "srd_gear.yaml")["gear"]
    assert len(gear) == len(set(gear))
    assert set(map(str.lower, gear)) <= set(load_srd().items)


@pytest.mark.parametrize("path", sorted((CONFIG / "templates").glob("*.md")), ids=lambda path: path.stem)
def test_every_template_is_a_scenario_without_an_error(path: Path) -> None:
    scenario = MarkdownParser().parse_scenario(path)
    assert [one for one in scenario.diagnostics if one.severity is Severity.ERROR] == []
    assert scenario.scenario_type in SCENARIO_TYPES


@pytest.mark.parametrize("name", WRONG_KEYS)
def test_a_wrong_key_is_told_with_file_and_key(name: str, spoil: Callable[[str, str, str], Workspace]) -> None:
    right, wrong, key = WRONG_KEYS[name]
    error = complaint(LOADERS[name], spoil(name, right, wrong))
    assert Path(name).name in error.where
    assert key in error.why


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_wrong_type_is_told_with_file_and_key(name: str, spoil: Callable[[str, str, str], Workspace]) -> None:
    right, wrong, key = WRONG_TYPES[name]
    error = complaint(LOADERS[name], spoil(name, right, wrong))
    assert Path(name).name in error.where
    assert key in error.why


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("content", [b"{", b"a: b: c", b"\xff\xfe", b"- a\n- list\n", b"a word", b"9"])
def test_what_is_no_settings_file_is_told_with_its_name(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert Path(name).name in complaint(LOADERS[name], Workspace(tmp_path)).where


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(TrainingConfig, tmp_path / "mine.yaml")
    assert caught.value.where.endswith("mine.yaml")


def test_a_setting_out_of_range_says_what_would_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("learning_rate: 7\nlora_rank: 0\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(TrainingConfig, tmp_path / "mine.yaml")
    assert "learning_rate: Input should be less than or equal to 0.1" in caught.value.why
    assert "lora_rank: " in caught.value.why


def test_settings_that_are_written_are_read_back_the_same(tmp_path: Path) -> None:
    settings = TrainingConfig(learning_rate=3e-4, target_modules=["q_proj", "v_proj"])
    save_settings(settings, tmp_path / "mine.yaml")
    assert load_settings(TrainingConfig, tmp_path / "mine.yaml") == settings
    assert list(yaml.safe_load((tmp_path / "mine.yaml").read_text())) == list(TrainingConfig.model_fields)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("# nothing yet\n")
    assert load_settings(TrainingConfig, tmp_path / "mine.yaml") == TrainingConfig()


def test_a_tool_that_uses_what_is_not_declared_is_refused(tmp_path: Path) -> None:
    text = (CONFIG / "tools.yaml").read_text()
    (tmp_path / "tools.yaml").write_text(text.replace("[dc, advantage, disadvantage, who, target]", "[dc, luck]", 1))
    with pytest.raises(ConfigError) as caught:
        load_vocabulary(tmp_path / "tools.yaml")
    assert "luck" in caught.value.why


@given(
    st.builds(
        DatasetConfig,
        validation_fraction=st.none() | st.floats(0, 0.5),
        test_fraction=st.floats(0, 0.5),
        pairs=st.booleans(),
        recap=st.booleans(),
        variations=st.booleans(),
        split_seed=st.integers(0, 2**32 - 1),
        balance=st.builds(
            BalanceConfig,
            by=st.lists(st.sampled_from(["type", "tool", "outcome", "call"]), unique=True),
            method=st.sampled_from(["weights", "repeats", "caps"]),
            strength=st.floats(0, 1),
            cap=st.floats(1, 1000),
        ),
    )
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_will_be_trained_is_read_as_it_was_saved(tmp_path: Path, config: DatasetConfig) -> None:
    workspace = Workspace(tmp_path)
    save_dataset_config(workspace, config)
    assert load_dataset_config(workspace) == config


def test_the_shipped_dataset_settings_are_the_defaults_as_the_studio_writes_them(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert load_dataset_config(workspace) == DatasetConfig()
    save_dataset_config(workspace, DatasetConfig())
    assert (tmp_path / "config" / "dataset.yaml").read_bytes() == (CONFIG / "dataset.yaml").read_bytes()


def test_a_saved_file_of_dataset_settings_explains_every_key(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    save_dataset_config(workspace, DatasetConfig(balance=BalanceConfig(by=["tool", "call"])))
    lines = (tmp_path / "config" / "dataset.yaml").read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if not line.strip().startswith("#")]
    assert len(keys) == len(DatasetConfig.model_fields) + len(BalanceConfig.model_fields)
    assert all(lines[number - 1].strip().startswith("# ") for number in keys)
    assert "  by: [tool, call]" in lines
    assert max(map(len, lines)) <= 120
