"""The names that other programs may rely on: importable from the sub-package, with these methods or fields."""

import importlib

import pytest

METHODS = {
    "studio.scenarios.MarkdownParser": "parse_scenario extract_system_context extract_conversation validate_format",
    "studio.dataset.TrainingDataProcessor": "process_scenarios create_training_pairs augment_data balance_dataset",
    "studio.conversion.GGUFConverter": "convert_to_gguf quantize_model optimize_for_mobile validate_gguf",
    "studio.validation.ModelValidator": (
        "validate_tool_calls validate_conversation_quality benchmark_performance test_cactus_compatibility"
    ),
    "studio.training.ModelTrainer": "load_base_model setup_lora_config train save_checkpoint evaluate",
}
FIELDS = {
    "studio.scenarios.SystemContext": "role world location party",
    "studio.scenarios.Character": "name character_type class_name level health experience inventory stats spells",
    "studio.scenarios.ConversationTurn": "speaker content tool_calls",
    "studio.scenarios.ToolCall": "tool_name arguments result",
    "studio.scenarios.TrainingScenario": "system_context conversation scenario_type metadata",
    "studio.scenarios.ValidationResult": "diagnostics",
    "studio.config.TrainingConfig": (
        "base_model learning_rate batch_size epochs lora_rank lora_alpha target_modules gradient_accumulation_steps "
        "warmup_steps max_seq_length use_gpu memory_limit_gb"
    ),
    "studio.config.ModelConfig": (
        "name base_model_path target_size_gb quantization_type optimization_profile supported_tools"
    ),
    "studio.config.OptimizationProfile": (
        "name target_platform memory_limit_gb inference_speed_priority quality_priority quantization_settings"
    ),
}


def named(path: str) -> type:
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, type)
    return found


@pytest.mark.parametrize("path", METHODS)
def test_a_class_has_its_methods(path: str) -> None:
    assert all(callable(getattr(named(path), name)) for name in METHODS[path].split())


@pytest.mark.parametrize("path", FIELDS)
def test_a_model_has_its_fields(path: str) -> None:
    assert set(FIELDS[path].split()) <= set(named(path).model_fields)
