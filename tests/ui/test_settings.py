"""The settings of a run as a form: every field is there, what is typed is checked, and a file keeps all of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.config import DatasetConfig, TrainingConfig, load_presets
from studio.errors import ConfigError
from studio.ui.setting_words import ELSEWHERE, GROUPS, MORE
from studio.ui.settings import changed, checked, groups, in_words, shown, training_settings
from studio.ui.settings_file import MOST_BYTES, as_file, from_file
from studio.workspace import PROJECT_ROOT, Workspace
from tests.training.random_settings import training_configs

NAMES = [one.name for one in training_settings()]


def test_every_setting_is_in_the_form_once_with_a_label_and_a_hint() -> None:
    assert sorted([*NAMES, *ELSEWHERE]) == sorted(TrainingConfig.model_fields)
    assert all(one.label and one.hint.endswith(".") for one in training_settings())
    assert len({one.label for one in training_settings()}) == len(NAMES)
    assert [one for members in groups().values() for one in members] == list(training_settings())


def test_a_field_that_nobody_wrote_words_for_appears_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(TrainingConfig):
        courage: int | None = None

    Newer.model_fields["courage"].description = "How bold it is."
    monkeypatch.setattr("studio.ui.settings.TrainingConfig", Newer)
    training_settings.cache_clear()
    try:
        found = groups()[MORE]
        assert [(one.name, one.label, one.optional) for one in found] == [("courage", "Courage", True)]
        assert checked(Newer(courage=3), {"courage": ""}).config.model_dump()["courage"] is None
    finally:
        training_settings.cache_clear()


def test_words_are_for_settings_that_may_come_and_each_setting_has_one_place() -> None:
    placed = [name for fields in GROUPS.values() for name in fields]
    assert len(placed) == len(set(placed))
    assert not set(placed) & ELSEWHERE


@settings(max_examples=60)
@given(training_configs())
def test_what_the_fields_show_is_read_back_as_it_was(config: TrainingConfig) -> None:
    typed = {one.name: shown(one, getattr(config, one.name)) for one in training_settings()}
    found = checked(TrainingConfig(base_model=config.base_model, dataset=config.dataset), typed)
    assert not found.faults
    assert found.config == config


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("epochs", "ten", "above 0, at most 1,000"),
        ("epochs", "0", "above 0"),
        ("epochs", "nan", "above 0"),
        ("epochs", "2,5", "2.5"),
        ("epochs", "", "Nothing is written here"),
        ("learning_rate", "1", "at most 0.1"),
        ("batch_size", "1.5", "a whole number from 1 to 512"),
        ("seed", "-1", "from 0 to 4,294,967,295"),
        ("lora_dropout", "1", "from 0 to below 1"),
        ("max_steps", "-3", "of at least 0"),
        ("target_modules", " , ", "all-linear, or names separated by commas"),
    ],
)
def test_a_value_that_cannot_be_says_what_can_and_the_rest_is_kept(name: str, typed: str, told: str) -> None:
    found = checked(TrainingConfig(), {name: typed, "warmup_steps": " 9 "})
    assert [one.name for one in found.faults] == [name]
    assert told in found.of(name)
    assert found.config == TrainingConfig(warmup_steps=9)
    assert found.of("warmup_steps") == ""


def test_every_fault_is_told_at_once() -> None:
    found = checked(TrainingConfig(), {"epochs": "ten", "seed": "x", "batch_size": "0"})
    assert {one.name for one in found.faults} == {"epochs", "seed", "batch_size"}


@pytest.mark.parametrize("typed", ["q_proj, v_proj", "q_proj v_proj", " q_proj,v_proj,"])
def test_layers_are_named_in_any_usual_way(typed: str) -> None:
    assert checked(TrainingConfig(), {"target_modules": typed}).config.target_modules == ["q_proj", "v_proj"]
    assert checked(TrainingConfig(), {"target_modules": " all-linear"}).config.target_modules == "all-linear"


@given(st.integers(1, 1024), st.integers(1, 1024), st.integers(1, 4096))
def test_alpha_keeps_its_proportion_to_the_rank_until_it_is_typed(rank: int, former: int, alpha: int) -> None:
    config = TrainingConfig(lora_rank=former, lora_alpha=alpha)
    made = checked(config, {"lora_rank": str(rank)}).config
    assert made.lora_rank == rank
    assert made.lora_alpha == max(1, min(4096, round(alpha * rank / former)))
    assert checked(config, {"lora_rank": str(rank), "lora_alpha": "5"}).config.lora_alpha == 5


def test_what_differs_is_named_with_both_values() -> None:
    now = TrainingConfig(epochs=5, keep_best=False)
    assert [(one.name, before, after) for one, before, after in changed(TrainingConfig(), now)] == [
        ("epochs", "4", "5"), ("keep_best", "on", "off"),
    ]  # fmt: skip
    assert [in_words(one) for one in (5e-4, 1e-05, 4.0, None, ["a", "b"])] == ["0.0005", "1e-05", "4", "", "a, b"]


# -- as a file


@settings(max_examples=60)
@given(training_configs())
def test_saved_settings_are_loaded_as_they_were(config: TrainingConfig) -> None:
    assert from_file(as_file(config), "x") == config


def test_a_preset_and_a_runs_own_file_can_be_loaded() -> None:
    presets = load_presets(Workspace(PROJECT_ROOT))
    for preset in presets.values():
        written = yaml.safe_dump(preset.training.model_dump(mode="json"))
        assert from_file(written, "x") == preset.training
    assert from_file("dataset: {pairs: true}", "x").dataset == DatasetConfig(pairs=True)


def test_a_saved_file_explains_every_key() -> None:
    lines = as_file(TrainingConfig(dataset=DatasetConfig())).splitlines()
    keys = [number for number, line in enumerate(lines) if not line.strip().startswith("#")]
    assert len(keys) > len(TrainingConfig.model_fields)
    assert all(lines[number - 1].strip().startswith("# ") for number in keys)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lerning_rate: 0.1", "lerning_rate: there is no such setting. Did you mean learning_rate?"),
        ("epochs: ten", "epochs: ten cannot be used. Write a number above 0, at most 1,000."),
        ("dataset: {balance: {by: [luck]}}", "dataset: balance.by.0: "),
        ("dataset: {pears: true}", "dataset.pears: there is no such setting."),
        ("presets: {}", "presets: there is no such setting."),
        ("epochs: [", "line 1"),
        ("- a\n- b", "setting: value"),
        ("", "setting: value"),
        ("1: 2", "setting: value"),
        ("epochs: 2001-99-99", "not written as YAML"),
        ("[" * 1500, "not written as YAML"),
        ("!!python/object/apply:os.system ['true']", "not written as YAML"),
        ("x" * (MOST_BYTES + 1), "too long"),
    ],
)
def test_a_file_that_cannot_be_used_says_which_key_and_why(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_file(text, "mine.yaml")
    assert told in caught.value.why
    assert caught.value.where == "mine.yaml"


def test_every_wrong_key_of_a_file_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        from_file("epochs: ten\nseed: -1\nbathc_size: 1\n", "x")
    assert all(name in caught.value.why for name in ("epochs", "seed", "bathc_size", "batch_size"))


_Json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.text(), one), max_leaves=8)  # fmt: skip


@settings(max_examples=60)
@given(st.text() | st.builds(yaml.safe_dump, st.dictionaries(st.sampled_from([*NAMES, "dataset"]) | st.text(), _Json)))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    try:
        made: Any = from_file(text, "x")
    except ConfigError as error:
        made = error
    assert isinstance(made, TrainingConfig) or made.why
